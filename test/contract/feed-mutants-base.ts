/**
 * A second, plain feed whose every rule can be replaced, to test the contract kit itself.
 *
 * @module
 */
import type {
  Appended,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
} from '../../src/feed/feed.js'
import {
  type Disk,
  type Gap,
  GOOD,
  type Row,
  type Rules,
  type Watcher,
} from './feed-mutants-rules.js'

type Listener = Parameters<NonNullable<RevocationFeed['observe']>>[0]

interface Parts {
  readonly disk: Disk
  readonly rules: Rules
}

/** A feed over the disk that obeys the given rules: correct rules make a correct feed. */
export function plainFeed(disk: Disk, changed: Partial<Rules> = {}): RevocationFeed {
  const rules = { ...GOOD, ...changed }
  const parts = { disk, rules }
  const ends = new Set<() => void>()
  const listeners = new Set<Listener>()
  let closed = false
  async function step<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) throw new Error('the feed is closed')
    return await work()
  }

  function watch(from: Position, watcher: Watcher, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        disk.watchers.delete(watcher)
        ends.delete(end)
        signal.removeEventListener('abort', end)
        resolve()
      }
      if (signal.aborted) return resolve()
      disk.watchers.add(watcher)
      ends.add(end)
      signal.addEventListener('abort', end)
      if (!rules.isBehind(from, disk.head)) return
      queueMicrotask(() => {
        if (disk.watchers.has(watcher)) watcher.wake()
      })
    })
  }

  return {
    info: { name: 'plain', push: true, durability: 'none', suggestedPollMs: 100 },
    open: () => step(() => undefined),
    head: () => step(() => headOf(parts)),
    read: (after, limit) => step(() => read(parts, after, limit)),
    append: (expect, events, next) =>
      step(() => {
        const { head } = disk
        const junk = disk.rows.filter((row) => head?.epoch === row.epoch && row.seq > head.seq)
        if (junk.length > 0) for (const tell of listeners) tell('junk', junk.length)
        return append(parts, expect, events, next)
      }),
    touch: (expect, next) => step(() => touch(parts, expect, next)),
    watch: (from, wake, signal) => step(() => watch(from, { wake }, signal)),
    snapshot: {
      async *load() {
        const chunks = await step(() => disk.chunks)
        for (const chunk of chunks) yield rules.give(chunk)
      },
      save: (chunks) => step(() => save(parts, chunks)),
    },
    trim: (upTo) => step(() => trim(parts, upTo)),
    peek: () => headOf(parts),
    reset: () =>
      step(() => void Object.assign(disk, { head: null, floor: 1, rows: [], chunks: [] })),
    observe(listener) {
      const own: Listener = (...incident) => listener(...incident)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    async close() {
      closed = true
      for (const end of ends) end()
    },
  }
}

async function passGap({ rules }: Parts, where: Gap): Promise<void> {
  await rules.gap(where)
}

/** The current head, as an instance returns it. */
export function headOf({ disk: { head, floor }, rules }: Parts): SealedHead | null {
  if (head === null) return null
  const { link, bytes } = head
  return {
    ...head,
    link: rules.give(link),
    bytes: rules.give(bytes),
    floor: rules.tellsFloor(floor, head),
  }
}

const takeHead = ({ rules }: Parts, head: SealedHead): SealedHead => ({
  ...head,
  link: rules.take(head.link),
  bytes: rules.take(head.bytes),
})

function read(
  { disk, rules }: Parts,
  { epoch, seq: after }: { readonly epoch: string; readonly seq: number },
  limit: number,
) {
  const rows = disk.rows
    .filter((row) => rules.isOf(row, epoch, disk.head) && rules.isAfter(row.seq, after))
    .sort(rules.compare)
  const found = rules.page(rows, limit)
  const events = found.map(({ seq, bytes }) => ({ seq, bytes: rules.give(bytes) }))
  const { floor } = disk
  const pause = rules.gap('read')
  const page = () => ({ events, floor: rules.readFloor(pause ? disk.floor : floor, found) })
  return pause === undefined ? page() : pause.then(page)
}

function append(
  parts: Parts,
  expect: Position | null,
  events: readonly SealedEvent[],
  next: SealedHead,
): Appended | Promise<Appended> {
  const { disk, rules } = parts
  if (!rules.isHead(disk.head, expect)) return { ok: false, head: headOf(parts) }
  // A correct feed has no pause, and everything happens in the same tick.
  if (rules === GOOD || rules.gap === GOOD.gap) {
    begin(parts, expect, events, next)
    for (const event of rules.written(events)) write(parts, event, next)
    return finish(parts, events, next)
  }
  return appendSlowly(parts, expect, events, next)
}

async function appendSlowly(
  parts: Parts,
  expect: Position | null,
  events: readonly SealedEvent[],
  next: SealedHead,
): Promise<Appended> {
  await passGap(parts, 'check')
  begin(parts, expect, events, next)
  await passGap(parts, 'epoch')
  for (const event of parts.rules.written(events)) {
    write(parts, event, next)
    await passGap(parts, 'event')
  }
  await passGap(parts, 'head')
  return finish(parts, events, next)
}

function begin(
  { disk, rules }: Parts,
  expect: Position | null,
  [first]: readonly SealedEvent[],
  next: SealedHead,
): void {
  if (rules.begins(next, expect)) {
    disk.rows = disk.rows.filter((row) => rules.survives(row))
    disk.floor = rules.floorOfNew(disk.floor)
  }
  if (first === undefined) return
  const isJunk = (row: Row) => row.epoch === next.epoch && rules.overwrites(row, first.seq)
  disk.rows = disk.rows.filter((row) => !isJunk(row))
}

function write({ disk, rules }: Parts, { seq, bytes }: SealedEvent, { epoch }: SealedHead): void {
  disk.rows.push({ epoch, seq, bytes: rules.take(bytes) })
}

function finish(parts: Parts, events: readonly SealedEvent[], next: SealedHead): Appended {
  const { disk, rules } = parts
  disk.head = takeHead(parts, next)
  for (const { wake } of disk.watchers) {
    wake(rules.hint(events.map(({ seq, bytes }) => ({ seq, bytes: bytes.slice() }))))
  }
  return { ok: true }
}

function touch(parts: Parts, expect: Position, next: SealedHead): boolean | Promise<boolean> {
  const { disk, rules } = parts
  if (disk.head === null || !rules.isHead(disk.head, expect)) return false
  const { head } = disk
  const write = () => {
    disk.head = takeHead(parts, rules.touched(head, next))
    return true
  }
  return rules.gap('touch')?.then(write) ?? write()
}

function trim({ disk, rules }: Parts, upTo: number): void | Promise<void> {
  const floor = rules.floor(disk.floor, upTo, disk.head)
  const drop = () => {
    disk.rows = disk.rows.filter((row) => !rules.goes(row, floor, upTo))
  }
  const tell = () => {
    disk.floor = floor
  }
  const pause = rules.gap('trim')
  drop()
  return pause === undefined ? tell() : pause.then(tell)
}

async function save({ disk, rules }: Parts, source: AsyncIterable<Uint8Array>): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(rules.take(chunk))
  disk.chunks = chunks
}
