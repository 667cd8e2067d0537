/**
 * The feed of one process: the reference for every other one.
 *
 * @module
 */
import {
  type Appended,
  type Position,
  type RevocationFeed,
  type SealedEvent,
  type SealedHead,
  samePosition,
  type WatchHint,
} from './feed.js'

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
  const watchers = new Set<(hint: WatchHint) => void>()
  let log: SealedEvent[] = []
  let head: SealedHead | null = null
  let floor = 1
  let chunks: readonly Uint8Array[] = []

  const copyOf = ({ seq, bytes }: SealedEvent) => ({ seq, bytes: bytes.slice() })
  const currentHead = () => (head === null ? null : { ...head, floor })

  function append(
    expect: Position | null,
    added: readonly SealedEvent[],
    next: SealedHead,
  ): Appended {
    if (!samePosition(head, expect)) return { ok: false, head: currentHead() }
    if (next.epoch !== expect?.epoch) {
      log = []
      floor = 1
    }
    const events = added.map(copyOf)
    log.push(...events)
    head = { ...next }
    for (const wake of watchers) wake({ events })
    return { ok: true }
  }

  return {
    info: { name: 'memory', push: true, durability: 'process', suggestedPollMs: 1000 },
    open: async () => {},
    head: async () => currentHead(),
    read: async ({ epoch, seq }, limit) => {
      const from = Math.max(0, seq + 1 - floor)
      return { events: epoch === head?.epoch ? log.slice(from, from + limit) : [], floor }
    },
    append: async (expect, events, next) => append(expect, events, next),
    touch: async (expect, next) => {
      if (!samePosition(head, expect)) return false
      head = { ...next }
      return true
    },
    watch: (_, wake, signal) => {
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
    snapshot: {
      load: async function* () {
        yield* chunks
      },
      save: async (source) => {
        const saved: Uint8Array[] = []
        for await (const chunk of source) saved.push(chunk.slice())
        chunks = saved
      },
    },
    trim: async (upTo) => {
      log = log.filter(({ seq }) => seq > upTo)
      floor = Math.max(floor, upTo + 1)
    },
    peek: currentHead,
    // Several authorities may share the feed, so one of them leaving must not end it for the others.
    close: async () => {},
  }
}
