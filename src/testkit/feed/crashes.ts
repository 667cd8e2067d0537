/**
 * Interrupted appends: a reader sees all of an append or nothing, between any two steps of it, after its instance was
 * closed, and after a crash.
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

// The number of event loop turns before the append is interrupted: from none to more than it needs.
const CUTS = [0, 1, 2, 3, 5, 8, 13] as const

/**
 * Interrupts an append after the given number of turns, and reads while it runs. Resolves with whether it took place.
 */
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
  const result = await written
  const took = await look(other, before, draft)
  holds(result !== true || took, 'an acknowledged append is missing')
  return took
}

async function look(log: Log, before: SealedHead, draft: Draft): Promise<boolean> {
  const head = present((await log.head()) ?? undefined, 'the head')
  const took = head.seq !== before.seq || head.epoch !== before.epoch
  sameHead(head, took ? draft.next : before, 'the head during an interrupted append')
  const after = took && head.epoch !== before.epoch ? startOf(head) : before
  if (took) sameEvents((await log.read(after)).events, draft.events, 'the events of the head')
  return took
}

export const crashCases: readonly FeedCase[] = [
  {
    rule: 'crashes.append',
    title: 'applies an interrupted append as a whole or not at all',
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
    title: 'applies an interrupted append of a new epoch as a whole or not at all',
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
