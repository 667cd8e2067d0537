/**
 * One process of a node: a real follower with a real index, and a simulated keyring and store.
 *
 * @module
 */

import { sweep } from '../../src/authority/sweep.js'
import type { Position } from '../../src/feed/feed.js'
import type { IncidentKind } from '../../src/observe/incident-kind.js'
import { Follower } from '../../src/revocation/follower/follower.js'
import type { FollowerKeys, StoreChanges } from '../../src/revocation/follower/follower-options.js'
import type {
  RestrictedEntry,
  RevocationEntry,
  RotatedEntry,
} from '../../src/revocation/index/entries.js'
import {
  REVOKED,
  RevocationIndex,
  type TokenFacts,
} from '../../src/revocation/index/revocation-index.js'
import type { PurgeBefore, Purged } from '../../src/store/store.js'
import type { LocalKey } from '../../src/token/paserk.js'
import type { Dice } from './dice.js'
import type { Line, Network } from './network.js'
import type { SharedStore } from './store.js'
import { type MachineClock, machineClock, type Owner, type Time } from './time.js'

export const AUDIENCE = 'orders-api'
export const MAX_STALENESS_MS = 2000
export const TOLERANCE_MS = 500
export const DEADLINE_MS = 600
/** The grace of a rotated token. */
export const GRACE_MS = 2500
const MAX_SKEW_MS = 60_000
const KEY_COOL_DOWN_MS = 1000

/** Options of a process. */
export interface ProcessOptions {
  readonly name: string
  readonly time: Time
  readonly dice: Dice
  readonly network: Network
  readonly store: SharedStore
  /** Every possible key, by id. */
  readonly vault: ReadonlyMap<string, LocalKey>
  readonly offset: number
  /** The longest log without a snapshot, in events. */
  readonly maxLog: number
  /** The interval of renewals, in milliseconds. A member that is silent for four of them has ended. */
  readonly renewMs: number
  readonly onIncident: (kind: IncidentKind) => void
}

/** One process of a node, from its start to its end. */
export class Process {
  readonly owner: Owner = { dead: false, suspended: false, waiting: [] }
  readonly name: string
  readonly index = new RevocationIndex()
  readonly machine: MachineClock
  readonly line: Line
  readonly follower: Follower
  readonly #options: ProcessOptions
  readonly #keys: Set<string>
  #askedForKeys = Number.NEGATIVE_INFINITY
  #wasCutOff = false
  /** When it started, in milliseconds since the start of the world. */
  readonly startedAt: number
  /** When the store last replied to a read of recent changes. */
  toldAt = Number.NEGATIVE_INFINITY

  constructor(options: ProcessOptions) {
    const { name, time, dice, network, store, maxLog, renewMs, offset, onIncident } = options
    this.#options = options
    this.name = name
    this.startedAt = time.now
    this.machine = machineClock(time, this.owner, offset)
    this.line = network.line(this.owner)
    this.#keys = new Set(store.keys)
    const more = {
      feed: this.line.feed,
      index: this.index,
      keys: this.#keyring(),
      clock: this.machine.clock,
      node: name,
      deadlineMs: DEADLINE_MS,
      maxStalenessMs: MAX_STALENESS_MS,
      toleranceMs: TOLERANCE_MS,
      maxSkewMs: MAX_SKEW_MS,
      maxEntries: 100_000,
      backfill: store.durable ? () => this.backfill() : undefined,
      reconcile: store.durable ? this.changes() : undefined,
      storeTime: store.durable && store.hasClock ? () => this.#storeTime() : undefined,
      storeIdentity: undefined,
      renewMs,
      onIncident,
      maxLog,
    }
    this.follower = withRandom(dice.next, () => new Follower(more))
    this.follower.hold()
  }

  /** Starts to follow the log. Retries if that fails. */
  start(): void {
    void this.follower.time
      .look()
      .then(() => this.follower.start())
      .catch(() => undefined)
  }

  /** Ends without `leave`, as a killed process does. */
  kill(): void {
    this.owner.dead = true
    this.owner.waiting.length = 0
  }

  /** Whether it would accept any token. */
  get isFresh(): boolean {
    return this.follower.freshness.within(MAX_STALENESS_MS, this.machine.clock.judged())
  }

  /** Whether the store does not reply to it, or did not reply the last time. */
  get isCutOff(): boolean {
    const { store } = this.#options
    return store.isDown || store.deafTo.has(this.owner) || this.#wasCutOff
  }

  /** Its position in the log. */
  get place(): string {
    const { epoch, seq } = this.follower.position
    return `${epoch.slice(0, 4)}/${seq}`
  }

  /** Whether its clock is wrong by at most minutes. */
  get isAboutRight(): boolean {
    return Math.abs(this.machine.offset) < 5 * MAX_SKEW_MS
  }

  /** Whether its clock is currently right. */
  get isRight(): boolean {
    return Math.abs(this.machine.offset) <= TOLERANCE_MS
  }

  /** Whether the index has the token as revoked. */
  denies(token: TokenFacts): boolean {
    return this.index.deadline(token) === REVOKED
  }

  /** Whether the index ends the token at the time of the entry, or earlier. */
  ends(token: TokenFacts, entry: RevocationEntry): boolean {
    const from = entry.kind === 'rotated' ? entry.from : null
    return this.index.deadline(token) <= (from ?? REVOKED)
  }

  /** Whether the token is expired or not yet valid on this node's clock. */
  isOutOfTime({ issuedAt, expiresAt }: TokenFacts): boolean {
    const now = this.machine.clock.judged()
    return issuedAt - TOLERANCE_MS > now || expiresAt + TOLERANCE_MS <= now
  }

  /** The time of issue of a token that this subject gets now. */
  issuedAt(subject: string): number {
    return Math.max(this.machine.clock.now(), this.index.watermark(subject, AUDIENCE) + 1)
  }

  /** The latest time of issue that a revocation of this subject covers now. */
  reach(subject: string): number {
    const { clock } = this.machine
    const lived = Math.max(clock.now(), clock.judged())
    return Math.max(lived + TOLERANCE_MS / 2, this.index.latestAround('subject', subject) + 1)
  }

  /** Revokes as an authority does: in the index, in the feed, and in the store. */
  async revoke(entry: RevocationEntry): Promise<Position> {
    const at = this.follower.time.stamp()
    this.index.apply(entry)
    const position = await this.follower.publish([entry]).catch(async (error: unknown) => {
      await this.#keep(entry, at).catch(() => undefined)
      throw error
    })
    await this.#keep(entry, at)
    return position
  }

  /** Rotates as an authority does: in the store, then in the index and the feed. */
  async rotate(entry: RotatedEntry): Promise<Position> {
    await this.#keep(entry, this.follower.time.stamp())
    return this.follower.publish([entry])
  }

  /** Restricts as an authority does: by compare-and-set in the store, then in the index and the feed. */
  async restrict(
    subject: string,
    state: string,
    expiresAt: number,
  ): Promise<{ readonly entry: RestrictedEntry; readonly position: Position }> {
    const { store } = this.#options
    for (;;) {
      await store.ask(this.owner)
      const revision = store.revisionOf(subject) + 1
      await store.ask(this.owner)
      const target = { target: 'subject', value: subject, descent: null } as const
      const entry = { kind: 'restricted', ...target, revision, state, expiresAt } as const
      const isWritten = store.write(entry, this.follower.time.stamp())
      // The response may be lost.
      await store.ask(this.owner)
      if (!isWritten) continue
      this.index.apply(entry)
      return { entry, position: await this.follower.publish([entry]) }
    }
  }

  /** Whether it has applied the entry, or a later one of the same target. */
  covers(entry: RevocationEntry): boolean {
    return this.index.covers(entry)
  }

  async #keep(entry: RevocationEntry, at: number): Promise<void> {
    const { store } = this.#options
    await store.ask(this.owner)
    store.keep(entry, at)
  }

  /** Loads the revocations of the store into the index. */
  async backfill(): Promise<void> {
    const { store } = this.#options
    await store.ask(this.owner)
    store.readAfter('0', this.index)
  }

  /** Reads recent changes of the store: by order of arrival, or, for a node that starts, by the clocks of the nodes. */
  changes(): StoreChanges {
    const { time, store } = this.#options
    return {
      begin: async () => {
        await store.ask(this.owner)
        return store.cursor
      },
      since: async (into, cursor) => {
        const asked = time.now
        this.#wasCutOff = this.isCutOff
        await store.ask(this.owner)
        this.#wasCutOff = false
        this.toldAt = asked
        store.readAfter(cursor, into)
        return store.cursor
      },
      recent: async (into, since) => {
        await store.ask(this.owner)
        store.readSince(since, into)
      },
      all: async (into) => {
        await store.ask(this.owner)
        store.readAfter('0', into)
      },
    }
  }

  /** Runs the sweep of each minute: compares the clocks and drops expired entries. */
  sweep(): Promise<void> {
    return sweep({
      index: this.index,
      follower: this.follower,
      store: { purge: (before) => this.#purge(before) },
      callStore: (call) => call(),
      trail: { note: () => {} },
      options: {
        audit: undefined,
        keys: { rotateEveryMs: 0, publishAheadMs: 0 },
        usage: { keepMs: 0 },
      },
      usage: undefined,
      restrictions: undefined,
      // Each sweep also purges.
      state: { closed: this.owner.dead, purgeAt: Number.NEGATIVE_INFINITY },
    })
  }

  async #purge({ revocations, ...rest }: PurgeBefore): Promise<Purged> {
    const { store } = this.#options
    if (store.durable) await store.ask(this.owner)
    store.purge(revocations)
    return { ...rest, revocations }
  }

  async #storeTime(): Promise<number> {
    const { store } = this.#options
    await store.ask(this.owner)
    return store.now
  }

  /** Loads the keys of the store. */
  async readKeys(): Promise<void> {
    const { store } = this.#options
    await store.ask(this.owner)
    for (const id of store.keys) this.#keys.add(id)
  }

  #keyring(): FollowerKeys {
    const { vault, store, time } = this.#options
    const opening = (id: string) => (this.#keys.has(id) ? vault.get(id) : undefined)
    return {
      opening,
      sealing: () => {
        const id = store.keys.findLast((each) => this.#keys.has(each)) as string
        return { id, key: vault.get(id) as LocalKey }
      },
      ready: async () => undefined,
      refresh: async () => {
        if (time.now - this.#askedForKeys < KEY_COOL_DOWN_MS) return
        this.#askedForKeys = time.now
        await this.readKeys().catch(() => undefined)
      },
    }
  }
}

// The follower's jitter comes from the seed.
function withRandom<T>(random: () => number, make: () => T): T {
  const before = Math.random
  Math.random = random
  try {
    return make()
  } finally {
    Math.random = before
  }
}
