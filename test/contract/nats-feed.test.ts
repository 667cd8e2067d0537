import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { natsFeed } from '../../src/feed/nats.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('nats')

describe.skipIf(url === undefined)('nats', () => {
  let one: NatsConnection
  let two: NatsConnection
  beforeAll(async () => {
    one = await connect({ servers: url ?? '' })
    two = await connect({ servers: url ?? '' })
  })
  afterAll(() => Promise.all([one.close(), two.close()]))

  const prefixes = new WeakMap<RevocationFeed, string>()
  const open = (connection: NatsConnection, prefix: string): RevocationFeed => {
    const feed = natsFeed(jetstream(connection), { prefix })
    prefixes.set(feed, prefix)
    return feed
  }
  const prefixOf = (feed: RevocationFeed): string => prefixes.get(feed) ?? 'none'

  feedContract({
    describe,
    it,
    createFeed: async () => open(one, uniqueName()),
    createTwin: async (feed) => open(two, prefixOf(feed)),
    plantEvent: async (feed, { bytes }) => {
      await jetstream(one).publish(`${prefixOf(feed)}.log`, bytes)
    },
    destroyFeed: async (feed) => {
      const { streams } = await jetstream(one).jetstreamManager()
      for (const stream of ['LOG', 'SNAP'])
        await streams.delete(`${prefixOf(feed)}_${stream}`).catch(() => false)
    },
  })

  it('leaves the caller’s connections open', () => {
    expect(one.isClosed()).toBe(false)
    expect(two.isClosed()).toBe(false)
  })
})
