/**
 * Touching: the same position with a new seal.
 *
 * @module
 */
import { same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { filled, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

export const touchCases: readonly FeedCase[] = [
  {
    rule: 'touch.seals',
    title: 'replaces only the seal and its time with a touch',
    needs: ['touch'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 12)
      let head = next
      for (const length of [1, 512, 100]) {
        head = make.touched(head, { bytes: make.bytes(length) })
        same(await log.touch(next, head), true, 'the result of touch')
        sameHead(await other.head(), head, 'the head after a touch')
        sameEvents(await other.all(startOf(next)), events, 'the events after a touch')
      }
      const draft = make.draft(next, small(2))
      sameHead(await other.grow(next, draft), draft.next, 'an append on the position touched')
      sameEvents(await log.all(next), draft.events, 'the events after it')
    },
  },
  {
    rule: 'touch.refused',
    title: 'refuses a touch of an outdated head and changes nothing',
    needs: ['touch'],
    across: 'also',
    async run({ log, other, make }) {
      const { next: old } = await filled(log, make, 3)
      const head = await log.grow(old, make.draft(old, small(1)))
      same(await other.touch(old, make.touched(old)), false, 'the touch of the previous head')
      const wrong = [
        { ...head, epoch: make.epoch() },
        { ...head, seq: head.seq - 1 },
        { ...head, seq: head.seq + 1 },
        { ...head, link: head.link.map((byte, index) => (index === 15 ? byte ^ 1 : byte)) },
        { ...head, link: new Uint8Array(16) },
      ]
      for (const position of wrong) {
        const result = await other.touch(position, make.touched(position))
        same(result, false, 'the touch of a position that is not the head')
        sameHead(await log.head(), head, 'the head after it')
      }
    },
  },
  {
    rule: 'touch.none',
    title: 'refuses a touch without a log, and creates none',
    needs: ['touch'],
    async run({ log, make }) {
      const { next } = make.draft(null, small(1))
      same(await log.touch(next, make.touched(next)), false, 'the touch without a log')
      sameHead(await log.head(), null, 'the head after it')
    },
  },
]
