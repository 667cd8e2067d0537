/**
 * Concurrent calls, on one instance and across two.
 *
 * @module
 */
import type { Appended, SealedEvent, SealedHead } from '../../feed/feed.js'
import { holds, present, same } from '../store/case.js'
import type { CaseContext, FeedCase } from './case.js'
import type { Draft } from './fixtures.js'
import { filled, type Log, refused, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'
import { turn } from './soon.js'

const WRITERS = 8

/** Runs the appends concurrently, alternating between the instances. */
function atOnce(
  { log, other }: CaseContext,
  expect: SealedHead | null,
  drafts: readonly Draft[],
): Promise<Appended[]> {
  return Promise.all(
    drafts.map((draft, index) => (index % 2 === 0 ? log : other).append(expect, draft)),
  )
}

/** Asserts that one of them took place, and that all others received its head. */
async function oneWins(
  context: CaseContext,
  expect: SealedHead | null,
  drafts: readonly Draft[],
): Promise<Draft> {
  const results = await atOnce(context, expect, drafts)
  const won = results.filter(({ ok }) => ok).length
  same(won, 1, `the number of ${drafts.length} appends on one position that took place`)
  const winner = present(drafts[results.findIndex(({ ok }) => ok)], 'the winner')
  for (const result of results) {
    if (!result.ok) refused(result, winner.next, 'an append that lost')
  }
  sameHead(await context.other.head(), winner.next, 'the head')
  return winner
}

/** A writer that appends repeatedly, and after each refusal continues from the returned head. */
async function write(log: Log, make: CaseContext['make'], lengths: readonly number[][]) {
  const acked: SealedEvent[] = []
  let expect = await log.head()
  let tries = 0
  for (const each of lengths) {
    for (;;) {
      holds(++tries < 1000, 'a refused append returned a head that is not current')
      const draft: Draft = make.draft(expect, each)
      const result = await log.append(expect, draft)
      expect = result.ok ? draft.next : result.head
      if (!result.ok) continue
      acked.push(...draft.events)
      break
    }
  }
  return acked
}

/** Observes until the work has ended. Waits for the work even after a failure, so nothing of a case runs on. */
async function whileRunning<T>(work: Promise<T>, look: () => Promise<void>): Promise<T> {
  let running = true
  const stop = () => {
    running = false
  }
  work.then(stop, stop)
  try {
    while (running) {
      await look()
      await turn()
    }
  } finally {
    await Promise.allSettled([work])
  }
  return await work
}

const bySeq = (events: readonly SealedEvent[]) => [...events].sort((a, b) => a.seq - b.seq)

export const raceCases: readonly FeedCase[] = [
  {
    rule: 'races.create',
    title: 'lets one of eight concurrent creations succeed and returns its head to the others',
    across: 'also',
    async run(context) {
      const drafts = Array.from({ length: WRITERS }, (_, index) =>
        context.make.draft(null, small(index % 3)),
      )
      const { events, next } = await oneWins(context, null, drafts)
      sameEvents(await context.log.all(startOf(next)), events, 'the events')
    },
  },
  {
    rule: 'races.append',
    title: 'lets one of eight concurrent appends on one head succeed, repeatedly',
    across: 'also',
    async run(context) {
      const { log, make } = context
      let { events, next } = await filled(log, make, 2)
      for (let round = 0; round < 6; round++) {
        const drafts = Array.from({ length: WRITERS }, (_, index) =>
          make.draft(next, small(1 + (index % 4))),
        )
        const winner = await oneWins(context, next, drafts)
        events = [...events, ...winner.events]
        next = winner.next
        sameEvents(await log.all(startOf(next)), events, 'the events')
      }
    },
  },
  {
    rule: 'races.writers',
    title: 'leaves a dense log of all events after eight writers continue from returned heads',
    across: 'also',
    async run({ log, other, make }) {
      const writers = Array.from({ length: WRITERS }, (_, index) =>
        write(index % 2 === 0 ? log : other, make, [small(1), small(3), small(1), small(2)]),
      )
      const acked = (await Promise.all(writers)).flat()
      const head = present(await log.head(), 'the head')
      same(head.seq, acked.length, 'the seq of the head')
      sameEvents(await other.all(startOf(head)), bySeq(acked), 'the events')
    },
  },
  {
    rule: 'races.epoch',
    title: 'lets one of eight concurrent restarts of the log succeed',
    across: 'also',
    async run(context) {
      const { log, make } = context
      const { next } = await filled(log, make, 12)
      const drafts = Array.from({ length: WRITERS }, (_, index) =>
        make.draft(next, small(index % 3), { epoch: make.epoch() }),
      )
      const winner = await oneWins(context, next, drafts)
      sameEvents(await log.all(startOf(winner.next)), winner.events, 'the events')
      for (const { next: loser } of drafts) {
        if (loser.epoch === winner.next.epoch) continue
        sameEvents((await log.read(startOf(loser))).events, [], 'the events of a losing append')
      }
    },
  },
  {
    rule: 'races.read',
    title: 'shows concurrent readers no gap, and every event up to the head, during appends',
    across: 'also',
    async run({ log, other, make }) {
      const { next: first } = await filled(log, make, 3)
      const writers = Promise.all(
        [log, other, log].map((one) => write(one, make, Array(8).fill(small(3)))),
      )
      const written = await whileRunning(writers, async () => {
        for (const reader of [log, other]) {
          const head = present(await reader.head(), 'the head')
          // Asserts that there is no gap.
          const events = await reader.all(startOf(first), 5)
          holds(
            events.length >= head.seq,
            `the head is at ${head.seq}, but the events end before it`,
          )
        }
      })
      sameEvents(await log.all(first), bySeq(written.flat()), 'the events')
    },
  },
  {
    rule: 'races.trim',
    title: 'reports every missing event to concurrent readers during trims',
    needs: ['trim'],
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 60)
      const trims = async () => {
        for (let upTo = 3; upTo < 60; upTo += 3) {
          await Promise.all([other.trim(upTo), other.trim(upTo - 2)])
        }
      }
      await whileRunning(trims(), async () => {
        const { events, floor } = await log.read({ epoch: next.epoch, seq: 0 })
        const { seq } = present(events[0], 'the first event')
        same(seq, floor, 'the seq of the first event, compared with the floor')
        same(events.length, 60 - floor + 1, `the number of events from the floor ${floor}`)
      })
    },
  },
  {
    rule: 'races.touch',
    title: 'keeps the head of the append after concurrent touches and appends',
    needs: ['touch'],
    across: 'also',
    async run({ log, other, make }) {
      let head = await log.grow(null, make.draft(null, small(1)))
      for (let round = 0; round < 8; round++) {
        const before = head
        const draft = make.draft(head, small(2))
        const touch = (one: Log) => one.touch(before, make.touched(before))
        const [, appended] = await Promise.all([
          touch(other),
          (round % 2 === 0 ? log : other).append(before, draft),
          touch(log),
          touch(other),
          touch(log),
        ])
        same(appended.ok, true, 'whether the append took place: a touch moves no position')
        head = draft.next
        sameHead(await other.head(), head, 'the head')
        sameEvents(await log.all(before), draft.events, 'the events')
      }
    },
  },
]
