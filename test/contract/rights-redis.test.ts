/** The permissions of examples/rights.md on Redis are sufficient for both contracts, and all of them necessary. */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { redisFeed } from '../../src/feed/redis.js'
import { redisStore } from '../../src/store/redis.js'
import type { Store } from '../../src/store/store.js'
import { feedContract, storeContract } from '../../src/testkit/index.js'
import { hasRedisServer, ownServer } from './redis-server.js'
import { type Case, casesOf, firstFailure, listed } from './rights.js'
import { uniqueName } from './servers.js'

const available = hasRedisServer()

/** The rules of a user, as `ACL SETUSER` accepts them, for keys that begin with the prefixes of this run. */
function rulesOf(name: string, prefix: string): readonly string[] {
  const [line = ''] = listed(name)
  const [, rules = ''] = /^ACL SETUSER watchword_app (.+)$/.exec(line) ?? []
  return rules.replace('{auth}', `{${prefix}*}`).split(' ')
}

// A separate server: a script that another test has loaded would hide that EVAL is needed.
describe.skipIf(!available)('the permissions on Redis', async () => {
  const server = available ? await ownServer() : undefined
  const url = server?.url ?? 'redis://localhost'

  const run = uniqueName()
  const ofStore = rulesOf('redis store', run)
  const ofFeed = rulesOf('redis feed', run)
  const admin = new Redis(url, { lazyConnect: true })
  const clients: Redis[] = []
  let users = 0
  let made = 0

  /** A client of a user that `clientWith` or a hook creates later. */
  function clientOf(username: string): Redis {
    const client = new Redis(url, {
      username,
      password: 'password',
      lazyConnect: true,
      maxRetriesPerRequest: 1,
    })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }

  async function makeUser(username: string, rules: readonly string[]): Promise<void> {
    await admin.call('ACL', ['SETUSER', username, 'reset', ...rules])
  }

  async function clientWith(rules: readonly string[]): Promise<Redis> {
    const username = `${run}_${++users}`
    await makeUser(username, rules)
    await admin.call('SCRIPT', ['FLUSH'])
    return clientOf(username)
  }

  const storeClient = clientOf(`${run}_store`)
  const feedClient = clientOf(`${run}_feed`)
  beforeAll(async () => {
    await makeUser(`${run}_store`, ofStore)
    await makeUser(`${run}_feed`, ofFeed)
  })

  afterAll(async () => {
    for (const client of clients) client.disconnect()
    admin.disconnect()
    await server?.remove()
  })

  const prefixes = new WeakMap<object, string>()
  async function removeAll(place: object): Promise<void> {
    const keys = await admin.keys(`*${prefixes.get(place)}}*`)
    if (keys.length > 0) await admin.unlink(...keys)
  }
  const newPrefix = () => `${run}_${++made}`

  const storeOptions = (client: Redis, twin: Redis) => ({
    createStore: async () => {
      const prefix = newPrefix()
      const store = redisStore(client, { prefix })
      prefixes.set(store, prefix)
      return store
    },
    createTwin: async (store: Store) => redisStore(twin, { prefix: prefixes.get(store) ?? '' }),
    destroyStore: removeAll,
  })
  const feedOptions = (client: Redis, twin: Redis) => ({
    createFeed: async () => {
      const prefix = newPrefix()
      const feed = redisFeed(client, { prefix })
      prefixes.set(feed, prefix)
      return feed
    },
    createTwin: async (feed: RevocationFeed) =>
      redisFeed(twin, { prefix: prefixes.get(feed) ?? '' }),
    destroyFeed: removeAll,
  })

  const tellsTime = (client: Redis): Case => ({
    title: 'now',
    async run() {
      const store = redisStore(client, { prefix: newPrefix() })
      await store.open()
      expect(await store.now?.()).toBeGreaterThan(0)
      await store.close()
    },
  })
  const commandsOf = (rules: readonly string[]) => rules.filter((rule) => rule.startsWith('+'))

  describe('are sufficient for the store', () => {
    storeContract({ describe, it, ...storeOptions(storeClient, storeClient) })
  })
  describe('are sufficient for the feed', () => {
    feedContract({ describe, it, ...feedOptions(feedClient, feedClient) })
  })

  it.each(commandsOf(ofStore))(
    'the store fails without %s',
    async (missing) => {
      const client = await clientWith(ofStore.filter((rule) => rule !== missing))
      const cases = casesOf((runner) =>
        storeContract({ ...runner, ...storeOptions(client, client) }),
      )
      expect(await firstFailure([tellsTime(client), ...cases])).toBeDefined()
    },
    300_000,
  )
  it('are sufficient to read the clock of the server, which no contract does', async () => {
    await expect(tellsTime(storeClient).run()).resolves.toBeUndefined()
  })
  it.each(commandsOf(ofFeed))(
    'the feed fails without %s',
    async (missing) => {
      const client = await clientWith(ofFeed.filter((rule) => rule !== missing))
      const options = { ...feedOptions(client, client), withinMs: 3000 }
      const cases = casesOf((runner) => feedContract({ ...runner, ...options }))
      expect(await firstFailure(cases)).toBeDefined()
    },
    300_000,
  )

  it('allow no key outside the prefix to be read or written', async () => {
    const client = await clientWith(ofStore)
    await expect(client.get('another key')).rejects.toThrow(/NOPERM/)
    await expect(client.set('another key', '1')).rejects.toThrow(/NOPERM/)
  })
})
