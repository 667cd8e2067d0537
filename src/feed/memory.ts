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

interface Watcher {
  readonly wake: (hint?: WatchHint) => void
  readonly end: () => void
}

/** What comes in and what goes out are copies: neither side may change what the other one holds. */
const copyOf = ({ seq, bytes }: SealedEvent): SealedEvent => ({ seq, bytes: bytes.slice() })

function copyOfHead(head: SealedHead): SealedHead {
  return { ...head, link: head.link.slice(), bytes: head.bytes.slice() }
}

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
  const watchers = new Set<Watcher>()
  let log: SealedEvent[] = []
  let head: SealedHead | null = null
  let floor = 1
  let chunks: readonly Uint8Array[] = []
  let closed = false

  // Every method is a promise that rejects, never one that throws, and none answers after close.
  async function step<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) throw new Error('the memory feed is closed')
    return await work()
  }

  const currentHead = () => (head === null ? null : { ...copyOfHead(head), floor })

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
    const [first] = added
    // The head may have been set back: what lies above it is overwritten, to the end.
    if (first !== undefined) log.splice(Math.max(0, first.seq - floor))
    log.push(...added.map(copyOf))
    head = copyOfHead(next)
    for (const { wake } of watchers) wake({ events: added.map(copyOf) })
    return { ok: true }
  }

  function watch(from: Position, wake: Watcher['wake'], signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        watchers.delete(watcher)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const watcher = { wake, end }
      if (signal.aborted) return resolve()
      watchers.add(watcher)
      signal.addEventListener('abort', end, { once: true })
      if (head === null || samePosition(head, from)) return
      queueMicrotask(() => {
        if (watchers.has(watcher)) wake()
      })
    })
  }

  async function save(source: AsyncIterable<Uint8Array>): Promise<void> {
    const saved: Uint8Array[] = []
    for await (const chunk of source) saved.push(chunk.slice())
    chunks = saved
  }

  return {
    info: { name: 'memory', push: true, durability: 'process', suggestedPollMs: 1000 },
    open: () => step(() => undefined),
    head: () => step(currentHead),
    read: ({ epoch, seq }, limit) =>
      step(() => {
        const from = Math.max(0, seq + 1 - floor)
        const events = epoch === head?.epoch ? log.slice(from, from + limit).map(copyOf) : []
        return { events, floor }
      }),
    append: (expect, events, next) => step(() => append(expect, events, next)),
    touch: (expect, next) =>
      step(() => {
        if (!samePosition(head, expect)) return false
        head = copyOfHead(next)
        return true
      }),
    watch: (from, wake, signal) => step(() => watch(from, wake, signal)),
    snapshot: {
      load: async function* () {
        const loaded = await step(() => chunks)
        for (const chunk of loaded) yield chunk.slice()
      },
      save: (source) => step(() => save(source)),
    },
    trim: (upTo) =>
      step(() => {
        // What is not there yet cannot be trimmed.
        floor = Math.max(floor, Math.min(upTo, head?.seq ?? 0) + 1)
        log = log.filter(({ seq }) => seq >= floor)
      }),
    peek: currentHead,
    close: async () => {
      closed = true
      for (const { end } of watchers) end()
    },
  }
}
