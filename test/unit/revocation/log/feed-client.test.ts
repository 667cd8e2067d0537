import { describe, expect, it } from 'vitest'
import { memoryFeed } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { Failures } from '../../../../src/observe/failures.js'
import { FeedClient } from '../../../../src/revocation/log/feed-client.js'

const POSITION = { epoch: 'epoch', seq: 1, link: new Uint8Array(16) }
const HEAD = { ...POSITION, floor: 1, beaconAt: 1, bytes: new Uint8Array(1) }

/** A feed with only the methods that every feed has. */
function plainFeed(changes: Partial<RevocationFeed> = {}): RevocationFeed {
  const { open, head, read, append, close } = memoryFeed()
  const info = { push: false, durability: 'unknown', suggestedPollMs: 100 } as const
  return { info, open, head, read, append, close, ...changes }
}

function clientOf(feed: RevocationFeed): FeedClient {
  const clock = resolveClock(manualClock())
  const failures = new Failures(clock)
  return new FeedClient({ feed, clock, failures, deadlineMs: 1000, probeMs: 100 })
}

describe('the client of a feed without optional methods', () => {
  it('names a feed without a name in the errors', async () => {
    const open = async () => {
      throw new Error('down')
    }
    const client = clientOf(plainFeed({ open }))
    expect(client.name).toBe('custom')
    await expect(client.open()).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
      message: 'feed "custom" failed: unknown; see `cause`',
    })
  })

  it('reports that the feed cannot replace a seal, has no identity, and drops nothing', async () => {
    const client = clientOf(plainFeed())
    expect(await client.touch(POSITION, HEAD)).toBe(false)
    expect(await client.identity()).toBeUndefined()
    await expect(client.trim(1)).resolves.toBeUndefined()
  })

  it('loads no snapshot, and saves none', async () => {
    const client = clientOf(plainFeed())
    const chunks: Uint8Array[] = []
    for await (const chunk of client.load()) chunks.push(chunk)
    expect(chunks).toEqual([])
    let isRead = false
    async function* source() {
      isRead = true
      yield new Uint8Array(1)
    }
    await client.save(source())
    expect(isRead).toBe(false)
  })
})

describe('the client of a feed', () => {
  it('opens the feed once, and again after a failed open', async () => {
    let opens = 0
    const open = async () => {
      if (++opens === 1) throw new Error('down')
    }
    const client = clientOf(plainFeed({ open }))
    await expect(client.open()).rejects.toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
    await Promise.all([client.open(), client.open()])
    expect(opens).toBe(2)
  })
})
