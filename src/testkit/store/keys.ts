/**
 * Key records.
 *
 * @module
 */
import type { KeyRecord, Store } from '../../store/store.js'
import { present, type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'

/** The key records, sorted, because the contract defines no order. */
async function keysOf(store: Store): Promise<KeyRecord[]> {
  return [...(await store.listKeys())].sort((a, b) => (a.id < b.id ? -1 : 1))
}

const byId = (...keys: KeyRecord[]) => keys.sort((a, b) => (a.id < b.id ? -1 : 1))

export const keyCases: readonly StoreCase[] = [
  {
    rule: 'keys.round-trip',
    title: 'lists every key exactly as inserted',
    async run({ store, make }) {
      same(await store.listKeys(), [], 'the keys of an empty store')
      const keys = [
        make.key(),
        make.key({ generation: 2, revokedAt: NOW, wrapped: 'w'.repeat(400) }),
        make.key({ audience: 'https://api.example/v1', createdAt: 0, activatesAt: 0 }),
        make.key({ generation: 1_000_000, expiresAt: 8_640_000_000_000_000 }),
      ]
      for (const key of keys) same(await store.insertKey(key), true, 'the result of insertKey')
      same(await keysOf(store), byId(...keys), 'the keys')
    },
  },
  {
    rule: 'keys.copies',
    title: "is unaffected by changes to a caller's key record",
    async run({ store, make }) {
      const key = make.key()
      const given = { ...key }
      await store.insertKey(given)
      given.wrapped = 'another'
      same(await store.listKeys(), [key], 'the keys after the input was changed')
      const [listed] = await store.listKeys()
      Object.assign(present(listed, 'the key'), { revokedAt: 1 })
      same(await store.listKeys(), [key], 'the keys after the result was changed')
    },
  },
  {
    rule: 'keys.unique',
    title: 'keeps one key for each generation of an audience, the first one',
    across: 'also',
    async run({ store, other, make }) {
      const key = make.key()
      same(await store.insertKey(key), true, 'the first key')
      same(await other.insertKey(make.key()), false, 'another key of the same generation')
      same(await store.listKeys(), [key], 'the keys after it')
      const [next, elsewhere] = [make.key({ generation: 2 }), make.key({ audience: 'Api' })]
      same(await other.insertKey(next), true, 'the next generation')
      same(await other.insertKey(elsewhere), true, 'the same generation of another audience')
      same(await keysOf(store), byId(key, next, elsewhere), 'the keys')
    },
  },
  {
    rule: 'keys.unique-id',
    title: 'inserts an id once; a retry returns false and changes nothing',
    async run({ store, make }) {
      const key = make.key()
      await store.insertKey(key)
      same(await store.insertKey(key), false, 'the result of a retry')
      const moved = { ...key, generation: 2, audience: 'web', wrapped: 'another' }
      same(await store.insertKey(moved), false, 'the same id for another generation')
      same(await store.listKeys(), [key], 'the keys')
      const free = make.key({ generation: 2, audience: 'web' })
      same(await store.insertKey(free), true, 'the generation refused with it')
    },
  },
  {
    rule: 'keys.rewrap',
    title: 'replaces a wrapping if it is still the expected one',
    across: 'also',
    async run({ store, other, make }) {
      const [key, bystander] = [make.key(), make.key({ generation: 2 })]
      await store.insertKey(key)
      await store.insertKey(bystander)
      const next = { wrapped: 'k4.local-wrap.pie.next', wrappedBy: make.keyId() }
      const late = { wrapped: 'k4.local-wrap.pie.late', wrappedBy: make.keyId() }
      const wrongs = [bystander.wrapped, key.wrapped.toLowerCase(), `${key.wrapped} `, '', 'x']
      for (const wrong of wrongs) {
        same(await store.rewrapKey(key.id, wrong, late), false, `the result, expecting ${wrong}`)
      }
      same(await keysOf(store), byId(key, bystander), 'the keys after wrong expectations')
      same(await store.rewrapKey(key.id, key.wrapped, next), true, 'the result')
      const rewrapped = { ...key, ...next }
      same(await keysOf(other), byId(rewrapped, bystander), 'the keys after it')
      same(await other.rewrapKey(key.id, key.wrapped, late), false, 'the result of a late call')
      same(await keysOf(store), byId(rewrapped, bystander), 'the keys after that')
      same(await store.rewrapKey(key.id, next.wrapped, late), true, 'the result of a second call')
      same(await keysOf(other), byId({ ...key, ...late }, bystander), 'the keys at the end')
    },
  },
  {
    rule: 'keys.rewrap-missing',
    title: 'does not rewrap a missing key, and keeps a revoked key revoked',
    async run({ store, make }) {
      const key = make.key({ revokedAt: NOW })
      await store.insertKey(key)
      const next = { wrapped: 'next', wrappedBy: 'root' }
      same(await store.rewrapKey(make.keyId(), key.wrapped, next), false, 'an unknown id')
      same(
        await store.rewrapKey(key.id.toLowerCase(), key.wrapped, next),
        false,
        'the id in lower case',
      )
      same(await store.listKeys(), [key], 'the keys')
      same(await store.rewrapKey(key.id, key.wrapped, next), true, 'the revoked key')
      same(await store.listKeys(), [{ ...key, ...next }], 'the keys after it')
    },
  },
]
