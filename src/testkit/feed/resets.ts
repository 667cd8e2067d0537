/**
 * Resets of a log by an administrator, and incidents reported by the adapter.
 *
 * @module
 */
import type { FeedIncidentKind } from '../../feed/feed.js'
import { holds, present, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { callOptions, filled, type Log, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

async function reset({ feed }: Log): Promise<void> {
  holds(feed.reset !== undefined, 'the feed has no reset')
  await feed.reset()
}

async function* twice(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
  yield chunk
}

export const resetCases: readonly FeedCase[] = [
  {
    rule: 'reset.deletes',
    title: 'deletes the head, every event and the snapshot with a reset, for every instance',
    needs: ['reset'],
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 12)
      await log.feed.snapshot?.save(twice(make.bytes(100)), callOptions().signal)
      await other.feed.reset?.()
      for (const each of [log, other]) {
        sameHead(await each.head(), null, 'the head after a reset')
        sameEvents((await each.read(startOf(next))).events, [], 'the events after a reset')
        for await (const _ of each.feed.snapshot?.load(callOptions().signal) ?? [])
          holds(false, 'the snapshot still exists after a reset')
      }
    },
  },
  {
    rule: 'reset.begins',
    title: 'accepts a new epoch and refuses the old head after a reset',
    needs: ['reset'],
    across: 'also',
    async run({ log, other, make }) {
      const { next: old } = await filled(log, make, 12)
      if (log.feed.trim !== undefined) await log.trim(7)
      await reset(log)
      const late = await other.append(old, make.draft(old, small(1)))
      holds(!late.ok, 'an append to the old head took place')
      sameHead(late.head, null, 'the returned head')
      const draft = make.draft(null, small(3), { epoch: make.epoch() })
      const next = await other.grow(null, draft)
      sameHead(await log.head(), next, 'the head of the new log')
      const { events, floor } = await log.read(startOf(next))
      sameEvents(events, draft.events, 'the events of the new log')
      same(floor, 1, 'the floor of the new log')
      sameEvents((await log.read(startOf(old))).events, [], 'the events of the old log')
    },
  },
  {
    rule: 'reset.none',
    title: 'changes nothing on a reset without a log or a second reset',
    needs: ['reset'],
    async run({ log, make }) {
      await reset(log)
      sameHead(await log.head(), null, 'the head without a log')
      await filled(log, make, 3)
      await reset(log)
      await reset(log)
      sameHead(await log.head(), null, 'the head after two resets')
    },
  },
  {
    rule: 'reset.closed',
    title: 'rejects a reset after close and deletes nothing',
    needs: ['reset'],
    across: 'only',
    async run({ log, other, make }) {
      const { next } = await filled(other, make, 3)
      await log.feed.close()
      const result = await log.feed.reset?.().then(
        () => 'resolved',
        () => 'rejected',
      )
      same(result, 'rejected', 'a reset after close')
      sameHead(await other.head(), next, 'the head')
    },
  },
]

const KINDS: ReadonlySet<FeedIncidentKind> = new Set(['connection', 'junk', 'damaged', 'replaced'])

function observe({ feed }: Log, heard: unknown[]): () => void {
  holds(feed.observe !== undefined, 'the feed has no observe')
  return feed.observe((...incident) => heard.push(incident))
}

/** Runs every operation of nodes on a log; resolves with its last head. */
async function atWork(log: Log, other: Log, { make }: Parameters<FeedCase['run']>[0]) {
  const { next } = await filled(log, make, 5)
  const grown = await other.grow(next, make.draft(next, small(3)))
  await log.append(next, make.draft(next, small(1)))
  await log.all(startOf(grown))
  if (log.feed.touch !== undefined) await log.touch(grown, make.touched(grown))
  if (log.feed.trim !== undefined) await log.trim(2)
  return other.head()
}

export const observeCases: readonly FeedCase[] = [
  {
    rule: 'observe.quiet',
    title: 'reports no incident while only nodes use the log',
    needs: ['observe'],
    across: 'also',
    async run(context) {
      const { log, other } = context
      const heard: unknown[] = []
      for (const each of [log, other]) observe(each, heard)
      await atWork(log, other, context)
      same(heard, [], 'the reported incidents')
    },
  },
  {
    rule: 'observe.tells',
    title: 'reports junk as a known kind and a count, to each listener until it is removed',
    needs: ['observe'],
    async run(context) {
      const { log, make, plant } = context
      const [first, second, stopped]: [unknown[], unknown[], unknown[]] = [[], [], []]
      observe(log, first)
      const stop = observe(log, stopped)
      stop()
      stop()
      const stopSecond = observe(log, second)
      const meet = async () => {
        const head = present(await log.head(), 'the head')
        await plant?.({ seq: head.seq + 1, bytes: make.bytes(20) })
        await log.grow(await log.head(), make.draft(head, small(2)))
      }
      await atWork(log, log, context)
      await meet()
      same(second, first, 'the incidents of the second listener, compared with the first')
      for (const incident of first) {
        const [kind, count] = incident as readonly [FeedIncidentKind, number]
        holds(KINDS.has(kind), `an incident of the unknown kind ${String(kind)}`)
        holds(Number.isSafeInteger(count) && count > 0, `an incident of ${count} entries`)
      }
      const before = second.length
      stopSecond()
      await meet()
      same(
        second.length,
        before,
        'the number of incidents of the second listener when it was removed',
      )
      same(stopped, [], 'the incidents of a removed listener')
    },
  },
]
