/**
 * Random histories of processes that count uses into one store: with crashes, partitions, lost writes, restarts and
 * clock steps. The naive model knows every use; a report must not know less without saying so.
 *
 * @module
 */
import { encodeTime } from 'ulid'
import { expect } from 'vitest'
import { type ResolvedClock, resolveClock } from '../../src/lib/clock.js'
import type { StoreCall } from '../../src/observe/failures.js'
import type { Counted } from '../../src/observe/usage/counted.js'
import { UsageKeeper } from '../../src/observe/usage/keeper.js'
import { Lives } from '../../src/observe/usage/life.js'
import { lifeMaker } from '../../src/observe/usage/life-id.js'
import { LostLives, SILENCE_MS } from '../../src/observe/usage/lost-lives.js'
import { UsageRecorder } from '../../src/observe/usage/recorder.js'
import { memoryUsage } from '../../src/store/memory/usage.js'
import type { UsageStore } from '../../src/store/usage.js'
import { generator } from '../../src/testkit/random.js'
import type { Core } from '../../src/verbs/core.js'
import { tokenUsage } from '../../src/verbs/usage.js'
import { DAY, HOUR, MINUTE, SECOND } from './constants.js'

const START = Date.UTC(2026, 0, 1)
const SKEW = MINUTE
const STALE_MS = 5 * SECOND
const ENTRY_MS = 2 * MINUTE
const KEEP = 30 * DAY
// Around the ends of a gap, a use may be on either side: by the tolerance of clocks, and by a step that is none.
const MARGIN = SKEW + 10 * SECOND

/** A number in [0, 1). */
type Dice = () => number

interface Use {
  readonly token: string
  readonly at: number
}

interface Member {
  readonly life: string
  readonly name: string
  seenAt: number
}

/** What all processes share, and what the model knows. */
class World {
  now = START
  readonly dice: Dice
  readonly part: UsageStore = memoryUsage(async (work) => work())
  readonly uses: Use[] = []
  readonly members = new Map<string, Member>()
  readonly tokens: readonly string[]
  nodes: Process[] = []
  /** Decides what happens during a call of the store, and which processes do not count; `undefined` for never. */
  readonly odd: Dice | undefined
  #count = 0

  constructor(dice: Dice, odd: Dice | undefined) {
    this.dice = dice
    this.odd = odd
    // Many, so that most have few uses and none of them can stand for another.
    const ends = Array.from({ length: 60 }, (_, i) => `${i}`.padStart(16, '0'))
    this.tokens = ends.map((end) => encodeTime(START, 10) + end)
  }

  below(max: number): number {
    return Math.floor(this.dice() * max)
  }

  /** Whether an odd event with this chance happens. */
  happens(chance: number): boolean {
    return this.odd !== undefined && this.odd() < chance
  }

  /** A token for an odd use. */
  oddToken(): string {
    return this.tokens[Math.floor((this.odd?.() ?? 0) * this.tokens.length)] as string
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }

  async start(): Promise<void> {
    const node = new Process(this, this.#count++)
    this.nodes.push(node)
    await node.keeper.start()
  }

  present(): readonly Member[] {
    return [...this.members.values()].filter(({ seenAt }) => this.now - seenAt < ENTRY_MS)
  }

  /** Every running process does what it does about once a minute. */
  async minute(ms: number): Promise<void> {
    this.now += ms
    for (const node of this.nodes) node.renew()
    for (const node of this.nodes) await node.tick()
    this.nodes = this.nodes.filter(({ isDead }) => !isDead)
  }
}

class Process {
  readonly world: World
  readonly name: string
  readonly member: string
  readonly clock: ResolvedClock
  readonly lives: Lives
  readonly recorder: UsageRecorder
  readonly keeper: UsageKeeper
  readonly lost: LostLives
  readonly acceptsStale: boolean
  readonly counts: boolean
  readonly entries = new Map<string, Counted>()
  offset = 0
  isDead = false
  isClosing = false
  hasStore = true
  hasFeed = true
  freshAt: number

  constructor(world: World, number: number) {
    this.world = world
    this.name = `node ${number}`
    this.member = Buffer.alloc(16, `${number}:member`).toString('base64url')
    this.freshAt = world.now
    this.acceptsStale = world.below(30) === 0
    this.counts = !world.happens(0.1)
    if (world.below(25) === 0) this.offset = world.pick([-3 * DAY, -2 * HOUR, 2 * HOUR, 3 * DAY])
    this.clock = resolveClock({
      now: () => world.now + this.offset,
      monotonic: () => world.now,
      setTimer: () => ({ cancel: () => {} }),
    })
    this.lives = new Lives({
      clock: this.clock,
      node: this.name,
      newLife: lifeMaker(this.member, !this.acceptsStale),
      agrees: () => Math.abs(this.offset) <= SKEW,
      isCertain: true,
      stamp: () => (Math.abs(this.offset) <= SKEW ? this.clock.now() : world.now),
      maxSilenceMs: SILENCE_MS / 2,
    })
    const { clock, lives } = this
    const { part } = world
    const call: StoreCall = (work) => this.#call(work)
    this.recorder = new UsageRecorder({
      scopes: true,
      callers: true,
      caches: true,
      max: world.below(10) === 0 ? 4 : 100,
      life: () => lives.current.life,
      onTime: (now) => lives.compare(now),
      onLost: (at) => lives.lose(at, at + 1),
    })
    const { recorder } = this
    const keeping = { clock, part, call, lives, flushEveryMs: MINUTE, random: world.dice }
    this.keeper = new UsageKeeper({ ...keeping, recorder: this.counts ? recorder : undefined })
    this.lost = new LostLives({
      clock,
      part,
      call,
      isOwn: (life) => lives.isOwn(life),
      members: () => (this.hasFeed ? world.present().map(({ life }) => life) : undefined),
    })
    this.renew()
  }

  #isStarted = false

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const fate = this.#isStarted ? this.world.below(150) : 149
    this.#isStarted = true
    if (fate === 0) this.isDead = true
    if (this.isDead || !this.hasStore || fate < 3) throw new Error('the store is out of reach')
    const result = await work()
    if (this.world.happens(0.002)) this.offset = this.offset === 0 ? -2 * HOUR : 0
    if (this.world.happens(0.01)) this.use(this.world.oddToken())
    if (fate < 5) throw new Error('the response was lost')
    return result
  }

  renew(): void {
    const { world, member: life, name } = this
    if (this.isDead || !this.hasFeed) return
    this.freshAt = world.now
    world.members.set(life, { life, name, seenAt: world.now })
  }

  async tick(): Promise<void> {
    if (this.isDead) return
    await this.keeper.flush().catch(() => undefined)
    const agreed = Math.abs(this.offset) <= SKEW
    if (!this.isDead && agreed) await this.lost.check(this.world.now).catch(() => undefined)
  }

  use(token: string): void {
    const { world, clock, recorder } = this
    const isFresh = this.hasFeed || world.now - this.freshAt <= STALE_MS
    if (this.isDead || this.isClosing || (!isFresh && !this.acceptsStale)) return
    world.uses.push({ token, at: world.now })
    if (!this.counts) return
    const entry: Counted = this.entries.get(token) ?? {
      principal: { id: token, scopes: ['orders:*'] },
      met: { allOf: ['orders:read'], anyOf: [] },
      uses: 0,
      reportedMinute: -1,
      hour: undefined,
      slot: 0,
    }
    this.entries.set(token, entry)
    const now = clock.judged()
    const minute = Math.floor(now / MINUTE)
    if (entry.reportedMinute !== minute) recorder.report(entry, minute, now)
    entry.uses++
    if (world.below(8) === 0) {
      // It leaves the cache.
      this.entries.delete(token)
      recorder.release(entry, clock.recent())
    }
  }

  async close(): Promise<void> {
    // As an authority, which refuses every token before it writes its last counts.
    this.isClosing = true
    await this.keeper.close().catch(() => undefined)
    if (this.hasFeed) this.world.members.delete(this.member)
    this.isDead = true
  }

  /** The fault of a report of this process, if it has one. */
  async fault(token: string): Promise<string | undefined> {
    const { world, clock, lives } = this
    const core = {
      clock,
      callStore: (work: () => Promise<unknown>) => this.#call(work),
      options: { usage: { keepMs: KEEP } },
    } as unknown as Core
    const own = {
      part: world.part,
      life: () => lives.current,
      flush: () => this.keeper.flush(),
      members: () => world.present().filter(({ life }) => life !== this.member),
    }
    const since = world.pick(['1h', '2h', '1d', '3d', '20d'])
    const report = await tokenUsage(core, own, { id: token }, { since }).catch(() => undefined)
    if (report?.kept !== true) return undefined
    const all = world.uses.filter((use) => use.token === token)
    const { from, to, requests, coverage, lastUsedAt } = report
    const certain = all.filter(
      ({ at }) =>
        at >= from + MARGIN &&
        at <= to - MARGIN &&
        !coverage.gaps.some((gap) => at >= gap.from - MARGIN && at <= gap.to + MARGIN),
    )
    const last = certain.at(-1)?.at ?? 0
    if (requests > all.length) return `counted ${requests} of ${all.length}`
    if (requests < certain.length) return `counted ${requests} of ${certain.length} in ${since}`
    if ((lastUsedAt ?? 0) < last - MARGIN) return `last used at ${lastUsedAt}, not ${last}`
    if (coverage.complete && requests === 0 && certain.length > 0) return 'never used'
    return undefined
  }
}

/** One step of a history; every eighth history has odd events too. */
async function step(world: World): Promise<void> {
  const node = world.nodes.length === 0 ? undefined : world.pick(world.nodes)
  const dice = world.below(100)
  if (node === undefined || (dice < 4 && world.nodes.length < 3)) await world.start()
  else if (dice < 40) for (let i = world.below(4); i >= 0; i--) node.use(world.pick(world.tokens))
  else if (dice < 62) await world.minute(world.pick([SECOND, 30 * SECOND, MINUTE, 90 * SECOND]))
  else if (dice < 71) for (let i = 0; i < 45; i++) await world.minute(90 * SECOND)
  else if (dice < 73) await world.minute(world.pick([HOUR, 5 * HOUR, 3 * DAY]))
  else if (dice < 77 || !node.hasStore) node.hasStore = !node.hasStore
  else if (dice < 80 || !node.hasFeed) node.hasFeed = !node.hasFeed
  else if (dice < 82) node.isDead = true
  else if (dice < 84) await node.close()
  else if (dice < 88 || node.offset !== 0)
    node.offset =
      node.offset !== 0 ? 0 : world.pick([-3 * DAY, -2 * HOUR, -30 * MINUTE, 20 * MINUTE, 3 * DAY])
  else if (dice < 90)
    await world.part.purge({
      foldUntil: world.now - 50 * HOUR,
      removeUntil: world.now - KEEP - MINUTE,
    })
  world.nodes = world.nodes.filter(({ isDead }) => !isDead)
}

/** Plays one history. Returns the fault of the first wrong report, and the number of reports and of complete ones. */
export async function playHistory(seed: number): Promise<{
  readonly fault: string | undefined
  readonly reports: number
}> {
  const next = generator(`usage ${seed}`)
  const odd = generator(`odd usage ${seed}`)
  const isOdd = seed % 8 === 7
  const world = new World(() => next() / 2 ** 32, isOdd ? () => odd() / 2 ** 32 : undefined)
  let reports = 0
  await world.start()
  for (let i = 0; i < 60; i++) {
    await step(world)
    const node = world.nodes.find(({ offset }) => Math.abs(offset) <= SKEW)
    if (node === undefined || world.below(3) > 0) continue
    reports++
    for (const token of new Set(world.uses.slice(-20).map((use) => use.token))) {
      const fault = await node.fault(token)
      if (fault !== undefined) return { fault: `step ${i}: ${fault}`, reports }
    }
  }
  return { fault: undefined, reports }
}

/** Plays every `step`th history from `first` to `last`, all without a fault. Returns the number of reports. */
export async function expectNoFault(first: number, last: number, step = 1): Promise<number> {
  let reports = 0
  for (let seed = first; seed <= last; seed += step) {
    const history = await playHistory(seed)
    expect({ seed, fault: history.fault }).toEqual({ seed, fault: undefined })
    reports += history.reports
  }
  return reports
}
