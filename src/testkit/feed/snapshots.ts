/**
 * The snapshot: a list of chunks that is replaced as a whole, or not at all.
 *
 * @module
 */
import { holds, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { callOptions, filled, type Log, startOf } from './log.js'
import { hex, sameEvents, sameHead } from './same.js'
import { turn } from './soon.js'

type Chunks = readonly Uint8Array[]

/** Chunks one by one, with a turn of the event loop between them, as a node seals them. */
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
    title: 'there is none at first',
    needs: ['snapshot'],
    async run({ log }) {
      sameChunks(await loaded(log), [], 'the chunks')
    },
  },
  {
    rule: 'snapshot.round-trip',
    title: 'the chunks come back exactly, in their order',
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
    title: 'a snapshot replaces the one before as a whole, longer or shorter',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      for (const length of [5, 9, 2, 1]) {
        const chunks = Array.from({ length }, () => make.bytes(200))
        await save(length % 2 === 0 ? log : other, slowly(chunks))
        sameChunks(await loaded(log), chunks, `the ${length} chunks`)
        sameChunks(await loaded(other), chunks, `the ${length} chunks, from the other side`)
      }
    },
  },
  {
    rule: 'snapshot.log',
    title: 'a snapshot and the log leave one another alone',
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
    title: 'a save whose chunks fail rejects, and leaves the one before',
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
        same(took, false, `whether a save took place that failed after ${after} chunks`)
        sameChunks(await loaded(other), chunks, `the chunks after a failure after ${after}`)
      }
    },
  },
  {
    rule: 'snapshot.aborted',
    title: 'a save that is aborted on the way ends, and leaves the one before or its own',
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
        'the end of a save that was aborted',
      )
      sameChunks(await loaded(other), took ? chunks : before, 'the chunks after it')
    },
  },
  {
    rule: 'snapshot.big',
    title: 'three hundred of the longest chunks come back',
    needs: ['snapshot'],
    async run({ log, make }) {
      const noise = make.bytes(300 + 40_960)
      const chunks = Array.from({ length: 300 }, (_, index) =>
        noise.subarray(index, index + 40_960),
      )
      await save(log, slowly(chunks))
      let index = 0
      for await (const chunk of load(log)) {
        const isSame = Buffer.compare(chunk, chunks[index] ?? Buffer.alloc(0)) === 0
        holds(isSame, `chunk ${index} came back changed`)
        index++
      }
      same(index, 300, 'the number of chunks')
    },
  },
  {
    rule: 'snapshot.mix',
    title: 'a load that a save overtakes answers the old one or fails, and never a mix',
    needs: ['snapshot'],
    across: 'also',
    async run({ log, other, make }) {
      const list = (length: number) => Array.from({ length }, () => make.bytes(20_000))
      let old: Chunks = list(120)
      await save(log, slowly(old))
      // Overtaken before its first chunk, on the way and near its end, by longer and by shorter ones.
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
          sameChunks(found, isNew ? next : old, `a load that was overtaken after ${reached}`)
        }
        sameChunks(await loaded(log), next, 'the chunks after it')
        old = next
      }
    },
  },
  {
    rule: 'snapshot.savers',
    title: 'of two saves at once one is kept, whole',
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
        const isFirst = hex(found[0] ?? Uint8Array.of(), 'a chunk') === hex(one[0], 'a chunk')
        sameChunks(found, isFirst ? one : two, 'the chunks after two saves at once')
        same(took[isFirst ? 0 : 1], true, 'whether the save took place whose chunks are there')
      }
    },
  },
  {
    rule: 'snapshot.copies',
    title: 'a buffer that is used again after its chunk was taken changes nothing',
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
      sameChunks(await loaded(log), chunks, 'the chunks after those of an answer were changed')
    },
  },
]
