import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { IssuedToken, RevokeTarget, Watchword, WatchwordError } from 'watchword'
import {
  ACTOR,
  around,
  auditOf,
  codeOf,
  drive,
  errorOf,
  type Fleet,
  feedOver,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  newGate,
  outcome,
  POLICY,
  SECOND,
  targetsOf,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet?.close())

async function pair(): Promise<[Watchword, Watchword]> {
  fleet = await newFleet()
  const [a, b] = await fleet.nodes(2)
  return [a as Watchword, b as Watchword]
}

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
const KINDS = ['token', 'id', 'family', 'subject', 'key', 'audience', 'all'] as const
const BY_TIME = ['subject', 'audience', 'all'] as const
const targetOf = (kind: string, token: IssuedToken) => targetsOf(token)[kind] as RevokeTarget

describe('a revocation', () => {
  it.each(KINDS)(
    'by %s takes effect on every node, hot and cold, and is permanent',
    async (kind) => {
      const [a, b] = await pair()
      const token = await issueOn(a)
      expect(await verdicts([a], token.token)).toEqual(only('ok'))
      const receipt = await a.revoke(targetOf(kind, token), { ...ACTOR, reason: 'leaked' })
      expect(verdict(a.verify(token.token))).toBe('revoked')
      expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
      expect(receipt.kind).toBe(kind === 'id' ? 'token' : kind)
      expect(receipt.position).toMatchObject({ seq: 1 })
      expect(await a.tokens.get(token.id)).toMatchObject({
        revokedBy: 'ops',
        revokedReason: 'leaked',
      })
      const late = await fleet.start()
      expect(await verdicts([late], token.token)).toEqual(only('revoked'))
      expect(await outcome(b.rotate(token.token, ACTOR))).toEqual({
        code: 'ERR_TOKEN_REJECTED',
        reason: 'revoked',
      })
      await fleet.clock.advance(5 * MINUTE)
      expect(await verdicts([a, b, late], token.token)).toEqual(only('revoked'))
    },
  )

  it.each(KINDS)('by %s leaves other tokens valid', async (kind) => {
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    const a = await fleet.start()
    const token = await issueOn(a, { audience: 'orders-api' })
    const sibling = await issueOn(a, { audience: 'orders-api' })
    const other = await issueOn(a, { audience: 'users-api', subject: 'svc_other' })
    await a.revoke(targetOf(kind, token), ACTOR)
    const wide = ['subject', 'key', 'audience', 'all'].includes(kind)
    expect(await verdicts([a], token.token)).toEqual(only('revoked'))
    expect(await verdicts([a], sibling.token)).toEqual(only(wide ? 'revoked' : 'ok'))
    expect(await verdicts([a], other.token)).toEqual(only(kind === 'all' ? 'revoked' : 'ok'))
  })

  it.each(KINDS)('by %s can be repeated, at once or later, from any node', async (kind) => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    await a.revoke(targetOf(kind, token), ACTOR)
    await Promise.all([
      a.revoke(targetOf(kind, token), ACTOR),
      b.revoke(targetOf(kind, token), ACTOR),
    ])
    await fleet.clock.advance(MINUTE)
    await b.revoke(targetOf(kind, token), { actor: 'someone else' })
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
    expect(await a.tokens.get(token.id)).toMatchObject({ revokedBy: 'ops' })
  })

  it.each([
    { id: '01JZZZZZZZZZZZZZZZZZZZZZZZ' },
    { family: '01JZZZZZZZZZZZZZZZZZZZZZZZ' },
    { subject: 'unseen' },
    { key: `k4.lid.${'A'.repeat(44)}` },
    { audience: 'no-such-api' },
  ] satisfies RevokeTarget[])('of an unknown target succeeds: %o', async (target) => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    for (const node of [a, b, a]) await node.revoke(target, ACTOR)
    expect(a.health().revocations).toBe(1)
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
  })

  it('of an id that is not stored yet applies to the token that gets it', async () => {
    fleet = await newFleet()
    const gate = newGate()
    const store = around(fleet.store, async (method, call) => {
      if (method === 'insertTokens') await gate.pass()
      return call()
    })
    const a = await fleet.start({ store })
    const b = await fleet.start()
    const issuing = issueOn(a)
    await gate.reached
    await b.revoke({ subject: 'svc_billing' }, ACTOR)
    gate.open()
    const token = await issuing
    expect(verdict(a.verify(token.token))).toBe('revoked')
    expect(verdict(b.verify(token.token))).toBe('revoked')
  })

  it('by token accepts an expired one, a superseded one and a revoked one', async () => {
    const [a, b] = await pair()
    const token = await issueOn(a)
    const successor = await a.rotate(token.token, ACTOR)
    await fleet.clock.advance(MINUTE)
    expect((await b.revoke({ token: token.token }, ACTOR)).value).toBe(token.id)
    expect(await verdicts([a, b], successor.token)).toEqual(only('revoked'))
    await b.revoke({ token: successor.token }, ACTOR)
    await b.revoke({ token: successor.token }, ACTOR)
    await fleet.clock.advance(10 * MINUTE)
    expect((await b.revoke({ token: successor.token }, ACTOR)).value).toBe(successor.id)
    expect(await verdicts([a, b], successor.token)).toEqual(only('expired'))
  })

  it('by token requires an authentic one, with its binding', async () => {
    const [a] = await pair()
    const bound = await issueOn(a, { binding: 'thumbprint' })
    for (const options of [ACTOR, { ...ACTOR, binding: 'other' }]) {
      expect(await outcome(a.revoke({ token: bound.token }, options))).toEqual({
        code: 'ERR_TOKEN_REJECTED',
        reason: 'invalid',
      })
    }
    expect(await outcome(a.revoke({ token: 'nonsense' }, ACTOR))).toEqual({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'malformed',
    })
    await a.revoke({ token: bound.token }, { ...ACTOR, binding: 'thumbprint' })
    expect(verdict(a.verify(bound.token, { binding: 'thumbprint' }))).toBe('revoked')
  })

  it.each([
    {},
    { id: 'no ulid' },
    { family: '' },
    { subject: '' },
    { key: 'k4.lid.short' },
    { all: false },
    { subject: 'a', all: true },
    null,
    'token',
  ])('of %j is rejected and changes nothing', async (target) => {
    const [a] = await pair()
    const token = await issueOn(a)
    const wrong = target as unknown as RevokeTarget
    expect(await codeOf(a.revoke(wrong, ACTOR))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(a.revoke({ id: token.id }, { actor: '' }))).toBe('ERR_INVALID_ARGUMENT')
    expect(a.health().position.seq).toBe(0)
    expect(await verdicts([a], token.token)).toEqual(only('ok'))
  })

  it('is reported to the auditor once', async () => {
    const [a] = await pair()
    const token = await issueOn(a)
    const events = await auditOf(() => a.revoke({ id: token.id }, { ...ACTOR, reason: 'leaked' }))
    expect(events).toMatchObject([
      { action: 'revoked', actor: 'ops', target: 'token', id: token.id, reason: 'leaked' },
    ])
  })
})

describe.each(BY_TIME)('a revocation by time (%s) with a clock that stands still', (kind) => {
  it('revokes what was issued in the same millisecond, and nothing issued right after', async () => {
    const [a, b] = await pair()
    const before = await Promise.all([issueOn(a), issueOn(b), issueOn(a)])
    await a.revoke(targetOf(kind, before[0]), ACTOR)
    const after = [await issueOn(a), await issueOn(b)]
    for (const { token } of before) expect(await verdicts([a, b], token)).toEqual(only('revoked'))
    for (const { token } of after) expect(await verdicts([a, b], token)).toEqual(only('ok'))
  })

  it('can be repeated for tokens issued in between, from any node', async () => {
    const [a, b] = await pair()
    const dead: IssuedToken[] = []
    for (let i = 0; i < 6; i++) {
      const issuer = i % 2 ? a : b
      const token = await issueOn(issuer)
      expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
      await (i % 3 ? a : b).revoke(targetOf(kind, token), ACTOR)
      dead.push(token)
      for (const each of dead) expect(await verdicts([a, b], each.token)).toEqual(only('revoked'))
    }
    expect(await verdicts([a, b], (await issueOn(a)).token)).toEqual(only('ok'))
  })

  it('covers a token whose issue time other kinds of watermark had advanced', async () => {
    const [a, b] = await pair()
    for (const other of BY_TIME) await a.revoke(targetOf(other, await issueOn(a)), ACTOR)
    const token = await issueOn(b)
    await a.revoke(targetOf(kind, token), ACTOR)
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
  })

  it('revokes what was issued before the clock was set back', async () => {
    const [a, b] = await pair()
    await fleet.clock.advance(MINUTE)
    const token = await issueOn(a)
    expect(await verdicts([a, b], token.token)).toEqual(only('ok'))
    fleet.clock.step(-MINUTE)
    await a.revoke(targetOf(kind, token), ACTOR)
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
    const next = await issueOn(a)
    expect(await verdicts([a, b], next.token)).toEqual(only('ok'))
  })

  it('counts a family from its first token, however new its last one is', async () => {
    fleet = await newFleet()
    const gate = newGate()
    let armed = false
    const store = around(fleet.store, async (method, call) => {
      const result = await call()
      if (armed && method === 'succeed') await gate.pass()
      return result
    })
    const a = await fleet.start({ store })
    const b = await fleet.start()
    const token = await issueOn(a)
    await fleet.clock.advance(SECOND)
    armed = true
    const rotating = a.rotate(token.token, ACTOR)
    await gate.reached
    await b.revoke(targetOf(kind, token), ACTOR)
    gate.open()
    const successor = await rotating
    expect(await verdicts([a, b], successor.token)).toEqual(only('revoked'))
    expect(await codeOf(b.rotate(successor.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
  })
})

describe('a failure of the feed', () => {
  it('before it took a revocation makes it uncertain, while it holds locally and is retried until it is taken', async () => {
    fleet = await newFleet()
    let broken = true
    const feed = feedOver(fleet.feed, {
      append: (...args) =>
        broken ? Promise.reject(new Error('connection reset')) : fleet.feed.append(...args),
    })
    const [a, b] = [await fleet.start({ feed }), await fleet.start()]
    const token = await issueOn(a)
    let error: WatchwordError | undefined
    const events = await auditOf(async () => {
      error = await errorOf(a.revoke({ id: token.id }, ACTOR))
    })
    expect(error?.code).toBe('ERR_REVOCATION_UNCERTAIN')
    expect(events).toMatchObject([{ action: 'revoked', actor: 'ops', id: token.id }])
    expect(await verdicts([a], token.token)).toEqual(only('revoked'))
    expect(verdict(b.verify(token.token))).toBe('ok')
    expect(await codeOf(b.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
    expect(a.health().pendingRevocations).toBe(1)
    broken = false
    await fleet.clock.advance(2 * SECOND)
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
    expect(a.health().pendingRevocations).toBe(0)
    await a.revoke({ id: token.id }, ACTOR)
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
  })

  it('after it took a revocation is resolved by reading the log', async () => {
    fleet = await newFleet()
    const feed = feedOver(fleet.feed, {
      append: async (...args) => {
        await fleet.feed.append(...args)
        throw new Error('connection reset')
      },
    })
    const [a, b] = [await fleet.start({ feed }), await fleet.start()]
    const tokens = [await issueOn(a), await issueOn(a)]
    for (const { id } of tokens) await a.revoke({ id }, ACTOR)
    for (const { token } of tokens) expect(await verdicts([a, b], token)).toEqual(only('revoked'))
    expect(a.health().position.seq).toBe(2)
  })

  it('without a reply makes the revocation uncertain after the deadline', async () => {
    fleet = await newFleet({ timeout: '2s' })
    const feed = feedOver(fleet.feed, { append: () => new Promise(() => {}) })
    const a = await fleet.start({ feed })
    const token = await issueOn(a)
    const revoking = codeOf(a.revoke({ id: token.id }, ACTOR))
    await flush()
    expect(verdict(a.verify(token.token))).toBe('revoked')
    await fleet.clock.advance(2 * SECOND)
    expect(await revoking).toBe('ERR_REVOCATION_UNCERTAIN')
    expect(verdict(a.verify(token.token))).toBe('revoked')
  })
})

describe('a failure of the store after the feed took a revocation', () => {
  it.each(KINDS)('is thrown, and %s is still revoked on every node', async (kind) => {
    fleet = await newFleet()
    let broken = true
    const store = around(fleet.store, (method, call) =>
      broken && method === 'revoke' ? Promise.reject(new Error('read-only')) : call(),
    )
    const a = await fleet.start({ store })
    const b = await fleet.start()
    const token = await issueOn(a)
    let error: WatchwordError | undefined
    const events = await auditOf(async () => {
      error = await errorOf(a.revoke(targetOf(kind, token), ACTOR))
    })
    expect(error).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringMatching(/in effect on every node.*call revoke again$/),
    })
    expect(events).toMatchObject([{ action: 'revoked', actor: 'ops' }])
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
    expect(await codeOf(b.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
    broken = false
    await a.revoke(targetOf(kind, token), ACTOR)
    expect(await a.tokens.get(token.id)).toMatchObject({ revokedBy: 'ops' })
  })
})

describe('after a revocation has resolved', () => {
  /** Lets the scheduler choose which call continues, until all are done. */
  async function settle<T>(scheduler: fc.Scheduler, work: Promise<T>): Promise<T> {
    let settled = false
    const done = () => {
      settled = true
    }
    work.then(done, done)
    for (await flush(); !settled; await flush())
      if (scheduler.count() > 0) await scheduler.waitOne()
    return work
  }

  it('no verify that ends later succeeds, in any interleaving of the calls', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.constantFrom(...KINDS),
        fc.array(fc.constantFrom('verify', 'authenticate', 'store'), { maxLength: 12 }),
        async (scheduler, kind, calls) => {
          fleet = await newFleet()
          const slow = around(fleet.store, async (method, call) => {
            await scheduler.schedule(Promise.resolve(), `${method} asked`)
            const result = await call()
            await scheduler.schedule(Promise.resolve(), `${method} replied`)
            return result
          })
          const feed = feedOver(fleet.feed, {
            append: async (...args) => {
              await scheduler.schedule(Promise.resolve(), 'append asked')
              const result = await fleet.feed.append(...args)
              await scheduler.schedule(Promise.resolve(), 'append replied')
              return result
            },
          })
          const a = await settle(scheduler, fleet.start({ store: slow, feed }))
          const token = await settle(scheduler, issueOn(a))
          let acknowledged = false
          const wrong: string[] = []
          const check = async (call: string) => {
            await scheduler.schedule(Promise.resolve(), call)
            const result =
              call === 'verify'
                ? a.verify(token.token)
                : await a.authenticate(token.token, call === 'store' ? { freshness: 'store' } : {})
            if (result.ok && acknowledged) wrong.push(call)
          }
          const work = Promise.all([
            ...calls.map(check),
            a.revoke(targetOf(kind, token), ACTOR).then(() => {
              acknowledged = true
            }),
          ])
          await settle(scheduler, work)
          expect(wrong).toEqual([])
          expect(verdict(a.verify(token.token))).toBe('revoked')
          await settle(scheduler, fleet.close())
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('a token of a key that this node has not read yet', () => {
  it('is revoked, or the call reports an outage', async () => {
    fleet = await newFleet()
    let down = false
    const store = around(fleet.store, (_method, call) =>
      down ? Promise.reject(new Error('down')) : call(),
    )
    const [a, b] = [await fleet.start(), await fleet.start({ store })]
    const [key] = a.keys.list()
    await a.keys.revoke(key?.id ?? '', ACTOR)
    const token = await issueOn(a)
    down = true
    for (let i = 0; i < 2; i++)
      expect(await codeOf(drive(fleet.clock, b.revoke({ token: token.token }, ACTOR)))).toBe(
        'ERR_STORE_UNAVAILABLE',
      )
    down = false
    await drive(fleet.clock, b.revoke({ token: token.token }, ACTOR))
    expect(await verdicts([a, b], token.token)).toEqual(only('revoked'))
  })
})

describe('the revocation index', () => {
  it('holds only entries of tokens that can still be valid', async () => {
    const [a] = await pair()
    for (let i = 0; i < 50; i++) await a.revoke({ id: (await issueOn(a)).id }, ACTOR)
    expect(a.health().revocations).toBe(50)
    // They are kept by the hour of their expiry.
    await fleet.clock.advance(72 * MINUTE)
    expect(a.health().revocations).toBe(0)
  })

  it('keeps entries while a clock jumps ahead and comes back', async () => {
    fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '1h' } } })
    const a = await fleet.start()
    const token = await issueOn(a)
    await a.revoke({ id: token.id }, ACTOR)
    fleet.clock.step(3 * HOUR)
    await fleet.clock.advance(2 * MINUTE)
    expect(verdict(a.verify(token.token))).toBe('expired')
    fleet.clock.step(-3 * HOUR)
    expect(verdict(a.verify(token.token))).toBe('revoked')
  })

  it('and the store keep keys, tokens and revocations through such a jump', async () => {
    fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '1h' } } })
    const a = await fleet.start()
    const [token, dead] = [await issueOn(a), await issueOn(a)]
    await a.revoke({ id: dead.id }, ACTOR)
    fleet.clock.step(10_000 * HOUR)
    await fleet.clock.advance(30 * MINUTE)
    fleet.clock.step(-10_000 * HOUR)
    expect(await fleet.store.getToken(token.id)).toBeDefined()
    expect(await fleet.store.listRevocations({ limit: 10 })).toHaveLength(1)
    const late = await fleet.start()
    expect(verdict(late.verify(token.token))).toBe('ok')
    expect(verdict(late.verify(dead.token))).toBe('revoked')
  })

  it('believes the clock in the end, so that nothing is kept indefinitely', async () => {
    const [a] = await pair()
    await a.revoke({ id: (await issueOn(a)).id }, ACTOR)
    fleet.clock.step(3 * HOUR)
    await fleet.clock.advance(2 * MINUTE)
    expect(a.health().revocations).toBe(1)
    await fleet.clock.advance(HOUR)
    expect(a.health().revocations).toBe(0)
  })
})
