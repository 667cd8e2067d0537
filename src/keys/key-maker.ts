/**
 * Creates keys: one successor for each audience and generation across all nodes, and none that the fleet's root key
 * cannot open.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import { quote } from '../lib/quote.js'
import type { StoreCall } from '../observe/failures.js'
import type { KeyRecord, Store } from '../store/store.js'
import { destroyKey, generateKey, keyId, type LocalKey } from '../token/paserk.js'
import { discardRow } from './discard.js'
import { tagOfKey } from './record-tags.js'
import type { RootKey } from './root-key.js'
import { proveRoots, wrongRoot } from './root-proof.js'
import { type KeyDuty, type KeySchedule, lacksKey, newestKey, nextKey } from './rotation.js'

/** Options for creating keys. */
export interface KeyMakerOptions {
  readonly store: Store
  readonly clock: ResolvedClock
  /** The current root key, then those being replaced. */
  readonly roots: readonly [RootKey, ...RootKey[]]
  readonly schedule: KeySchedule
  /** What this node may do with the keys, depending on whether its clock agrees with others. */
  readonly duty: () => KeyDuty
  /** Runs a call to the store under the authority's deadline. */
  readonly call: StoreCall
  /** Called with each key that this node created, and each that it cannot open. */
  readonly onEvent: (
    event: 'key.created' | 'key.unreadable' | 'store.tampered',
    record: KeyRecord,
  ) => void
}

/** The keyring as used by the key maker. */
export interface KnownKeys {
  /** This node's position in the rotation window, in [0, 1), so nodes do not all act at once. */
  readonly share: number
  /** Every record from the last read of the store. */
  stored(): readonly KeyRecord[]
  /** The records of an audience. */
  ofAudience(audience: string): readonly KeyRecord[]
  /** Whether the key was opened. */
  isOpen(id: string): boolean
  /** Whether no root key opens the key. */
  isUnreadable(id: string): boolean
  /** Reads the store. */
  refresh(): Promise<void>
  /** Adds a key that was created. */
  add(record: KeyRecord, key: LocalKey): void
}

const MAX_RACES = 10

/** Creates the keys of one authority. */
export class KeyMaker {
  readonly #options: KeyMakerOptions
  readonly #known: KnownKeys

  constructor(options: KeyMakerOptions, known: KnownKeys) {
    this.#options = options
    this.#known = known
  }

  /** Creates the next key of an audience when it is due. Rejects like {@link make}. */
  async makeIfDue(audience: string): Promise<void> {
    const { clock, schedule, duty } = this.#options
    const records = this.#known.ofAudience(audience)
    if (lacksKey(records, schedule, this.#known.share, clock.now(), duty()))
      await this.make(audience, 'due')
  }

  /**
   * Creates the next key of an audience. The unique pair of audience and generation decides a race: the loser adopts
   * the winner's key. Rejects with `ERR_ROOT_KEY`, leaving nothing in the store, if the root keys do not open the
   * stored keys; with `ERR_NO_SIGNING_KEY`; or like the store.
   */
  async make(audience: string, at: 'due' | 'soon'): Promise<KeyRecord> {
    const known = this.#known
    const isFirst = !known.ofAudience(audience).some(({ id }) => known.isOpen(id))
    if (isFirst) await this.#prove()
    for (let race = 0; race < MAX_RACES; race++) {
      const { record, inserted } = await this.#tryNext(audience, at)
      if (inserted) {
        if (isFirst) await this.#yieldToOtherRoots(record)
        this.#options.onEvent('key.created', record)
        return record
      }
      await known.refresh()
      const newest = newestKey(known.ofAudience(audience))
      if (newest === undefined || newest.generation < record.generation) continue
      if (known.isUnreadable(newest.id)) throw wrongRoot(newest, this.#options.roots)
      return newest
    }
    throw new WatchwordError(
      'ERR_NO_SIGNING_KEY',
      `no key can seal for audience ${quote(audience)}`,
      {
        detail: 'the store rejects every generation, but lists none of them',
      },
    )
  }

  /** Inserts the next key unless another node was first. */
  async #tryNext(
    audience: string,
    at: 'due' | 'soon',
  ): Promise<{ readonly record: KeyRecord; readonly inserted: boolean }> {
    const { store, call } = this.#options
    const key = generateKey()
    let inserted = false
    try {
      const record = await this.#plan(audience, key, at)
      inserted = await call(() => store.insertKey(record), 'insertKey')
      if (inserted) this.#known.add(record, key)
      return { record, inserted }
    } finally {
      // Retries during an outage must not leave a key in memory each time.
      if (!inserted) destroyKey(key)
    }
  }

  async #plan(audience: string, key: LocalKey, at: 'due' | 'soon'): Promise<KeyRecord> {
    const { clock, schedule, roots } = this.#options
    const [root] = roots
    const next = nextKey(this.#known.ofAudience(audience), schedule, clock.now(), at)
    const content = { id: keyId(key), audience, ...next }
    const wrapped = { wrapped: await root.seal(key), wrappedBy: root.id }
    return { ...content, ...wrapped, revokedAt: null, tag: tagOfKey(key, content) }
  }

  #prove(): Promise<void> {
    return proveRoots(this.#known.stored(), this.#options.roots, this.#options.clock.now())
  }

  // Two processes with different root keys may both find an empty store. The process that sees the other's key after
  // writing its own removes its own, so no store ends up with keys of two root keys.
  async #yieldToOtherRoots(made: KeyRecord): Promise<void> {
    await this.#known.refresh()
    try {
      await this.#prove()
    } catch (error) {
      const { store, clock, call } = this.#options
      const reason = 'the store has keys of another root key'
      await discardRow(store, made, { actor: 'system', at: clock.now(), reason }, call)
      throw error
    }
  }
}
