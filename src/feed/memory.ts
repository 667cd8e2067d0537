/**
 * The feed of one process: the reference for every other one.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { Appended, FeedEvent, FeedHead, Position, RevocationFeed } from './feed.js'

/**
 * A feed in memory. Authorities that share it hear of a revocation before `revoke` resolves; authorities in another
 * process hear nothing, so it suits one process, tests and a first try.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { memoryFeed } from 'watchword/feed/memory'
 *
 * const feed = memoryFeed()
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', feed, policies: { job: { ttl: '5m', scopes: [] } } })
 * await watchword.close()
 * ```
 */
export function memoryFeed(): RevocationFeed {
  const events: FeedEvent[] = []
  const watchers = new Set<(events: readonly FeedEvent[]) => void>()
  let head: FeedHead = { epoch: randomBytes(16).toString('base64url'), seq: 0, link: '', floor: 1 }

  function append(expect: Position | null, added: readonly FeedEvent[], next: Position): Appended {
    if (!samePosition(head, expect)) return { ok: false, head }
    events.push(...added.map(({ seq, bytes }) => ({ seq, bytes: bytes.slice() })))
    head = { ...next, floor: 1 }
    for (const wake of watchers) wake(added)
    return { ok: true }
  }

  return {
    info: { name: 'memory', durability: 'process', suggestedPollMs: 1000 },
    open: async () => {},
    head: async () => head,
    read: async (after, limit) => ({
      events: after.epoch === head.epoch ? events.slice(after.seq, after.seq + limit) : [],
      floor: 1,
    }),
    append: async (expect, added, next) => append(expect, added, next),
    watch: (wake, signal) => {
      watchers.add(wake)
      return new Promise((resolve) => {
        const stop = () => {
          watchers.delete(wake)
          resolve()
        }
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
      })
    },
    peek: () => head,
    // Several authorities may share the feed, so one of them leaving must not end it for the others.
    close: async () => {},
  }
}

function samePosition(head: Position, expect: Position | null): boolean {
  return head.epoch === expect?.epoch && head.seq === expect.seq && head.link === expect.link
}
