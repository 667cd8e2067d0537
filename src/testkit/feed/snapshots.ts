/**
 * The snapshot: a list of chunks that is replaced as a whole, or not at all.
 *
 * @module
 */
import { holds, present, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { callOptions, filled, type Log, startOf } from './log.js'
import { hex, sameEvents, sameHead } from './same.js'
import { turn } from './soon.js'

type Chunks = readonly Uint8Array[]

/** Yields chunks one by one, with a turn of the event loop between them, like a node that seals them. */
async function* slowly(chunks: Chunks): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    await turn()
    yield chunk
  }
}

function save({ feed }: Log, chunks: AsyncIterable<Uint8Array>, signal = callOptions().signal) {
  holds(feed.snapshot !== undefined, 'the feed keeps no snapshot')
  return feed.snapshot.save(chunks, signal)
}

function load({ feed }: Log): AsyncIterable<Uint8Array> {
  holds(feed.snapshot !== undefined, 'the feed keeps no snapshot')
  return feed.snapshot.load(callOptions().signal)
}

async function loaded(log: Log): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of load(log)) chunks.push(chunk)
  return chunks
}

function sameChunks(actual: Chunks, expected: Chunks, what: string): void {
  const plain = (chunks: Chunks) => chunks.map((chunk) => hex(chunk, what))
  same(plain(actual), plain(expected), what)
}

const settled = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  )

export const snapshotCases: readonly FeedCase[] = [
  {
    rule: 'snapshot.none',
    title: 'has no snapshot at first',
    needs: ['snapshot'],
    async run({ log }) {
      sameChunks(await loaded(log), [], 'the chunks')
    },
  },
  {
    rule: 'snapshot.round-trip',
    title: 'returns the exact chunks in order',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      const every = Uint8Array.from({ length: 256 }, (_, index) => index)
      const chunks = [every, Uint8Array.of(0), make.bytes(40_960), new Uint8Array(40_960), every]
      await save(log, slowly(chunks))
      sameChunks(await loaded(other), chunks, 'the chunks')
      sameChunks(await loaded(other), chunks, 'the chunks, loaded again')
    },
  },
  {
    rule: 'snapshot.replaced',
    title: 'replaces the previous snapshot as a whole, longer or shorter',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      for (const length of [5, 9, 2, 1]) {
        const chunks = Array.from({ length }, () => make.bytes(200))
        await save(length % 2 === 0 ? log : other, slowly(chunks))
        sameChunks(await loaded(log), chunks, `the ${length} chunks`)
        sameChunks(await loaded(other), chunks, `the ${length} chunks, from the other instance`)
      }
    },
  },
  {
    rule: 'snapshot.log',
    title: 'keeps the snapshot and the log independent',
    needs: ['snapshot'],
    async run({ log, make }) {
      const chunks = [make.bytes(100), make.bytes(100)]
      await save(log, slowly(chunks))
      sameHead(await log.head(), null, 'the head after a snapshot without a log')
      const { events, next } = await filled(log, make, 12)
      sameChunks(await loaded(log), chunks, 'the chunks after appends')
      await save(log, slowly([...chunks, ...chunks]))
      sameHead(await log.head(), next, 'the head after a snapshot')
      sameEvents(await log.all(startOf(next)), events, 'the events after a snapshot')
    },
  },
  {
    rule: 'snapshot.failed',
    title: 'rejects a save whose chunks fail and keeps the previous snapshot',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      const failing = async function* (after: number) {
        yield* slowly(Array.from({ length: after }, () => make.bytes(5000)))
        throw new Error('no more chunks')
      }
      same(await settled(save(log, failing(2))), false, 'whether the first save took place')
      sameChunks(await loaded(other), [], 'the chunks after a first save that failed')
      const chunks = [make.bytes(100), make.bytes(100), make.bytes(100)]
      await save(other, slowly(chunks))
      for (const after of [0, 1, 3, 120]) {
        const took = await settled(save(log, failing(after)))
        same(took, false, `whether a save that failed after ${after} chunks took place`)
        sameChunks(await loaded(other), chunks, `the chunks after a failure after ${after}`)
      }
    },
  },
  {
    rule: 'snapshot.aborted',
    title: 'ends an aborted save and keeps the previous snapshot or its own',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      const before = [make.bytes(100), make.bytes(100)]
      await save(other, slowly(before))
      const chunks = Array.from({ length: 12 }, () => make.bytes(5000))
      const controller = new AbortController()
      const aborting = async function* () {
        yield* slowly(chunks.slice(0, 4))
        controller.abort()
        yield* slowly(chunks.slice(4))
      }
      const took = await log.soon(
        settled(save(log, aborting(), controller.signal)),
        'the end of an aborted save',
      )
      sameChunks(await loaded(other), took ? chunks : before, 'the chunks after it')
    },
  },
  {
    rule: 'snapshot.big',
    title: 'returns three hundred chunks of the maximum length',
    needs: ['snapshot'],
    async run({ log, make }) {
      const noise = make.bytes(300 + 40_960)
      const chunks = Array.from({ length: 300 }, (_, index) =>
        noise.subarray(index, index + 40_960),
      )
      await save(log, slowly(chunks))
      let index = 0
      for await (const chunk of load(log)) {
        const isSame = Buffer.compare(chunk, present(chunks[index], 'the saved chunk')) === 0
        holds(isSame, `chunk ${index} was changed`)
        index++
      }
      same(index, 300, 'the number of chunks')
    },
  },
  {
    rule: 'snapshot.mix',
    title: 'returns the old snapshot or fails when a save overtakes a load, never a mix',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      const list = (length: number) => Array.from({ length }, () => make.bytes(20_000))
      let old: Chunks = list(120)
      await save(log, slowly(old))
      // Overtaken before its first chunk, in the middle and near its end, by longer and shorter snapshots.
      for (const [reached, length] of [
        [0, 150],
        [1, 60],
        [30, 90],
        [89, 120],
      ] as const) {
        const next = list(length)
        const found: Uint8Array[] = []
        const iterator = load(log)[Symbol.asyncIterator]()
        const pull = async () => {
          const { done, value } = await iterator.next()
          if (done !== true) found.push(value)
          return done !== true
        }
        while (found.length < reached && (await pull()));
        await save(other, slowly(next))
        const ended = await settled(
          (async () => {
            while (await pull());
          })(),
        )
        if (ended) {
          const isNew = found.length === next.length && reached === 0
          sameChunks(found, isNew ? next : old, `a load overtaken after ${reached}`)
        }
        sameChunks(await loaded(log), next, 'the chunks after it')
        old = next
      }
    },
  },
  {
    rule: 'snapshot.savers',
    title: 'keeps one of two concurrent saves as a whole',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      for (const lengths of [
        [30, 45],
        [45, 30],
        [7, 7],
      ]) {
        const lists = lengths.map((length) => Array.from({ length }, () => make.bytes(3000)))
        const [one = [], two = []] = lists
        const saves = [save(log, slowly(one)), save(other, slowly(two))]
        const took = await Promise.all(saves.map(settled))
        holds(took.includes(true), 'neither save took place')
        const found = await loaded(log)
        const isFirst = hex(found[0], 'a chunk') === hex(one[0], 'a chunk')
        sameChunks(found, isFirst ? one : two, 'the chunks after two concurrent saves')
        same(took[isFirst ? 0 : 1], true, 'whether the save whose chunks are stored took place')
      }
    },
  },
  {
    rule: 'snapshot.copies',
    title: 'is unaffected by reuse of a buffer after its chunk was taken',
    needs: ['snapshot'],
    async run({ log, make }) {
      const chunks = [make.bytes(100), make.bytes(100), make.bytes(100)]
      const reusing = async function* () {
        const buffer = new Uint8Array(100)
        for (const chunk of chunks) {
          buffer.set(chunk)
          yield buffer
        }
        buffer.fill(0xee)
      }
      await save(log, reusing())
      const found = await loaded(log)
      sameChunks(found, chunks, 'the chunks')
      for (const chunk of found) chunk.fill(0xee)
      sameChunks(await loaded(log), chunks, 'the chunks after returned chunks were changed')
    },
  },
]
