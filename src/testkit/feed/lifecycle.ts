/**
 * Opening, closing, and rules for every method.
 *
 * @module
 */
import type { RevocationFeed } from '../../feed/feed.js'
import { holds, same } from '../store/case.js'
import type { FeedCase } from './case.js'
import type { Fixtures } from './fixtures.js'
import { callOptions, filled, small, startOf } from './log.js'
import { sameEvents, sameHead } from './same.js'

const DURABILITIES: readonly unknown[] = ['none', 'process', 'fsync', 'quorum', 'unknown']

/** A call of every promise-returning method except `close`, by name, on a feed without a log. */
export function calls(
  feed: RevocationFeed,
  make: Fixtures,
  signal: AbortSignal = new AbortController().signal,
): Array<readonly [name: string, call: () => Promise<unknown>]> {
  const options = callOptions(signal)
  const { events, next } = make.draft(null, [20])
  const after = { epoch: next.epoch, seq: 0 }
  return [
    ['open', () => feed.open(signal)],
    ['head', () => feed.head(options)],
    ['read', () => feed.read(after, 10, options)],
    // It may be refused or rejected: the log that it expects does not exist.
    ['append', () => feed.append(next, events, make.draft(next, [20]).next, options)],
    ['touch', async () => await feed.touch?.(next, make.touched(next), options)],
    ['trim', async () => await feed.trim?.(0, options)],
    ['snapshot.save', async () => await feed.snapshot?.save(chunksOf([next.bytes]), signal)],
    ['snapshot.load', () => drain(feed.snapshot?.load(signal))],
  ]
}

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

async function drain(chunks: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (chunks !== undefined) for await (const _ of chunks);
}

function has(feed: RevocationFeed, name: string): boolean {
  return feed[name.split('.')[0] as keyof RevocationFeed] !== undefined
}

function promiseOf(name: string, call: () => Promise<unknown>, when: string): Promise<unknown> {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    holds(false, `${name} ${when} threw ${String(error)}; it must return a promise`)
  }
  const isPromise = typeof (result as { then?: unknown } | undefined)?.then === 'function'
  holds(isPromise, `${name} ${when} returned no promise`)
  return result as Promise<unknown>
}

/** The promise-returning methods without a wrapper, to detect synchronous throws. */
function bareCalls(feed: RevocationFeed, make: Fixtures): ReturnType<typeof calls> {
  const { signal, ...rest } = callOptions()
  const options = { signal, ...rest }
  const { next } = make.draft(null, [20])
  const after = { epoch: next.epoch, seq: 0 }
  const { touch, trim, snapshot } = feed
  return [
    ['open', () => feed.open(signal)],
    ['head', () => feed.head(options)],
    ['read', () => feed.read(after, 10, options)],
    ['append', () => feed.append(next, [], make.touched(next), options)],
    ...(touch === undefined
      ? []
      : [['touch', () => touch.call(feed, next, make.touched(next), options)] as const]),
    ...(trim === undefined ? [] : [['trim', () => trim.call(feed, 0, options)] as const]),
    ...(snapshot === undefined
      ? []
      : [['snapshot.save', () => snapshot.save(chunksOf([next.bytes]), signal)] as const]),
  ]
}

export const lifecycleCases: readonly FeedCase[] = [
  {
    rule: 'lifecycle.fresh',
    title: 'has no log after createFeed and describes itself in info',
    async run({ log }) {
      const { feed } = log
      sameHead(await log.head(), null, 'the head: createFeed must isolate the cases')
      const { name, push, durability, suggestedPollMs } = feed.info
      holds(
        name === undefined || (typeof name === 'string' && name !== ''),
        'info.name is not a non-empty string',
      )
      same(typeof push, 'boolean', 'the type of info.push')
      holds(!push || feed.watch !== undefined, 'info.push is true, but there is no watch')
      holds(DURABILITIES.includes(durability), `info.durability is ${String(durability)}`)
      const isDelay = Number.isFinite(suggestedPollMs) && suggestedPollMs > 0
      holds(isDelay, `info.suggestedPollMs is ${String(suggestedPollMs)}`)
    },
  },
  {
    rule: 'lifecycle.open-twice',
    title: 'changes nothing when opened a second time',
    async run({ log, make }) {
      const { events, next } = await filled(log, make, 12)
      const { signal } = callOptions()
      await log.feed.open(signal)
      await Promise.all([log.feed.open(signal), log.feed.open(signal)])
      sameHead(await log.head(), next, 'the head after a second open')
      sameEvents(await log.all(startOf(next)), events, 'the events after a second open')
    },
  },
  {
    rule: 'lifecycle.open-again',
    title: 'can be opened again after an aborted open',
    async run({ log, reopen, make }) {
      const again = await reopen()
      await log.soon(
        again.feed.open(AbortSignal.abort()).catch(() => undefined),
        'the end of an aborted open',
      )
      await again.feed.open(callOptions().signal)
      const head = await again.grow(null, make.draft(null, small(3)))
      sameHead(await log.head(), head, 'the head after the second try')
    },
  },
  {
    rule: 'lifecycle.close-twice',
    title: 'changes nothing when closed a second time',
    async run({ log }) {
      await log.feed.close()
      await log.feed.close()
      await Promise.all([log.feed.close(), log.feed.close()])
    },
  },
  {
    rule: 'lifecycle.closed',
    title: 'rejects every other method after close',
    async run({ log, make }) {
      await log.feed.close()
      for (const [name, call] of calls(log.feed, make)) {
        if (!has(log.feed, name)) continue
        const result = call().then(
          () => 'resolved',
          (error: unknown) => (error instanceof Error ? 'rejected' : `rejected with ${error}`),
        )
        same(await log.soon(result, `the end of ${name}`), 'rejected', `${name} after close`)
      }
    },
  },
  {
    rule: 'lifecycle.promises',
    title: 'returns a promise from every method and never throws, open or closed',
    async run({ log, make }) {
      const { feed } = log
      for (const [name, call] of bareCalls(feed, make)) await promiseOf(name, call, 'when open')
      await promiseOf('close', () => feed.close(), 'when open')
      for (const [name, call] of bareCalls(feed, make)) {
        await promiseOf(name, call, 'after close').catch(() => undefined)
      }
      await promiseOf('close', () => feed.close(), 'after close')
    },
  },
  {
    rule: 'lifecycle.close-own',
    title: 'leaves the other instance and the log unaffected when one is closed',
    across: 'only',
    async run({ log, other, make }) {
      const { events, next } = await filled(log, make, 5)
      await log.feed.close()
      sameHead(await other.head(), next, 'the head after the first instance was closed')
      sameEvents(await other.all(startOf(next)), events, 'the events after it')
      const head = await other.grow(next, make.draft(next, small(2)))
      sameHead(await other.head(), head, 'the head after an append by the other')
    },
  },
  {
    rule: 'lifecycle.durable',
    title: 'keeps acknowledged events after every instance is closed',
    across: 'only',
    async run({ log, other, reopen, make }) {
      if (log.feed.info.durability === 'none') return
      const { events, next } = await filled(log, make, 12)
      await Promise.all([log.feed.close(), other.feed.close()])
      const again = await reopen()
      sameHead(await again.head(), next, 'the head')
      sameEvents(await again.all(startOf(next)), events, 'the events')
    },
  },
  {
    rule: 'lifecycle.given-up',
    title: 'ends a call whose signal is aborted, and the next call works',
    across: 'also',
    async run({ log, other, make }) {
      for (const [name, call] of calls(log.feed, make, AbortSignal.abort())) {
        await log.soon(
          call().catch(() => undefined),
          `the end of ${name} with an aborted signal`,
        )
      }
      sameHead(await other.head(), null, 'the head after aborted calls')
      const head = await log.grow(null, make.draft(null, small(3)))
      sameHead(await other.head(), head, 'the head after an append')
    },
  },
]
