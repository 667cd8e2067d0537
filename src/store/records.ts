/**
 * The rows of a store: tokens, revocations and keys. See the store contract for the rules of their fields.
 *
 * @module
 */

/** The stored metadata of one token: never the token itself, nor data from which a token could be created. */
export interface TokenRecord {
  /** ULID, the token's `jti`. Primary key. */
  readonly id: string
  /** The id of the family's first token. */
  readonly family: string
  /** 0 for the family's first token, incremented by each rotation. */
  readonly generation: number
  /** The id of the token from which this one was rotated. */
  readonly predecessor: string | null
  /** The id of the token that replaced this one by rotation. Set once. */
  readonly successor: string | null
  /** The subject of the token. */
  readonly subject: string
  /** The audience of the token. */
  readonly audience: string
  /** The name of the policy. */
  readonly policy: string
  /** The version of the policy when the token was issued. */
  readonly policyVersion: number
  /** The scopes of the token. */
  readonly scopes: readonly string[]
  /** `k4.lid.…` of the key that first sealed the token. */
  readonly keyId: string
  /** When the token was issued. */
  readonly issuedAt: number
  /** When the token starts to be valid; `null` if immediately. */
  readonly notBefore: number | null
  /** When the token expires. */
  readonly expiresAt: number
  /** When the family's first token was issued. */
  readonly familyIssuedAt: number
  /** When the family expires, regardless of rotations. */
  readonly familyExpiresAt: number
  /** The actor that issued the token. */
  readonly issuedBy: string
  /**
   * The lifetime of the family's first token, in milliseconds. No successor lives longer, unless an administrator
   * rotates it by id.
   */
  readonly ttl: number
  /** Whether the token may be rotated. */
  readonly rotatable: boolean
  /**
   * A message authentication code over the immutable fields, computed by the authority. Stores keep it unchanged. Empty
   * in a row from before tags existed.
   */
  readonly tag: string
  /** A name for people, such as the title in a list of tokens. */
  readonly label: string | null
  /** The person or team responsible for the token. */
  readonly owner: string | null
  /** What the token is used for. */
  readonly purpose: string | null
  /**
   * Four characters from the end of the family's first token, to recognize it in a support case: the last four of a
   * branded token, the four before the last dot of a standard one. `null` in a row from before hints existed.
   */
  readonly hint: string | null
  /**
   * A message authentication code over `id`, `label`, `owner`, `purpose` and `hint`, computed by the authority. Stores
   * keep it unchanged. Empty if the token has no label, owner and purpose.
   */
  readonly detailsTag: string
  /** When the token is rejected because it was rotated. Only ever moves earlier. */
  readonly supersededAt: number | null
  /** When the token was revoked. Set once, permanent. */
  readonly revokedAt: number | null
  /** The actor that revoked the token. */
  readonly revokedBy: string | null
  /** The reason that the actor gave. */
  readonly revokedReason: string | null
  /** The latest reported use. Only ever moves forward. */
  readonly lastUsedAt: number | null
}

/** The target of a revocation. */
export type RevocationKind =
  /** One token, and its successors unless `successors: false` excludes them. */
  | 'token'
  /** Every token of a family. Permanent. */
  | 'family'
  /** Every token of a subject that was issued up to then. */
  | 'subject'
  /** Every token that a key sealed. Permanent. */
  | 'key'
  /** Every token for an audience that was issued up to then. */
  | 'audience'
  /** Every token of the authority that was issued up to then. */
  | 'all'

/** One revocation, stored for as long as a token that it covers could be valid. */
export interface Revocation {
  /** ULID. Primary key. */
  readonly id: string
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /**
   * The time of issue up to which tokens are revoked, counted from a family's first token. For a token: 0 if its record
   * was not available, in which case `expiresAt` is only an upper bound of its expiry.
   */
  readonly before: number
  readonly at: number
  readonly actor: string
  readonly reason: string | null
  /** When the last covered token has expired. */
  readonly expiresAt: number
  /**
   * For a token: its family, if the revocation also covers the token's successors, which are the records of the family
   * with at least this `generation`. Otherwise `null`.
   */
  readonly family: string | null
  /** The lowest covered generation; `null` if `family` is. */
  readonly generation: number | null
  /** A message authentication code over all other fields, computed by the authority. Stores keep it unchanged. */
  readonly tag: string
}

/** A wrapped v4.local key and its times. The state is a pure function of the clock. */
export interface KeyRecord {
  /** `k4.lid.…`. Primary key. */
  readonly id: string
  readonly audience: string
  /** Counts from 1; unique with `audience`. */
  readonly generation: number
  /** The key, wrapped by the root key. */
  readonly wrapped: string
  /** The id of the root key that wrapped it. */
  readonly wrappedBy: string
  readonly createdAt: number
  /** When it starts to seal tokens. */
  readonly activatesAt: number
  /** When it stops sealing tokens. */
  readonly retiresAt: number
  /** When it stops opening tokens. */
  readonly expiresAt: number
  /** When the key was revoked. Set once, permanent. */
  readonly revokedAt: number | null
  /** A message authentication code over id, audience, generation and times. Stores keep it unchanged. */
  readonly tag: string
}

/** The fields of a token record that may be replaced, and the tag that covers them. */
export type TokenDetails = Pick<TokenRecord, 'label' | 'owner' | 'purpose' | 'detailsTag'>
