/**
 * Appends that are refused.
 *
 * @module
 */
import type { Position, SealedHead } from '../../feed/feed.js'
import type { CaseContext, FeedCase } from './case.js'
import type { Draft } from './fixtures.js'
import { filled, refused, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

/** Appends at a position that is not the head, and asserts that nothing changed. */
async function expectRefusal(
  { log, other, make }: CaseContext,
  { events, next }: Draft,
  wrong: (head: SealedHead) => Position | null,
): Promise<void> {
  const expect = wrong(next)
  const drafts = [
    make.draft(next, small(1)),
    make.draft(next, small(7)),
    make.draft(next, []),
    make.draft(next, small(2), { epoch: make.epoch() }),
    ...(expect === null ? [] : [make.draft(expect, small(2))]),
  ]
  for (const draft of drafts) {
    refused(await other.append(expect, draft), next, 'an append that expects another head')
    sameHead(await log.head(), next, 'the head after it')
    sameEvents(await log.all(startOf(next)), events, 'the events after it')
  }
}

// The cases of an ASCII letter differ in one bit.
const otherCase = (text: string) =>
  text.replace(/[a-z]/i, (letter) => String.fromCharCode(letter.charCodeAt(0) ^ 0x20))

export const refusalCases: readonly FeedCase[] = [
  {
    rule: 'append.missing',
    title: 'refuses an append to a log that does not exist, and creates none',
    across: 'also',
    async run({ log, other, make }) {
      const { next } = make.draft(null, small(3))
      refused(await log.append(next, make.draft(next, small(2))), null, 'an append without a log')
      const anew = make.draft(next, small(2), { epoch: make.epoch() })
      refused(await log.append(next, anew), null, 'a new epoch without a log')
      sameHead(await other.head(), null, 'the head after it')
      sameEvents((await other.read(startOf(next))).events, [], 'the events after it')
      sameEvents((await other.read(startOf(anew.next))).events, [], 'the events of the new epoch')
    },
  },
  {
    rule: 'append.exists',
    title: 'refuses an append that expects no log if there is one',
    across: 'also',
    async run(context) {
      const { log, other, make } = context
      const genesis = await log.grow(null, make.draft(null, []))
      const created = make.draft(null, small(2))
      refused(await other.append(null, created), genesis, 'a creation where there is a log')
      const first = make.draft(genesis, small(12))
      await log.grow(genesis, first)
      await expectRefusal(context, first, () => null)
    },
  },
  {
    rule: 'append.epoch',
    title: 'refuses an append that expects another epoch',
    across: 'also',
    async run(context) {
      const draft = await filled(context.log, context.make, 12)
      await expectRefusal(context, draft, (head) => ({ ...head, epoch: context.make.epoch() }))
      await expectRefusal(context, draft, (head) => ({ ...head, epoch: otherCase(head.epoch) }))
    },
  },
  {
    rule: 'append.seq',
    title: 'refuses an append that expects another seq',
    across: 'also',
    async run(context) {
      const draft = await filled(context.log, context.make, 12)
      for (const by of [-12, -1, 1, 100]) {
        await expectRefusal(context, draft, (head) => ({ ...head, seq: head.seq + by }))
      }
    },
  },
  {
    rule: 'append.link',
    title: 'refuses an append that expects another link',
    across: 'also',
    async run(context) {
      const draft = await filled(context.log, context.make, 12)
      for (const at of [0, 7, 15]) {
        await expectRefusal(context, draft, (head) => ({
          ...head,
          link: head.link.map((byte, index) => (index === at ? byte ^ 1 : byte)),
        }))
      }
      await expectRefusal(context, draft, (head) => ({ ...head, link: new Uint8Array(16) }))
    },
  },
  {
    rule: 'append.once',
    title: 'refuses a repeated append and returns its own head',
    across: 'also',
    async run({ log, other, make }) {
      const draft = make.draft(null, small(3))
      await log.grow(null, draft)
      refused(await other.append(null, draft), draft.next, 'the repeated creation')
      const second = make.draft(draft.next, small(3))
      await log.grow(draft.next, second)
      refused(await other.append(draft.next, second), second.next, 'a repeated append')
      const events = [...draft.events, ...second.events]
      sameEvents(await log.all(startOf(draft.next)), events, 'the events after it')
    },
  },
]
