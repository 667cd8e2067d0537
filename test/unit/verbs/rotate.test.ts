import { afterEach, describe, expect, it } from 'vitest'
import type { IssuedToken, RevokeTarget, Watchword } from 'watchword'
import {
  ACTOR,
  type Around,
  AUDIENCE,
  around,
  auditOf,
  codeOf,
  DAY,
  type Fleet,
  feedOver,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  newGate,
  type Options,
  outcome,
  POLICY,
  SECOND,
  type StoreMethod,
  targetsOf,
  verdict,
} from '../../support/fleet.js'
import { closeAll, rig } from '../../support/harness.js'

let fleet: Fleet
afterEach(() => fleet.close())

async function pair(options: Options = {}): Promise<[Watchword, Watchword]> {
  fleet = await newFleet(options)
  const [a, b] = await fleet.nodes(2)
  return [a as Watchword, b as Watchword]
}

const policies = (change: Partial<typeof POLICY>) => ({
  policies: { service: { ...POLICY, ...change } },
})

/** The verdict of every node on a token, at once and after reading the store. */
async function verdicts(nodes: readonly Watchword[], token: string): Promise<Set<string>> {
  const found = new Set<string>()
  for (const node of nodes) {
    found.add(verdict(node.verify(token)))
    found.add(verdict(await node.authenticate(token)))
    found.add(verdict(await node.authenticate(token, { freshness: 'store' })))
  }
  return found
}

const only = (code: string) => new Set([code])

describe('rotate', () => {
  it('returns the same successor to fifty concurrent callers on two nodes', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? a : b).rotate(token.token, ACTOR)),
    )
    expect(new Set(made.map(({ id }) => id)).size).toBe(1)
    for (const successor of made)
      expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
    expect((await a.tokens.list({ family: token.id })).items).toHaveLength(2)
  })

  it.each([1, 2, 3, 4, 5])(
    'returns the same successor when the store reorders the calls (%i)',
    async (seed) => {
      fleet = await newFleet()
      const { clock, store } = fleet
      let turn = seed * 7919
      const slow: Around = async (_method, call) => {
        turn = (turn * 48_271) % 2_147_483_647
        const [before, after] = [turn % 40, (turn >> 8) % 40]
        await new Promise<void>((resolve) => void clock.setTimer(resolve, before))
        const result = await call()
        await new Promise<void>((resolve) => void clock.setTimer(resolve, after))
        return result
      }
      const calm = await fleet.start()
      const token = await issueOn(calm)
      const nodes = [calm]
      for (let i = 0; i < 2; i++) {
        const starting = fleet.start({ store: around(store, slow) })
        await flush()
        await clock.advance(SECOND)
        nodes.push(await starting)
      }
      const rotating = Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          (nodes[i % 3] as Watchword).rotate(token.token, ACTOR),
        ),
      )
      await flush()
      await clock.advance(SECOND)
      expect(new Set((await rotating).map(({ id }) => id)).size).toBe(1)
    },
  )

  it('returns the same successor, sealed anew, to a retry within the grace', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    const first = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE - 1)
    const again = await b.rotate(token.token, ACTOR)
    expect(again.id).toBe(first.id)
    expect(again.token).not.toBe(first.token)
    expect(again.expiresAt).toBe(first.expiresAt)
    expect(await verdicts([a, b], first.token)).toEqual(only('ok'))
    expect(await verdicts([a, b], again.token)).toEqual(only('ok'))
  })

  it('makes one successor, whose copies are all revoked together', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    const first = await a.rotate(token.token, ACTOR)
    const again = await b.rotate(token.token, ACTOR)
    await b.revoke({ token: again.token }, ACTOR)
    expect(await verdicts([a, b], first.token)).toEqual(only('revoked'))
    expect(await outcome(a.rotate(token.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'revoked',
    })
  })
})

describe('the grace of a predecessor', () => {
  it('ends at its exact millisecond, on every node', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE - 1)
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
    await fleet.clock.advance(1)
    expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
  })

  it('is not extended by a retry', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    await a.rotate(token.token, ACTOR)
    for (let i = 0; i < 5; i++) {
      await fleet.clock.advance(11 * SECOND)
      await (i % 2 ? a : b).rotate(token.token, ACTOR)
    }
    await fleet.clock.advance(5 * SECOND)
    expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
  })

  it('ends at once when its successor is rotated', async () => {
    const [a, b] = await pair(policies({ reuse: 'observe' }))
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    const third = await b.rotate(second.token, ACTOR)
    expect(await a.tokens.get(first.id)).toMatchObject({ supersededAt: third.issuedAt })
    expect(await verdicts([a, b], first.token)).toEqual(only('superseded'))
    expect(await verdicts([a, b], second.token)).toEqual(only('ok'))
    expect(await verdicts([a, b], third.token)).toEqual(only('ok'))
    expect(await codeOf(a.rotate(first.token, ACTOR))).toBe('ERR_TOKEN_REUSED')
  })

  it('ends on every node even if only the retry reached the feed', async () => {
    fleet = await newFleet(policies({ reuse: 'observe' }))
    let broken = false
    const feed = feedOver(fleet.feed, {
      append: (...args) =>
        broken ? Promise.reject(new Error('down')) : fleet.feed.append(...args),
    })
    const a = await fleet.start({ feed })
    const b = await fleet.start()
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    broken = true
    expect(await codeOf(a.rotate(second.token, ACTOR))).toBe('ERR_REVOCATION_UNCERTAIN')
    broken = false
    await a.rotate(second.token, ACTOR)
    expect(await verdicts([a, b], first.token)).toEqual(only('superseded'))
    expect(await verdicts([a, b], second.token)).toEqual(only('ok'))
  })

  it('can be zero', async () => {
    const [a, b] = await pair(policies({ grace: 0, reuse: 'observe' }))
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
    expect(await codeOf(b.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_REUSED')
  })

  it('never outlives the token itself', async () => {
    const [a, b] = await pair(policies({ grace: '1h' }))
    const token = await issueOn(a)
    await fleet.clock.advance(9 * MINUTE)
    const successor = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE)
    expect(await verdicts([a, b], token.token)).toEqual(only('expired'))
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
  })
})

describe('reuse after the grace', () => {
  async function reused(reuse: 'observe' | 'alert' | 'revoke-family') {
    const [a, b] = await pair(policies({ reuse }))
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE)
    const codes: string[] = []
    const events = await auditOf(async () => {
      codes.push(await codeOf(b.rotate(token.token, { actor: 'thief' })))
    })
    return { a, b, token, successor, codes, actions: events.map(({ action }) => action), events }
  }

  it('is only rejected under observe', async () => {
    const { a, b, successor, codes, actions } = await reused('observe')
    expect(codes).toEqual(['ERR_TOKEN_REUSED'])
    expect(actions).toEqual([])
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
  })

  it('is rejected and reported under alert', async () => {
    const { a, b, token, successor, codes, actions, events } = await reused('alert')
    expect(codes).toEqual(['ERR_TOKEN_REUSED'])
    expect(actions).toEqual(['token.reused'])
    expect(events[0]).toMatchObject({ id: token.id, family: token.family, actor: 'thief' })
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
  })

  it('revokes the family under revoke-family, which is the default', async () => {
    const { a, b, token, successor, codes, actions } = await reused('revoke-family')
    expect(codes).toEqual(['ERR_TOKEN_REUSED'])
    expect(actions).toEqual(['revoked', 'token.reused'])
    expect(await verdicts([a, b], successor.token)).toEqual(only('revoked'))
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
    expect(await codeOf(a.rotate(successor.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
    const other = await issueOn(a)
    expect(await verdicts([a, b], other.token)).toEqual(only('ok'))
  })

  it('is not detected by verify, which only rejects the token', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE)
    const events = await auditOf(async () => {
      for (let i = 0; i < 3; i++)
        expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
    })
    expect(events).toEqual([])
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
  })
})

describe('a successor', () => {
  it('keeps subject, audience, policy, family and claims, and increments the generation', async () => {
    const [a, b] = await pair()
    const claims = { tenant: 'acme', limits: { perMinute: 60 } }
    const token = await issueOn(a, { subject: 'svc_mail', claims })
    const successor = await b.rotate(token.token, { actor: 'rotator' })
    const result = a.verify(successor.token)
    expect(result).toMatchObject({
      ok: true,
      subject: 'svc_mail',
      audience: AUDIENCE,
      policy: 'service',
      family: token.family,
      generation: 1,
      scopes: token.scopes,
      claims,
    })
    expect(await a.tokens.get(successor.id)).toMatchObject({
      predecessor: token.id,
      issuedBy: 'rotator',
    })
    expect(await a.tokens.get(token.id)).toMatchObject({ successor: successor.id })
  })

  it('can have fewer scopes, and never more', async () => {
    const [a] = await pair()
    const token = await issueOn(a, { scopes: ['orders:*'] })
    expect(await codeOf(a.rotate(token.token, { ...ACTOR, scopes: ['users:read'] }))).toBe(
      'ERR_SCOPE_NOT_GRANTABLE',
    )
    const narrow = await a.rotate(token.token, { ...ACTOR, scopes: ['orders:read'] })
    expect(narrow.scopes).toEqual(['orders:read'])
    expect(await codeOf(a.rotate(narrow.token, { ...ACTOR, scopes: ['orders:*'] }))).toBe(
      'ERR_SCOPE_NOT_GRANTABLE',
    )
    expect((await a.rotate(narrow.token, ACTOR)).scopes).toEqual(['orders:read'])
  })

  it('does not widen when a retry asks for more than the first call did', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    await a.rotate(token.token, { ...ACTOR, scopes: ['orders:read'] })
    const again = await b.rotate(token.token, ACTOR)
    expect(again.scopes).toEqual(['orders:read'])
    expect(verdict(a.verify(again.token, { scopes: ['orders:write'] }))).toBe('insufficient_scope')
  })

  it('has no longer lifetime than the policy allows', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    expect(await codeOf(a.rotate(token.token, { ...ACTOR, ttl: '11m' }))).toBe('ERR_TTL_TOO_LONG')
    const brief = await a.rotate(token.token, { ...ACTOR, ttl: '1m' })
    expect(brief.expiresAt - brief.issuedAt).toBe(MINUTE)
  })

  it('loses scopes that its policy no longer grants', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    const strict = await fleet.start(policies({ scopes: ['orders:read'] }))
    const successor = await strict.rotate(token.token, ACTOR)
    expect(successor.scopes).toEqual(['orders:read'])
    expect(verdict(a.verify(successor.token, { scopes: ['users:read'] }))).toBe(
      'insufficient_scope',
    )
  })

  it('is bound like its predecessor', async () => {
    const [a, b] = await pair()
    const binding = 'thumbprint'
    const token = await issueOn(a, { binding })
    for (const wrong of [{}, { binding: 'other' }]) {
      expect(await outcome(b.rotate(token.token, { ...ACTOR, ...wrong }))).toEqual({
        code: 'ERR_TOKEN_REJECTED',
        reason: 'invalid',
      })
    }
    const successor = await b.rotate(token.token, { ...ACTOR, binding })
    expect(verdict(a.verify(successor.token, { binding }))).toBe('ok')
    expect(verdict(a.verify(successor.token))).toBe('invalid')
  })

  it('is never made from an outdated, unknown, expired or revoked token', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    const newer = await fleet.start(policies({ version: 2, minVersion: 2 }))
    expect(await outcome(newer.rotate(token.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'outdated',
    })
    const elsewhere = await newFleet()
    const stranger = await elsewhere.start()
    const foreign = await issueOn(stranger)
    await elsewhere.close()
    expect(await outcome(a.rotate(foreign.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'unknown_key',
    })
    await fleet.clock.advance(10 * MINUTE)
    expect(await outcome(a.rotate(token.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'expired',
    })
    const other = await issueOn(a)
    await a.revoke({ id: other.id }, ACTOR)
    expect(await outcome(a.rotate(other.token, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'revoked',
    })
  })

  it('has the newest version of the policy', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    const newer = await fleet.start(policies({ version: 2, minVersion: 1 }))
    const successor = await newer.rotate(token.token, ACTOR)
    const newest = await fleet.start(policies({ version: 2, minVersion: 2 }))
    expect(verdict(newest.verify(successor.token))).toBe('ok')
    expect(verdict(newest.verify(token.token))).toBe('outdated')
  })

  it('cannot be made from a token without a record', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    await fleet.store.purge({ tokens: token.expiresAt, keys: 0, revocations: 0 })
    expect(await codeOf(a.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_UNKNOWN')
  })
})

describe('a thousand rotations', () => {
  it('widen nothing and end with the family', async () => {
    const [a, b] = await pair(policies({ grace: '1s', maxLifetime: '5h' }))
    let token: IssuedToken = await issueOn(a, { scopes: ['orders:*', 'users:read'] })
    const first = token
    const end = first.issuedAt + 5 * HOUR
    let rotations = 0
    for (; rotations < 1000; rotations++) {
      const narrower = rotations === 500 ? { scopes: ['orders:read'] } : {}
      const successor = await (rotations % 2 ? a : b).rotate(token.token, { ...ACTOR, ...narrower })
      const { subject, audience, policy, family, generation, scopes, expiresAt } = successor
      expect({ subject, audience, policy, family, generation }).toEqual({
        subject: first.subject,
        audience: first.audience,
        policy: first.policy,
        family: first.family,
        generation: token.generation + 1,
      })
      expect(scopes.every((scope) => token.scopes.includes(scope) || rotations === 500)).toBe(true)
      expect(expiresAt).toBeLessThanOrEqual(end)
      token = successor
      await fleet.clock.advance(17 * SECOND)
    }
    expect(token.scopes).toEqual(['orders:read'])
    while (fleet.clock.now() + 9 * MINUTE < end) {
      await fleet.clock.advance(9 * MINUTE)
      token = await a.rotate(token.token, ACTOR)
    }
    expect(token.expiresAt).toBe(end)
    await fleet.clock.advance(end - fleet.clock.now() - 1)
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
    await fleet.clock.advance(1)
    expect(await verdicts([a, b], token.token)).toEqual(only('expired'))
    expect(await codeOf(a.rotate(token.token, ACTOR))).toBe('ERR_FAMILY_ENDED')
    expect(await codeOf(b.rotate(first.token, ACTOR))).toBe('ERR_FAMILY_ENDED')
  })
})

describe('with retireOn first-use', () => {
  const firstUse = (change: Partial<typeof POLICY> = {}) =>
    policies({ retireOn: 'first-use', reuse: 'observe', ...change })

  it('the predecessor is valid until the successor is first verified, then rejected on every node', async () => {
    const [a, b] = await pair(firstUse())
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(5 * MINUTE)
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
    expect((await b.rotate(token.token, ACTOR)).id).toBe(successor.id)
    expect(verdict(b.verify(successor.token))).toBe('ok')
    await flush()
    expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
    expect(await verdicts([a, b], successor.token)).toEqual(only('ok'))
    expect(await codeOf(a.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_REUSED')
  })

  it('only the first use of the successor reads the store without a cache', async () => {
    const { watchword, store } = await rig({
      cache: false,
      policies: { service: { ttl: '30d', scopes: [], retireOn: 'first-use' } },
    })
    const first = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
    const next = await watchword.rotate(first.token, { actor: 'a' })
    let asked = 0
    const { getToken } = store
    store.getToken = (id: string) => {
      asked++
      return getToken.call(store, id)
    }
    for (let i = 0; i < 20; i++) expect(watchword.verify(next.token).ok).toBe(true)
    await flush()
    const once = asked
    expect(once).toBeGreaterThan(0)
    for (let i = 0; i < 20; i++) expect(watchword.verify(next.token).ok).toBe(true)
    await flush()
    expect(asked).toBe(once)
    expect(once).toBeLessThanOrEqual(2)
    await closeAll()
  })

  it('a rejected use of the successor retires nothing', async () => {
    const [a, b] = await pair(firstUse())
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    expect(verdict(b.verify(successor.token, { scopes: ['admin:all'] }))).toBe('insufficient_scope')
    await flush()
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
  })

  it('rotating the successor retires the predecessor as well', async () => {
    const [a, b] = await pair(firstUse())
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    await b.rotate(successor.token, ACTOR)
    expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
    expect(verdict(a.verify(successor.token))).toBe('ok')
  })

  it.each(['getToken', 'supersede', 'append'])(
    'an outage at the first use (%s) postpones the retirement to the next one',
    async (broken) => {
      fleet = await newFleet(firstUse())
      let down = false
      const store = around(fleet.store, (method, call) =>
        down && method === broken ? Promise.reject(new Error('down')) : call(),
      )
      const feed = feedOver(fleet.feed, {
        append: (...args) =>
          down && broken === 'append'
            ? Promise.reject(new Error('down'))
            : fleet.feed.append(...args),
      })
      const a = await fleet.start({ store, feed })
      const b = await fleet.start()
      const token = await issueOn(b)
      const successor = await b.rotate(token.token, ACTOR)
      down = true
      expect(verdict(a.verify(successor.token))).toBe('ok')
      await flush()
      down = false
      await fleet.clock.advance(SECOND)
      expect(verdict(a.verify(successor.token))).toBe('ok')
      await flush()
      expect(await verdicts([a, b], token.token)).toEqual(only('superseded'))
    },
  )
})

describe('a revocation during a rotation in flight', () => {
  interface Scene {
    readonly a: Watchword
    readonly b: Watchword
    readonly token: IssuedToken
    readonly family: IssuedToken[]
  }

  /** Ways to request a rotation, each with a different path through the store. */
  const paths: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
    first: async () => {},
    retry: async ({ b, token, family }) => void family.push(await b.rotate(token.token, ACTOR)),
    reuse: async ({ b, token, family }) => {
      family.push(await b.rotate(token.token, ACTOR))
      await fleet.clock.advance(MINUTE)
    },
  }

  const kinds = ['family', 'subject', 'audience', 'all', 'key', 'token'] as const

  /** Runs one rotation on node A, held at its n-th call to the store, while B revokes. Returns what was held. */
  async function interleave(path: string, kind: string, pauseAt: number) {
    fleet = await newFleet()
    const gate = newGate()
    let armed = false
    let steps = 0
    let heldAt: readonly [StoreMethod, 'before' | 'after'] | undefined
    let committed = false
    const step = async (method: StoreMethod, when: 'before' | 'after') => {
      if (!armed || steps++ !== pauseAt) return
      heldAt = [method, when]
      await gate.pass()
    }
    const via: Around = async (method, call) => {
      await step(method, 'before')
      const result = await call()
      if (armed && method === 'succeed') committed = true
      await step(method, 'after')
      return result
    }
    const a = await fleet.start({ store: around(fleet.store, via) })
    const b = await fleet.start()
    const token = await issueOn(a)
    const family = [token]
    await paths[path]?.({ a, b, token, family })
    armed = true
    const rotating = outcome(a.rotate(token.token, ACTOR))
    await Promise.race([gate.reached, rotating])
    const committedFirst = committed || path !== 'first'
    await b.revoke(targetsOf(token)[kind] as RevokeTarget, ACTOR)
    gate.open()
    const { value, code } = await rotating
    if (value !== undefined) family.push(value)
    return { a, b, token, family, code, heldAt, committedFirst }
  }

  for (const path of Object.keys(paths)) {
    it.each(kinds)(`leaves no token valid: %s, ${path}, at every step`, async (kind) => {
      let points = 0
      for (let pauseAt = 0; pauseAt < 20; pauseAt++) {
        const { a, b, token, family, code, heldAt, committedFirst } = await interleave(
          path,
          kind,
          pauseAt,
        )
        const late = await outcome(b.rotate(token.token, ACTOR))
        if (late.value !== undefined) family.push(late.value)
        // Only the single token is revoked: a successor that was committed before is a separate token.
        const doomed = kind === 'token' && committedFirst ? [token] : family
        for (const { token: text } of doomed)
          expect([heldAt, ...(await verdicts([a, b], text))]).not.toContain('ok')
        if (kind === 'token' && !committedFirst) expect(code).toBe('ERR_TOKEN_REJECTED')
        await fleet.close()
        if (heldAt === undefined) break
        points++
      }
      expect(points).toBeGreaterThanOrEqual(2)
      expect(points).toBeLessThan(20)
    })
  }

  it.each(['family', 'subject', 'audience', 'all', 'key'] as const)(
    'leaves no token valid when the revocation itself is held, at every step: %s',
    async (kind) => {
      let points = 0
      for (let pauseAt = 0; pauseAt < 20; pauseAt++) {
        fleet = await newFleet()
        const gate = newGate()
        let armed = false
        let steps = 0
        let held = false
        const step = async () => {
          if (!armed || steps++ !== pauseAt) return
          held = true
          await gate.pass()
        }
        const store = around(fleet.store, async (_method, call) => {
          await step()
          const result = await call()
          await step()
          return result
        })
        const feed = feedOver(fleet.feed, {
          append: async (...args) => {
            await step()
            const result = await fleet.feed.append(...args)
            await step()
            return result
          },
        })
        const revoker = await fleet.start({ store, feed })
        const rotator = await fleet.start()
        const token = await issueOn(rotator)
        armed = true
        const revoking = revoker.revoke(targetsOf(token)[kind] as RevokeTarget, ACTOR)
        await Promise.race([gate.reached, revoking])
        const family = [token]
        const early = await outcome(rotator.rotate(token.token, ACTOR))
        if (early.value !== undefined) family.push(early.value)
        gate.open()
        await revoking
        const late = await outcome(rotator.rotate((family.at(-1) as IssuedToken).token, ACTOR))
        expect(late.code).toBe('ERR_TOKEN_REJECTED')
        for (const { token: text } of family)
          expect(await verdicts([revoker, rotator], text)).toEqual(only('revoked'))
        await fleet.close()
        if (!held) break
        points++
      }
      expect(points).toBeGreaterThanOrEqual(4)
    },
  )

  it('keeps a successor under a new key from being committed when that key was revoked meanwhile', async () => {
    fleet = await newFleet({
      keys: { rotateEvery: '30d' },
      policies: { service: { ...POLICY, ttl: '40d' } },
    })
    const gate = newGate()
    let armed = false
    const store = around(fleet.store, async (method, call) => {
      if (armed && method === 'succeed') await gate.pass()
      return call()
    })
    const a = await fleet.start({ store })
    const b = await fleet.start()
    const token = await issueOn(a)
    await fleet.clock.advance(0)
    fleet.clock.step(31 * DAY)
    await a.keys.refresh()
    armed = true
    const rotating = outcome(a.rotate(token.token, ACTOR))
    await gate.reached
    await b.keys.refresh()
    const made = b.keys.list().at(-1)
    expect(made?.id).not.toBe(token.keyId)
    await b.revoke({ key: made?.id ?? '' }, ACTOR)
    gate.open()
    const { value, code } = await rotating
    if (value !== undefined) expect(await verdicts([a, b], value.token)).toEqual(only('revoked'))
    else expect(code).toBe('ERR_TOKEN_REJECTED')
    const next = await b.rotate(token.token, ACTOR)
    await a.keys.refresh()
    expect(await verdicts([a, b], next.token)).toEqual(only('ok'))
  })
})
