import { beforeAll, describe, expect, it } from 'vitest'
import { generateKey, keyId, type LocalKey, ready, wrapKey } from 'watchword/paseto'
import type { KeyRecord } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { FeedKeyring, type FeedKeyringOptions } from '../../../src/keys/feed-keyring.js'
import { tagOfKey } from '../../../src/keys/record-tags.js'
import type { RingKey } from '../../../src/keys/ring.js'
import { resolveRootKey } from '../../../src/keys/root-key.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { fixtures, HOUR, MINUTE, NOW } from '../../../src/testkit/store/fixtures.js'
import { importKey } from '../../../src/token/paserk.js'
import { newGate, newRootKey, SECOND } from '../../support/fleet.js'

beforeAll(() => ready)

const make = fixtures('feed keyring')
const READS = 10

/** A feed keyring over stored keys, of which some are loaded. */
function newParts() {
  const source = manualClock(NOW)
  const rootKey = newRootKey()
  const root = resolveRootKey(rootKey)
  const loaded = new Map<string, LocalKey>()
  const store = { refreshes: 0, made: 0, onRefresh: async () => {} }
  const stored: KeyRecord[] = []
  const keyring: FeedKeyringOptions['keyring'] = {
    get: (id) => {
      const key = loaded.get(id)
      return key && ({ key } as RingKey)
    },
    stored,
    refresh: () => {
      store.refreshes++
      return store.onRefresh()
    },
    issuingAny: async () => {
      store.made++
      return {} as RingKey
    },
  }
  const revoked = new Set<string>()
  const feedKeyring = new FeedKeyring({
    keyring,
    roots: [root],
    clock: resolveClock(source),
    isRevoked: (id) => revoked.has(id),
  })
  /** A stored key whose row its root key and its tag prove. */
  const newKey = (change: Partial<KeyRecord> = {}, isOpen = false): KeyRecord => {
    const key = generateKey()
    const content = make.key({
      id: keyId(key),
      wrapped: wrapKey(importKey(rootKey), key),
      wrappedBy: root.id,
      createdAt: NOW - HOUR,
      activatesAt: NOW - HOUR,
      expiresAt: NOW + HOUR,
      ...change,
    })
    const record = { ...content, tag: tagOfKey(key, content) }
    stored.push(record)
    if (isOpen) loaded.set(record.id, key)
    return record
  }
  return { source, store, revoked, feedKeyring, newKey }
}

describe('the key that seals for the feed', () => {
  it('is missing until a key is loaded', () => {
    const { feedKeyring, newKey } = newParts()
    const { id } = newKey()
    expect(feedKeyring.sealingIfAny()).toBeUndefined()
    const missing = expect.objectContaining({ code: 'ERR_NO_SIGNING_KEY' })
    expect(() => feedKeyring.sealing()).toThrow(missing)
    expect(() => feedKeyring.loaded(id)).toThrow(missing)
  })

  it('is one that every node has read, even if it is revoked or not yet active', () => {
    const { feedKeyring, newKey, revoked } = newParts()
    const young = newKey({ createdAt: NOW - SECOND }, true)
    expect(feedKeyring.sealing().id).toBe(young.id)
    const withdrawn = newKey({}, true)
    revoked.add(withdrawn.id)
    expect(feedKeyring.sealing().id).toBe(withdrawn.id)
    const pending = newKey({ activatesAt: NOW + MINUTE }, true)
    expect(feedKeyring.sealing().id).toBe(pending.id)
    const active = newKey({}, true)
    expect(feedKeyring.sealing().id).toBe(active.id)
    const longer = newKey({ expiresAt: NOW + 2 * HOUR }, true)
    expect(feedKeyring.sealing().id).toBe(longer.id)
    newKey({ expiresAt: NOW }, true)
    expect(feedKeyring.sealing()).toEqual({ id: longer.id, key: feedKeyring.loaded(longer.id) })
  })

  it('is opened by `ready`, also if it belongs to another audience', async () => {
    const { feedKeyring, newKey, store } = newParts()
    const { id } = newKey({ audience: 'another' })
    await feedKeyring.ready()
    expect(feedKeyring.sealing().id).toBe(id)
    await feedKeyring.ready()
    expect(store.made).toBe(0)
  })

  it('is another one if the best does not open, and is created if none opens', async () => {
    const { feedKeyring, newKey, store } = newParts()
    const foreign = newKey({ wrappedBy: make.keyId(), expiresAt: NOW + 2 * HOUR })
    await feedKeyring.ready()
    expect([store.made, feedKeyring.opening(foreign.id)]).toEqual([1, undefined])
    const own = newKey({}, true)
    await feedKeyring.ready()
    expect([store.made, feedKeyring.sealing().id]).toEqual([1, own.id])
  })

  it('is created by `ready` if the store has none', async () => {
    const { feedKeyring, store } = newParts()
    await feedKeyring.ready()
    expect(store.made).toBe(1)
  })
})

describe('a refresh for an unknown key', () => {
  it('opens every stored key, and shares the read in flight', async () => {
    const { feedKeyring, newKey, store } = newParts()
    const [first, second] = [newKey(), newKey({ audience: 'another' })]
    const gate = newGate()
    store.onRefresh = gate.pass
    const refreshes = [feedKeyring.refresh(), feedKeyring.refresh()]
    gate.open()
    await Promise.all(refreshes)
    expect(store.refreshes).toBe(1)
    for (const { id } of [first, second]) expect(feedKeyring.opening(id)).toBeDefined()
  })

  it('reads the store at most ten times per second, and never rejects', async () => {
    const { source, feedKeyring, store } = newParts()
    store.onRefresh = () => Promise.reject(new Error('the store is down'))
    for (let i = 0; i < READS + 5; i++) await feedKeyring.refresh()
    expect(store.refreshes).toBe(READS)
    await source.advance(SECOND)
    await feedKeyring.refresh()
    expect(store.refreshes).toBe(READS + 1)
  })
})
