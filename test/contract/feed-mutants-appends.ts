/**
 * Feeds that are wrong about the head, appends and rejected appends.
 *
 * @module
 */
import { type Position, type SealedHead, sameBytes } from '../../src/feed/feed.js'
import { GOOD } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

const utf8 = (bytes: Uint8Array) => new TextEncoder().encode(new TextDecoder().decode(bytes))

const trimEnd = (bytes: Uint8Array) => {
  let { length } = bytes
  while (length > 1 && bytes[length - 1] === 0) length--
  return bytes.slice(0, length)
}

/** Compares all parts of a position except one. */
const but =
  (name: keyof Position) =>
  (head: SealedHead | null, expect: Position | null): boolean => {
    if (head === null || expect === null) return head === expect
    return GOOD.isHead(head, { ...expect, [name]: head[name] })
  }

export const appendMutants: readonly Mutant[] = [
  {
    rule: 'head.none',
    fault: 'tells undefined for no head',
    methods: (_, good) => ({
      head: async (options) => (await good.head(options)) ?? (undefined as never),
    }),
  },
  {
    rule: 'head.none',
    fault: 'rejects where there is no log',
    methods: (disk, good) => ({
      async read(after, limit, options) {
        if (disk.head === null) throw new Error('no such log')
        return await good.read(after, limit, options)
      },
    }),
  },
  {
    rule: 'head.round-trip',
    fault: 'drops the zeros at the end of a link',
    rules: { give: trimEnd },
  },
  {
    rule: 'head.round-trip',
    fault: 'keeps bytes as text',
    rules: { take: utf8 },
  },
  {
    rule: 'head.round-trip',
    fault: 'cuts a seal to 256 bytes',
    methods: (_, good) => ({
      append: (expect, events, next, options) =>
        good.append(expect, events, { ...next, bytes: next.bytes.slice(0, 256) }, options),
    }),
  },
  {
    rule: 'head.round-trip',
    fault: 'keeps the time in whole seconds',
    methods: (_, good) => ({
      append: (expect, events, next, options) =>
        good.append(
          expect,
          events,
          { ...next, beaconAt: Math.floor(next.beaconAt / 1000) * 1000 },
          options,
        ),
    }),
  },
  {
    rule: 'append.create',
    fault: 'makes no log by itself',
    rules: { isHead: (head, expect) => expect !== null && GOOD.isHead(head, expect) },
  },
  {
    rule: 'append.moves',
    fault: 'moves the head for one event at a time',
    methods: (_, good) => ({
      append: (expect, events, next, options) =>
        good.append(
          expect,
          events,
          { ...next, seq: Math.min(next.seq, (expect?.seq ?? 0) + 1) },
          options,
        ),
    }),
  },
  {
    rule: 'append.moves',
    fault: 'returns an invented durability',
    methods: (_, good) => ({
      append: async (...args) => ({
        ...(await good.append(...args)),
        durability: 'certainly' as never,
      }),
    }),
  },
  {
    rule: 'append.visible',
    fault: 'keeps the head that it wrote itself',
    methods: (_, good) => {
      let cached: SealedHead | undefined
      return {
        head: async (options) => cached ?? (await good.head(options)),
        async append(expect, events, next, options) {
          const result = await good.append(expect, events, next, options)
          if (result.ok) cached = next
          return result
        },
      }
    },
  },
  {
    rule: 'append.visible',
    fault: 'reads from a replica that lags',
    methods: (_, good) => {
      const seen = new Set<number>()
      return {
        async append(expect, events, next, options) {
          for (const { seq } of events) seen.add(seq)
          return await good.append(expect, events, next, options)
        },
        async read(after, limit, options) {
          const { events, floor } = await good.read(after, limit, options)
          return { events: events.filter(({ seq }) => seen.has(seq)), floor }
        },
      }
    },
  },
  {
    rule: 'append.batch',
    fault: 'writes at most ten events of an append',
    rules: { written: (events) => events.slice(0, 10) },
  },
  {
    rule: 'append.bytes',
    fault: 'cuts an event to 32 KiB',
    rules: { take: (bytes) => bytes.slice(0, 32_768) },
  },
  { rule: 'append.bytes', fault: 'keeps bytes as text', rules: { take: utf8 } },
  {
    rule: 'append.bytes',
    fault: 'takes the whole buffer of a piece',
    rules: { take: (bytes) => new Uint8Array(bytes.buffer.slice(0)) },
  },
  {
    rule: 'append.empty',
    fault: 'needs an event to move the head',
    methods: (_, good) => ({
      append: async (expect, events, next, options) =>
        events.length === 0 ? { ok: true } : await good.append(expect, events, next, options),
    }),
  },
  {
    rule: 'append.set-back',
    fault: 'keeps what lies above the head',
    rules: { overwrites: () => false, page: (rows, limit) => firstOfEach(rows).slice(0, limit) },
  },
  {
    rule: 'append.set-back',
    fault: 'moves the head only forward',
    methods: (disk, good) => ({
      append: async (expect, events, next, options) =>
        next.epoch === expect?.epoch && next.seq < expect.seq
          ? { ok: false, head: disk.head }
          : await good.append(expect, events, next, options),
    }),
  },
  {
    rule: 'append.junk',
    fault: 'rejects where junk has the seq',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        const isTaken = disk.rows.some(
          ({ seq, epoch }) => epoch === next.epoch && seq === events[0]?.seq,
        )
        if (isTaken && GOOD.isHead(disk.head, expect)) throw new Error('duplicate key')
        return await good.append(expect, events, next, options)
      },
    }),
  },
  {
    rule: 'append.junk',
    fault: 'leaves junk where it is',
    rules: { overwrites: () => false, page: (rows, limit) => firstOfEach(rows).slice(0, limit) },
  },
  {
    rule: 'append.junk',
    fault: 'overwrites junk only at the first seq',
    rules: {
      overwrites: ({ seq }, first) => seq === first,
      page: (rows, limit) => firstOfEach(rows).slice(0, limit),
    },
  },
  {
    rule: 'append.epoch-new',
    fault: 'keeps the events of the old epoch',
    rules: { survives: () => true, isOf: (row, epoch) => row.epoch === epoch },
  },
  {
    rule: 'append.epoch-new',
    fault: 'keeps the old epoch for when it comes back',
    rules: { survives: () => true },
  },
  {
    rule: 'append.epoch-new',
    fault: 'keeps the floor of the old epoch',
    rules: { floorOfNew: (floor) => floor },
  },
  {
    rule: 'append.epoch-new',
    fault: 'refuses another epoch',
    methods: (disk, good) => ({
      append: async (expect, events, next, options) =>
        expect !== null && next.epoch !== expect.epoch
          ? { ok: false, head: disk.head }
          : await good.append(expect, events, next, options),
    }),
  },
]

export const refusalMutants: readonly Mutant[] = [
  {
    rule: 'append.missing',
    fault: 'makes the log that was expected',
    rules: { isHead: (head, expect) => head === null || GOOD.isHead(head, expect) },
  },
  {
    rule: 'append.exists',
    fault: 'takes no expectation for any',
    rules: { isHead: (head, expect) => expect === null || GOOD.isHead(head, expect) },
  },
  {
    rule: 'append.exists',
    fault: 'a log without events is none',
    rules: {
      isHead: (head, expect) => GOOD.isHead(head, expect) || (expect === null && head?.seq === 0),
    },
  },
  { rule: 'append.epoch', fault: 'does not compare the epoch', rules: { isHead: but('epoch') } },
  {
    rule: 'append.epoch',
    fault: 'compares the epoch without its case',
    rules: {
      isHead: (head, expect) =>
        head === null || expect === null
          ? head === expect
          : head.epoch.toLowerCase() === expect.epoch.toLowerCase() && but('epoch')(head, expect),
    },
  },
  { rule: 'append.seq', fault: 'does not compare the seq', rules: { isHead: but('seq') } },
  {
    rule: 'append.seq',
    fault: 'takes a later seq too',
    rules: {
      isHead: (head, expect) =>
        GOOD.isHead(head, expect) ||
        (head !== null && expect !== null && expect.seq > head.seq && but('seq')(head, expect)),
    },
  },
  { rule: 'append.link', fault: 'does not compare the link', rules: { isHead: but('link') } },
  {
    rule: 'append.link',
    fault: 'compares the first half of the link',
    rules: {
      isHead: (head, expect) =>
        head === null || expect === null
          ? head === expect
          : sameBytes(head.link.slice(0, 8), expect.link.slice(0, 8)) && but('link')(head, expect),
    },
  },
  {
    rule: 'append.seq',
    fault: 'writes the events of an append that it refuses',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        if (!result.ok) {
          for (const event of events) disk.rows.push({ ...event, epoch: next.epoch })
        }
        return result
      },
    }),
  },
  {
    rule: 'append.link',
    fault: 'rejects an append with the head that was expected',
    methods: (_, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        if (result.ok || result.head === null || expect === null) return result
        return { ok: false, head: { ...result.head, ...expect } }
      },
    }),
  },
  {
    rule: 'append.once',
    fault: 'takes an append that is sent again for a success',
    methods: (disk, good) => ({
      append: async (expect, events, next, options) =>
        GOOD.isHead(disk.head, next)
          ? { ok: true }
          : await good.append(expect, events, next, options),
    }),
  },
]

function firstOfEach<T extends { readonly seq: number }>(rows: readonly T[]): T[] {
  return rows.filter(({ seq }, index) => rows.findIndex((row) => row.seq === seq) === index)
}
