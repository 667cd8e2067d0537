/**
 * The keyring: the keys that this process can open and seal with, kept equal to the store.
 *
 * Verifying never waits for it: an unknown key is answered from memory, and the store is asked at most once per
 * cool-down, however many tokens name keys that do not exist.
 *
 * @module
 */
import type { ResolvedClock, Timer } from '../clock.js'
import { WatchwordError } from '../errors.js'
import { corruptIdsOf, readKeys, recordsOf } from '../store/checked.js'
import type { KeyRecord, Store } from '../store/store.js'
import { destroyKey, generateKey, keyId, type LocalKey } from '../token/paserk.js'
import type { KeyInfo } from './key-info.js'
import { Ring, type RingKey } from './ring.js'
import { openKey, type RootKey } from './root-key.js'
import {
  issuingKey,
  type KeySchedule,
  keyState,
  newestKey,
  nextKey,
  rotationDueAt,
} from './rotation.js'

/** What the keyring needs. */
export interface KeyringOptions {
  readonly store: Store
  readonly clock: ResolvedClock
  /** The root key in use, then those that are being replaced. */
  readonly roots: readonly [RootKey, ...RootKey[]]
  readonly audiences: readonly string[]
  readonly schedule: KeySchedule
  /** How often the store is asked for new keys, in milliseconds. */
  readonly refreshEveryMs: number
  /** How long an unknown key keeps the store from being asked again, in milliseconds. */
  readonly coolDownMs: number
  /** Makes the implicit assertion of an audience's tokens. */
  readonly assertionOf: (audience: string) => Uint8Array
  /** Whether the node knows the key to be revoked. */
  readonly isRevoked: (keyId: string) => boolean
  /** Told of each stored key that is marked revoked, so that a feed that lost its log forgets nothing. */
  readonly onRevoked: (record: KeyRecord) => void
  /** Runs a call to the store under the authority's deadline. */
  readonly call: <T>(call: () => Promise<T>) => Promise<T>
  /** Told of each key that this node made, and of each that it cannot open. */
  readonly onEvent: (event: 'key.created' | 'key.unreadable', record: KeyRecord) => void
}

const MAX_RACES = 10

/** The keys of one authority. */
export class Keyring {
  readonly #options: KeyringOptions
  readonly #ring: Ring
  // Rows that do not parse: nobody can say whose they are, so they count as unreadable.
  #corrupt = 0
  readonly #unreadable = new Set<string>()
  #records: readonly KeyRecord[] = []
  #others: readonly KeyRecord[] = []
  #refreshing: Promise<void> | undefined
  #askedAt = Number.NEGATIVE_INFINITY
  // What became of the last read, if it failed.
  #failure: unknown
  #timer: Timer | undefined
  #closed = false
  // Where in the rotation's window this node acts, so that the nodes of a fleet do not all act at once.
  readonly #share = Math.random()

  constructor(options: KeyringOptions) {
    this.#options = options
    this.#ring = new Ring(options.assertionOf)
  }

  /**
   * Loads the keys, makes the first one of each audience that has none, and keeps both up from then on.
   *
   * Rejects with `ERR_ROOT_KEY` when a stored key does not open: starting anyway would mint under keys that the rest
   * of the fleet does not share.
   */
  async start(): Promise<void> {
    await this.refresh()
    if (this.#unreadable.size > 0) {
      const [id] = this.#unreadable
      throw new WatchwordError('ERR_ROOT_KEY', 'rootKey: it does not open the keys in the store', {
        detail: `key ${id}`,
      })
    }
    await this.maintain()
    this.#schedule()
  }

  /** Forgets every key. */
  stop(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const id of this.#ring.ids()) this.#ring.drop(id)
  }

  /** The key of this id, if it is at hand; whether it may still open is for the caller to judge by its times. */
  get(id: string): RingKey | undefined {
    return this.#ring.get(id)
  }

  /** The id of the key at hand whose footer text is what the token has from `start` on. */
  get endingOf(): Ring['endingOf'] {
    return this.#ring.endingOf
  }

  /** The key that seals for this audience now. Makes one if there is none. Rejects with `ERR_NO_SIGNING_KEY`. */
  async issuing(audience: string): Promise<RingKey> {
    const key = this.issuingNow(audience)
    if (key !== undefined) return key
    await this.refresh()
    await this.#rotateIfDue(audience)
    const made = this.issuingNow(audience)
    if (made === undefined)
      throw new WatchwordError('ERR_NO_SIGNING_KEY', 'no key can seal for this audience')
    return made
  }

  /** A key that seals for any audience now. Makes one if there is none. Rejects with `ERR_NO_SIGNING_KEY`. */
  issuingAny(): Promise<RingKey> {
    return this.issuing(this.#options.audiences[0] as string)
  }

  /** Every record that the store had when it was last read, those of other audiences and expired ones included. */
  get stored(): readonly KeyRecord[] {
    return [...this.#records, ...this.#others]
  }

  /** The key that seals for this audience now, if it is at hand. */
  issuingNow(audience: string): RingKey | undefined {
    const record = issuingKey(this.#ofAudience(audience), this.#options.clock.now())
    return record === undefined ? undefined : this.#ring.get(record.id)
  }

  /** Reads the store now. One read at a time; joiners share it. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh()
      .then(() => {
        this.#failure = undefined
      })
      .catch((failure: unknown) => {
        this.#failure = failure
        throw failure
      })
      .finally(() => {
        this.#refreshing = undefined
      })
    return this.#refreshing
  }

  /** Whether the cool-down is over, so that an unknown key may make this node read the store. */
  mayAsk(): boolean {
    return this.#options.clock.monotonic() - this.#askedAt >= this.#options.coolDownMs
  }

  /** Reads the store for a key that is not at hand, unless that was done within the cool-down. Answers whether it was. */
  async refreshForUnknown(): Promise<boolean> {
    if (this.#refreshing === undefined) {
      if (!this.mayAsk()) return false
      this.#askedAt = this.#options.clock.monotonic()
    }
    await this.refresh()
    return true
  }

  /**
   * Like `refreshForUnknown`, for who must not mistake an outage for an answer: rejects with `ERR_STORE_UNAVAILABLE`
   * also within the cool-down, when the last read failed.
   */
  async lookForUnknown(): Promise<void> {
    const asked = await this.refreshForUnknown()
    if (!asked && this.#failure !== undefined) throw this.#failure
  }

  /** Makes every key that is due. */
  async maintain(): Promise<void> {
    for (const audience of this.#options.audiences) await this.#rotateIfDue(audience)
  }

  /** Publishes a successor for one audience, or for all, without waiting for the schedule. */
  async rotate(audience?: string): Promise<readonly KeyInfo[]> {
    await this.refresh()
    const audiences = audience === undefined ? this.#options.audiences : [audience]
    const made: KeyInfo[] = []
    for (const each of audiences) made.push(this.#info(await this.#create(each, 'soon')))
    return made
  }

  /** Wraps every key that another root key wrapped with the one in use. Resumable; answers how many it wrapped. */
  async rewrap(): Promise<number> {
    await this.refresh()
    const [root] = this.#options.roots
    let count = 0
    for (const record of this.#records) {
      const ringKey = this.#ring.get(record.id)
      if (record.wrappedBy === root.id || ringKey === undefined) continue
      const next = { wrapped: await root.seal(ringKey.key), wrappedBy: root.id }
      const done = await this.#options.call(() =>
        this.#options.store.rewrapKey(record.id, record.wrapped, next),
      )
      if (done) count++
    }
    await this.refresh()
    return count
  }

  /** Every key of this authority's audiences, oldest first. */
  list(): readonly KeyInfo[] {
    return [...this.#records]
      .sort((a, b) => a.createdAt - b.createdAt)
      .map((record) => this.#info(record))
  }

  /** How many stored keys could not be opened. */
  get unreadable(): number {
    return this.#unreadable.size + this.#corrupt
  }

  #info(record: KeyRecord): KeyInfo {
    const { wrapped: _, ...shown } = record
    const ofAudience = this.#ofAudience(record.audience)
    const current = ofAudience.find(({ id }) => id === record.id) ?? record
    return {
      ...shown,
      revokedAt: current.revokedAt,
      state: keyState(current, ofAudience, this.#options.clock.now()),
    }
  }

  // The feed may know of a revocation before the row does.
  #ofAudience(audience: string): KeyRecord[] {
    const { isRevoked, clock } = this.#options
    return this.#records
      .filter((record) => record.audience === audience)
      .map((record) =>
        record.revokedAt === null && isRevoked(record.id)
          ? { ...record, revokedAt: clock.now() }
          : record,
      )
  }

  async #refresh(): Promise<void> {
    const { store, clock, audiences, call } = this.#options
    const known = this.#records
    const rows = await call(() => readKeys(store))
    this.#corrupt = corruptIdsOf(rows).length
    const everything = recordsOf(rows)
    const read = everything.filter((record) => audiences.includes(record.audience))
    this.#others = everything.filter((record) => !audiences.includes(record.audience))
    for (const record of read) if (record.revokedAt !== null) this.#options.onRevoked(record)
    // A revoked key stays at hand to the end: its tokens are answered as revoked, not as unknown.
    for (const record of read) {
      if (clock.now() < record.expiresAt && this.#ring.get(record.id) === undefined)
        await this.#open(record)
    }
    if (this.#closed) return this.stop()
    this.#replaceRecords(known, read)
  }

  #replaceRecords(known: readonly KeyRecord[], read: readonly KeyRecord[]): void {
    // What this node inserted while the store was being read is not in the answer, and must not be dropped for that.
    const made = this.#records.filter(
      (record) => !known.includes(record) && !read.some(({ id }) => id === record.id),
    )
    this.#records = [...read, ...made]
    const now = this.#options.clock.now()
    const alive = new Set(
      this.#records.flatMap(({ id, expiresAt }) => (now < expiresAt ? [id] : [])),
    )
    for (const id of this.#ring.ids()) if (!alive.has(id)) this.#ring.drop(id)
  }

  async #open(record: KeyRecord): Promise<void> {
    const key = await openKey(record, this.#options.roots)
    if (key === undefined) {
      if (!this.#unreadable.has(record.id)) this.#options.onEvent('key.unreadable', record)
      this.#unreadable.add(record.id)
      return
    }
    this.#unreadable.delete(record.id)
    this.#ring.add(record, key)
  }

  async #rotateIfDue(audience: string): Promise<void> {
    const { clock, schedule } = this.#options
    const records = this.#ofAudience(audience)
    const now = clock.now()
    if (now >= rotationDueAt(records, schedule, this.#share, now))
      await this.#create(audience, 'due')
  }

  // The unique pair of audience and generation decides a race: whoever loses it takes the winner's key.
  async #create(audience: string, at: 'due' | 'soon'): Promise<KeyRecord> {
    const { store, call, onEvent } = this.#options
    for (let race = 0; race < MAX_RACES; race++) {
      const key = generateKey()
      let record: KeyRecord
      let inserted = false
      try {
        record = await this.#plan(audience, key, at)
        inserted = await call(() => store.insertKey(record))
      } finally {
        // An outage must not leave a key behind in memory for each try.
        if (!inserted) destroyKey(key)
      }
      if (inserted) {
        this.#ring.add(record, key)
        this.#records = [...this.#records, record]
        onEvent('key.created', record)
        return record
      }
      await this.refresh()
      const newest = newestKey(this.#ofAudience(audience))
      if (newest !== undefined && newest.generation >= record.generation) return newest
    }
    throw new WatchwordError('ERR_NO_SIGNING_KEY', 'no key can seal for this audience', {
      detail: 'the store refuses each generation, and lists none of them',
    })
  }

  async #plan(audience: string, key: LocalKey, at: 'due' | 'soon'): Promise<KeyRecord> {
    const { clock, schedule, roots } = this.#options
    const [root] = roots
    return {
      id: keyId(key),
      audience,
      ...nextKey(this.#ofAudience(audience), schedule, clock.now(), at),
      wrapped: await root.seal(key),
      wrappedBy: root.id,
      revokedAt: null,
    }
  }

  #schedule(): void {
    const delay = this.#options.refreshEveryMs * (0.9 + this.#share * 0.2)
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#closed) return
      // An outage here is no one's answer: the keys at hand stay good, and the next round tries again.
      void this.refresh()
        .then(() => this.maintain())
        .catch(() => undefined)
        .finally(() => {
          if (!this.#closed) this.#schedule()
        })
    }, delay)
  }
}
