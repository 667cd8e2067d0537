/**
 * The keys for sealing the feed and for tagging rows, each derived from a keyring key for one purpose, so tokens,
 * events and tags never share a key.
 *
 * Nodes of one feed may serve different audiences, so this includes the keys of all audiences. A node opens other
 * audiences' keys when it reads their seals, and uses them for nothing else.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import type { KeyRecord } from '../store/store.js'
import { deriveKey, destroyKey, type LocalKey } from '../token/paserk.js'
import { openIntactKey } from './intact-key.js'
import type { Keyring } from './keyring.js'
import type { RootKey } from './root-key.js'

/** Options of the feed keyring. */
export interface FeedKeyringOptions {
  readonly keyring: Pick<Keyring, 'get' | 'stored' | 'refresh' | 'issuingAny'>
  readonly roots: readonly RootKey[]
  readonly clock: ResolvedClock
  /** Whether the node knows the key to be revoked. */
  readonly isRevoked: (keyId: string) => boolean
  /** The purpose of the derived keys. Default: sealing events of the feed. */
  readonly purpose?: string
}

const FEED_PURPOSE = 'watchword-feed-v1'
// How often seals with unknown keys can trigger a read of the store: this many reads per interval.
const WINDOW_MS = 1000
const READS = 10
// By then every node has read a new key, unless its poll interval is configured to be longer than the default.
const FAMILIAR_MS = 120_000

/** The derived keys of one authority. */
export class FeedKeyring {
  readonly #options: FeedKeyringOptions
  readonly #derived = new Map<string, LocalKey>()
  #windowAt = Number.NEGATIVE_INFINITY
  #reads = 0
  #isRead = true
  #refreshing: Promise<boolean> | undefined

  constructor(options: FeedKeyringOptions) {
    this.#options = options
  }

  /** The current key for sealing and the id of its source key. Throws `ERR_NO_SIGNING_KEY`. */
  sealing(): { readonly id: string; readonly key: LocalKey } {
    const sealing = this.sealingIfAny()
    if (sealing !== undefined) return sealing
    throw new WatchwordError('ERR_NO_SIGNING_KEY', 'no key can seal for the feed right now')
  }

  /** Like `sealing`, but `undefined` if no key is loaded. */
  sealingIfAny(): { readonly id: string; readonly key: LocalKey } | undefined {
    for (const { id } of this.#candidates()) {
      const key = this.opening(id)
      if (key !== undefined) return { id, key }
    }
    return undefined
  }

  /** The key derived from the key with this id. Throws `ERR_NO_SIGNING_KEY` if that one is not loaded. */
  loaded(id: string): LocalKey {
    const key = this.opening(id)
    if (key !== undefined) return key
    throw new WatchwordError('ERR_NO_SIGNING_KEY', `key ${id} is not loaded`)
  }

  /** The key for opening seals of this id, if it is loaded. */
  opening(id: string): LocalKey | undefined {
    const known = this.#derived.get(id)
    if (known !== undefined) return known
    const source = this.#options.keyring.get(id)?.key
    return source === undefined ? undefined : this.#derive(id, source)
  }

  /** Ensures that there is a key for sealing. Rejects with `ERR_NO_SIGNING_KEY` or like the store. */
  async ready(): Promise<void> {
    const [best] = this.#candidates()
    if (best !== undefined && this.opening(best.id) !== undefined) return
    if (best !== undefined) await this.#open(best)
    if (this.#candidates().some(({ id }) => this.opening(id) !== undefined)) return
    await this.#options.keyring.issuingAny()
  }

  /**
   * Loads missing keys from the store, within the rate limit. Resolves with whether the last read succeeded: otherwise
   * a key that is missing may still be stored. Never rejects.
   */
  refresh(): Promise<boolean> {
    if (this.#refreshing !== undefined) return this.#refreshing
    const now = this.#options.clock.monotonic()
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now
      this.#reads = 0
    }
    if (++this.#reads > READS) return Promise.resolve(this.#isRead)
    const end = (isRead: boolean) => {
      this.#refreshing = undefined
      this.#isRead = isRead
      return isRead
    }
    this.#refreshing = this.#refresh().then(
      () => end(true),
      () => end(false),
    )
    return this.#refreshing
  }

  /** Clears all keys. */
  stop(): void {
    for (const key of this.#derived.values()) destroyKey(key)
    this.#derived.clear()
  }

  // Prefers a key that every node has read by now, even a revoked one: its holder could seal anyway, and an event that
  // other nodes cannot open yet arrives late. Among those, prefers the one with the latest expiry: everything an event
  // concerns expires before it. If all keys are new, most nodes have the first one.
  #candidates(): KeyRecord[] {
    const { keyring, clock, isRevoked } = this.#options
    const now = clock.now()
    const isYoung = ({ createdAt }: KeyRecord) => now - createdAt < FAMILIAR_MS
    const rank = (record: KeyRecord) => {
      if (isYoung(record)) return 4 + record.generation
      return (
        (record.revokedAt !== null || isRevoked(record.id) ? 2 : 0) +
        (record.activatesAt > now ? 1 : 0)
      )
    }
    return keyring.stored
      .filter(({ expiresAt }) => now < expiresAt)
      .sort((a, b) => rank(a) - rank(b) || b.expiresAt - a.expiresAt)
  }

  async #refresh(): Promise<void> {
    await this.#options.keyring.refresh()
    for (const record of this.#options.keyring.stored)
      if (this.opening(record.id) === undefined) await this.#open(record)
  }

  async #open(record: KeyRecord): Promise<void> {
    const source = await openIntactKey(record, this.#options.roots)
    if (typeof source === 'string') return
    this.#derive(record.id, source)
    destroyKey(source)
  }

  #derive(id: string, source: LocalKey): LocalKey {
    const key = deriveKey(source, this.#options.purpose ?? FEED_PURPOSE)
    this.#derived.set(id, key)
    return key
  }
}
