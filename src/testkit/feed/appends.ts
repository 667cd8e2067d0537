/**
 * Successful appends and the head.
 *
 * @module
 */
import { holds, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { NOW } from './fixtures.js'
import { filled, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

const DURABILITIES: readonly unknown[] = [
  undefined,
  'none',
  'process',
  'fsync',
  'quorum',
  'unknown',
]

/** Every byte value, beginning at `start`. */
const everyByte = (start: number, length: number) =>
  Uint8Array.from({ length }, (_, index) => start + index)

export const appendCases: readonly FeedCase[] = [
  {
    rule: 'head.none',
    title: 'returns no head and no events before a log exists',
    across: 'also',
    async run({ log, other, make }) {
      sameHead(await log.head(), null, 'the head')
      const { events } = await other.read({ epoch: make.epoch(), seq: 0 })
      sameEvents(events, [], 'the events')
    },
  },
  {
    rule: 'head.round-trip',
    title: 'returns a head exactly as it was appended',
    async run({ log, make }) {
      const heads = [
        { link: new Uint8Array(16), bytes: everyByte(0, 256) },
        { link: new Uint8Array(16).fill(255), bytes: new Uint8Array(512).fill(0) },
        { link: Uint8Array.of(...everyByte(1, 15), 0), bytes: Uint8Array.of(0) },
        { link: Uint8Array.of(...everyByte(1, 15), 32), bytes: Uint8Array.of(1, 32, 32) },
        { link: everyByte(200, 16), bytes: make.bytes(512), beaconAt: NOW + 0.25e12 },
        { link: everyByte(120, 16), bytes: make.bytes(511), beaconAt: NOW - 1 },
      ]
      let head = null
      for (const over of heads) {
        head = await log.grow(head, make.draft(head, [20], over))
        sameHead(await log.head(), head, 'the head')
      }
    },
  },
  {
    rule: 'append.create',
    title: 'creates a log with the first append',
    across: 'also',
    async run({ log, other, make }) {
      const draft = make.draft(null, small(3))
      await log.grow(null, draft)
      sameHead(await other.head(), draft.next, 'the head')
      const { events, floor } = await other.read(startOf(draft.next))
      sameEvents(events, draft.events, 'the events')
      same(floor, 1, 'the floor')
    },
  },
  {
    rule: 'append.moves',
    title: 'moves the head, adds the events and reports a valid durability with each append',
    across: 'also',
    async run({ log, other, make }) {
      let head = null
      const events = []
      for (const count of [1, 3, 1, 2]) {
        const draft = make.draft(head, small(count))
        const result = await log.append(head, draft)
        holds(result.ok, 'an append to the current head was refused')
        holds(DURABILITIES.includes(result.durability), `the durability is ${result.durability}`)
        head = draft.next
        events.push(...draft.events)
        sameHead(await other.head(), head, 'the head')
        sameEvents(await other.all(startOf(head)), events, 'the events')
      }
    },
  },
  {
    rule: 'append.visible',
    title: 'shows an append or a touch of one instance to the other immediately',
    across: 'only',
    async run({ log, other, make }) {
      let head = await log.grow(null, make.draft(null, [20]))
      for (let round = 0; round < 30; round++) {
        const [writer, reader] = round % 2 === 0 ? [other, log] : [log, other]
        const draft = make.draft(head, [20])
        const before = head
        head = await writer.grow(head, draft)
        sameHead(await reader.head(), head, `the head that the other sees, in round ${round}`)
        const { events } = await reader.read(before)
        sameEvents(events, draft.events, `the events that the other reads, in round ${round}`)
      }
    },
  },
  {
    rule: 'append.batch',
    title: 'accepts thirty large events in one append',
    across: 'also',
    async run({ log, other, make }) {
      const first = await log.grow(null, make.draft(null, small(2)))
      const draft = make.draft(first, Array(30).fill(24_576))
      await log.grow(first, draft)
      sameHead(await other.head(), draft.next, 'the head')
      sameEvents(await other.all(first), draft.events, 'the events')
    },
  },
  {
    rule: 'append.bytes',
    title: 'returns the exact bytes of an event, from one byte to the maximum',
    async run({ log, make }) {
      const { next } = make.draft(null, small(9))
      const contents = [
        Uint8Array.of(0),
        Uint8Array.of(32),
        everyByte(0, 256),
        everyByte(128, 256),
        new Uint8Array(40_960),
        new Uint8Array(40_960).fill(255),
        make.bytes(40_960),
        new TextEncoder().encode('"a\\\'\u0000%?$1;é\u{1F600}\r\n'),
        Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0x0a, 0x0d, 0x00),
      ]
      const events = contents.map((bytes, index) => ({ seq: index + 1, bytes }))
      await log.grow(null, { events, next })
      sameEvents(await log.all(startOf(next)), events, 'the events')
    },
  },
  {
    rule: 'append.bytes',
    title: 'returns the exact bytes of a view into a larger buffer',
    async run({ log, make }) {
      const whole = make.bytes(300)
      const [bytes, link, seal] = [
        whole.subarray(10, 50),
        whole.subarray(50, 66),
        whole.subarray(70, 90),
      ]
      const { next } = make.draft(null, [40], { link, bytes: seal })
      await log.grow(null, { events: [{ seq: 1, bytes }], next })
      sameHead(await log.head(), next, 'the head')
      sameEvents(await log.all(startOf(next)), [{ seq: 1, bytes }], 'the event')
    },
  },
  {
    rule: 'append.empty',
    title: 'creates or restarts a log with an append without events',
    across: 'also',
    async run({ log, other, make }) {
      const genesis = await log.grow(null, make.draft(null, []))
      sameHead(await other.head(), genesis, 'the head of a log without events')
      sameEvents((await other.read(startOf(genesis))).events, [], 'its events')
      const head = await other.grow(genesis, make.draft(genesis, small(3)))
      const again = await log.grow(head, make.draft(head, [], { epoch: make.epoch() }))
      sameHead(await other.head(), again, 'the head of the next one')
      sameEvents((await other.read(startOf(again))).events, [], 'the events of the next one')
    },
  },
  {
    rule: 'append.set-back',
    title: 'continues from a head that was set back and overwrites the events above it',
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 9)
      const fourth = { ...make.touched(next), seq: 4, link: make.bytes(16) }
      const back = await other.grow(next, { events: [], next: fourth })
      sameHead(await log.head(), back, 'the head that was set back')
      const draft = make.draft(back, small(2))
      const head = await log.grow(back, draft)
      sameHead(await other.head(), head, 'the head after the next append')
      const kept = [...events.slice(0, 4), ...draft.events]
      const found = await other.read(startOf(head))
      const covered = found.events.filter(({ seq }) => seq <= head.seq)
      const isTrue = kept.map(({ seq, bytes }) =>
        covered.some((one) => one.seq === seq && Buffer.compare(one.bytes, bytes) === 0),
      )
      same(isTrue, Array(6).fill(true), 'the true events among the candidates')
      const more = make.draft(head, small(3))
      await other.grow(head, more)
      const { events: last } = await log.read(head)
      sameEvents(last, more.events, 'the events after it')
    },
  },
  {
    rule: 'append.junk',
    title: 'overwrites foreign events above the head and hides no event because of them',
    across: 'also',
    async run({ log, other, make, plant }) {
      const { next } = await filled(log, make, 3)
      await plant?.({ seq: 4, bytes: make.bytes(20) })
      await plant?.({ seq: 6, bytes: make.bytes(20) })
      sameHead(await other.head(), next, 'the head beside junk')
      const draft = make.draft(next, small(4))
      const head = await other.grow(next, draft)
      sameHead(await log.head(), head, 'the head after an append over junk')
      const { events } = await log.read(next)
      for (const { seq, bytes } of draft.events) {
        const isThere = events.some(
          (one) => one.seq === seq && Buffer.compare(one.bytes, bytes) === 0,
        )
        holds(isThere, `the event of seq ${seq} is not among the candidates`)
      }
    },
  },
  {
    rule: 'append.epoch-new',
    title:
      'restarts the log with another epoch: its events start at 1 and the old ones are removed',
    across: 'also',
    async run({ log, other, make }) {
      const { next: old } = await filled(log, make, 12)
      const draft = make.draft(old, small(4), { epoch: make.epoch() })
      const head = await other.grow(old, draft)
      sameHead(await log.head(), head, 'the head of the new epoch')
      sameEvents(await log.all(startOf(head)), draft.events, 'its events')
      sameEvents((await log.read(startOf(old))).events, [], 'the events of the old epoch')
      const more = make.draft(head, small(2))
      await log.grow(head, more)
      sameEvents(await other.all(head), more.events, 'the events that follow')
    },
  },
  {
    rule: 'append.epoch-new',
    title: 'resets the floor to 1 in a new epoch, and restores no events when an epoch is reused',
    needs: ['trim'],
    async run({ log, make }) {
      const { next: old } = await filled(log, make, 6)
      await log.trim(4)
      const head = await log.grow(old, make.draft(old, small(1), { epoch: make.epoch() }))
      sameHead(await log.head(), head, 'the head of the new epoch')
      same((await log.read(startOf(head))).floor, 1, 'the floor of the new epoch')
      const again = await log.grow(head, make.draft(head, [], { epoch: old.epoch }))
      sameHead(await log.head(), again, 'the head of the reused epoch')
      sameEvents((await log.read(startOf(again))).events, [], 'its events')
      const draft = make.draft(again, small(2))
      await log.grow(again, draft)
      sameEvents(await log.all(startOf(again)), draft.events, 'its events after an append')
    },
  },
]
