/**
 * Opening, closing, and rules for every method.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import { holds, type StoreCase, same } from './case.js'
import { type Fixtures, NOW } from './fixtures.js'

/** A call of every method except `close`, by name, on an empty store. */
function calls(store: Store, make: Fixtures): Array<readonly [string, () => Promise<unknown>]> {
  const token = make.token()
  return [
    ['open', () => store.open()],
    ['insertTokens', () => store.insertTokens([token])],
    ['getToken', () => store.getToken(token.id)],
    ['listTokens', () => store.listTokens({}, { limit: 1 })],
    ['succeed', () => store.succeed(make.id(), make.successor(token), NOW)],
    ['supersede', () => store.supersede(make.id(), NOW)],
    ['revoke', () => store.revoke(make.revocation('subject', 'unknown'))],
    ['listRevocations', () => store.listRevocations({ limit: 1 })],
    ['insertKey', () => store.insertKey(make.key())],
    ['listKeys', () => store.listKeys()],
    ['rewrapKey', () => store.rewrapKey(make.keyId(), 'a', { wrapped: 'b', wrappedBy: 'c' })],
    ['recordUsage', () => store.recordUsage([{ id: make.id(), at: NOW }])],
    ['purge', () => store.purge({ tokens: 0, keys: 0, revocations: 0 })],
  ]
}

function promiseOf(name: string, call: () => Promise<unknown>, when: string): Promise<unknown> {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    holds(false, `${name} ${when} threw ${String(error)}; it must return a promise`)
  }
  const isPromise = typeof (result as { then?: unknown } | undefined)?.then === 'function'
  holds(isPromise, `${name} ${when} returned no promise`)
  return result as Promise<unknown>
}

async function isEmpty(store: Store): Promise<boolean> {
  const lists = [
    await store.listTokens({}, { limit: 1 }),
    await store.listKeys(),
    await store.listRevocations({ limit: 1 }),
  ]
  return lists.every((list) => list.length === 0)
}

export const lifecycleCases: readonly StoreCase[] = [
  {
    rule: 'lifecycle.fresh',
    title: 'is empty after createStore, has a name and reports whether it is durable',
    async run({ store }) {
      holds(await isEmpty(store), 'the store is not empty: createStore must isolate the cases')
      holds(typeof store.name === 'string' && store.name.length > 0, 'the store has no name')
      same(typeof store.supports.durable, 'boolean', 'the type of supports.durable')
    },
  },
  {
    rule: 'lifecycle.open-twice',
    title: 'changes nothing when opened a second time',
    async run({ store, make }) {
      const token = make.token()
      const key = make.key()
      const revocation = make.revocation('subject', 'another subject')
      await store.insertTokens([token])
      await store.insertKey(key)
      await store.revoke(revocation)
      await store.open()
      await Promise.all([store.open(), store.open()])
      same(await store.getToken(token.id), token, 'the token after a second open')
      same(await store.listKeys(), [key], 'the keys after a second open')
      same(await store.listRevocations({ limit: 9 }), [revocation], 'the revocations after it')
    },
  },
  {
    rule: 'lifecycle.close-twice',
    title: 'changes nothing when closed a second time',
    async run({ store }) {
      await store.close()
      await store.close()
      await Promise.all([store.close(), store.close()])
    },
  },
  {
    rule: 'lifecycle.closed',
    title: 'rejects every method after close',
    async run({ store, make }) {
      await store.close()
      for (const [name, call] of calls(store, make)) {
        const result = await Promise.resolve()
          .then(call)
          .then(
            () => 'resolved',
            (error: unknown) => (error instanceof Error ? 'rejected' : `rejected with ${error}`),
          )
        same(result, 'rejected', `${name} after close`)
      }
    },
  },
  {
    rule: 'lifecycle.promises',
    title: 'returns a promise from every method and never throws, open or closed',
    async run({ store, make }) {
      for (const [name, call] of calls(store, make)) await promiseOf(name, call, 'of an open store')
      await promiseOf('close', () => store.close(), 'of an open store')
      for (const [name, call] of calls(store, make)) {
        await promiseOf(name, call, 'after close').catch(() => undefined)
      }
      await promiseOf('close', () => store.close(), 'after close')
    },
  },
  {
    rule: 'lifecycle.visible',
    title: 'shows the writes of one instance to the other immediately',
    across: 'only',
    async run({ store, other, make }) {
      const token = make.token()
      const key = make.key()
      const revocation = make.revocation('token', token.id)
      await store.insertTokens([token])
      same(await other.getToken(token.id), token, 'the token, read by the other instance')
      await other.insertKey(key)
      same(await store.listKeys(), [key], 'the keys, read by the first instance')
      await other.revoke(revocation)
      same((await store.getToken(token.id))?.revokedAt, revocation.at, 'the time of revocation')
    },
  },
  {
    rule: 'lifecycle.close-own',
    title: 'leaves the other instance and the data unaffected when one is closed',
    across: 'only',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      await store.close()
      same(await other.getToken(token.id), token, 'the token after the first instance was closed')
      const next = make.token()
      same(await other.insertTokens([next]), 'inserted', 'an insert after it')
      same(await other.getToken(next.id), next, 'the token inserted after it')
    },
  },
  {
    rule: 'lifecycle.durable',
    title: 'keeps the data of a durable store after every instance is closed',
    across: 'only',
    async run({ store, other, reopen, make }) {
      if (!store.supports.durable) return
      const token = make.token()
      const key = make.key()
      const revocation = make.revocation('subject', 'another subject')
      await store.insertTokens([token])
      await store.insertKey(key)
      await other.revoke(revocation)
      await Promise.all([store.close(), other.close()])
      const again = await reopen()
      same(await again.getToken(token.id), token, 'the token')
      same(await again.listKeys(), [key], 'the keys')
      same(await again.listRevocations({ limit: 9 }), [revocation], 'the revocations')
    },
  },
]
