/**
 * Interrupted appends: a reader between any two steps of an append, after its instance was closed in the middle, or
 * after a crash, sees all of it or nothing.
 *
 * @module
 */
import type { SealedHead } from '../../feed/feed.js'
import { holds, present } from '../store/case.js'
import type { CaseContext, FeedCase } from './case.js'
import type { Draft } from './fixtures.js'
import { callOptions, filled, type Log, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'
import { turn } from './soon.js'

// How many turns of the event loop the append is given before it is cut off: from none to more than it needs.
const CUTS = [0, 1, 2, 3, 5, 8, 13] as const

/** Interrupts an append after so many turns, and reads while it runs. Resolves with whether it took place. */
async function cutOff(
  { log, other, reopen }: CaseContext,
  turns: number,
  { before, draft }: { readonly before: SealedHead; readonly draft: Draft },
): Promise<boolean> {
  const writer = await reopen()
  const controller = new AbortController()
  let pending = true
  const { events, next } = draft
  const written = writer.feed
    .append(before, events, next, callOptions(controller.signal))
    .then(({ ok }) => ok)
    .catch(() => undefined)
    .finally(() => {
      pending = false
    })
  for (let i = 0; i < turns; i++) await turn()
  controller.abort()
  if (writer !== log) await writer.feed.close()
  for (let i = 0; pending && i < 100; i++) {
    await look(other, before, draft)
    await turn()
  }
  const answer = await written
  const took = await look(other, before, draft)
  holds(answer !== true || took, 'an append was acknowledged, and is not there')
  return took
}

async function look(log: Log, before: SealedHead, draft: Draft): Promise<boolean> {
  const head = present((await log.head()) ?? undefined, 'the head')
  const took = head.seq !== before.seq || head.epoch !== before.epoch
  sameHead(head, took ? draft.next : before, 'the head beside an append that is cut off')
  const after = took && head.epoch !== before.epoch ? startOf(head) : before
  if (took) sameEvents((await log.read(after)).events, draft.events, 'the events of the head')
  return took
}

export const crashCases: readonly FeedCase[] = [
  {
    rule: 'crashes.append',
    title: 'an append that is cut short is there as a whole, or not at all',
    across: 'also',
    async run(context) {
      const { log, make } = context
      let { next } = await filled(log, make, 3)
      for (const turns of CUTS) {
        const draft = make.draft(next, Array(20).fill(500))
        if (await cutOff(context, turns, { before: next, draft })) next = draft.next
        // The log continues whether or not it took place.
        next = await log.grow(next, make.draft(next, small(1)))
      }
    },
  },
  {
    rule: 'crashes.epoch',
    title: 'and so is one that begins the log anew',
    across: 'also',
    async run(context) {
      const { log, make } = context
      let { next } = await filled(log, make, 12)
      for (const turns of CUTS) {
        const draft = make.draft(next, Array(10).fill(500), { epoch: make.epoch() })
        if (await cutOff(context, turns, { before: next, draft })) next = draft.next
        next = await log.grow(next, make.draft(next, small(1)))
      }
    },
  },
]
