/**
 * The rotation budget bounds what one holder can make every node keep, by the age of the family alone.
 *
 * @module
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { IssuedToken, PolicyOptions, Watchword } from 'watchword'
import {
  ACTOR,
  auditOf,
  codeOf,
  DAY,
  errorOf,
  type Fleet,
  flush,
  issueOn,
  newFleet,
  POLICY,
  rarelyPolled,
  SECOND,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

const policies = (changes: Partial<PolicyOptions>) => ({
  policies: { service: { ...POLICY, ...changes } },
})

/** Rotates until the budget is exceeded. */
async function spend(watchword: Watchword, from: IssuedToken): Promise<readonly IssuedToken[]> {
  const made: IssuedToken[] = []
  for (let last = from; ; ) {
    const next = await watchword.rotate(last.token, ACTOR).catch(() => undefined)
    if (next === undefined) return made
    made.push(next)
    last = next
  }
}

describe('the rotation budget', () => {
  it('allows ten at once, and one more for each hundredth of the ttl', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const first = await issueOn(a)
    const made = await spend(a, first)
    expect(made).toHaveLength(10)
    const last = made.at(-1) as IssuedToken
    const error = await errorOf(a.rotate(last.token, ACTOR))
    expect(error.code).toBe('ERR_ROTATION_LIMIT')
    // The ttl is ten minutes.
    expect(error.retryAt).toBe(first.issuedAt + 6 * SECOND)
    await fleet.clock.advance(6 * SECOND - 1)
    expect(await codeOf(a.rotate(last.token, ACTOR))).toBe('ERR_ROTATION_LIMIT')
    await fleet.clock.advance(1)
    expect(await spend(a, last)).toHaveLength(1)
    expect(verdict(a.verify(last.token))).toBe('ok')
  })

  it('is shared by all nodes, and asking for the same successor again costs nothing', async () => {
    fleet = await newFleet(policies({ rotations: { burst: 2, every: '1m' } }))
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    for (let i = 0; i < 5; i++) expect((await b.rotate(first.token, ACTOR)).id).toBe(second.id)
    const third = await b.rotate(second.token, ACTOR)
    for (const node of [a, b]) {
      expect(await codeOf(node.rotate(third.token, ACTOR))).toBe('ERR_ROTATION_LIMIT')
      expect((await node.rotate(second.token, ACTOR)).id).toBe(third.id)
    }
  })

  it('counts a family as new while the clock is behind its first token', async () => {
    fleet = await newFleet({ maxStaleness: '1h', feed: rarelyPolled() })
    const a = await fleet.start()
    await fleet.clock.advance(2 * DAY)
    const first = await issueOn(a)
    fleet.clock.step(-4 * SECOND)
    const made = await spend(a, first)
    expect(made).toHaveLength(10)
    const error = await errorOf(a.rotate((made.at(-1) as IssuedToken).token, ACTOR))
    expect(error.retryAt).toBe(first.issuedAt + 6 * SECOND)
  })

  it('limits what one family costs every node to one register, however often it rotates', async () => {
    fleet = await newFleet(policies({ rotations: { burst: 100 } }))
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    await spend(a, await issueOn(a))
    await flush()
    for (const node of [a, b]) expect(node.health().revocations).toBe(1)
  })

  it('leaves room for revocations, however many families one holder rotates', async () => {
    fleet = await newFleet({ maxRevocations: 1000 })
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const other = await issueOn(a, { subject: 'another holder' })
    const codes: string[] = []
    let rotated: IssuedToken | undefined
    for (let i = 0; i < 950; i++) {
      const { token } = await issueOn(a)
      const next = await a.rotate(token, ACTOR).catch((error: { code: string }) => {
        codes.push(error.code)
        expect(verdict(a.verify(token))).toBe('ok')
      })
      rotated = next ?? rotated
    }
    expect(codes).toEqual(Array.from({ length: 50 }, () => 'ERR_REVOCATIONS_FULL'))
    // A family that has its register continues to rotate.
    const last = await a.rotate(rotated?.token ?? '', ACTOR)
    await flush()
    for (const node of [a, b]) {
      expect(node.health()).toMatchObject({ revocations: 900, revocationsFull: false })
      expect([verdict(node.verify(other.token)), verdict(node.verify(last.token))]).toEqual([
        'ok',
        'ok',
      ])
    }
    await b.revoke({ token: other.token }, ACTOR)
    await flush()
    expect(verdict(a.verify(other.token))).toBe('revoked')
  })

  it('keeps the last token valid when it rejects', async () => {
    fleet = await newFleet(policies({ rotations: { burst: 1, every: '1h' } }))
    const a = await fleet.start()
    const [last] = await spend(a, await issueOn(a))
    await codeOf(a.rotate(last?.token ?? '', ACTOR))
    await fleet.clock.advance(2 * 60 * SECOND)
    expect(verdict(a.verify(last?.token))).toBe('ok')
  })
})

describe('a policy that was narrowed', () => {
  it('rejects a rotation that would leave no scope, and does not retire the token', async () => {
    fleet = await newFleet()
    const wide = await fleet.start()
    const token = await issueOn(wide, { scopes: ['users:read'] })
    const narrow = await fleet.start(policies({ scopes: ['orders:*'] }))
    const error = await errorOf(narrow.rotate(token.token, ACTOR))
    expect(error.code).toBe('ERR_SCOPE_NOT_GRANTABLE')
    expect(error.message).toContain('users:read')
    expect(error.message).toContain('service')
    await fleet.clock.advance(2 * 60 * SECOND)
    expect(verdict(wide.verify(token.token))).toBe('ok')
    expect((await fleet.store.getToken(token.id))?.successor).toBeNull()
  })

  it('lists the lost scopes in the result and in the audit event', async () => {
    fleet = await newFleet()
    const wide = await fleet.start()
    const token = await issueOn(wide)
    expect(token.lostScopes).toEqual([])
    const narrow = await fleet.start(policies({ scopes: ['orders:read'] }))
    const lost = ['orders:write', 'users:read']
    const events = await auditOf(async () => {
      const successor = await narrow.rotate(token.token, ACTOR)
      expect([successor.scopes, successor.lostScopes]).toEqual([['orders:read'], lost])
      expect((await narrow.rotate(token.token, ACTOR)).lostScopes).toEqual(lost)
    })
    expect(events).toMatchObject([{ action: 'token.rotated', lostScopes: lost }])
  })

  it('still rotates a token that never had a scope', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a, { scopes: [] })
    expect((await a.rotate(token.token, ACTOR)).scopes).toEqual([])
  })
})
