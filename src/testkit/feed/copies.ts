/**
 * Arguments and results are copied: later changes by either side have no effect.
 *
 * @module
 */
import { present } from '../store/case.js'
import type { FeedCase } from './case.js'
import { type Draft, NOW } from './fixtures.js'
import { filled, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

function copyOf({ events, next }: Draft): Draft {
  return {
    events: events.map(({ seq, bytes }) => ({ seq, bytes: bytes.slice() })),
    next: { ...next, link: next.link.slice(), bytes: next.bytes.slice() },
  }
}

/** Overwrites the arguments of an append, like a caller that reuses its buffers. */
function vandalise({ events, next }: Draft): void {
  for (const event of events) {
    event.bytes.fill(0xee)
    overwrite(event, 'seq', 99)
  }
  next.link.fill(0xee)
  next.bytes.fill(0xee)
  overwrite(next, 'seq', 99)
  overwrite(next, 'beaconAt', NOW)
}

function overwrite<T extends object>(target: T, name: keyof T, value: number): void {
  try {
    Object.assign(target, { [name]: value })
  } catch {
    // A frozen object is acceptable instead of a copy.
  }
}

export const copyCases: readonly FeedCase[] = [
  {
    rule: 'copies.given',
    title: 'is unaffected by changes to the arguments of an append or a touch after the call',
    async run({ log, make }) {
      const draft = make.draft(null, small(3))
      const given = copyOf(draft)
      await log.grow(null, given)
      vandalise(given)
      sameHead(await log.head(), draft.next, 'the head after the input was changed')
      sameEvents(await log.all(startOf(draft.next)), draft.events, 'the events after it')
      if (log.feed.touch === undefined) return
      const touched = make.touched(draft.next)
      const touch = copyOf({ events: [], next: touched })
      await log.touch(draft.next, touch.next)
      vandalise(touch)
      sameHead(await log.head(), touched, 'the head after the input of a touch was changed')
    },
  },
  {
    rule: 'copies.returned',
    title: 'is unaffected by changes to a returned value, and never changes one itself',
    async run({ log, make }) {
      const { events, next } = await filled(log, make, 5)
      const returned = present(await log.head(), 'the head')
      const page = await log.read(startOf(next))
      const refusal = await log.append(null, make.draft(null, small(1)))
      const second = await log.grow(next, make.draft(next, small(2)))
      sameHead(await log.head(), second, 'the head after an append')
      sameHead(returned, next, 'a head that was returned before an append')
      sameEvents(page.events, events, 'events that were returned before an append')
      if (!refusal.ok) sameHead(refusal.head, next, 'the head of a refusal before an append')
      vandalise({ events: page.events, next: returned })
      const now = present(await log.head(), 'the head')
      sameHead(now, second, 'the head after a returned value was changed')
      vandalise({ events: [], next: now })
      sameHead(await log.head(), second, 'the head after that value was changed')
      const kept = (await log.all(startOf(next))).slice(0, 5)
      sameEvents(kept, events, 'the events after a returned value was changed')
    },
  },
]
