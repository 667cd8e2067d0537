/**
 * Reading.
 *
 * @module
 */
import type { SealedEvent, SealedHead } from '../../feed/feed.js'
import { holds, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { filled, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

export const readCases: readonly FeedCase[] = [
  {
    rule: 'read.after',
    title: 'returns the events after any position, in order',
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 25)
      for (let seq = 0; seq <= 25; seq++) {
        const page = await other.read({ epoch: next.epoch, seq })
        sameEvents(page.events, events.slice(seq), `the events after ${seq}`)
        same(page.floor, 1, `the floor, read after ${seq}`)
      }
    },
  },
  {
    rule: 'read.end',
    title: 'returns nothing after the head or beyond it',
    async run({ log, make }) {
      const { next } = await filled(log, make, 5)
      for (const seq of [5, 6, 1000]) {
        const { events } = await log.read({ epoch: next.epoch, seq })
        sameEvents(events, [], `the events after ${seq}`)
      }
    },
  },
  {
    rule: 'read.limit',
    title: 'returns at most the requested number of events, beginning with the first',
    async run({ log, make }) {
      const { events, next } = await filled(log, make, 25)
      for (const limit of [1, 2, 10, 24, 25, 26]) {
        for (const seq of [0, 3, 24]) {
          const page = await log.read({ epoch: next.epoch, seq }, limit)
          sameEvents(page.events, events.slice(seq, seq + limit), `${limit} events after ${seq}`)
        }
      }
    },
  },
  {
    rule: 'read.one',
    title: 'returns at least one event if there is one, regardless of their size',
    async run({ log, make }) {
      const events: SealedEvent[] = []
      let head: SealedHead | null = null
      for (let round = 0; round < 8; round++) {
        const draft = make.draft(head, Array(15).fill(40_960))
        head = await log.grow(head, draft)
        events.push(...draft.events)
      }
      holds(head !== null, 'the head is missing')
      const { events: first } = await log.read(startOf(head), 1)
      sameEvents(first, events.slice(0, 1), 'one event')
      // Five megabytes: an adapter may return fewer than requested, and omits none.
      sameEvents(await log.all(startOf(head)), events, 'all of them')
    },
  },
  {
    rule: 'read.epoch',
    title: 'returns nothing for a read in another epoch',
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 5)
      const epochs = [make.epoch(), next.epoch.toLowerCase(), next.epoch.toUpperCase(), '']
      for (const epoch of epochs) {
        const { events } = await other.read({ epoch, seq: 0 })
        sameEvents(events, [], `the events of the epoch ${epoch}`)
      }
    },
  },
  {
    rule: 'read.pages',
    title: 'returns five thousand events, appended 25 at a time, page by page',
    async run({ log, make }) {
      const events: SealedEvent[] = []
      let head: SealedHead | null = null
      while (events.length < 5000) {
        const draft = make.draft(head, Array(25).fill(40))
        head = await log.grow(head, draft)
        events.push(...draft.events)
      }
      holds(head !== null, 'the head is missing')
      sameHead(await log.head(), head, 'the head')
      for (const limit of [500, 777, 10_000]) {
        sameEvents(await log.all(startOf(head), limit), events, `the events, in pages of ${limit}`)
      }
    },
  },
]
