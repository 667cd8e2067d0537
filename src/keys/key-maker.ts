/**
 * Creates keys: one successor for each audience and generation across all nodes, and none that the fleet's root key
 * cannot open.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import { quote } from '../lib/quote.js'
import type { AuditDraft } from '../observe/audit/trail.js'
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
  /** Called with each key that this node cannot open, and each row that was edited. */
  readonly onEvent: (event: 'key.unreadable' | 'store.tampered', record: KeyRecord) => void
  /** Makes the row of the audit for a change of a key. */
  readonly draft: (
    action: 'key.created' | 'key.rewrapped' | 'key.discarded',
    record: KeyRecord,
  ) => AuditDraft
  /** Called when the change was written. */
  readonly written: (draft: AuditDraft, isCertain?: boolean) => void
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
      const { record, event } = await this.#tryNext(audience, at)
      if (event !== undefined) {
        if (isFirst) await this.#yieldToOtherRoots(record)
        this.#options.written(event)
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

  /** Inserts the next key unless another node was first: then there is no event. */
  async #tryNext(
    audience: string,
    at: 'due' | 'soon',
  ): Promise<{ readonly record: KeyRecord; readonly event: AuditDraft | undefined }> {
    const { store, call, draft } = this.#options
    const key = generateKey()
    let inserted = false
    try {
      const record = await this.#plan(audience, key, at)
      const event = draft('key.created', record)
      inserted = await call(() => store.insertKey(record, event.rows), 'insertKey')
      if (inserted) this.#known.add(record, key)
      return { record, event: inserted ? event : undefined }
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
      const { store, clock, call, draft, written } = this.#options
      const reason = 'the store has keys of another root key'
      const event = draft('key.discarded', made)
      const discard = { actor: 'system', at: clock.now(), reason, rows: event.rows }
      written(event, await discardRow(store, made, discard, call))
      throw error
    }
  }
}

/** Wraps a key with the current root key. Resolves with whether its row was still the same. */
export async function rewrapRow(
  { store, call, draft, written, roots: [root] }: KeyMakerOptions,
  record: KeyRecord,
  key: LocalKey,
): Promise<boolean> {
  const { id, wrapped } = record
  const next = { wrapped: await root.seal(key), wrappedBy: root.id }
  const event = draft('key.rewrapped', record)
  const isDone = await call(() => store.rewrapKey(id, wrapped, next, event.rows), 'rewrapKey')
  if (isDone) written(event)
  return isDone
}
