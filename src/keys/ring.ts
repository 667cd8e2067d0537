/**
 * The opened keys of one authority, by id and by the footer of their tokens.
 *
 * @module
 */
import type { KeyRecord } from '../store/store.js'
import { destroyKey, type LocalKey } from '../token/paserk.js'
import { footerOf } from '../token/wire.js'

/** A loaded key. */
export interface RingKey {
  readonly record: KeyRecord
  readonly key: LocalKey
  /** The footer of its tokens, as bytes and as base64url text. */
  readonly footer: Uint8Array
  readonly footerText: string
  /** The implicit assertion of its tokens without a binding, as defined by PASETO. */
  readonly assertion: Uint8Array
}

// Nearly every token uses the current key or the one before it.
const NEWEST = 3

/** A set of opened keys. */
export class Ring {
  readonly #keys = new Map<string, RingKey>()
  readonly #footers = new Map<string, string>()
  readonly #assertionOf: (audience: string) => Uint8Array
  #newest: readonly RingKey[] = []

  /** @param assertionOf - Creates the implicit assertion of an audience's tokens. */
  constructor(assertionOf: (audience: string) => Uint8Array) {
    this.#assertionOf = assertionOf
  }

  /** The key of this id. */
  get(id: string): RingKey | undefined {
    return this.#keys.get(id)
  }

  /** The ids of all keys. */
  ids(): readonly string[] {
    return [...this.#keys.keys()]
  }

  /** The id of the key whose footer text equals the token's text from `start` on. */
  readonly endingOf = (token: string, start: number): string | undefined => {
    // Comparing with the newest few keys in place is cheaper than slicing and hashing the footer.
    for (const { footerText, record } of this.#newest) {
      if (token.length - start === footerText.length && token.endsWith(footerText)) return record.id
    }
    return this.#keys.size > NEWEST ? this.#footers.get(token.slice(start)) : undefined
  }

  /** Adds a key. */
  add(record: KeyRecord, key: LocalKey): void {
    const footer = footerOf(record.id)
    const footerText = Buffer.from(footer).toString('base64url')
    const assertion = this.#assertionOf(record.audience)
    this.#keys.set(record.id, { record, key, footer, footerText, assertion })
    this.#footers.set(footerText, record.id)
    this.#rank()
  }

  /** Removes a key and wipes it. */
  drop(id: string): void {
    const ringKey = this.#keys.get(id)
    if (ringKey === undefined) return
    this.#keys.delete(id)
    this.#footers.delete(ringKey.footerText)
    this.#rank()
    destroyKey(ringKey.key)
  }

  #rank(): void {
    const byAge = [...this.#keys.values()]
    byAge.sort((a, b) => b.record.activatesAt - a.record.activatesAt)
    this.#newest = byAge.slice(0, NEWEST)
  }
}
