import { describe, expect, it } from 'vitest'
import type { RevocationFeed } from 'watchword/feed'
import { memoryFeed } from 'watchword/feed/memory'
import { type ChaosLog, chaosFeed, chaosLog, feedContract } from 'watchword/testkit'

describe('memoryFeed', () => {
  feedContract({ describe, it, createFeed: async () => memoryFeed() })

  it('reports that its log ends with the process', () => {
    expect(memoryFeed().info.durability).toBe('none')
  })
})

describe.each<[string, (log: ChaosLog) => RevocationFeed]>([
  ['the feeds of a chaosLog', (log) => log.feed()],
  [
    'a chaosFeed without faults',
    (log) => {
      const feed = chaosFeed(log.feed(), 1)
      feed.calm()
      return feed
    },
  ],
])('%s', (_, feedOf) => {
  const logs = new WeakMap<RevocationFeed, ChaosLog>()
  const on = (log: ChaosLog): RevocationFeed => {
    const feed = feedOf(log)
    logs.set(feed, log)
    return feed
  }
  const logOf = (feed: RevocationFeed) => logs.get(feed) as ChaosLog
  feedContract({
    describe,
    it,
    createFeed: async () => on(chaosLog()),
    createTwin: async (feed) => on(logOf(feed)),
    plantEvent: async (feed, event) => logOf(feed).plant(event),
  })
})
