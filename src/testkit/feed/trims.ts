/**
 * Trimming, and the floor that reveals it.
 *
 * @module
 */
import { same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { filled, refused, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

export const trimCases: readonly FeedCase[] = [
  {
    rule: 'trim.drops',
    title: 'removes trimmed events, keeps the others and raises the floor',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 25)
      for (const upTo of [1, 2, 10, 17, 24]) {
        await log.trim(upTo)
        const after = { epoch: next.epoch, seq: upTo }
        const page = await other.read(after)
        sameEvents(page.events, events.slice(upTo), `the events after a trim up to ${upTo}`)
        same(page.floor, upTo + 1, `the floor after a trim up to ${upTo}`)
        const whole = await other.read(startOf(next))
        sameEvents(whole.events, events.slice(upTo), `all events after a trim up to ${upTo}`)
        sameHead(await other.head(), { ...next, floor: upTo + 1 }, 'the head')
      }
    },
  },
  {
    rule: 'trim.gap',
    title:
      'returns the floor with the remaining events for a read below it, and never skips silently',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 25)
      await other.trim(12)
      for (const seq of [0, 5, 11]) {
        for (const limit of [1, 4, 100]) {
          const page = await log.read({ epoch: next.epoch, seq }, limit)
          same(page.floor, 13, `the floor, read after ${seq}`)
          const expected = events.slice(12, 12 + limit)
          sameEvents(page.events, expected, `${limit} events after ${seq}, across the floor`)
        }
      }
    },
  },
  {
    rule: 'trim.never-lowers',
    title: 'changes nothing on a trim below the previous one',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 12)
      await log.trim(8)
      for (const upTo of [7, 8, 1, 0]) {
        await other.trim(upTo)
        const page = await log.read({ epoch: next.epoch, seq: 8 })
        same(page.floor, 9, `the floor after a trim up to ${upTo}`)
        sameEvents(page.events, events.slice(8), `the events after a trim up to ${upTo}`)
        sameHead(await log.head(), { ...next, floor: 9 }, 'the head')
      }
    },
  },
  {
    rule: 'trim.none',
    title: 'changes nothing on a trim up to 0 or without a log',
    needs: ['trim'],
    async run({ log, make }) {
      await log.trim(0)
      await log.trim(5)
      sameHead(await log.head(), null, 'the head without a log')
      const { events, next } = await filled(log, make, 3)
      await log.trim(0)
      sameHead(await log.head(), next, 'the head')
      sameEvents(await log.all(startOf(next)), events, 'the events')
    },
  },
  {
    rule: 'trim.all',
    title: "sets the floor to one more than the head's seq when every event is trimmed",
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 12)
      await log.trim(12)
      sameHead(await other.head(), { ...next, floor: 13 }, 'the head')
      const { events, floor } = await other.read(startOf(next))
      sameEvents(events, [], 'the events')
      same(floor, 13, 'the floor')
    },
  },
  {
    rule: 'trim.past-end',
    title: 'trims everything on a trim past the head, and later events stay readable',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 5)
      await log.trim(100)
      sameHead(await other.head(), { ...next, floor: 6 }, 'the head')
      const draft = make.draft(next, small(3))
      const head = await other.grow(next, draft)
      sameHead(await log.head(), { ...head, floor: 6 }, 'the head after an append')
      const page = await log.read(next)
      sameEvents(page.events, draft.events, 'the events after an append')
      same(page.floor, 6, 'the floor after an append')
    },
  },
  {
    rule: 'trim.goes-on',
    title: 'keeps the floor in appends, refusals and touches after a trim',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 12)
      await log.trim(6)
      const draft = make.draft(next, small(2), { floor: 1 })
      const head = await other.grow(next, draft)
      sameHead(await log.head(), { ...head, floor: 7 }, 'the head after an append')
      const late = await other.append(next, make.draft(next, small(1)))
      refused(late, { ...head, floor: 7 }, 'an append to the previous head')
      if (log.feed.touch !== undefined) {
        const touched = make.touched(head, { floor: 1 })
        same(await other.touch(head, touched), true, 'the touch')
        sameHead(await log.head(), { ...touched, floor: 7 }, 'the head after a touch')
      }
      const left = [...events.slice(6), ...draft.events]
      sameEvents(await log.all({ epoch: next.epoch, seq: 6 }), left, 'the events')
    },
  },
]
