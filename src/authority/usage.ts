/**
 * The usage of one authority: its counters, its life in the store, and the lives that other processes lost.
 *
 * @module
 */
import { randomInt } from 'node:crypto'
import type { ResolvedClock } from '../lib/clock.js'
import type { StoreCall } from '../observe/failures.js'
import { UsageKeeper } from '../observe/usage/keeper.js'
import { Lives } from '../observe/usage/life.js'
import { lifeMaker } from '../observe/usage/life-id.js'
import { LostLives, SILENCE_MS } from '../observe/usage/lost-lives.js'
import { UsageRecorder } from '../observe/usage/recorder.js'
import type { ResolvedOptions } from '../options/options.js'
import type { Store } from '../store/store.js'
import type { UsageStore } from '../store/usage.js'
import type { OwnUsage } from '../verbs/usage-gaps.js'

/** The precision of the jitter. */
const PARTS = 1_000_000

/** Everything about usage, for a store that keeps it. */
export interface UsageParts {
  readonly part: UsageStore
  readonly lives: Lives
  readonly lostLives: LostLives
  /** `undefined` if this node does not count. */
  readonly recorder: UsageRecorder | undefined
  readonly keeper: UsageKeeper
  /** The usage of this process, for reports. */
  readonly own: OwnUsage
}

/** What usage needs to know about the feed. */
export interface Fleet {
  /** The id of this node as a member of the feed. */
  readonly member: string
  /** The other members whose entries have not ended. */
  readonly others: readonly { readonly life: string; readonly name: string }[]
  readonly freshness: { within(limitMs: number, now: number): boolean }
  readonly time: { certain(): number | undefined; stamp(): number }
}

/** The parts that usage depends on. */
export interface UsageBase {
  readonly options: ResolvedOptions
  readonly clock: ResolvedClock
  readonly store: Store
  readonly callStore: StoreCall
  readonly follower: Fleet
  /** Whether other processes share the feed. */
  readonly isShared: boolean
}

/** Creates the parts; `undefined` for a store that keeps no usage. */
export function makeUsage(base: UsageBase): UsageParts | undefined {
  const { options, clock, store, callStore: call, follower, isShared } = base
  const part = store.usage
  if (part === undefined) return undefined
  const { counts, scopes, callers, flushEveryMs } = options.usage
  const stops = isShared && options.onStale === 'reject' && options.onStart !== 'accept'
  const lives = new Lives({
    clock,
    node: options.node,
    newLife: lifeMaker(follower.member, stops),
    agrees: () => follower.time.certain() !== undefined,
    isCertain: store.now !== undefined,
    stamp: () => follower.time.stamp(),
    maxSilenceMs: SILENCE_MS / 2,
  })
  const recorder = counts
    ? new UsageRecorder({
        scopes,
        callers,
        caches: options.cache !== undefined,
        life: () => lives.current.life,
        onTime: (now) => lives.compare(now),
        onLost: (at) => lives.lose(at, at + 1),
      })
    : undefined
  const keeper = new UsageKeeper({
    clock,
    part,
    call,
    lives,
    recorder,
    flushEveryMs,
    random: () => randomInt(PARTS) / PARTS,
  })
  const lostLives = new LostLives({
    clock,
    part,
    call,
    isOwn: (life) => lives.isOwn(life),
    members: () =>
      isShared && follower.freshness.within(options.maxStalenessMs, clock.judged())
        ? follower.others.map(({ life }) => life)
        : undefined,
  })
  const own: OwnUsage = {
    part,
    life: () => lives.current,
    flush: () => keeper.flush(),
    members: () => follower.others,
  }
  return { part, lives, lostLives, recorder, keeper, own }
}
