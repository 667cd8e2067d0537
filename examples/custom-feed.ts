/**
 * A custom feed in a folder that the processes of one machine share. Each state of the log is a numbered file, which is
 * written under a temporary name and then linked. If two processes link the same number, one fails: this makes the
 * compare-and-append atomic. `feedContract` of watchword/testkit tests it. It keeps no snapshot.
 */
import { randomUUID } from 'node:crypto'
import { watch as watchFolder } from 'node:fs'
import { link, mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Appended, Position, RevocationFeed, SealedEvent, SealedHead } from 'watchword/feed'

interface State {
  readonly head: SealedHead | null
  readonly floor: number
  readonly events: readonly SealedEvent[]
}

const NOTHING: State = { head: null, floor: 1, events: [] }
// The number of old states that are kept, so that a process that has just listed the folder finds them.
const KEPT = 64

/** A feed in one folder, for any number of processes on one machine. Suits logs of a few thousand events. */
export function folderFeed(folder: string): RevocationFeed {
  const closing = new AbortController()

  // The last state's number; 0 when there is none.
  async function last(): Promise<number> {
    if (closing.signal.aborted) throw new Error('the feed is closed')
    return Math.max(0, ...(await readdir(folder)).filter((name) => /^\d+$/.test(name)).map(Number))
  }

  async function newest(): Promise<readonly [number, State]> {
    for (;;) {
      const number = await last()
      if (number === 0) return [0, NOTHING]
      const bytes = await readFile(join(folder, `${number}`)).catch(unless('ENOENT'))
      if (bytes !== undefined) return [number, deserialize(bytes)]
    }
  }

  // Links a finished file to the name, so that no process reads half of it. Returns false when the name is taken.
  async function place(number: number, state: State): Promise<boolean> {
    const path = join(folder, `${randomUUID()}.new`)
    await writeFile(path, serialize(state))
    const placed = await link(path, join(folder, `${number}`)).then(() => true, unless('EEXIST'))
    await unlink(path)
    return placed === true
  }

  // Reads the newest state and writes the next one. Retries when another process was faster.
  async function step<T>(work: (state: State) => readonly [T, State?]): Promise<T> {
    for (;;) {
      const [number, state] = await newest()
      const [result, next] = work(state)
      if (next === undefined) return result
      if (!(await place(number + 1, next))) continue
      // A name may also be free because its state was removed long ago. The two cases cannot be distinguished.
      if ((await last()) > number + KEPT / 2) throw new Error('too slow to tell')
      await unlink(join(folder, `${number - KEPT}`)).catch(unless('ENOENT'))
      return result
    }
  }

  return {
    info: { name: 'folder', push: true, durability: 'process', suggestedPollMs: 500 },
    open: async () => {
      await mkdir(folder, { recursive: true })
      await last()
    },
    head: () => step((state) => [headOf(state)]),
    read: ({ epoch, seq: after }, limit) =>
      step(({ head, floor, events }) => {
        const found = head?.epoch === epoch ? events.filter(({ seq }) => seq > after) : []
        return [{ events: found.slice(0, limit), floor }]
      }),
    append: (expect, added, head) =>
      step<Appended>((state) => {
        if (!isAt(state, expect)) return [{ ok: false, head: headOf(state) }]
        const { floor, events } = head.epoch === expect?.epoch ? state : NOTHING
        const kept = events.filter(({ seq }) => seq < (added[0]?.seq ?? Infinity))
        return [{ ok: true }, { head, floor, events: [...kept, ...added] }]
      }),
    touch: (expect, head) =>
      step((state) => (isAt(state, expect) ? [true, { ...state, head }] : [false])),
    trim: (upTo) =>
      step((state) => {
        const floor = Math.max(state.floor, Math.min(upTo, state.head?.seq ?? 0) + 1)
        const events = state.events.filter(({ seq }) => seq >= floor)
        return [undefined, { ...state, floor, events }]
      }),
    async watch(from, wake, signal) {
      const over = AbortSignal.any([signal, closing.signal])
      await new Promise<void>((resolve, reject) => {
        const watcher = watchFolder(folder, { signal: over }, () => wake())
        watcher.once('error', reject).once('close', resolve)
        // Watches first and reads second, so that no change is missed in between.
        newest().then(([, state]) => isAt(state, from) || over.aborted || wake(), reject)
      })
    },
    close: async () => closing.abort(),
  }
}

const headOf = ({ head, floor }: State) => head && { ...head, floor }

function isAt({ head }: State, at: Position | null): boolean {
  if (head === null || at === null) return head === at
  return head.epoch === at.epoch && head.seq === at.seq && !Buffer.compare(head.link, at.link)
}

/** Lets an error with this code pass as `undefined`. */
function unless(code: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== code) throw error
  }
}
