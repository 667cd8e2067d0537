import { afterEach, describe, expect, it } from 'vitest'
import type { IssuedToken, KeyInfo, KeyWrapper, Watchword } from 'watchword'
import { discardKey, memoryFeed, memoryStore } from 'watchword'
import { exportKey, generateKey, importKey, keyId, unwrapKey, wrapKey } from 'watchword/paseto'
import type { KeyRecord, Store } from 'watchword/store'
import { Keyring } from '../../../src/keys/keyring.js'
import { resolveRootKey } from '../../../src/keys/root-key.js'
import { resolveClock } from '../../../src/lib/clock.js'
import {
  ACTOR,
  AUDIENCE,
  around,
  auditOf,
  codeOf,
  DAY,
  drive,
  errorOf,
  type Fleet,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  newGate,
  newRootKey,
  POLICY,
  rarelyPolled,
  SECOND,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet?.close())

const KEYS = { rotateEvery: '30d', publishAhead: '2h', refreshEvery: '30m' } as const
const TTL = 10 * MINUTE

const activeOn = (node: Watchword, audience = AUDIENCE) =>
  node.keys.list().filter((key) => key.audience === audience && key.state === 'active')
const idOf = (keys: readonly KeyInfo[]) => keys.map(({ id }) => id)
const stored = (store: Store = fleet.store) => store.listKeys() as Promise<readonly KeyRecord[]>

async function all(nodes: readonly Watchword[], token: string): Promise<Set<string>> {
  return new Set(nodes.map((node) => verdict(node.verify(token))))
}
const only = (code: string) => new Set([code])

describe('keys', () => {
  it('are separate for each audience, and open no token of another audience', async () => {
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    const a = await fleet.start()
    const [orders, users] = [activeOn(a, 'orders-api'), activeOn(a, 'users-api')]
    expect([orders.length, users.length]).toEqual([1, 1])
    expect(idOf(orders)).not.toEqual(idOf(users))
    const token = await issueOn(a, { audience: 'users-api' })
    expect(token.keyId).toBe(users[0]?.id)
    expect(verdict(a.verify(token.token, { audience: 'orders-api' }))).toBe('wrong_audience')
    const ordersOnly = await fleet.start({ audience: 'orders-api' })
    expect(idOf(ordersOnly.keys.list())).toEqual(idOf(orders))
    expect(verdict(await ordersOnly.authenticate(token.token))).toBe('unknown_key')
  })

  it('are wrapped at rest and never shown', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const [row] = await stored()
    expect(row?.wrapped).toMatch(/^k4\.local-wrap\.pie\./)
    const root = importKey(fleet.rootKey)
    expect(keyId(unwrapKey(root, row?.wrapped ?? ''))).toBe(row?.id)
    expect(JSON.stringify([a.keys.list(), a.health()])).not.toMatch(/k4\.local[.-]/)
  })

  it('rotate automatically: published ahead, activated at the retirement, removed after their last token', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const { clock } = fleet
    const a = await fleet.start()
    const [first] = activeOn(a) as [KeyInfo]
    expect(first.retiresAt - clock.now()).toBe(30 * DAY)
    await clock.advance(first.retiresAt - clock.now() - 3 * HOUR)
    const [, second] = a.keys.list() as [KeyInfo, KeyInfo]
    expect(second.state).toBe('pending')
    expect(second.activatesAt).toBe(first.retiresAt)
    await clock.advance(3 * HOUR - 1)
    expect(idOf(activeOn(a))).toEqual([first.id])
    const last = await issueOn(a)
    await clock.advance(1)
    expect(idOf(activeOn(a))).toEqual([second.id])
    expect((await issueOn(a)).keyId).toBe(second.id)
    expect(a.keys.list()[0]?.state).toBe('verifying')
    await clock.advance(TTL - 2)
    expect(verdict(a.verify(last.token))).toBe('ok')
    await clock.advance(DAY)
    expect(idOf(a.keys.list().filter(({ state }) => state !== 'expired'))).toEqual([second.id])
  })

  it('are purged from memory once they expire', async () => {
    fleet = await newFleet()
    const { clock } = fleet
    const store = memoryStore()
    const keyring = new Keyring({
      store,
      clock: resolveClock(clock),
      roots: [resolveRootKey(fleet.rootKey)],
      audiences: [AUDIENCE],
      schedule: { rotateEveryMs: 30 * DAY, publishAheadMs: 2 * HOUR, maxTokenMs: TTL },
      refreshEveryMs: 30 * MINUTE,
      lookupDeadline: {
        clock: resolveClock(clock),
        deadlineMs: 2 * SECOND,
        code: 'ERR_STORE_UNAVAILABLE',
        name: 'store "memory"',
      },
      assertionOf: () => new Uint8Array(),
      isRevoked: () => false,
      certainTime: () => clock.now(),
      duty: () => 'schedule',
      onRevoked: () => undefined,
      call: (call) => call(),
      onEvent: () => undefined,
      draft: (action) => ({
        id: '',
        event: { v: 1, at: 0, issuer: '', action, actor: 'system' },
        rows: undefined,
      }),
      written: () => undefined,
    })
    await keyring.start()
    const [first] = keyring.list() as [KeyInfo]
    const { key } = keyring.get(first.id) ?? {}
    expect(key).toBeDefined()
    await clock.advance(first.expiresAt - clock.now() - 1)
    expect(keyring.get(first.id)).toBeDefined()
    await clock.advance(HOUR)
    expect(keyring.get(first.id)).toBeUndefined()
    expect(() => exportKey(key as Parameters<typeof exportKey>[0])).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_KEY' }),
    )
    const [second] = keyring.list().filter(({ state }) => state === 'active')
    expect(keyring.get(second?.id ?? '')).toBeDefined()
    keyring.stop()
    expect(keyring.get(second?.id ?? '')).toBeUndefined()
  })

  it('expire by the ttl of the authority that made them, and cap tokens from an authority with a longer ttl', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const a = await fleet.start()
    const b = await fleet.start({ policies: { service: { ...POLICY, ttl: '90d' } } })
    const [key] = activeOn(a) as [KeyInfo]
    const token = await issueOn(b)
    expect(token.keyId).toBe(key.id)
    expect(token.expiresAt).toBe(key.expiresAt - MINUTE)
    const successor = await b.rotate(token.token, ACTOR)
    expect(successor.expiresAt).toBe(key.expiresAt - MINUTE)
    await fleet.clock.advance(token.expiresAt - fleet.clock.now() - 1)
    expect(await all([a, b], successor.token)).toEqual(only('ok'))
    await fleet.clock.advance(1)
    expect(await all([a, b], successor.token)).toEqual(only('expired'))
  })
})

describe('keys.rotate', () => {
  it('publishes a successor in advance, which every node has when it activates', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const { clock } = fleet
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const [first] = activeOn(a) as [KeyInfo]
    const [made] = (await a.keys.rotate()) as [KeyInfo]
    expect(made).toMatchObject({ state: 'pending', generation: 2 })
    expect(made.activatesAt).toBe(clock.now() + 2 * HOUR)
    expect((await issueOn(a)).keyId).toBe(first.id)
    await clock.advance(2 * HOUR)
    const token = await issueOn(a)
    expect(token.keyId).toBe(made.id)
    expect(await all([a, b], token.token)).toEqual(only('ok'))
    for (const node of [a, b]) expect(idOf(activeOn(node))).toEqual([made.id])
  })

  it('requires an audience that is served', async () => {
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    const a = await fleet.start()
    expect(await codeOf(a.keys.rotate('other-api'))).toBe('ERR_UNKNOWN_AUDIENCE')
    const made = await a.keys.rotate('users-api')
    expect(made.map(({ audience }) => audience)).toEqual(['users-api'])
    expect(await a.keys.rotate()).toHaveLength(2)
  })

  it('makes one key when twenty authorities call it in the same tick', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const nodes = await fleet.nodes(20)
    const made = await Promise.all(nodes.map((node) => node.keys.rotate()))
    expect(new Set(made.flatMap(idOf)).size).toBe(1)
    expect(await stored()).toHaveLength(2)
  })
})

describe('twenty authorities', () => {
  it('make one key when they start in the same tick', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const nodes = await Promise.all(Array.from({ length: 20 }, () => fleet.start()))
    expect(await stored()).toHaveLength(1)
    const token = await issueOn(nodes[7] as Watchword)
    expect(await all(nodes, token.token)).toEqual(only('ok'))
  })

  it('make one key when they find themselves without one in the same tick', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const nodes = await fleet.nodes(20)
    fleet.clock.step(31 * DAY)
    const tokens = await Promise.all(nodes.map((node) => issueOn(node)))
    expect(new Set(tokens.map((token) => token.keyId)).size).toBe(1)
    expect(await stored()).toHaveLength(2)
  })
})

describe('keys.revoke', () => {
  it('rejects every token under the key in the same tick, hot and cold, on every node', async () => {
    fleet = await newFleet()
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const tokens = await Promise.all(Array.from({ length: 20 }, () => issueOn(a)))
    for (const { token } of tokens.slice(10)) expect(await all([a, b], token)).toEqual(only('ok'))
    const [key] = activeOn(a) as [KeyInfo]
    const revoking = a.keys.revoke(key.id, ACTOR)
    // Before any other task ran.
    for (const { token } of tokens) expect(verdict(a.verify(token))).toBe('revoked')
    await revoking
    for (const { token } of tokens) expect(await all([a, b], token)).toEqual(only('revoked'))
    expect(a.keys.list().find(({ id }) => id === key.id)?.state).toBe('revoked')
    expect(b.keys.list().find(({ id }) => id === key.id)?.state).toBe('revoked')
  })

  it('makes the next issue use a new key, the same on every node', async () => {
    fleet = await newFleet()
    const [a, b, c] = (await fleet.nodes(3)) as [Watchword, Watchword, Watchword]
    const [key] = activeOn(a) as [KeyInfo]
    await a.keys.revoke(key.id, ACTOR)
    expect(await stored()).toHaveLength(2)
    const tokens = await Promise.all([a, b, c].map((node) => issueOn(node)))
    expect(new Set(tokens.map((token) => token.keyId)).size).toBe(1)
    expect(tokens[0]?.keyId).not.toBe(key.id)
    for (const { token } of tokens) {
      for (const node of [a, b, c]) expect(verdict(await node.authenticate(token))).toBe('ok')
      expect(await all([a, b, c], token)).toEqual(only('ok'))
    }
  })

  it('leaves the active key alone when it revokes a pending or retired one', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const a = await fleet.start()
    const [first] = activeOn(a) as [KeyInfo]
    const [pending] = (await a.keys.rotate()) as [KeyInfo]
    await a.keys.revoke(pending.id, ACTOR)
    expect(idOf(activeOn(a))).toEqual([first.id])
    await fleet.clock.advance(3 * HOUR)
    expect(idOf(activeOn(a))).toEqual([first.id])
  })

  it('leaves no gap when the remaining key is about to expire', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    const a = await fleet.start()
    const [first] = activeOn(a) as [KeyInfo]
    await fleet.clock.advance(first.retiresAt - fleet.clock.now() - DAY)
    const [second] = (await a.keys.rotate()) as [KeyInfo]
    await fleet.clock.advance(DAY - 5 * MINUTE)
    await a.keys.revoke(second.id, ACTOR)
    for (let i = 0; i < 20; i++) {
      expect(verdict(a.verify((await issueOn(a)).token))).toBe('ok')
      await fleet.clock.advance(MINUTE)
    }
  })

  it('holds for a node that starts later, even if the feed lost the entry', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    await a.keys.revoke(token.keyId, ACTOR)
    const { feed } = await newFleet()
    const late = await fleet.start({ feed })
    expect(verdict(late.verify(token.token))).toBe('revoked')
    expect((await issueOn(late)).keyId).not.toBe(token.keyId)
  })
})

describe('the root key', () => {
  it('rejects the start and changes nothing in the store when it is wrong', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    const before = JSON.stringify(await stored())
    const wrong = newRootKey()
    const error = await errorOf(fleet.start({ rootKey: wrong }))
    expect(error.code).toBe('ERR_ROOT_KEY')
    const shown = `${error.stack} ${error.detail} ${JSON.stringify(error)}`
    expect(shown).not.toContain(wrong.slice(9))
    expect(shown).not.toContain('k4.local')
    expect(JSON.stringify(await stored())).toBe(before)
    expect(verdict(a.verify(token.token))).toBe('ok')
  })

  it('writes no key for a new audience when it opens none of the existing keys', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    const before = JSON.stringify(await stored())
    const wrong = newRootKey()
    const error = await errorOf(fleet.start({ rootKey: wrong, audience: 'stock-api' }))
    expect(error.code).toBe('ERR_ROOT_KEY')
    expect(error.message).toContain(`key ${token.keyId} of audience '${AUDIENCE}'`)
    expect(error.message).toContain(`wrapped by root key ${keyId(importKey(fleet.rootKey))}`)
    expect(error.message).toContain(`rootKey is ${keyId(importKey(wrong))}`)
    expect(error.message).toContain('previousRootKeys')
    expect(JSON.stringify(await stored())).toBe(before)
    await fleet.start({ audience: 'stock-api' })
    await fleet.start({ audience: [AUDIENCE, 'stock-api'] })
  })

  it('writes nothing when it is wrong and all keys are expired or revoked', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    await a.keys.revoke(activeOn(a)[0]?.id ?? '', ACTOR)
    fleet.clock.step(60 * DAY)
    const before = JSON.stringify(await stored())
    for (const audience of [AUDIENCE, 'stock-api'])
      expect(await codeOf(fleet.start({ rootKey: newRootKey(), audience }))).toBe('ERR_ROOT_KEY')
    expect(JSON.stringify(await stored())).toBe(before)
    await fleet.start()
  })

  it('adds no audience to a store whose keys it opens only in part', async () => {
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    await fleet.start()
    const change = { rootKey: newRootKey(), previousRootKeys: [fleet.rootKey] }
    const b = await fleet.start({ ...change, audience: 'orders-api' })
    await b.keys.rewrap()
    // Half of the store is under the new root key, so neither key alone may add an audience.
    for (const rootKey of [fleet.rootKey, change.rootKey])
      expect(await codeOf(fleet.start({ rootKey, audience: 'new-api' }))).toBe('ERR_ROOT_KEY')
    await fleet.start({ ...change, audience: 'new-api' })
  })

  it.each([
    ['one audience', 'orders-api', 'orders-api'],
    ['different audiences', 'orders-api', 'stock-api'],
  ])(
    'is the same for the whole store when two first starts race for %s',
    async (_, mine, theirs) => {
      for (let round = 0; round < 5; round++) {
        fleet = await newFleet()
        const other = newRootKey()
        const starts = await Promise.allSettled([
          fleet.start({ audience: mine }),
          fleet.start({ audience: theirs, rootKey: other }),
        ])
        const failures = starts.flatMap((start) =>
          start.status === 'rejected' ? [start.reason] : [],
        )
        expect(failures.length).toBeGreaterThanOrEqual(1)
        for (const failure of failures) expect(failure).toMatchObject({ code: 'ERR_ROOT_KEY' })
        const left = (await stored()).filter(({ wrappedBy }) => wrappedBy !== 'discarded')
        expect(new Set(left.map(({ wrappedBy }) => wrappedBy)).size).toBe(left.length > 0 ? 1 : 0)
        // In either case the process whose key won starts again, also with both audiences.
        const [won] = left
        const rootKey = won?.wrappedBy === keyId(importKey(other)) ? other : fleet.rootKey
        await fleet.start({ rootKey, audience: [...new Set([mine, theirs])] })
        await fleet.close()
      }
    },
  )

  it.each(['nonsense', 'k4.local.', `k4.local.${'A'.repeat(43)}`, 'k4.secret.AAAA'])(
    'is rejected as an option when it is malformed or published: %s',
    async (rootKey) => {
      fleet = await newFleet()
      expect(await codeOf(fleet.start({ rootKey }))).toBe('ERR_INVALID_OPTION')
      expect(await stored()).toEqual([])
    },
  )

  it('is required with a store that outlives the process', async () => {
    fleet = await newFleet()
    const store = { ...fleet.store, supports: { ...fleet.store.supports, durable: true } }
    const { rootKey: _, ...rest } = {
      issuer: 'https://auth.example',
      audience: AUDIENCE,
      policies: { service: POLICY },
      store,
      rootKey: '',
    }
    const { createWatchword } = await import('watchword')
    expect(await codeOf(createWatchword(rest))).toBe('ERR_INVALID_OPTION')
  })

  it('does not open rows whose wrapped keys were swapped', async () => {
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    const a = await fleet.start()
    await a.close()
    const [one, two] = (await stored()) as [KeyRecord, KeyRecord]
    const { wrappedBy } = one
    await fleet.store.rewrapKey(one.id, one.wrapped, { wrapped: two.wrapped, wrappedBy })
    await fleet.store.rewrapKey(two.id, two.wrapped, { wrapped: one.wrapped, wrappedBy })
    expect(await codeOf(fleet.start())).toBe('ERR_ROOT_KEY')
  })

  it.each([
    ['a bare key', () => exportKey(generateKey())],
    ['cut short', (wrapped: string) => wrapped.slice(0, -4)],
    ['padded', (wrapped: string) => `${wrapped}=`],
    ['of another version', (wrapped: string) => wrapped.replace('k4.', 'k3.')],
    [
      'with one bit flipped',
      (wrapped: string) =>
        `${wrapped.slice(0, -9)}${wrapped.at(-9) === 'A' ? 'B' : 'A'}${wrapped.slice(-8)}`,
    ],
  ])('does not open a wrapping that is %s', async (_name, spoil) => {
    fleet = await newFleet()
    const a = await fleet.start()
    await a.close()
    const [row] = (await stored()) as [KeyRecord]
    const wrapped = spoil(row.wrapped)
    await fleet.store.rewrapKey(row.id, row.wrapped, { wrapped, wrappedBy: row.wrappedBy })
    const before = JSON.stringify(await stored())
    const error = await errorOf(fleet.start())
    expect(error.code).toBe('ERR_ROOT_KEY')
    expect(JSON.stringify(await stored())).toBe(before)
  })
})

describe('a key that no root key opens', () => {
  /** A store in which a wrong root key wrote the key of one audience. */
  async function damaged(audience = 'stock-api') {
    fleet = await newFleet()
    const wrong = newRootKey()
    const elsewhere = memoryStore()
    const stray = await fleet.start({
      rootKey: wrong,
      audience,
      store: elsewhere,
      feed: memoryFeed(),
    })
    const [row] = await stored(elsewhere)
    if (row === undefined) throw new Error('no key was made')
    await stray.close()
    return { wrong, row }
  }

  it('is discarded on a running authority, and its audience works again', async () => {
    const { row } = await damaged()
    const a = await fleet.start()
    await fleet.store.insertKey(row)
    const error = await errorOf(fleet.start({ audience: [AUDIENCE, 'stock-api'] }))
    expect(error).toMatchObject({ code: 'ERR_ROOT_KEY', message: expect.stringContaining(row.id) })
    expect(error.message).toContain('discard')
    expect(await codeOf(fleet.start({ audience: 'third-api' }))).toBe('ERR_ROOT_KEY')
    expect(await a.keys.discard(row.id, ACTOR)).toMatchObject({ kind: 'key', value: row.id })
    await a.keys.discard(row.id, ACTOR)
    const b = await fleet.start({ audience: [AUDIENCE, 'stock-api'] })
    expect(b.health().unreadableKeys).toBe(0)
    const token = await issueOn(b, { audience: 'stock-api' })
    expect(verdict(b.verify(token.token))).toBe('ok')
    await fleet.start({ audience: 'third-api' })
  })

  it('is discarded without an authority when none can start', async () => {
    const { row } = await damaged(AUDIENCE)
    await fleet.store.insertKey(row)
    expect(await codeOf(fleet.start())).toBe('ERR_ROOT_KEY')
    const where = { store: fleet.store, rootKey: fleet.rootKey, actor: 'ops', reason: 'lost' }
    await discardKey(row.id, where)
    await discardKey(row.id, where)
    const a = await fleet.start()
    expect(verdict(a.verify((await issueOn(a)).token))).toBe('ok')
    expect(await stored()).toMatchObject([
      { id: row.id, wrapped: 'discarded', revokedAt: expect.any(Number) },
      { generation: 2 },
    ])
  })

  it('stays discarded when a process that still has it rewraps', async () => {
    const { row, wrong } = await damaged()
    await fleet.store.insertKey(row)
    const stray = await fleet.start({ rootKey: wrong, audience: 'stock-api' })
    await discardKey(row.id, { store: fleet.store, rootKey: fleet.rootKey, actor: 'ops' })
    expect(await stray.keys.rewrap()).toBe(0)
    expect(await stored()).toMatchObject([{ id: row.id, wrapped: 'discarded' }])
  })

  it('is the only kind that can be discarded: a key that opens and an unknown id are rejected', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const token = await issueOn(a)
    const { store, rootKey } = fleet
    for (const id of [token.keyId, `k4.lid.${'A'.repeat(44)}`, 'nope', token.token]) {
      for (const discard of [
        () => a.keys.discard(id, ACTOR),
        () => discardKey(id, { store, rootKey, actor: 'ops' }),
        () =>
          discardKey(id, {
            store,
            rootKey: newRootKey(),
            previousRootKeys: [rootKey],
            actor: 'ops',
          }),
      ]) {
        const error = await errorOf(discard())
        expect(error.code).toBe('ERR_INVALID_ARGUMENT')
        expect(error.message).not.toContain(token.token.slice(-24))
      }
    }
    expect(verdict(a.verify(token.token))).toBe('ok')
  })
})

describe('a change of the root key', () => {
  async function withKeys(count: number): Promise<{ a: Watchword; tokens: IssuedToken[] }> {
    const audience = Array.from({ length: count }, (_, i) => `api-${i}`)
    fleet = await newFleet({ audience })
    const a = await fleet.start()
    const tokens = await Promise.all(audience.map((each) => issueOn(a, { audience: each })))
    return { a, tokens }
  }

  it('can crash after any row: every key opens at every moment, and the change completes', async () => {
    const rows = 5
    for (let crashAfter = 0; crashAfter <= rows; crashAfter++) {
      const { tokens } = await withKeys(rows)
      const [oldRoot, newRoot] = [fleet.rootKey, newRootKey()]
      const change = { rootKey: newRoot, previousRootKeys: [oldRoot] }
      let left = crashAfter
      const opensEverywhere = async () => {
        const node = await fleet.start(change)
        for (const { token } of tokens) expect(verdict(node.verify(token))).toBe('ok')
        await node.close()
      }
      const store = around(fleet.store, async (method, call) => {
        if (method !== 'rewrapKey') return call()
        if (left-- === 0) throw new Error('killed')
        const result = await call()
        await opensEverywhere()
        return result
      })
      const first = await fleet.start({ ...change, store })
      const outcome = await codeOf(first.keys.rewrap())
      expect(outcome).toBe(crashAfter < rows ? 'ERR_STORE_UNAVAILABLE' : 'resolved')
      await first.close()
      await opensEverywhere()
      const second = await fleet.start(change)
      expect(await second.keys.rewrap()).toBe(rows - crashAfter)
      expect(await second.keys.rewrap()).toBe(0)
      await second.close()
      const id = keyId(importKey(newRoot))
      for (const { wrappedBy } of await stored()) expect(wrappedBy).toBe(id)
      const without = await fleet.start({ rootKey: newRoot })
      for (const { token } of tokens) expect(verdict(without.verify(token))).toBe('ok')
      expect(await codeOf(fleet.start({ rootKey: oldRoot }))).toBe('ERR_ROOT_KEY')
      await fleet.close()
    }
  })

  it('wraps each row once when two nodes run it at the same time', async () => {
    const { tokens } = await withKeys(4)
    const change = { rootKey: newRootKey(), previousRootKeys: [fleet.rootKey] }
    const nodes = await fleet.nodes(2, change)
    const counts = await Promise.all(nodes.map((node) => node.keys.rewrap()))
    expect(counts.reduce((sum, count) => sum + count)).toBe(4)
    const without = await fleet.start({ rootKey: change.rootKey })
    for (const { token } of tokens) expect(verdict(without.verify(token))).toBe('ok')
  })

  it('leaves nodes with the old root key working, and wraps new keys under the new one', async () => {
    const { a, tokens } = await withKeys(1)
    const newRoot = newRootKey()
    const b = await fleet.start({ rootKey: newRoot, previousRootKeys: [fleet.rootKey] })
    await b.keys.rewrap()
    await a.keys.refresh()
    expect(verdict(a.verify(tokens[0]?.token))).toBe('ok')
    const [made] = (await b.keys.rotate()) as [KeyInfo]
    expect(made.wrappedBy).toBe(keyId(importKey(newRoot)))
    await a.keys.refresh()
    expect(a.health().unreadableKeys).toBe(1)
    expect(verdict(a.verify(tokens[0]?.token))).toBe('ok')
  })
})

describe('a key wrapper', () => {
  const SECRET = 'canary-of-the-wrapper'

  function wrapper(change: Partial<KeyWrapper> = {}): KeyWrapper {
    const root = generateKey()
    return {
      id: 'kms:alias/tokens',
      wrap: async (paserk) => wrapKey(root, importKey(paserk)),
      unwrap: async (wrapped) => exportKey(unwrapKey(root, wrapped)),
      ...change,
    }
  }

  it('wraps and unwraps keys, and is named in the list', async () => {
    fleet = await newFleet({ rootKey: wrapper() })
    const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
    const token = await issueOn(a)
    expect(await all([a, b], token.token)).toEqual(only('ok'))
    expect(a.keys.list()[0]?.wrappedBy).toBe('kms:alias/tokens')
  })

  it('may be slow', async () => {
    fleet = await newFleet()
    const { clock } = fleet
    const fast = wrapper()
    const wait = () => new Promise<void>((resolve) => void clock.setTimer(resolve, 900))
    const rootKey: KeyWrapper = {
      id: fast.id,
      wrap: async (paserk) => {
        await wait()
        return fast.wrap(paserk)
      },
      unwrap: async (wrapped) => {
        await wait()
        return fast.unwrap(wrapped)
      },
    }
    const a = await drive(clock, fleet.start({ rootKey }))
    const b = await drive(clock, fleet.start({ rootKey }))
    expect(await all([a, b], (await issueOn(a)).token)).toEqual(only('ok'))
  })

  it('that fails to unwrap makes the start reject with its cause', async () => {
    fleet = await newFleet({ rootKey: wrapper() })
    await fleet.start()
    const cause = Object.assign(new Error('access denied'), { name: 'AccessDeniedException' })
    const failing = wrapper({ unwrap: () => Promise.reject(cause) })
    const error = await errorOf(fleet.start({ rootKey: failing }))
    expect(error.code).toBe('ERR_ROOT_KEY')
    expect(error.message).toBe(
      'root key "kms:alias/tokens" failed: unknown (AccessDeniedException); see `cause`',
    )
    expect(error.cause).toBe(cause)
  })

  it('that fails to wrap leaves no key in the store or in the message', async () => {
    fleet = await newFleet()
    const seen: string[] = []
    const cause = new Error('throttled')
    const failing = wrapper({
      wrap: (paserk) => {
        seen.push(paserk)
        return Promise.reject(cause)
      },
    })
    const error = await errorOf(fleet.start({ rootKey: failing }))
    expect(error.code).toBe('ERR_ROOT_KEY')
    expect(error.cause).toBe(cause)
    expect(seen).toHaveLength(1)
    expect(`${error.stack} ${error.detail}`).not.toContain(seen[0]?.slice(9))
    expect(await stored()).toEqual([])
  })

  it.each([
    ['nothing', undefined],
    ['no text', 42],
    ['an empty text', ''],
    ['no key', SECRET],
    ['another kind of key', 'k4.secret.AAAA'],
    ['another key', 'another'],
  ])(
    'that unwraps to %s makes the start reject without showing the value',
    async (_name, result) => {
      fleet = await newFleet({ rootKey: wrapper() })
      await fleet.start()
      const given = result === 'another' ? exportKey(generateKey()) : result
      const rootKey = wrapper({ unwrap: () => Promise.resolve(given as string) })
      const error = await errorOf(fleet.start({ rootKey }))
      expect(error.code).toBe('ERR_ROOT_KEY')
      if (typeof given === 'string' && given.length > 0)
        expect(`${error.stack} ${error.detail} ${String(error.cause)}`).not.toContain(given)
    },
  )

  it.each([
    ['nothing', () => undefined],
    ['no text', () => 42],
    ['an empty text', () => ''],
    ['the key itself', (paserk: string) => paserk],
  ])('that wraps to %s writes nothing to the store', async (_name, wrap) => {
    fleet = await newFleet()
    const rootKey = wrapper({ wrap: async (paserk) => wrap(paserk) as string })
    expect(await codeOf(fleet.start({ rootKey }))).toBe('ERR_ROOT_KEY')
    expect(await stored()).toEqual([])
  })

  it('that hangs is abandoned after the deadline and blocks nothing indefinitely', async () => {
    fleet = await newFleet({ timeout: '2s' })
    const { clock } = fleet
    const good = wrapper()
    let hangs = true
    const rootKey: KeyWrapper = {
      id: good.id,
      wrap: (paserk) => good.wrap(paserk),
      unwrap: (wrapped) => (hangs ? new Promise(() => {}) : good.unwrap(wrapped)),
    }
    const a = await fleet.start({ rootKey: good })
    const token = await issueOn(a)
    const error = await errorOf(drive(clock, fleet.start({ rootKey })))
    expect(error.code).toBe('ERR_ROOT_KEY')
    hangs = false
    const b = await fleet.start({ rootKey })
    expect(verdict(b.verify(token.token))).toBe('ok')
    hangs = true
    await a.keys.rotate()
    expect(await codeOf(drive(clock, b.keys.refresh()))).toBe('ERR_ROOT_KEY')
    expect(verdict(b.verify((await issueOn(b)).token))).toBe('ok')
    hangs = false
    await b.keys.refresh()
    expect(idOf(b.keys.list())).toEqual(idOf(a.keys.list()))
    expect(b.health().unreadableKeys).toBe(0)
  })
})

describe('an unknown key', () => {
  /** A well-formed token of a key that does not exist. */
  function forged(like: IssuedToken, kid: string): string {
    const footer = Buffer.from(JSON.stringify({ kid })).toString('base64url')
    return `${like.token.slice(0, like.token.lastIndexOf('.'))}.${footer}`
  }

  const randomKid = (i: number) =>
    `k4.lid.${Buffer.alloc(33).fill(`kid ${i} `).toString('base64url')}`

  it('costs two store reads per second, however many tokens name made-up keys', async () => {
    fleet = await newFleet()
    let reads = 0
    const store = around(fleet.store, (method, call) => {
      if (method === 'listKeys') reads++
      return call()
    })
    const a = await fleet.start({ store })
    const token = await issueOn(a)
    reads = 0
    for (let i = 0; i < 10_000; i++)
      expect(verdict(a.verify(forged(token, randomKid(i))))).toBe('unknown_key')
    await flush()
    expect(reads).toBe(1)
    const asked = Array.from({ length: 500 }, (_, i) => a.authenticate(forged(token, randomKid(i))))
    await flush()
    expect(reads).toBe(1)
    for (const result of await drive(fleet.clock, Promise.all(asked)))
      expect(verdict(result)).toBe('unknown_key')
    expect(reads).toBe(2)
    const since = performance.now()
    for (let i = 0; i < 50; i++) {
      expect(verdict(a.verify(forged(token, randomKid(i))))).toBe('unknown_key')
      await fleet.clock.advance(100)
    }
    expect(reads).toBeGreaterThanOrEqual(11)
    // A pause ends by the clock of the authority or in real time, whichever comes first.
    expect(reads).toBeLessThanOrEqual(13 + (performance.now() - since) / 500)
    expect(verdict(a.verify(token.token))).toBe('ok')
  })

  it('costs no read when it belongs to another audience or has expired', async () => {
    fleet = await newFleet({
      audience: ['orders-api', 'users-api'],
      feed: rarelyPolled(),
    })
    let reads = 0
    const store = around(fleet.store, (method, call) => {
      if (method === 'listKeys') reads++
      return call()
    })
    const a = await fleet.start()
    const token = await issueOn(a, { audience: 'users-api' })
    const b = await fleet.start({ audience: 'orders-api', store })
    reads = 0
    for (let i = 0; i < 3; i++)
      expect(verdict(await b.authenticate(token.token))).toBe('unknown_key')
    expect(reads).toBe(0)
  })

  it('is not looked up when it names a property of Object.prototype', async () => {
    fleet = await newFleet()
    let calls = 0
    const store = around(fleet.store, (_method, call) => {
      calls++
      return call()
    })
    const a = await fleet.start({ store })
    const token = await issueOn(a)
    calls = 0
    for (const kid of [
      'constructor',
      '__proto__',
      'toString',
      '',
      'k4.lid.',
      `k4.pid.${'A'.repeat(44)}`,
    ])
      expect(verdict(await a.authenticate(forged(token, kid)))).toBe('malformed')
    expect(calls).toBe(0)
  })

  it('is found by authenticate with one read for all callers that wait', async () => {
    fleet = await newFleet()
    let reads = 0
    const gate = newGate()
    let armed = false
    const store = around(fleet.store, async (method, call) => {
      if (armed && method === 'listKeys') {
        reads++
        await gate.pass()
      }
      return call()
    })
    const a = await fleet.start()
    const b = await fleet.start({ store })
    await a.keys.revoke(activeOn(a)[0]?.id ?? '', ACTOR)
    const token = await issueOn(a)
    expect(verdict(b.verify('nonsense'))).toBe('malformed')
    armed = true
    const waiting = Array.from({ length: 100 }, () => b.authenticate(token.token))
    await gate.reached
    gate.open()
    expect(new Set((await Promise.all(waiting)).map(verdict))).toEqual(only('ok'))
    expect(reads).toBe(1)
  })

  it('is reported as an outage while the store is down, with one read for all callers that wait', async () => {
    fleet = await newFleet()
    let down = false
    let reads = 0
    const store = around(fleet.store, (method, call) => {
      if (method === 'listKeys') reads++
      return down ? Promise.reject(new Error('down')) : call()
    })
    const a = await fleet.start()
    const b = await fleet.start({ store })
    await a.keys.revoke(activeOn(a)[0]?.id ?? '', ACTOR)
    const token = await issueOn(a)
    down = true
    reads = 0
    const asked = Array.from({ length: 100 }, () => codeOf(b.authenticate(token.token)))
    expect(new Set(await Promise.all(asked))).toEqual(only('ERR_STORE_UNAVAILABLE'))
    expect(reads).toBe(1)
    expect(verdict(b.verify(token.token))).toBe('unknown_key')
    down = false
    expect(verdict(await drive(fleet.clock, b.authenticate(token.token)))).toBe('ok')
  })

  /** A node whose next reads of the keys wait at a gate. */
  async function gated() {
    fleet = await newFleet()
    const gate = newGate()
    const state = { armed: false, reads: 0 }
    const store = around(fleet.store, async (method, call) => {
      if (!state.armed || method !== 'listKeys') return call()
      state.reads++
      // The result is what the store had when the read began.
      const result = await call()
      await gate.pass()
      return result
    })
    const a = await fleet.start()
    const b = await fleet.start({ store })
    const old = await issueOn(a)
    return { a, b, old, gate, state }
  }

  it('is not decided by a read that began before the request arrived', async () => {
    const { a, b, old, gate, state } = await gated()
    state.armed = true
    const early = b.keys.refresh()
    await gate.reached
    await a.keys.revoke(old.keyId, ACTOR)
    const token = await issueOn(a)
    const asked = b.authenticate(token.token)
    gate.open()
    await early
    expect(verdict(await drive(fleet.clock, asked))).toBe('ok')
    expect(state.reads).toBe(2)
  })

  it('is found within a second during a flood of made-up ones, and never rejected before', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const b = await fleet.start({ store: fleet.store })
    const old = await issueOn(a)
    const flood: Promise<unknown>[] = []
    const strangers = () => {
      for (let i = 0; i < 20; i++)
        flood.push(b.authenticate(forged(old, randomKid(flood.length))).catch(() => undefined))
    }
    for (let i = 0; i < 10; i++) {
      strangers()
      await fleet.clock.advance(90)
    }
    await a.keys.revoke(old.keyId, ACTOR)
    const token = await issueOn(a)
    const since = fleet.clock.now()
    strangers()
    expect(verdict(await drive(fleet.clock, b.authenticate(token.token), 10))).toBe('ok')
    expect(fleet.clock.now() - since).toBeLessThanOrEqual(SECOND)
    await drive(fleet.clock, Promise.all(flood))
  })

  it('is an outage at once for more requests than a node holds, and is still found for the next request', async () => {
    const { a, b, old, gate, state } = await gated()
    await a.keys.revoke(old.keyId, ACTOR)
    const token = await issueOn(a)
    state.armed = true
    const waiting = Array.from({ length: 1000 }, (_, i) =>
      b.authenticate(forged(old, randomKid(i))),
    )
    expect(await codeOf(b.authenticate(token.token))).toBe('ERR_KEY_LOOKUP_PENDING')
    gate.open()
    for (const result of await Promise.all(waiting)) expect(verdict(result)).toBe('unknown_key')
    expect(verdict(b.verify(token.token))).toBe('ok')
  })

  it('is an outage when the store does not reply within the timeout', async () => {
    const { a, b, old, gate, state } = await gated()
    await a.keys.revoke(old.keyId, ACTOR)
    const token = await issueOn(a)
    state.armed = true
    const asked = codeOf(b.authenticate(token.token))
    await gate.reached
    expect(await drive(fleet.clock, asked)).toBe('ERR_STORE_UNAVAILABLE')
    gate.open()
    expect(verdict(await drive(fleet.clock, b.authenticate(token.token)))).toBe('ok')
  })

  it('ends its waiting requests when the authority is closed', async () => {
    const { b, old, gate, state } = await gated()
    state.armed = true
    const first = b.authenticate(forged(old, randomKid(1)))
    await gate.reached
    const second = b.authenticate(forged(old, randomKid(2)))
    await b.close()
    gate.open()
    expect((await Promise.all([first, second])).map(verdict)).not.toContain('ok')
  })

  it('of a new audience is found by the nodes that serve it', async () => {
    fleet = await newFleet()
    const b = await fleet.start({ audience: ['orders-api', 'users-api'] })
    const users = b.keys.list().find(({ audience }) => audience === 'users-api')
    const c = await fleet.start({ audience: 'users-api' })
    await c.keys.revoke(users?.id ?? '', ACTOR)
    const token = await issueOn(c, { audience: 'users-api' })
    expect(verdict(await b.authenticate(token.token))).toBe('ok')
  })

  it('is an outage, not a rejection, when the store has it but no root key opens it', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const next = { rootKey: newRootKey(), previousRootKeys: [fleet.rootKey] }
    const b = await fleet.start(next)
    await b.keys.revoke(activeOn(b)[0]?.id ?? '', ACTOR)
    const token = await issueOn(b)
    const error = await errorOf(a.authenticate(token.token))
    expect(error.code).toBe('ERR_ROOT_KEY')
    expect(error.message).toContain(keyId(importKey(next.rootKey)))
  })

  it('does not prevent a rotation', async () => {
    fleet = await newFleet()
    const a = await fleet.start()
    const b = await fleet.start()
    await a.keys.revoke(activeOn(a)[0]?.id ?? '', ACTOR)
    const token = await issueOn(a)
    expect((await b.rotate(token.token, ACTOR)).generation).toBe(1)
  })

  it('is read by its root key while another key cannot be opened', async () => {
    const root = generateKey()
    let down = false
    const kms: KeyWrapper = {
      id: 'kms',
      wrap: async (paserk) => wrapKey(root, importKey(paserk)),
      unwrap: async (wrapped) => {
        if (down) throw new Error('throttled')
        return exportKey(unwrapKey(root, wrapped))
      },
    }
    fleet = await newFleet({ audience: ['orders-api', 'users-api'] })
    const a = await fleet.start({ previousRootKeys: [kms] })
    const b = await fleet.start({ previousRootKeys: [kms] })
    const c = await fleet.start({ rootKey: kms, previousRootKeys: [fleet.rootKey] })
    expect(activeOn(c)).toHaveLength(1)
    const ofAudience = (audience: string) => activeOn(a, audience)[0]?.id ?? ''
    await c.keys.revoke(ofAudience('users-api'), ACTOR)
    await a.keys.revoke(ofAudience('orders-api'), ACTOR)
    const token = await issueOn(a, { audience: 'orders-api' })
    down = true
    expect(verdict(await b.authenticate(token.token))).toBe('ok')
  })
})

describe('a failure of the store', () => {
  it('makes the start reject, and the start can be repeated', async () => {
    for (const broken of ['listKeys', 'insertKey'] as const) {
      fleet = await newFleet()
      let down = true
      const store = around(fleet.store, (method, call) =>
        down && method === broken ? Promise.reject(new Error('down')) : call(),
      )
      expect(await codeOf(fleet.start({ store }))).toBe('ERR_STORE_UNAVAILABLE')
      down = false
      const a = await fleet.start({ store })
      expect(verdict(a.verify((await issueOn(a)).token))).toBe('ok')
      await fleet.close()
    }
  })

  it('after a new key was written makes the node find that key instead of making another', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    let lost = false
    const store = around(fleet.store, async (method, call) => {
      const result = await call()
      if (lost && method === 'insertKey') throw new Error('connection reset')
      return result
    })
    const a = await fleet.start({ store })
    fleet.clock.step(31 * DAY)
    lost = true
    expect(await codeOf(issueOn(a))).toBe('ERR_STORE_UNAVAILABLE')
    expect(verdict(a.verify((await issueOn(a)).token))).toBe('ok')
    expect(await stored()).toHaveLength(2)
  })

  it('stops only the issue of tokens, and the auditor is called once for each change', async () => {
    fleet = await newFleet({ keys: KEYS, feed: rarelyPolled() })
    let down = false
    const store = around(fleet.store, (_method, call) =>
      down ? Promise.reject(new Error('down')) : call(),
    )
    const a = await fleet.start({ store })
    const token = await issueOn(a)
    down = true
    expect(verdict(a.verify(token.token))).toBe('ok')
    expect(await codeOf(issueOn(a))).toBe('ERR_STORE_UNAVAILABLE')
    expect(await codeOf(a.keys.rotate())).toBe('ERR_STORE_UNAVAILABLE')
    down = false
    const events = await auditOf(() => a.keys.rotate())
    expect(events).toMatchObject([{ action: 'key.created', actor: 'system', audience: AUDIENCE }])
  })
})
