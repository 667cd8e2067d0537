/**
 * Feeds that are wrong about pushes, snapshots and peeking.
 *
 * @module
 */
import type { RevocationFeed } from '../../src/feed/feed.js'
import type { Disk } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Long enough for a tick or two of the event loop: what these mutants omit never happens. */
const BRIEFLY = 200

const noSignal = () => new AbortController().signal

type Watch = NonNullable<RevocationFeed['watch']>

const watchBy =
  (change: (watch: Watch, disk: Disk) => Watch) => (disk: Disk, good: RevocationFeed) => ({
    watch: change((...args) => good.watch?.(...args) ?? Promise.resolve(), disk),
  })

export const watchMutants: readonly Mutant[] = [
  {
    rule: 'watch.wakes',
    fault: 'never wakes',
    withinMs: BRIEFLY,
    methods: watchBy((watch) => (from, _, signal) => watch(from, () => undefined, signal)),
  },
  {
    rule: 'watch.wakes',
    fault: 'wakes once',
    withinMs: BRIEFLY,
    methods: watchBy((watch) => (from, wake, signal) => {
      let woken = false
      const once: typeof wake = (hint) => {
        if (!woken) wake(hint)
        woken = true
      }
      return watch(from, once, signal)
    }),
  },
  {
    rule: 'watch.wakes',
    fault: 'brings other bytes',
    rules: {
      hint: (events) => ({ events: events.map(({ seq }) => ({ seq, bytes: Uint8Array.of(1) })) }),
    },
  },
  {
    rule: 'watch.wakes',
    fault: 'brings events under the seq before',
    rules: {
      hint: (events) => ({ events: events.map(({ seq, bytes }) => ({ seq: seq - 1, bytes })) }),
    },
  },
  {
    rule: 'watch.wakes',
    fault: 'ends after the first event',
    methods: watchBy((watch) => async (from, wake, signal) => {
      const controller = new AbortController()
      signal.addEventListener('abort', () => controller.abort())
      await watch(
        from,
        (hint) => {
          wake(hint)
          controller.abort()
        },
        controller.signal,
      )
    }),
  },
  {
    rule: 'watch.from',
    fault: 'does not look at what there is already',
    withinMs: BRIEFLY,
    rules: { isBehind: () => false },
  },
  {
    rule: 'watch.from',
    fault: 'loses what came while the channel was down',
    withinMs: BRIEFLY,
    rules: { isBehind: (from, head) => from.epoch === '' && head !== null },
  },
  {
    rule: 'watch.nowhere',
    fault: 'never wakes when it began without a log',
    withinMs: BRIEFLY,
    methods: watchBy(
      (watch, disk) => (from, wake, signal) =>
        watch(from, disk.head === null ? () => undefined : wake, signal),
    ),
  },
  {
    rule: 'watch.epoch',
    fault: 'hears only of its own epoch',
    withinMs: BRIEFLY,
    methods: watchBy(
      (watch, disk) => (from, wake, signal) =>
        watch(
          from,
          (hint) => {
            if (disk.head?.epoch === from.epoch) wake(hint)
          },
          signal,
        ),
    ),
  },
  {
    rule: 'watch.abort',
    fault: 'goes on after it was aborted',
    withinMs: BRIEFLY,
    methods: watchBy((watch) => (from, wake) => watch(from, wake, noSignal())),
  },
  {
    rule: 'watch.abort',
    fault: 'waits indefinitely when it was aborted before',
    withinMs: BRIEFLY,
    methods: watchBy(
      (watch) => (from, wake, signal) => watch(from, wake, signal.aborted ? noSignal() : signal),
    ),
  },
  {
    rule: 'watch.silent',
    fault: 'goes on waking after it has settled',
    methods: watchBy((watch) => async (from, wake, signal) => {
      void watch(from, wake, noSignal())
      await watch(from, () => undefined, signal)
    }),
  },
  {
    rule: 'watch.many',
    fault: 'has room for ten channels, and keeps those that ended',
    withinMs: BRIEFLY,
    methods: (disk, good) => {
      let channels = 0
      return watchBy((watch) => (from, wake, signal) => {
        channels++
        return watch(from, channels > 10 ? () => undefined : wake, signal)
      })(disk, good)
    },
  },
  {
    rule: 'watch.two',
    fault: 'knows only the last watcher',
    withinMs: BRIEFLY,
    methods: watchBy((watch, disk) => (from, wake, signal) => {
      disk.watchers.clear()
      return watch(from, wake, signal)
    }),
  },
  {
    rule: 'watch.two',
    fault: 'the end of one watch ends the others',
    methods: watchBy((watch, disk) => async (from, wake, signal) => {
      await watch(from, wake, signal)
      const others = [...disk.watchers]
      disk.watchers.clear()
      for (const other of others) other.wake()
    }),
    withinMs: BRIEFLY,
  },
  {
    rule: 'watch.close',
    fault: 'goes on after close',
    withinMs: BRIEFLY,
    methods: () => ({ close: async () => undefined }),
  },
]

type Snapshot = NonNullable<RevocationFeed['snapshot']>

const snapshotBy =
  (change: (disk: Disk, good: Snapshot) => Partial<Snapshot>) =>
  (disk: Disk, { snapshot }: RevocationFeed) =>
    snapshot === undefined ? {} : { snapshot: { ...snapshot, ...change(disk, snapshot) } }

export const snapshotMutants: readonly Mutant[] = [
  {
    rule: 'snapshot.none',
    fault: 'rejects when there is none',
    methods: snapshotBy((disk, good) => ({
      async *load(signal) {
        if (disk.chunks.length === 0) throw new Error('no snapshot')
        yield* good.load(signal)
      },
    })),
  },
  {
    rule: 'snapshot.round-trip',
    fault: 'cuts a chunk to 32 KiB',
    rules: { take: (bytes) => bytes.slice(0, 32_768) },
  },
  {
    rule: 'snapshot.round-trip',
    fault: 'keeps equal chunks once',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        await good.save(chunks, signal)
        const seen = new Map(
          disk.chunks.map((chunk) => [Buffer.from(chunk).toString('hex'), chunk]),
        )
        disk.chunks = [...seen.values()]
      },
    })),
  },
  {
    rule: 'snapshot.replaced',
    fault: 'leaves the end of a longer one',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        const before = disk.chunks
        await good.save(chunks, signal)
        disk.chunks = [...disk.chunks, ...before.slice(disk.chunks.length)]
      },
    })),
  },
  {
    rule: 'snapshot.replaced',
    fault: 'adds to the one before',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        const before = disk.chunks
        await good.save(chunks, signal)
        disk.chunks = [...before, ...disk.chunks]
      },
    })),
  },
  {
    rule: 'snapshot.log',
    fault: 'drops the log that it stands for',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        await good.save(chunks, signal)
        disk.rows = []
      },
    })),
  },
  {
    rule: 'snapshot.failed',
    fault: 'writes over the one before, chunk by chunk',
    methods: snapshotBy((disk) => ({
      async save(chunks) {
        disk.chunks = []
        for await (const chunk of chunks) disk.chunks = [...disk.chunks, chunk.slice()]
      },
    })),
  },
  {
    rule: 'snapshot.failed',
    fault: 'takes a failure for the end',
    methods: snapshotBy((_, good) => ({
      save: (chunks, signal) => good.save(untilFailure(chunks), signal),
    })),
  },
  {
    rule: 'snapshot.aborted',
    fault: 'keeps what it has when it is aborted',
    methods: snapshotBy((_, good) => ({
      save: (chunks, signal) => good.save(untilAborted(chunks, signal), signal),
    })),
  },
  {
    rule: 'snapshot.aborted',
    fault: 'hangs when it is aborted',
    withinMs: BRIEFLY,
    methods: snapshotBy((_, good) => ({
      async save(chunks, signal) {
        await good.save(untilAborted(chunks, signal), signal)
        if (signal.aborted) await new Promise(() => undefined)
      },
    })),
  },
  {
    rule: 'snapshot.big',
    fault: 'has room for 255 chunks',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        await good.save(chunks, signal)
        disk.chunks = disk.chunks.slice(0, 255)
      },
    })),
  },
  {
    rule: 'snapshot.big',
    fault: 'orders the chunks by the digits of their number',
    methods: snapshotBy((disk, good) => ({
      async save(chunks, signal) {
        await good.save(chunks, signal)
        disk.chunks = [...disk.chunks.entries()]
          .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
          .map(([, chunk]) => chunk)
      },
    })),
  },
  {
    rule: 'snapshot.mix',
    fault: 'loads the current snapshot by number',
    methods: snapshotBy((disk) => ({
      async *load() {
        for (let i = 0; i < disk.chunks.length; i++) {
          await tick()
          yield disk.chunks[i]?.slice() ?? new Uint8Array()
        }
      },
    })),
  },
  {
    rule: 'snapshot.mix',
    fault: 'ends a load early when the snapshot is replaced',
    methods: snapshotBy((disk) => ({
      async *load() {
        const { chunks } = disk
        for (const chunk of chunks) {
          if (disk.chunks !== chunks) return
          yield chunk.slice()
        }
      },
    })),
  },
  {
    rule: 'snapshot.savers',
    fault: 'collects the chunks of all savers in one place',
    methods: snapshotBy((disk) => {
      const places = collecting
      return {
        async save(chunks) {
          const place = places.get(disk) ?? []
          places.set(disk, place)
          for await (const chunk of chunks) place.push(chunk.slice())
          disk.chunks = [...place]
          places.delete(disk)
        },
      }
    }),
  },
  {
    rule: 'snapshot.copies',
    fault: 'keeps the buffers it was given',
    rules: { take: (bytes) => bytes },
  },
  {
    rule: 'snapshot.copies',
    fault: 'gives its own buffers away',
    rules: { give: (bytes) => bytes },
  },
]

const collecting = new WeakMap<Disk, Uint8Array[]>()

async function* untilFailure(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch {
    // As if there were no more.
  }
}

async function* untilAborted(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (signal.aborted) return
    yield chunk
  }
}

export const peekMutants: readonly Mutant[] = [
  {
    rule: 'peek.head',
    fault: 'peeks at what this instance asked for last',
    methods: (_, good) => {
      let last: Awaited<ReturnType<RevocationFeed['head']>> = null
      return {
        async head(options) {
          last = await good.head(options)
          return last
        },
        peek: () => last,
      }
    },
  },
  {
    rule: 'peek.head',
    fault: 'peeks at the head as it was sealed, ignoring trims',
    methods: (disk) => ({ peek: () => disk.head }),
  },
]
