/**
 * The push channel: it delivers every append while undisturbed, and releases its resources.
 *
 * @module
 */
import type { Position, RevocationFeed, SealedEvent, WatchHint } from '../../feed/feed.js'
import { holds, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import { filled, type Log, small } from './log.js'
import { hex } from './same.js'

/** The position of a node that has not read any log yet. */
const NOWHERE: Position = { epoch: '', seq: 0, link: new Uint8Array(16) }

/** A started channel. */
interface Watching {
  /** The delivered events. */
  readonly events: readonly SealedEvent[]
  /** The number of wakes. */
  readonly wakes: () => number
  /** Resolves after more wakes than that, or if `orEnded`, also when the channel has ended. */
  more(than: number, what: string, orEnded?: boolean): Promise<void>
  /** Aborts, and resolves when the channel has settled in either way. */
  stop(): Promise<void>
}

function watchOf({ feed }: Log): NonNullable<RevocationFeed['watch']> {
  holds(feed.watch !== undefined, 'the feed has no watch')
  return feed.watch.bind(feed)
}

function watching(log: Log, from: Position): Watching {
  const { soon } = log
  const controller = new AbortController()
  const events: SealedEvent[] = []
  let wakes = 0
  let isOver = false
  let changed = () => {}
  const onWake = (hint?: WatchHint) => {
    wakes++
    events.push(...(hint?.events ?? []))
    changed()
  }
  const over = watchOf(log)(from, onWake, controller.signal).then(
    () => 'resolved',
    (error: unknown) => `rejected with ${String(error)}`,
  )
  const ended = over.then((how) => {
    isOver = true
    changed()
    return how
  })
  return {
    events,
    wakes: () => wakes,
    async more(than, what, orEnded = false) {
      const woken = new Promise<void>((resolve) => {
        changed = () => {
          if (wakes > than || isOver) resolve()
        }
        changed()
      })
      await soon(woken, what)
      if (wakes > than || orEnded) return
      holds(false, `the channel ${await ended} while waiting for ${what}`)
    },
    async stop() {
      controller.abort()
      await soon(ended, 'the end of an aborted watch')
    },
  }
}

/** Asserts that every delivered event equals an appended one. */
function broughtOnly(events: readonly SealedEvent[], appended: readonly SealedEvent[]): void {
  const known = new Map(appended.map(({ seq, bytes }) => [seq, hex(bytes, 'an event')]))
  for (const { seq, bytes } of events) {
    same(hex(bytes, 'an event of a hint'), known.get(seq), `the event of seq ${seq} in a hint`)
  }
}

export const watchCases: readonly FeedCase[] = [
  {
    rule: 'watch.wakes',
    title: 'wakes after each append and delivers only appended events',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      let { events, next } = await filled(log, make, 3)
      const watch = watching(log, next)
      for (let round = 0; round < 8; round++) {
        const before = watch.wakes()
        const draft = make.draft(next, round === 3 ? [40_960] : small(1 + (round % 3)))
        next = await other.grow(next, draft)
        events = [...events, ...draft.events]
        await watch.more(before, `a wake after the append ${round}`)
      }
      await watch.stop()
      broughtOnly(watch.events, events)
    },
  },
  {
    rule: 'watch.from',
    title: 'wakes a watch that starts behind the head',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      const { events, next } = await filled(other, make, 12)
      const behind = { ...next, seq: 4, link: make.bytes(16) }
      for (const from of [behind, { ...NOWHERE, epoch: next.epoch }, NOWHERE]) {
        const watch = watching(log, from)
        await watch.more(0, `a wake for events after ${from.seq}`, true)
        await watch.stop()
        broughtOnly(watch.events, events)
      }
    },
  },
  {
    rule: 'watch.nowhere',
    title: 'wakes a watch that starts without a log when one is created',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      const watch = watching(log, NOWHERE)
      const draft = make.draft(null, small(2))
      const before = watch.wakes()
      const next = await other.grow(null, draft)
      await watch.more(before, 'a wake after the log was created', true)
      await watch.stop()
      broughtOnly(watch.events, draft.events)
      const again = watching(log, next)
      const woken = again.wakes()
      await other.grow(next, make.draft(next, small(1)))
      await again.more(woken, 'a wake after the next append')
      await again.stop()
    },
  },
  {
    rule: 'watch.epoch',
    title: 'wakes or ends a watch when the log restarts',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      const { next } = await filled(log, make, 6)
      const watch = watching(log, next)
      const before = watch.wakes()
      const head = await other.grow(next, make.draft(next, small(2), { epoch: make.epoch() }))
      await watch.more(before, 'a wake after a new epoch', true)
      await watch.stop()
      const again = watching(log, head)
      const woken = again.wakes()
      await other.grow(head, make.draft(head, small(1)))
      await again.more(woken, 'a wake in the new epoch')
      await again.stop()
    },
  },
  {
    rule: 'watch.abort',
    title: 'settles a watch soon after an abort, or immediately if already aborted',
    needs: ['watch'],
    across: 'also',
    async run({ log, make }) {
      const { next } = await filled(log, make, 2)
      const settled = watchOf(log)(next, () => {}, AbortSignal.abort()).catch(() => undefined)
      await log.soon(settled, 'the end of a watch that was already aborted')
      await watching(log, next).stop()
      const woken = watching(log, NOWHERE)
      await woken.more(0, 'a wake for existing events', true)
      await woken.stop()
      await woken.stop()
    },
  },
  {
    rule: 'watch.silent',
    title: 'never wakes after a watch has settled',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      let { next } = await filled(log, make, 2)
      const first = watching(log, next)
      const before = first.wakes()
      next = await other.grow(next, make.draft(next, small(1)))
      await first.more(before, 'a wake')
      await first.stop()
      const count = first.wakes()
      const second = watching(log, next)
      for (let round = 0; round < 3; round++) {
        const woken = second.wakes()
        next = await other.grow(next, make.draft(next, small(1)))
        await second.more(woken, 'a wake of the second watch')
      }
      await second.stop()
      same(first.wakes(), count, 'the number of wakes of a settled watch')
    },
  },
  {
    rule: 'watch.many',
    title: 'supports starting watches many times',
    needs: ['watch'],
    async run({ log, make }) {
      const { next } = await filled(log, make, 2)
      for (let round = 0; round < 25; round++) await watching(log, next).stop()
      await Promise.all(Array.from({ length: 5 }, () => watching(log, next).stop()))
      const watch = watching(log, next)
      const before = watch.wakes()
      await log.grow(next, make.draft(next, small(1)))
      await watch.more(before, 'a wake of the last watch')
      await watch.stop()
    },
  },
  {
    rule: 'watch.two',
    title: 'wakes two concurrent watches, and one continues after the other ends',
    needs: ['watch'],
    across: 'also',
    async run({ log, other, make }) {
      let { next } = await filled(log, make, 2)
      const [first, second] = [watching(log, next), watching(other, next)]
      const [before, beforeToo] = [first.wakes(), second.wakes()]
      next = await other.grow(next, make.draft(next, small(1)))
      await first.more(before, 'a wake of watch 1 of two')
      await second.more(beforeToo, 'a wake of watch 2 of two')
      await first.stop()
      const woken = second.wakes()
      await log.grow(next, make.draft(next, small(1)))
      await second.more(woken, 'a wake of the remaining watch')
      await second.stop()
    },
  },
  {
    rule: 'watch.close',
    title: 'ends the watches when the feed is closed',
    needs: ['watch'],
    across: 'also',
    async run({ log, make }) {
      const { next } = await filled(log, make, 2)
      const ends = [NOWHERE, next].map((from) =>
        watchOf(log)(from, () => {}, new AbortController().signal).catch(() => undefined),
      )
      await log.feed.close()
      for (const end of ends) await log.soon(end, 'the end of a watch after close')
    },
  },
]
