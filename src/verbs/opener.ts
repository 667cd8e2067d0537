/**
 * Opens tokens: returns their authenticated claims from the cache or by decrypting them.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Fingerprint, VerifiedCache } from '../cache/verified-cache.js'
import type { RingKey } from '../keys/ring.js'
import type { ResolvedClock } from '../lib/clock.js'
import { deepFreeze } from '../lib/freeze.js'
import { decodeUtf8 } from '../lib/utf8.js'
import type { Policy } from '../policy/policy.js'
import { readClaims, type TokenClaims } from '../token/claims.js'
import { ClaimsReader } from '../token/claims-reader.js'
import { fingerprint, words } from '../token/fingerprint.js'
import { decryptInto, plaintext, plaintextWindow, wipePlaintext } from '../token/v4local.js'
import {
  FOOTER_TEXT_LENGTH,
  HEADER,
  type KnownKeys,
  looksBranded,
  MIN_TOKEN_LENGTH,
  NO_KEYS,
  readParts,
} from '../token/wire.js'
import type { Rejected } from '../types.js'
import { type CheckedClaims, validateClaims } from './custom-claims.js'
import { type Entry, entryOf } from './entry.js'
import { REJECTED } from './rejections.js'

/** The keys that open tokens; a keyring provides them. */
export interface VerificationKeys extends KnownKeys {
  get(keyId: string): RingKey | undefined
  /** Records that a token named a key that is not loaded. */
  hint(keyId: string): void
}

/** Options for opening tokens. */
export interface OpenerOptions {
  readonly issuer: string
  readonly policies: ReadonlyMap<string, Policy>
  readonly claims: StandardSchemaV1 | undefined
  readonly maxTokenLength: number
  readonly clockToleranceMs: number
  readonly clock: ResolvedClock
  readonly keyring: VerificationKeys
  readonly cache: VerifiedCache<Entry>
  /** Creates the implicit assertion of a token with a binding. */
  readonly assertionOf: (audience: string, binding: string) => Uint8Array
}

// Without a cache nothing is reused.
const NO_PRINT: Fingerprint = [0, 0, 0, 0]

// The size of an entry besides its text, as measured by bench/: 623 bytes for 262 bytes of claims, none of them custom, and
// two references since.
const ENTRY_BYTES = 390

function brandsOf(policies: ReadonlyMap<string, Policy>): readonly string[] {
  const brands = [...policies.values()].flatMap(({ brand }) => brand ?? [])
  return [...new Set(brands)].sort((a, b) => b.length - a.length)
}

/** Opens the tokens of one authority. */
export class Opener {
  readonly #options: OpenerOptions
  readonly #clock: ResolvedClock
  readonly #cache: VerifiedCache<Entry>
  readonly #maxLength: number
  readonly #brands: readonly string[]
  readonly #keyring: VerificationKeys
  readonly #reader = new ClaimsReader()
  #closed = false

  constructor(options: OpenerOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#cache = options.cache
    this.#maxLength = options.maxTokenLength
    this.#keyring = options.keyring
    this.#brands = brandsOf(options.policies)
  }

  /** Rejects every token that is not cached as `closed` from now on. */
  close(): void {
    this.#closed = true
    this.#cache.clear()
  }

  /** Authenticates the token from the cache or by opening it. Does not check whether it is still valid. */
  find(token: unknown, binding: string): Entry | Rejected {
    if (typeof token !== 'string') return REJECTED.malformed
    if (token.length > this.#maxLength) return REJECTED.tooLong
    if (token.length < MIN_TOKEN_LENGTH) return this.#meet(token, binding, NO_PRINT)
    // Also without a cache, so that both find the same fault.
    if (!fingerprint(token)) return REJECTED.malformed
    if (!this.#cache.enabled) return this.#meet(token, binding, NO_PRINT)
    // Copied before any other code runs: a nested call overwrites the shared words.
    const print0 = words[0]
    const print1 = words[1]
    const print2 = words[2]
    const print3 = words[3]
    const entry = this.#cache.get(print0, print1, print2, print3)
    if (entry === undefined) return this.#meet(token, binding, [print0, print1, print2, print3])
    // The binding was authenticated too: the same token with another binding is not authentic.
    return entry.binding === binding ? entry : REJECTED.invalid
  }

  // Malformed tokens are rejected before any key is used. A cached token needs no second check.
  #meet(token: string, binding: string, print: Fingerprint): Entry | Rejected {
    const refusal = this.#shapeFault(token)
    if (refusal !== undefined) return refusal
    return this.#closed ? REJECTED.closed : this.#open(token, binding, print)
  }

  /** The key that a token names, or `undefined` for text that is not a token. */
  keyIdOf(token: unknown): string | undefined {
    if (typeof token !== 'string' || token.length > this.#maxLength) return undefined
    return readParts(token, this.#keyring, this.#brands)?.keyId
  }

  #shapeFault(token: string): Rejected | undefined {
    if (!token.startsWith(HEADER)) return looksBranded(token) ? undefined : REJECTED.malformed
    const dot = token.indexOf('.', HEADER.length)
    if (dot < 0) return REJECTED.malformed
    // All footers of this library have one length. The content is checked when the token is opened.
    if (token.length - dot - 1 === FOOTER_TEXT_LENGTH) return undefined
    return readParts(token, NO_KEYS, this.#brands) === undefined ? REJECTED.malformed : undefined
  }

  // A later call may find the key; the rate limit keeps invented keys from loading the store.
  #unknownKey(keyId: string): Rejected {
    if (this.#closed) return REJECTED.closed
    this.#keyring.hint(keyId)
    return REJECTED.unknownKey
  }

  #open(token: string, binding: string, print: Fingerprint): Entry | Rejected {
    // The clock may be the caller's: it is read before the key is looked up, since it could close the authority.
    const now = this.#clock.judged()
    const keyring = this.#keyring
    const parts = readParts(token, keyring, this.#brands)
    if (parts === undefined) return REJECTED.malformed
    const ringKey = keyring.get(parts.keyId)
    if (ringKey === undefined) return this.#unknownKey(parts.keyId)
    if (now >= ringKey.record.expiresAt) return REJECTED.unknownKey
    const assertion =
      binding === ''
        ? ringKey.assertion
        : this.#options.assertionOf(ringKey.record.audience, binding)
    const length = decryptInto(ringKey.key, parts.body, parts.footer ?? ringKey.footer, assertion)
    if (length < 0) return REJECTED.invalid
    const claims = this.#claimsOf(length)
    if (claims === undefined) return REJECTED.claimsInvalid
    if (claims.issuer !== this.#options.issuer) return REJECTED.wrongIssuer
    if (claims.audience !== ringKey.record.audience) return REJECTED.wrongAudience
    // Runs the caller's schema, which may call any verb of any authority: only locals are used after it.
    const custom = this.#customOf(claims)
    if (!custom.ok) return REJECTED.claimsInvalid
    if (this.#closed) return REJECTED.closed
    const policy = this.#options.policies.get(claims.policy)
    const { clockToleranceMs } = this.#options
    const { record } = ringKey
    const entry = entryOf(claims, {
      record,
      binding,
      print,
      custom: custom.value,
      policy,
      clockToleranceMs,
    })
    this.#cache.set(
      entry,
      // The schema's result is stored beside the custom claims.
      ENTRY_BYTES + (claims.custom === entry.principal.claims ? 1 : 2) * length,
    )
    return entry
  }

  // The plaintext buffer is shared: it is read and wiped before anything else happens.
  #claimsOf(length: number): TokenClaims | undefined {
    const own = this.#reader.read(plaintextWindow(), length)
    const payload = own === undefined ? decodeUtf8(plaintext(length)) : undefined
    wipePlaintext()
    return own ?? (payload === undefined ? undefined : readClaims(payload))
  }

  #customOf(claims: TokenClaims): CheckedClaims {
    deepFreeze(claims.custom)
    const schema = this.#options.claims
    return schema === undefined
      ? { ok: true, value: claims.custom }
      : validateClaims(schema, claims.custom)
  }
}
