/**
 * A newly issued token, the only object that contains its text.
 *
 * @module
 */
import type { TokenRecord } from '../store/store.js'

/** The public fields of an issued token. */
export type IssuedTokenInfo = Omit<
  IssuedToken,
  'token' | 'toString' | 'toJSON' | typeof Symbol.toPrimitive
>

/** The fields known after sealing. */
type Sealing = Pick<IssuedTokenInfo, 'rotateAt' | 'keyId' | 'lostScopes'>

/**
 * An issued token. Only the `token` property returns its text: printing, logging or serializing the object shows its id
 * instead.
 */
export class IssuedToken {
  readonly #token: string
  /** The ULID of the token, its `jti`. */
  readonly id: string
  /** The id of the family's first token. */
  readonly family: string
  /** 0 for the family's first token, incremented by each rotation. */
  readonly generation: number
  /** The subject of the token. */
  readonly subject: string
  /** The audience of the token. */
  readonly audience: string
  /** The name of the policy. */
  readonly policy: string
  /** The scopes of the token. */
  readonly scopes: readonly string[]
  /** When the token was issued, in Unix milliseconds. */
  readonly issuedAt: number
  /** When the token expires, in Unix milliseconds. */
  readonly expiresAt: number
  /** Unix milliseconds; the token should be rotated from then on. */
  readonly rotateAt: number
  /** The id of the key that sealed the token: `k4.lid.…`. */
  readonly keyId: string
  /** After a rotation: the scopes of the old token that its policy no longer grants. Otherwise empty. */
  readonly lostScopes: readonly string[]

  /** @internal */
  constructor(token: string, record: TokenRecord, { rotateAt, keyId, lostScopes }: Sealing) {
    this.#token = token
    this.id = record.id
    this.family = record.family
    this.generation = record.generation
    this.subject = record.subject
    this.audience = record.audience
    this.policy = record.policy
    this.scopes = record.scopes
    this.issuedAt = record.issuedAt
    this.expiresAt = record.expiresAt
    this.rotateAt = rotateAt
    this.keyId = keyId
    this.lostScopes = Object.freeze([...lostScopes])
    Object.freeze(this)
  }

  /** The secret that the client sends. It is not stored anywhere else: pass it on once. */
  get token(): string {
    return this.#token
  }

  toString(): string {
    return `[token ${this.id}]`
  }

  toJSON(): IssuedTokenInfo & { readonly token: string } {
    return { ...this, token: '[redacted]' }
  }

  [Symbol.toPrimitive](): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): unknown {
    return this.toJSON()
  }
}
