/**
 * The keys that seal the feed, and those that tag rows of the store, each derived from a key of the keyring for one
 * purpose, so that a token, an event and a tag never share one.
 *
 * The nodes of one feed may serve different audiences, so the keys of all of them count here: this node opens those of
 * others when it meets a seal of theirs, and uses them for nothing else.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import type { KeyRecord } from '../store/store.js'
import { deriveKey, destroyKey, type LocalKey } from '../token/paserk.js'
import type { Keyring } from './keyring.js'
import { openIntactKey, type RootKey } from './root-key.js'

/** What the feed keyring needs. */
export interface FeedKeyringOptions {
  readonly keyring: Keyring
  readonly roots: readonly RootKey[]
  readonly clock: ResolvedClock
  /** Whether the node knows the key to be revoked. */
  readonly isRevoked: (keyId: string) => boolean
  /** What the keys are derived for. Default: to seal events of the feed. */
  readonly purpose?: string
}

const FEED_PURPOSE = 'watchword-feed-v1'
// How often seals of unknown make can make a node read the store for keys: so many times in so long.
const WINDOW_MS = 1000
const READS = 10
// After this long every node has read a new key, unless it is told to do so less often than by default.
const FAMILIAR_MS = 120_000

/** The keys of the seals of one authority. */
export class FeedKeyring {
  readonly #options: FeedKeyringOptions
  readonly #derived = new Map<string, LocalKey>()
  #windowAt = Number.NEGATIVE_INFINITY
  #reads = 0
  #refreshing: Promise<void> | undefined

  constructor(options: FeedKeyringOptions) {
    this.#options = options
  }

  /** The key to seal with now, and the id of the key that it is derived from. Throws `ERR_NO_SIGNING_KEY`. */
  sealing(): { readonly id: string; readonly key: LocalKey } {
    const sealing = this.sealingIfAny()
    if (sealing !== undefined) return sealing
    throw new WatchwordError('ERR_NO_SIGNING_KEY', 'no key can seal for the feed right now')
  }

  /** The same, or `undefined` when no key is loaded. */
  sealingIfAny(): { readonly id: string; readonly key: LocalKey } | undefined {
    for (const { id } of this.#candidates()) {
      const key = this.opening(id)
      if (key !== undefined) return { id, key }
    }
    return undefined
  }

  /** The key that is derived from the key with this id. Throws `ERR_NO_SIGNING_KEY` when that one is not loaded. */
  loaded(id: string): LocalKey {
    const key = this.opening(id)
    if (key !== undefined) return key
    throw new WatchwordError('ERR_NO_SIGNING_KEY', `key ${id} is not loaded`)
  }

  /** The key that opens what was sealed under this id, if it is at hand. */
  opening(id: string): LocalKey | undefined {
    const known = this.#derived.get(id)
    if (known !== undefined) return known
    const source = this.#options.keyring.get(id)?.key
    return source === undefined ? undefined : this.#derive(id, source)
  }

  /** Sees to it that there is a key to seal with. Rejects with `ERR_NO_SIGNING_KEY` or as the store does. */
  async ready(): Promise<void> {
    const [best] = this.#candidates()
    if (best !== undefined && this.opening(best.id) !== undefined) return
    if (best !== undefined) await this.#open(best)
    if (this.#candidates().some(({ id }) => this.opening(id) !== undefined)) return
    await this.#options.keyring.issuingAny()
  }

  /** Reads the store for keys that are not at hand, unless that was just done often enough. Never rejects. */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing
    const now = this.#options.clock.monotonic()
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now
      this.#reads = 0
    }
    if (++this.#reads > READS) return Promise.resolve()
    this.#refreshing = this.#refresh()
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = undefined
      })
    return this.#refreshing
  }

  /** Forgets every key. */
  stop(): void {
    for (const key of this.#derived.values()) destroyKey(key)
    this.#derived.clear()
  }

  // A key that every node has read by now comes first, be it revoked: whoever has it could seal all the same, and what
  // nobody else can open yet is heard of late. Of those, the one that lives longest: until it has gone, whatever an event
  // concerns has gone as well. While all are young, the first one is the one that most nodes know.
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
