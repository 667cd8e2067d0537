/**
 * The keyring: the keys that this process can open and seal with, kept in sync with the store.
 *
 * Verification never waits for it: `verify` decides about an unknown key from memory, and tokens with unknown keys
 * cause reads of the store at a limited rate, regardless of their number (see {@link KeyLookup}).
 *
 * @module
 */
import type { Timer } from '../lib/clock.js'
import type { Deadline } from '../lib/deadline.js'
import { corruptIdsOf, readKeys, recordsOf } from '../store/checked.js'
import type { KeyRecord } from '../store/store.js'
import { isDiscarded, isOver } from './discarded.js'
import { openIntactKey } from './intact-key.js'
import type { KeyInfo } from './key-info.js'
import { KeyLookup } from './key-lookup.js'
import { KeyMaker, type KeyMakerOptions, rewrapRow } from './key-maker.js'
import { ProvedRows } from './proved-rows.js'
import { Ring, type RingKey } from './ring.js'
import type { RootKey } from './root-key.js'
import { warnOfNewRoot, wrongRoot } from './root-proof.js'
import { issuingKey, keyState, noKeyError } from './rotation.js'

/** Options of the keyring. */
export interface KeyringOptions extends KeyMakerOptions {
  readonly audiences: readonly string[]
  /** The poll interval for new keys, in milliseconds. */
  readonly refreshEveryMs: number
  /** The maximum time that a request waits for the look-up of an unknown key. */
  readonly lookupDeadline: Deadline
  /** Creates the implicit assertion of an audience's tokens. */
  readonly assertionOf: (audience: string) => Uint8Array
  /** Whether the node knows the key to be revoked. */
  readonly isRevoked: (keyId: string) => boolean
  /** The time by which keys may be dropped; minus infinity while clocks do not agree. */
  readonly certainTime: () => number
  /** Called with each stored key that is marked revoked, so a feed that lost its log recovers the revocation. */
  readonly onRevoked: (record: KeyRecord) => void
}

/** The keys of one authority. */
export class Keyring {
  readonly #options: KeyringOptions
  readonly #ring: Ring
  // Rows that do not parse. Their audience is unknown, so they count as unreadable.
  #corrupt = 0
  readonly #unreadable = new Set<string>()
  readonly #rows: ProvedRows
  #records: readonly KeyRecord[] = []
  #others: readonly KeyRecord[] = []
  readonly #lookup: KeyLookup
  readonly #maker: KeyMaker
  // The read in flight, and the one that follows it.
  #refreshing: Promise<void> | undefined
  #queued: Promise<void> | undefined
  #timer: Timer | undefined
  #closed = false
  // This node's position in each interval, so nodes do not all act at once.
  readonly #share = Math.random()

  constructor(options: KeyringOptions) {
    this.#options = options
    this.#ring = new Ring(options.assertionOf)
    this.#rows = new ProvedRows((record) => options.onEvent('store.tampered', record))
    this.#lookup = new KeyLookup({
      clock: options.clock,
      deadline: options.lookupDeadline,
      reading: () => this.#refreshing,
      read: () => this.refresh(),
    })
    this.#maker = new KeyMaker(options, {
      share: this.#share,
      stored: () => this.stored,
      ofAudience: (audience) => this.#ofAudience(audience),
      isOpen: (id) => this.#ring.get(id) !== undefined,
      isUnreadable: (id) => this.#unreadable.has(id),
      refresh: () => this.refresh(),
      add: (record, key) => {
        this.#ring.add(record, key)
        this.#records = [...this.#records, record]
      },
    })
  }

  /**
   * Loads the keys, creates the first key of each audience without one, and keeps both current from then on.
   *
   * Rejects with `ERR_ROOT_KEY` if a stored key does not open: otherwise this process would issue tokens with keys that
   * the rest of the fleet does not have. Nothing is written then.
   */
  async start(): Promise<void> {
    await this.refresh()
    const unreadable = this.#records.find(({ id }) => this.#unreadable.has(id))
    if (unreadable !== undefined) throw wrongRoot(unreadable, this.#options.roots)
    warnOfNewRoot(this.stored, this.#options.roots)
    await this.maintain()
    this.#schedule()
  }

  /** Clears all keys. */
  stop(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#lookup.stop()
    for (const id of this.#ring.ids()) this.#ring.drop(id)
  }

  /** The key with this id, if it is loaded. The caller checks by its times whether it may still open tokens. */
  get(id: string): RingKey | undefined {
    return this.#ring.get(id)
  }

  /** The id of the loaded key whose footer text equals the token's text from `start` on. */
  get endingOf(): Ring['endingOf'] {
    return this.#ring.endingOf
  }

  /** The key that seals for this audience now. Creates one if there is none. Rejects with `ERR_NO_SIGNING_KEY`. */
  async issuing(audience: string): Promise<RingKey> {
    const key = this.issuingNow(audience)
    if (key !== undefined) return key
    await this.refresh()
    await this.#maker.makeIfDue(audience)
    const made = this.issuingNow(audience)
    if (made !== undefined) return made
    const record = this.#issuingRecord(audience)
    if (record !== undefined && this.#unreadable.has(record.id))
      throw wrongRoot(record, this.#options.roots)
    throw noKeyError(this.#options.duty())
  }

  /** A key that seals for any audience now. Creates one if there is none. Rejects with `ERR_NO_SIGNING_KEY`. */
  issuingAny(): Promise<RingKey> {
    return this.issuing(this.#options.audiences[0] as string)
  }

  /** All records from the last read of the store, including other audiences and expired keys. */
  get stored(): readonly KeyRecord[] {
    return [...this.#records, ...this.#others]
  }

  /** The key that seals for this audience now, if it is loaded. */
  issuingNow(audience: string): RingKey | undefined {
    const record = this.#issuingRecord(audience)
    return record === undefined ? undefined : this.#ring.get(record.id)
  }

  #issuingRecord(audience: string): KeyRecord | undefined {
    return issuingKey(this.#ofAudience(audience), this.#options.clock.now())
  }

  /**
   * Reads the store. One read runs at a time: a request made during a read waits for the next one, because the current
   * read may have missed a new row.
   */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) {
      this.#queued ??= this.#refreshing
        .catch(() => undefined)
        .then(() => {
          this.#queued = undefined
          return this.refresh()
        })
      return this.#queued
    }
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** Schedules a read of the store if that can find the key. */
  hint(id: string): void {
    if (!this.#lookup.isPending && !this.#isSettled(id)) this.#lookup.hint()
  }

  /**
   * Resolves when it is known whether the store has the key. Rejects with `ERR_KEY_LOOKUP_PENDING`,
   * `ERR_STORE_UNAVAILABLE` or `ERR_ROOT_KEY` if that cannot be determined or the key cannot be opened.
   */
  async lookUp(id: string): Promise<void> {
    if (this.#isSettled(id)) return
    const isSettled = () => this.#isSettled(id)
    await this.#lookup.find(isSettled).catch((failure: unknown) => {
      // The read may have found this key and failed because of another one.
      if (!isSettled()) throw failure
    })
    const record = this.#unreadable.has(id) ? this.#recordOf(id) : undefined
    if (record !== undefined) throw wrongRoot(record, this.#options.roots)
  }

  /** Creates every key that is due. */
  async maintain(): Promise<void> {
    for (const audience of this.#options.audiences) await this.#maker.makeIfDue(audience)
  }

  /** Publishes a successor for one audience, or for all, without waiting for the schedule. */
  async rotate(audience?: string): Promise<readonly KeyInfo[]> {
    await this.refresh()
    if (this.#options.duty() === 'none') throw noKeyError('none')
    const audiences = audience === undefined ? this.#options.audiences : [audience]
    const made: KeyInfo[] = []
    for (const each of audiences) made.push(this.#info(await this.#maker.make(each, 'soon')))
    return made
  }

  /** Wraps every key of another root key with the current one. Resumable. Resolves with the number of wrapped keys. */
  async rewrap(): Promise<number> {
    await this.refresh()
    const [root] = this.#options.roots
    let count = 0
    for (const record of this.#records) {
      const ringKey = this.#ring.get(record.id)
      if (record.wrappedBy === root.id || ringKey === undefined || isDiscarded(record)) continue
      if (await rewrapRow(this.#options, record, ringKey.key)) count++
    }
    await this.refresh()
    return count
  }

  /** All keys of this authority's audiences, oldest first. */
  list(): readonly KeyInfo[] {
    return [...this.#records]
      .sort((a, b) => a.createdAt - b.createdAt)
      .map((record) => this.#info(record))
  }

  /** The current root key, then those being replaced. */
  get roots(): readonly RootKey[] {
    return this.#options.roots
  }

  #recordOf(id: string): KeyRecord | undefined {
    const has = (record: KeyRecord) => record.id === id
    return this.#records.find(has) ?? this.#others.find(has)
  }

  // Another read of the store cannot find a key of another audience or an expired one.
  #isSettled(id: string): boolean {
    if (this.#ring.get(id) !== undefined) return true
    const record = this.#recordOf(id)
    return (
      record !== undefined &&
      (this.#options.clock.judged() >= record.expiresAt ||
        isOver(record) ||
        !this.#options.audiences.includes(record.audience))
    )
  }

  /** The number of stored keys that could not be opened. */
  get unreadable(): number {
    return this.#unreadable.size + this.#corrupt + this.#rows.tampered
  }

  #info(record: KeyRecord): KeyInfo {
    const { wrapped: _, tag: __, ...shown } = record
    const ofAudience = this.#ofAudience(record.audience)
    const current = ofAudience.find(({ id }) => id === record.id) ?? record
    return {
      ...shown,
      revokedAt: current.revokedAt,
      state: keyState(current, ofAudience, this.#options.clock.now()),
    }
  }

  // The feed may have a revocation before the row does.
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
    const { store, certainTime, audiences, call } = this.#options
    const known = this.#records
    const rows = await call(() => readKeys(store))
    this.#corrupt = corruptIdsOf(rows).length
    const everything = recordsOf(rows)
    const read = everything.filter((record) => audiences.includes(record.audience))
    this.#others = everything.filter((record) => !audiences.includes(record.audience))
    for (const record of read) if (record.revokedAt !== null) this.#options.onRevoked(record)
    // One key that cannot be opened now must not block the others.
    const failures: unknown[] = []
    // A revoked key stays loaded until it expires: its tokens are rejected as revoked, not as unknown.
    for (const record of read) {
      if (certainTime() < record.expiresAt && this.#ring.get(record.id) === undefined)
        await this.#open(record).catch((failure: unknown) => failures.push(failure))
    }
    if (this.#closed) return this.stop()
    const believed = read.map((row) => this.#rows.believed(row, this.#ring.get(row.id)?.record))
    this.#replaceRecords(known, believed)
    if (failures.length > 0) throw failures[0]
  }

  #replaceRecords(known: readonly KeyRecord[], read: readonly KeyRecord[]): void {
    // A key inserted by this node during the read is missing from the result and must not be dropped.
    const made = this.#records.filter(
      (record) => !known.includes(record) && !read.some(({ id }) => id === record.id),
    )
    this.#records = [...read, ...made]
    // Not decided by this node's clock: a clock that is briefly ahead would drop keys that are needed again.
    const now = this.#options.certainTime()
    const alive = new Set(
      this.#records.flatMap(({ id, expiresAt }) => (now < expiresAt ? [id] : [])),
    )
    for (const id of this.#ring.ids()) if (!alive.has(id)) this.#ring.drop(id)
    for (const record of this.#records) if (isOver(record)) this.#unreadable.delete(record.id)
    for (const id of this.#unreadable) if (!alive.has(id)) this.#unreadable.delete(id)
  }

  async #open(record: KeyRecord): Promise<void> {
    if (isDiscarded(record)) return
    const key = await openIntactKey(record, this.#options.roots)
    if (key === 'tampered') return this.#rows.report(record)
    if (key === 'unreadable') {
      // The tokens of a revoked key are rejected whether or not it opens.
      if (isOver(record)) return
      if (!this.#unreadable.has(record.id)) this.#options.onEvent('key.unreadable', record)
      this.#unreadable.add(record.id)
      return
    }
    this.#unreadable.delete(record.id)
    this.#ring.add(record, key)
  }

  #schedule(): void {
    const delay = this.#options.refreshEveryMs * (0.9 + this.#share * 0.2)
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#closed) return
      // An outage here has no caller: the loaded keys stay valid, and the next poll retries.
      void this.refresh()
        .then(() => this.maintain())
        .catch(() => undefined)
        .finally(() => {
          if (!this.#closed) this.#schedule()
        })
    }, delay)
  }
}
