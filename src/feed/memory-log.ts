/**
 * A log in memory, and a feed over it. Shared by the memory feed and the logs of tests.
 *
 * @module
 */
import { closedError } from '../lib/closed-adapter.js'
import {
  type Appended,
  type Position,
  type RevocationFeed,
  type SealedEvent,
  type SealedHead,
  samePosition,
  type WatchHint,
} from './feed.js'

/** The log itself. Each step of a feed over it is synchronous and therefore atomic. */
export interface MemoryLog {
  head: SealedHead | null
  floor: number
  /** Ascending. */
  events: SealedEvent[]
  chunks: readonly Uint8Array[]
  readonly wakes: Set<(hint?: WatchHint) => void>
}

/** A log that does not exist yet. */
export function emptyLog(): MemoryLog {
  return { head: null, floor: 1, events: [], chunks: [], wakes: new Set() }
}

// Inputs and outputs are copied: neither side may change the other's data.
const copyOf = ({ seq, bytes }: SealedEvent): SealedEvent => ({ seq, bytes: bytes.slice() })

function copyOfHead(head: SealedHead): SealedHead {
  return { ...head, link: head.link.slice(), bytes: head.bytes.slice() }
}

/** The current head with the current floor. */
export function headOf({ head, floor }: MemoryLog): SealedHead | null {
  return head === null ? null : { ...copyOfHead(head), floor }
}

/** The index of the first event with at least this seq. */
export function indexOf(events: readonly SealedEvent[], seq: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.seq ?? seq) < seq) low = middle + 1
    else high = middle
  }
  return low
}

function append(
  log: MemoryLog,
  expect: Position | null,
  added: readonly SealedEvent[],
  next: SealedHead,
): Appended {
  if (!samePosition(log.head, expect)) return { ok: false, head: headOf(log) }
  if (next.epoch !== expect?.epoch) {
    log.events = []
    log.floor = 1
  }
  const [first] = added
  // The head may have been moved back: everything above it is overwritten.
  if (first !== undefined) log.events.splice(indexOf(log.events, first.seq))
  log.events.push(...added.map(copyOf))
  log.head = copyOfHead(next)
  for (const wake of log.wakes) wake({ events: added.map(copyOf) })
  return { ok: true }
}

function touch(log: MemoryLog, expect: Position, next: SealedHead): boolean {
  if (!samePosition(log.head, expect)) return false
  log.head = copyOfHead(next)
  return true
}

function trim(log: MemoryLog, upTo: number): void {
  // Events that do not exist yet cannot be trimmed.
  log.floor = Math.max(log.floor, Math.min(upTo, log.head?.seq ?? 0) + 1)
  log.events = log.events.slice(indexOf(log.events, log.floor))
}

async function save(log: MemoryLog, source: AsyncIterable<Uint8Array>): Promise<void> {
  const saved: Uint8Array[] = []
  for await (const chunk of source) saved.push(chunk.slice())
  log.chunks = saved
}

/** A feed over a log that other feeds may share. */
export function feedOf(log: MemoryLog): RevocationFeed {
  const ends = new Set<() => void>()
  let closed = false

  // Async, so it rejects instead of throwing, also after close.
  async function step<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) throw closedError('the memory feed')
    return await work()
  }

  function watch(from: Position, call: (hint?: WatchHint) => void, signal: AbortSignal) {
    return new Promise<void>((resolve) => {
      const wake = (hint?: WatchHint) => call(hint)
      const end = () => {
        log.wakes.delete(wake)
        ends.delete(end)
        signal.removeEventListener('abort', end)
        resolve()
      }
      if (signal.aborted) return resolve()
      log.wakes.add(wake)
      ends.add(end)
      signal.addEventListener('abort', end, { once: true })
      if (log.head === null || samePosition(log.head, from)) return
      queueMicrotask(() => {
        if (log.wakes.has(wake)) wake()
      })
    })
  }

  return {
    info: { name: 'memory', push: true, durability: 'process', suggestedPollMs: 1000 },
    open: () => step(() => undefined),
    head: () => step(() => headOf(log)),
    read: ({ epoch, seq }, limit) =>
      step(() => {
        const { head, events, floor } = log
        const from = indexOf(events, seq + 1)
        const found = epoch === head?.epoch ? events.slice(from, from + limit) : []
        return { events: found.map(copyOf), floor }
      }),
    append: (expect, events, next) => step(() => append(log, expect, events, next)),
    touch: (expect, next) => step(() => touch(log, expect, next)),
    watch: (from, wake, signal) => step(() => watch(from, wake, signal)),
    snapshot: {
      load: async function* () {
        const chunks = await step(() => log.chunks)
        for (const chunk of chunks) yield chunk.slice()
      },
      save: (source) => step(() => save(log, source)),
    },
    trim: (upTo) => step(() => trim(log, upTo)),
    close: async () => {
      closed = true
      for (const end of ends) end()
    },
  }
}
