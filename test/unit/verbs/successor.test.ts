/**
 * Revoking a token revokes its successors: by every target, in every interleaving with a rotation, and
 * after the log was lost.
 *
 * @module
 */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type IssuedToken, memoryFeed, type Watchword } from 'watchword'
import type { TokenRecord } from 'watchword/store'
import { RecordTagger, type TagKeys } from '../../../src/keys/record-tagger.js'
import type { RingKey } from '../../../src/keys/ring.js'
import { MAX_SKEW_MS } from '../../../src/keys/rotation.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { resolveOptions } from '../../../src/options/options.js'
import type { Policy } from '../../../src/policy/policy.js'
import { RevocationIndex } from '../../../src/revocation/index/revocation-index.js'
import { fixtures, NOW } from '../../../src/testkit/store/fixtures.js'
import { generateKey } from '../../../src/token/paserk.js'
import type { Core } from '../../../src/verbs/core.js'
import { newSuccessor, successorScopes } from '../../../src/verbs/successor.js'
import {
  ACTOR,
  around,
  auditOf,
  codeOf,
  DAY,
  type Fleet,
  feedOver,
  flush,
  HOUR,
  issueOn,
  logOf,
  MINUTE,
  newFleet,
  outcome,
  POLICY,
  SECOND,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

/** A family of three generations. */
async function family(watchword: Watchword) {
  const first = await issueOn(watchword)
  const second = await watchword.rotate(first.token, ACTOR)
  const third = await watchword.rotate(second.token, ACTOR)
  return [first, second, third] as const
}

const verdicts = async (watchword: Watchword, tokens: readonly IssuedToken[]) => {
  await flush()
  return tokens.map(({ token }) => verdict(watchword.verify(token)))
}

/** A store that outlives its authority, as a database does. */
const durable = { supports: { durable: true } } as const

describe('revoking a token', () => {
  it.each(['token', 'id'] as const)('by %s revokes every successor on every node', async (by) => {
    fleet = await newFleet()
    const [a, b] = await fleet.nodes(2)
    const [first, second, third] = await family(a as Watchword)
    const target = by === 'token' ? { token: first.token } : { id: first.id }
    const receipt = await (b as Watchword).revoke(target, ACTOR)
    expect(receipt.matched).toBe(2)
    for (const node of [a, b] as Watchword[])
      expect(await verdicts(node, [first, second, third])).toEqual(Array(3).fill('revoked'))
    expect(await outcome((a as Watchword).rotate(third.token, ACTOR))).toMatchObject({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'revoked',
    })
  })

  it('leaves its predecessor unchanged', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    await a.revoke({ token: second.token }, ACTOR)
    expect(await verdicts(a, [first, second])).toEqual(['ok', 'revoked'])
  })

  it('leaves its successors valid with `successors: false`, and only there', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const [first, second, third] = await family(a)
    const alone = { ...ACTOR, successors: false } as const
    await a.revoke({ id: second.id }, alone)
    expect(await verdicts(a, [first, second, third])).toEqual(['superseded', 'revoked', 'ok'])
    expect((await a.rotate(third.token, ACTOR)).generation).toBe(3)
    for (const target of [{ family: first.family }, { subject: 'svc_billing' }])
      expect(await codeOf(a.revoke(target, alone))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('adds one packed entry when it was never rotated, and another one when it was', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const single = await issueOn(a)
    await a.revoke({ token: single.token }, ACTOR)
    expect(a.health().revocations).toBe(1)
    const [first] = await family(a)
    expect(a.health().revocations).toBe(2)
    await a.revoke({ token: first.token }, ACTOR)
    expect(a.health().revocations).toBe(4)
  })

  it('revokes its successors also while the store is down', async () => {
    fleet = await newFleet()
    let down = false
    const store = around(fleet.store, (_method, call) =>
      down ? Promise.reject(new Error('down')) : call(),
    )
    const a = await fleet.start()
    const b = await fleet.start({ store })
    const [first, second, third] = await family(a)
    down = true
    expect(await codeOf(b.revoke({ token: first.token }, ACTOR))).toBe('ERR_STORE_UNAVAILABLE')
    for (const node of [a, b])
      expect(await verdicts(node, [first, second, third])).toEqual(Array(3).fill('revoked'))
  })

  it('waits for every node to have applied the end of its successors with `waitFor: all`', async () => {
    fleet = await newFleet()
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const [first, second, third] = await family(a)
    const receipt = await a.revoke({ token: first.token }, { ...ACTOR, waitFor: 'all' })
    expect(receipt.nodes?.applied).toHaveLength(2)
    expect(await verdicts(b, [first, second, third])).toEqual(Array(3).fill('revoked'))
  })

  it('leaves no successor valid, in any interleaving with a rotation on another node', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, byId) => {
        fleet = await newFleet({ policies: { service: { ...POLICY, retireOn: 'first-use' } } })
        const slowly = (name: string) =>
          around(fleet.store, async (method, call) => {
            await scheduler.schedule(Promise.resolve(), `${name}: ${method} asked`)
            const result = await call()
            await scheduler.schedule(Promise.resolve(), `${name}: ${method} replied`)
            return result
          })
        const slowFeed = (name: string) =>
          feedOver(fleet.feed, {
            append: async (...args) => {
              await scheduler.schedule(Promise.resolve(), `${name}: append asked`)
              const result = await fleet.feed.append(...args)
              await scheduler.schedule(Promise.resolve(), `${name}: append replied`)
              return result
            },
          })
        const nodes = await scheduler.waitFor(
          Promise.all(
            ['rotates', 'revokes'].map((name) =>
              fleet.start({ store: slowly(name), feed: slowFeed(name) }),
            ),
          ),
        )
        const [rotating, revoking] = nodes as [Watchword, Watchword]
        const token = await scheduler.waitFor(issueOn(rotating))
        const target = byId ? { id: token.id } : { token: token.token }
        const [rotation] = await scheduler.waitFor(
          Promise.all([
            outcome(rotating.rotate(token.token, ACTOR)),
            revoking.revoke(target, ACTOR),
          ]),
        )
        await flush()
        const made = rotation.value === undefined ? [token] : [token, rotation.value]
        for (const node of nodes)
          expect(await verdicts(node, made)).toEqual(made.map(() => 'revoked'))
        for (const { id } of made)
          expect((await fleet.store.getToken(id))?.revokedAt).not.toBeNull()
        await scheduler.waitFor(fleet.close())
      }),
      { numRuns: 100 },
    )
  })

  it('is read back from the store with the end of its successors, after the log was lost', async () => {
    fleet = await newFleet()
    const store = { ...around(fleet.store), ...durable }
    const a = await fleet.start({ store })
    const revoked = await family(a)
    const alone = await family(a)
    await a.revoke({ token: revoked[0].token }, ACTOR)
    await a.revoke({ id: alone[1].id }, { ...ACTOR, successors: false })
    const fresh = await fleet.start({ store, feed: memoryFeed() })
    expect(await verdicts(fresh, revoked)).toEqual(Array(3).fill('revoked'))
    expect(await verdicts(fresh, alone)).toEqual(['superseded', 'revoked', 'ok'])
  })
})

describe('a rotated token that is presented after it was revoked', () => {
  it.each(['token', 'id'] as const)('by %s counts as reused once its grace is over', async (by) => {
    fleet = await newFleet()
    const a = await fleet.start()
    const first = await issueOn(a)
    const second = await a.rotate(first.token, ACTOR)
    const target = by === 'token' ? { token: first.token } : { id: first.id }
    await a.revoke(target, { ...ACTOR, successors: false })
    expect(await codeOf(a.rotate(first.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
    expect(await verdicts(a, [second])).toEqual(['ok'])
    await fleet.clock.advance(MINUTE)
    const events = await auditOf(async () => {
      expect(await codeOf(a.rotate(first.token, ACTOR))).toBe('ERR_TOKEN_REUSED')
    })
    expect(events.map(({ action }) => action)).toEqual(['revoked', 'token.reused'])
    expect(await verdicts(a, [second])).toEqual(['revoked'])
  })

  it('revokes its family once, however often it is presented', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const [first] = await family(a)
    await codeOf(a.rotate(first.token, ACTOR))
    const { length } = await logOf(fleet.feed)
    const { length: kept } = await fleet.store.listRevocations({ limit: 100 })
    for (let i = 0; i < 20; i++)
      expect(await codeOf(a.rotate(first.token, ACTOR))).toBe('ERR_TOKEN_REUSED')
    expect(await logOf(fleet.feed)).toHaveLength(length)
    expect(await fleet.store.listRevocations({ limit: 100 })).toHaveLength(kept)
  })
})

describe('the receipt of a revocation', () => {
  it('counts the valid tokens that it covered, so that a misspelt target is noticed', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    for (let i = 0; i < 2; i++) await issueOn(a, { subject: 'other' })
    const matched = async (target: Parameters<Watchword['revoke']>[0]) =>
      (await a.revoke(target, ACTOR)).matched
    expect(await matched({ subject: 'svc_biling' })).toBe(0)
    expect(await matched({ id: `${token.id.slice(0, -6)}ZZZZZZ` })).toBe(0)
    expect(await matched({ id: token.id })).toBe(1)
    expect(await matched({ id: token.id })).toBe(0)
    expect(await matched({ subject: 'other' })).toBe(2)
    expect(await matched({ all: true })).toBe(0)
  })
})

const SERVICE = resolveOptions({
  issuer: 'https://auth.example',
  audience: 'api',
  policies: { service: { ...POLICY, ttl: '1h' } },
}).policies.get('service') as Policy

describe('the record of a successor', () => {
  const make = fixtures('successor')
  const key = generateKey()
  const keys: TagKeys = {
    sealingIfAny: () => undefined,
    opening: () => key,
    loaded: () => key,
    refresh: async () => true,
  }
  /** The record of the successor that a node makes at `now`, of a token whose family ends in a day. */
  function successor(now: number, keyExpiresAt: number, change: Partial<TokenRecord> = {}) {
    const record = make.token(change)
    const clock = resolveClock({ now: () => now })
    const core = {
      clock,
      options: { clockToleranceMs: 0 },
      index: new RevocationIndex({ max: 1000 }),
      tagger: new RecordTagger(keys),
      newId: () => make.id(),
    } as unknown as Core
    const ringKey = { record: make.key({ expiresAt: keyExpiresAt }) } as RingKey
    const parts = { record, policy: SERVICE, ringKey, actor: 'ops', scopes: [], ttl: undefined }
    return { record, made: () => newSuccessor(core, parts) }
  }

  it('follows its predecessor by one generation', () => {
    const { record, made } = successor(NOW, NOW + DAY, { generation: 4 })
    expect(made()).toMatchObject({
      generation: 5,
      predecessor: record.id,
      family: record.family,
      issuedAt: NOW,
      expiresAt: NOW + HOUR,
    })
  })

  it('cannot be made from the exact end of the family on', () => {
    const familyExpiresAt = NOW + 1000
    const last = successor(familyExpiresAt - 1, NOW + DAY, { familyExpiresAt })
    expect(last.made()).toMatchObject({ expiresAt: familyExpiresAt })
    const ended = successor(familyExpiresAt, NOW + DAY, { familyExpiresAt })
    expect(ended.made).toThrow(expect.objectContaining({ code: 'ERR_FAMILY_ENDED' }))
  })

  it('expires before its key by the largest clock skew between nodes', () => {
    expect(successor(NOW, NOW + 10 * MINUTE).made().expiresAt).toBe(NOW + 10 * MINUTE - MAX_SKEW_MS)
  })
})

describe('the scopes of a successor', () => {
  const make = fixtures('scopes')
  const granted = (
    has: readonly string[],
    grantable: readonly string[],
    asked?: readonly string[],
  ) => successorScopes(make.token({ scopes: has }), { ...SERVICE, scopes: grantable }, asked)

  it('are split into those that the policy still grants and those that it does not', () => {
    expect(granted(['a', 'b'], ['a'])).toEqual({ scopes: ['a'], lost: ['b'] })
    expect(granted(['a', 'b'], ['*'])).toEqual({ scopes: ['a', 'b'], lost: [] })
    expect(granted([], [])).toEqual({ scopes: [], lost: [] })
  })

  it('are refused if the policy grants none of them any more', () => {
    for (const has of [['a'], ['a', 'b']])
      expect(() => granted(has, ['c'])).toThrow(/no longer grants any of the token's scopes \(/)
  })

  it('are those that were asked for, and never more than the token has', () => {
    expect(granted(['a', 'b'], ['*'], ['b'])).toEqual({ scopes: ['b'], lost: [] })
    expect(() => granted(['a', 'b'], ['*'], ['a', 'c'])).toThrow(
      "scopes: the token does not have 'c' (it has: a, b)",
    )
  })
})

describe('a repeated call', () => {
  it('appends a revocation once, from any node, while the store is down or not', async () => {
    fleet = await newFleet()
    let down = true
    const store = around(fleet.store, (method, call) =>
      down && method === 'revoke' ? Promise.reject(new Error('down')) : call(),
    )
    const a = await fleet.start({ store })
    const b = await fleet.start()
    const { token, id } = await issueOn(a)
    for (let i = 0; i < 20; i++)
      expect(await codeOf(a.revoke({ token }, ACTOR))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await logOf(fleet.feed)).toHaveLength(1)
    expect((await fleet.store.getToken(id))?.revokedAt).toBeNull()
    down = false
    await a.revoke({ token }, ACTOR)
    expect((await fleet.store.getToken(id))?.revokedAt).not.toBeNull()
    for (let i = 0; i < 5; i++) await b.revoke({ token }, ACTOR)
    expect(await logOf(fleet.feed)).toHaveLength(1)
  })

  it('appends a revocation again when the log may not have taken it', async () => {
    fleet = await newFleet()
    let down = true
    const feed = feedOver(fleet.feed, {
      append: (...args) => (down ? Promise.reject(new Error('down')) : fleet.feed.append(...args)),
    })
    const a = await fleet.start({ feed, timeout: '50ms' })
    const b = await fleet.start()
    const { token } = await issueOn(a)
    const revoking = a.revoke({ token }, ACTOR)
    const failed = codeOf(revoking)
    for (let i = 0; i < 20; i++) await fleet.clock.advance(50)
    expect(await failed).toBe('ERR_REVOCATION_UNCERTAIN')
    down = false
    const receipt = await a.revoke({ token }, ACTOR)
    expect(receipt.position.seq).toBe(1)
    await flush()
    expect(verdict(b.verify(token))).toBe('revoked')
  })

  it('appends a rotation within its grace once, from any node', async () => {
    fleet = await newFleet()
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const { token } = await issueOn(a)
    const { id } = await a.rotate(token, ACTOR)
    for (let i = 0; i < 10; i++) {
      expect((await a.rotate(token, ACTOR)).id).toBe(id)
      expect((await b.rotate(token, ACTOR)).id).toBe(id)
      await fleet.clock.advance(SECOND)
    }
    expect(await logOf(fleet.feed)).toHaveLength(1)
  })
})
