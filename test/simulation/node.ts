/**
 * One process of a node: a real follower with a real index, and stand-ins for its keyring and its store.
 *
 * @module
 */

import type { Position } from '../../src/feed/feed.js'
import type { IncidentKind } from '../../src/observe/incident-kind.js'
import { Follower } from '../../src/revocation/follower/follower.js'
import type { FollowerKeys, StoreChanges } from '../../src/revocation/follower/follower-options.js'
import {
  REVOKED,
  RevocationIndex,
  type TokenFacts,
} from '../../src/revocation/index/revocation-index.js'
import type { RevocationEntry } from '../../src/revocation/log/event.js'
import type { LocalKey } from '../../src/token/paserk.js'
import type { Dice } from './dice.js'
import type { Line, Network } from './network.js'
import { type MachineClock, machineClock, type Owner, type Time } from './time.js'

export const AUDIENCE = 'orders-api'
export const MAX_STALENESS_MS = 2000
export const TOLERANCE_MS = 500
export const DEADLINE_MS = 600
const MAX_SKEW_MS = 60_000
const KEY_COOL_DOWN_MS = 1000
// A member that fell silent has ended after four of these.
const RENEW_MS = 1000

/** A revocation in the store, with when it was asked for by the clock of whoever did. */
export interface KeptRevocation {
  readonly entry: RevocationEntry
  readonly at: number
}

/** What the nodes of a world share beside the log. It answers late, or not at all. */
export interface Store {
  readonly durable: boolean
  isDown: boolean
  readonly revocations: KeptRevocation[]
  /** The ids of the keys, oldest first. */
  readonly keys: string[]
}

/** What a process needs. */
export interface ProcessOptions {
  readonly name: string
  readonly time: Time
  readonly dice: Dice
  readonly network: Network
  readonly store: Store
  /** Every key that there can be, by id. */
  readonly vault: ReadonlyMap<string, LocalKey>
  readonly offset: number
  /** The longest log without a snapshot, in events. */
  readonly maxLog: number
  readonly onIncident: (kind: IncidentKind) => void
}

/** One life of a node, from its start to its end. */
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
  /** When the store was last asked for what it took in lately, and answered. */
  toldAt = Number.NEGATIVE_INFINITY

  constructor(options: ProcessOptions) {
    const { name, time, dice, network, store, maxLog, offset, onIncident } = options
    this.#options = options
    this.name = name
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
      refill: store.durable ? () => this.refill() : undefined,
      recall: store.durable ? this.changes() : undefined,
      storeTime: undefined,
      storeIdentity: undefined,
      renewMs: RENEW_MS,
      onIncident,
      maxLog,
    }
    this.follower = withRandom(dice.next, () => new Follower(more))
    this.follower.hold()
  }

  /** Begins to follow; goes on trying when that fails. */
  start(): void {
    this.follower.start().catch(() => undefined)
  }

  /** Ends without a word, as a killed process does. */
  kill(): void {
    this.owner.dead = true
    this.owner.waiting.length = 0
  }

  /** Whether it would accept anything at all. */
  get isFresh(): boolean {
    return this.follower.freshness.within(MAX_STALENESS_MS, this.machine.clock.judged())
  }

  /** Whether the index denies the token. */
  denies(token: TokenFacts): boolean {
    return this.index.deadline(token) === REVOKED
  }

  /** Whether it refuses the token, fresh or not: as revoked, or as one of a time to come. */
  refuses(token: TokenFacts): boolean {
    return this.denies(token) || token.issuedAt - TOLERANCE_MS > this.machine.clock.judged()
  }

  /** When a token of this subject is issued now. */
  issuedAt(subject: string): number {
    return Math.max(this.machine.clock.now(), this.index.watermark(subject, AUDIENCE) + 1)
  }

  /** Up to when a revocation of this subject reaches now. */
  reach(subject: string): number {
    const { clock } = this.machine
    const lived = Math.max(clock.now(), clock.judged())
    return Math.max(lived + TOLERANCE_MS / 2, this.index.latestAround('subject', subject) + 1)
  }

  /** Revokes as an authority does: here, in the feed, in the store. */
  async revoke(entry: RevocationEntry): Promise<Position> {
    const { store } = this.#options
    const at = this.machine.clock.now()
    this.index.apply(entry)
    const mark = async () => {
      await this.#askStore()
      store.revocations.push({ entry, at })
    }
    const position = await this.follower.publish([entry]).catch(async (error: unknown) => {
      await mark().catch(() => undefined)
      throw error
    })
    await mark()
    return position
  }

  /** Puts into the index what the store has. */
  async refill(): Promise<void> {
    const { store } = this.#options
    await this.#askStore()
    for (const { entry } of store.revocations) this.index.apply(entry)
  }

  /** What the store has of late: by its order of arrival, and for a node that starts by the clocks of the nodes. */
  changes(): StoreChanges {
    const { time } = this.#options
    const { revocations } = this.#options.store
    return {
      begin: async () => {
        await this.#askStore()
        return String(revocations.length)
      },
      since: async (into, cursor) => {
        const asked = time.now
        await this.#askStore()
        this.toldAt = asked
        const { length } = revocations
        for (const { entry } of revocations.slice(Number(cursor), length)) into.apply(entry)
        return String(length)
      },
      recent: async (into, since) => {
        await this.#askStore()
        for (const { entry, at } of revocations) if (at >= since) into.apply(entry)
      },
    }
  }

  /** Reads the keys that the store has. */
  async readKeys(): Promise<void> {
    const { store } = this.#options
    await this.#askStore()
    for (const id of store.keys) this.#keys.add(id)
  }

  async #askStore(): Promise<void> {
    const { store, time } = this.#options
    await time.sleep(2, this.owner)
    if (store.isDown) throw new Error('the store is down')
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

// The follower spreads itself in time by chance: here by that of the seed.
function withRandom<T>(random: () => number, make: () => T): T {
  const before = Math.random
  Math.random = random
  try {
    return make()
  } finally {
    Math.random = before
  }
}
