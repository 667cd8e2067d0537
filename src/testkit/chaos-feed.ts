/**
 * A feed with reproducible faults, for testing nodes over any feed.
 *
 * @module
 */

import type { RevocationFeed, SealedEvent, SealedHead } from '../feed/feed.js'
import { type Clock, resolveClock, systemClock } from '../lib/clock.js'
import { watchThrough } from './chaos/channel.js'
import {
  CALM,
  type Chance,
  type ChaosRates,
  chanceOf,
  DEFAULT_RATES,
  type Throw,
} from './chaos/dice.js'
import { type Gate, openGate } from './chaos/gate.js'
import { chaosSnapshot } from './chaos/snapshot.js'

const FREEZE_WITHIN_MS = 10_000

type Later = (share: number, work: () => void) => void

interface Frozen {
  readonly head: SealedHead | null
}

interface Page {
  readonly events: readonly SealedEvent[]
  readonly floor: number
}

/** How a {@link chaosFeed} misbehaves. */
export interface ChaosOptions {
  /** The probability of each fault. Default: each in a few calls out of a hundred. */
  readonly rates?: Partial<ChaosRates>
  /** The maximum delay of a response or a push, in milliseconds. Default: 50. */
  readonly maxDelayMs?: number
  /** The clock of the delays. With a manual clock, they wait until it is advanced. Default: the machine's clock. */
  readonly clock?: Clock
}

/** A feed with faults, and the controls for them. */
export interface ChaosFeed extends RevocationFeed {
  /** The probability of each fault from now on. Assign a whole object. */
  rates: ChaosRates
  /** The number of faults so far, by kind. */
  readonly faults: Readonly<Record<keyof ChaosRates, number>>
  /** Cuts this node off: calls reject, watches end, responses in flight are lost. */
  partition(): void
  /** Ends a partition. */
  heal(): void
  /**
   * Freezes the head and hides later events, while appends and touches still succeed, like an attacker who hides new
   * events. Pushes are lost.
   */
  freeze(): Promise<void>
  /** Ends a freeze. */
  thaw(): void
  /** From now on no call settles, not even an aborted one. */
  hang(): void
  /** Ends a hang: pending calls take effect now, even if their callers have given up. */
  resume(): void
  /** Ends all faults, current and future. */
  calm(): void
}

/**
 * Wraps a feed for one node and injects faults: calls that fail before or after they take effect, late responses,
 * repeated events, pushes that are lost, repeated, late or reordered, and channels that end.
 *
 * The same seed and the same calls produce the same faults: the outcome of the nth call of each method does not depend
 * on other calls. Every returned value is or was in the log; for a log with false data, see `chaosLog`. There is no
 * `peek`, because it simulates a remote log. `close` always succeeds.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { memoryFeed } from 'watchword/feed/memory'
 * import { chaosFeed } from 'watchword/testkit'
 *
 * const feed = chaosFeed(memoryFeed(), 'seed 1', { rates: { failBefore: 0, failAfter: 0, pushDropped: 0.5 } })
 * const policies = { job: { ttl: '5m', scopes: [] } } as const
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', feed, policies })
 * feed.partition()
 * // verify accepts tokens until the node cannot prove that it is fresh, and then rejects them as `stale`.
 * feed.heal()
 * await watchword.close()
 * ```
 */
export function chaosFeed(
  feed: RevocationFeed,
  seed: string | number,
  { rates, maxDelayMs = 50, clock = systemClock }: ChaosOptions = {},
): ChaosFeed {
  const { setTimer } = resolveClock(clock)
  const chance = chanceOf(seed, { ...DEFAULT_RATES, ...rates })
  const gate = openGate()
  let frozen: Frozen | undefined

  const later: Later = (share, work) =>
    void setTimer(() => gate.whenFree(work), Math.ceil(share * maxDelayMs))
  const call = callThrough(chance, gate, later)
  const channel = { chance, gate, later, isHidden: () => frozen !== undefined }
  const { touch, trim, watch, snapshot } = feed

  return {
    get info() {
      return feed.info
    },
    open: (signal) => call('open', () => feed.open(signal)),
    head: (options) =>
      call('head', async () => (frozen === undefined ? await feed.head(options) : frozen.head)),
    async read(after, limit, options) {
      const read = async () => hideNew(frozen, after, await feed.read(after, limit, options))
      return await call('read', read, ({ events, floor }, thrown) => {
        return { events: repeatSome(chance, events, thrown).slice(0, limit), floor }
      })
    },
    append: (...args) => call('append', () => feed.append(...args)),
    ...(touch && { touch: (...args) => call('touch', () => touch.apply(feed, args)) }),
    ...(trim && { trim: (...args) => call('trim', () => trim.apply(feed, args)) }),
    ...(watch && {
      watch: (from, wake, signal) =>
        watchThrough(channel, (...rest) => watch.call(feed, from, ...rest), wake, signal),
    }),
    ...(snapshot && { snapshot: chaosSnapshot(snapshot, call) }),
    close: () => feed.close(),

    get rates() {
      return chance.rates
    },
    set rates(next) {
      chance.rates = next
    },
    faults: chance.faults,
    partition: gate.partition,
    heal: gate.heal,
    hang: gate.hang,
    resume: gate.resume,
    async freeze() {
      const { signal } = new AbortController()
      frozen = { head: await feed.head({ signal, deadlineMs: FREEZE_WITHIN_MS }) }
    },
    thaw() {
      frozen = undefined
    },
    calm() {
      chance.rates = CALM
      frozen = undefined
      gate.heal()
      gate.resume()
    },
  }
}

/** Passes one call through the faults. */
function callThrough(chance: Chance, gate: Gate, later: Later) {
  return async <T>(
    method: string,
    run: () => Promise<T>,
    change: (result: T, thrown: Throw) => T = (result) => result,
  ): Promise<T> => {
    const thrown = chance.toss(method)
    await gate.pass(method)
    const fate = chance.pick(thrown.fate, ['failBefore', 'failAfter'])
    if (fate === 'failBefore') throw new Error(`chaos: ${method} failed before it took effect`)
    const result = await run()
    if (fate === 'failAfter') throw new Error(`chaos: ${method} failed after it took effect`)
    if (chance.isHit('delayed', thrown.late)) {
      await new Promise<void>((resolve) => later(thrown.length, resolve))
    }
    // The response may be lost too.
    await gate.pass(method)
    return change(result, thrown)
  }
}

function hideNew(frozen: Frozen | undefined, after: { readonly epoch: string }, page: Page): Page {
  if (frozen === undefined) return page
  const { head } = frozen
  const last = after.epoch === head?.epoch ? head.seq : 0
  return { events: page.events.filter(({ seq }) => seq <= last), floor: page.floor }
}

function repeatSome<T>(chance: Chance, events: readonly T[], { again, length }: Throw): T[] {
  if (events.length === 0 || !chance.isHit('repeated', again)) return [...events]
  const at = Math.floor(length * events.length)
  return [...events.slice(0, at + 1), ...events.slice(at)]
}
