/**
 * Feeds that are wrong about reading, trimming, touching, and the ownership of buffers.
 *
 * @module
 */
import { headOf } from './feed-mutants-base.js'
import { GOOD } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

export const readMutants: readonly Mutant[] = [
  {
    rule: 'read.after',
    fault: 'begins with the event of the position',
    rules: { isAfter: (seq, after) => seq >= after },
  },
  {
    rule: 'read.after',
    fault: 'begins one too late',
    rules: { isAfter: (seq, after) => seq > after + 1 },
  },
  {
    rule: 'read.after',
    fault: 'orders by the digits',
    rules: { compare: (a, b) => (String(a.seq) < String(b.seq) ? -1 : 1) },
  },
  {
    rule: 'read.after',
    fault: 'returns the newest first',
    rules: { compare: (a, b) => b.seq - a.seq },
  },
  {
    rule: 'read.after',
    fault: 'tells the first seq of the page for the floor',
    rules: { readFloor: (floor, found) => found[0]?.seq ?? floor },
  },
  {
    rule: 'read.end',
    fault: 'returns the last event when there are no more',
    methods: (disk, good) => ({
      async read(after, limit, options) {
        const page = await good.read(after, limit, options)
        const last = disk.rows.at(-1)
        return page.events.length > 0 || last === undefined ? page : { ...page, events: [last] }
      },
    }),
  },
  {
    rule: 'read.limit',
    fault: 'returns one more than requested',
    rules: { page: (rows, limit) => rows.slice(0, limit + 1) },
  },
  {
    rule: 'read.limit',
    fault: 'returns the newest of the requested events',
    rules: { page: (rows, limit) => rows.slice(-limit) },
  },
  {
    rule: 'read.limit',
    fault: 'returns everything',
    rules: { page: (rows) => rows },
  },
  {
    rule: 'read.one',
    fault: 'returns nothing when the first event is too large for it',
    rules: {
      page: (rows, limit) => ((rows[0]?.bytes.length ?? 0) > 30_000 ? [] : rows.slice(0, limit)),
    },
  },
  {
    rule: 'read.one',
    fault: 'leaves out what does not fit in a megabyte',
    rules: {
      page(rows, limit) {
        let size = 0
        return rows.slice(0, limit).filter(({ seq, bytes }) => {
          size += bytes.length
          return size < 1_000_000 || seq % 7 === 0
        })
      },
    },
  },
  {
    rule: 'read.epoch',
    fault: 'does not look at the epoch',
    rules: { isOf: () => true },
  },
  {
    rule: 'read.epoch',
    fault: 'compares the epoch without its case',
    rules: { isOf: (row, epoch) => row.epoch.toLowerCase() === epoch.toLowerCase() },
  },
  {
    rule: 'read.pages',
    fault: 'keeps the last two thousand events',
    rules: { page: (rows, limit) => rows.filter(({ seq }) => seq > 3000).slice(0, limit) },
  },
  {
    rule: 'read.pages',
    fault: 'keeps the seq in twelve bits',
    rules: { isOf: (row, epoch) => row.epoch === epoch && row.seq < 4096 },
  },
]

export const trimMutants: readonly Mutant[] = [
  {
    rule: 'trim.drops',
    fault: 'keeps the event it is to trim up to',
    rules: { goes: ({ seq }, _, upTo) => seq < upTo },
  },
  {
    rule: 'trim.drops',
    fault: 'trims one more',
    rules: { goes: ({ seq }, _, upTo) => seq <= upTo + 1 },
  },
  {
    rule: 'trim.drops',
    fault: 'moves the floor to what was trimmed last',
    rules: { floor: (floor, upTo) => Math.max(floor, upTo) },
  },
  {
    rule: 'trim.drops',
    fault: 'tells the floor that was sealed, with the head',
    rules: { tellsFloor: (_, head) => head.floor },
  },
  {
    rule: 'trim.gap',
    fault: 'skips what was trimmed, and says nothing',
    rules: { readFloor: () => 1 },
  },
  {
    rule: 'trim.gap',
    fault: 'returns nothing before the floor',
    methods: (disk, good) => ({
      async read(after, limit, options) {
        const page = await good.read(after, limit, options)
        return after.seq + 1 < disk.floor ? { ...page, events: [] } : page
      },
    }),
  },
  {
    rule: 'trim.never-lowers',
    fault: 'moves the floor back',
    rules: { floor: (_, upTo) => upTo + 1, goes: ({ seq }, _, upTo) => seq <= upTo },
  },
  {
    rule: 'trim.none',
    fault: 'trims everything for 0',
    rules: { floor: (floor, upTo, head) => GOOD.floor(floor, upTo || (head?.seq ?? 0), head) },
  },
  {
    rule: 'trim.none',
    fault: 'remembers a trim of no log',
    rules: { floor: (floor, upTo) => Math.max(floor, upTo + 1), floorOfNew: (floor) => floor },
  },
  {
    rule: 'trim.all',
    fault: 'keeps the last event',
    rules: {
      floor: (floor, upTo, head) => GOOD.floor(floor, Math.min(upTo, (head?.seq ?? 1) - 1), head),
    },
  },
  {
    rule: 'trim.all',
    fault: 'tells the floor 1 for a log without events',
    rules: { readFloor: (floor, found) => (found.length === 0 ? 1 : floor) },
  },
  {
    rule: 'trim.past-end',
    fault: 'moves the floor past the end',
    rules: { floor: (floor, upTo) => Math.max(floor, upTo + 1) },
  },
  {
    rule: 'trim.goes-on',
    fault: 'an append brings the floor that it asks for',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        if (result.ok) disk.floor = next.floor
        return result
      },
    }),
  },
  {
    rule: 'trim.goes-on',
    fault: 'a touch brings the floor that it asks for',
    methods: (disk, good) => ({
      async touch(expect, next, options) {
        disk.floor = next.floor
        return (await good.touch?.(expect, next, options)) ?? false
      },
    }),
  },
]

export const touchMutants: readonly Mutant[] = [
  {
    rule: 'touch.seals',
    fault: 'moves the time, and not the seal',
    rules: { touched: (head, next) => ({ ...head, beaconAt: next.beaconAt }) },
  },
  {
    rule: 'touch.seals',
    fault: 'moves the seal, and not the time',
    rules: { touched: (head, next) => ({ ...head, bytes: next.bytes }) },
  },
  {
    rule: 'touch.seals',
    fault: 'is an event',
    rules: { touched: (_, next) => ({ ...next, seq: next.seq + 1 }) },
  },
  {
    rule: 'touch.seals',
    fault: 'returns true and does nothing',
    methods: () => ({ touch: async () => true }),
  },
  {
    rule: 'touch.refused',
    fault: 'touches any head',
    methods: (disk, good) => ({
      touch: async (expect, next, options) =>
        (await good.touch?.(disk.head ?? expect, next, options)) ?? false,
    }),
  },
  {
    rule: 'touch.refused',
    fault: 'returns true when it was too late',
    methods: (_, good) => ({
      async touch(expect, next, options) {
        await good.touch?.(expect, next, options)
        return true
      },
    }),
  },
  {
    rule: 'touch.none',
    fault: 'makes a log',
    methods: (disk, good) => ({
      async touch(expect, next, options) {
        disk.head ??= next
        return (await good.touch?.(expect, next, options)) ?? false
      },
    }),
  },
]

export const copyMutants: readonly Mutant[] = [
  { rule: 'copies.given', fault: 'keeps the buffers it was given', rules: { take: (it) => it } },
  {
    rule: 'copies.given',
    fault: 'keeps the head of a touch',
    methods: (disk) => ({
      async touch(_, next) {
        disk.head = next
        return true
      },
    }),
  },
  { rule: 'copies.returned', fault: 'gives its own buffers away', rules: { give: (it) => it } },
  {
    rule: 'copies.returned',
    fault: 'returns the same object, changed, each time',
    methods: (disk, good) => {
      const result = {}
      return {
        async head() {
          const head = headOf({ disk, rules: GOOD })
          return head === null ? null : Object.assign(result, head)
        },
        open: good.open,
      }
    },
  },
]
