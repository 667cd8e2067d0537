/**
 * Every error that the library throws, with its code.
 *
 * A rejected token is not an error: `verify` returns it as a value. Thrown errors report misuse, a request that cannot
 * be fulfilled, or an outage; the code says which. Codes are stable within a major version; messages are not.
 *
 * @module
 */

/** The complete list of error codes and their meanings. */
export const ERROR_CODES = {
  ERR_INVALID_OPTION: 'An option is invalid; the message names the field and the fix.',
  ERR_INVALID_ARGUMENT:
    'An argument of a call is invalid; the message names the field and the fix.',
  ERR_INVALID_KEY:
    'A key or a PASERK is malformed, of the wrong kind, or not authentic under the wrapping key.',
  ERR_NOT_READY: 'The cryptography is not loaded yet: await `ready` first.',
  ERR_SELF_TEST:
    'A known-answer test failed at start: the build or the runtime is broken. Nothing was started.',
  ERR_CLOSED: 'The authority was closed.',
  ERR_UNKNOWN_POLICY: 'No policy has this name.',
  ERR_UNKNOWN_AUDIENCE: 'This authority does not serve this audience.',
  ERR_SCOPE_NOT_GRANTABLE:
    'A scope is not one that the policy, or the token being rotated, can grant.',
  ERR_DETAILS_REQUIRED:
    'The token would have no label, owner or purpose although its policy demands it (`require`).',
  ERR_TTL_TOO_LONG: 'The lifetime asked for is longer than the policy allows.',
  ERR_RESERVED_CLAIM: 'A custom claim uses a reserved name of the library or of PASETO.',
  ERR_CLAIMS_INVALID: 'The custom claims do not satisfy the schema, or cannot be written as JSON.',
  ERR_TOKEN_TOO_LONG: 'The token would be longer than the limit.',
  ERR_LIMIT_REACHED: 'The subject already holds as many live tokens as the policy allows.',
  ERR_TOKEN_REJECTED: 'The token presented to rotate or revoke was rejected; `reason` says why.',
  ERR_TOKEN_UNKNOWN: 'The store has no record of the token.',
  ERR_TOKEN_REUSED: 'A token that was already rotated was presented again after its grace.',
  ERR_ROTATION_LIMIT:
    'The family has reached the rotation limit of its policy for now; `retryAt` says when it may be rotated again.',
  ERR_REVOKED_AHEAD:
    'A node whose clock was ahead revoked the subject, the audience or everything up to a future time; `retryAt` says when a token can be issued.',
  ERR_REVOCATIONS_FULL:
    'The node has almost `maxRevocations` revocations and reserves the rest for revocations; nothing was rotated or restricted.',
  ERR_FAMILY_ENDED: 'The family of the token has reached its maximum lifetime; issue a new token.',
  ERR_NOT_ROTATABLE: 'The token was issued with `rotatable: false`; issue a new token.',
  ERR_NO_SIGNING_KEY: 'No key can issue for this audience right now.',
  ERR_KEY_LOOKUP_PENDING:
    'The token names a key that this node has not read yet, and too many requests wait for the same read; retry in a second.',
  ERR_ROOT_KEY:
    'None of the configured root keys can unwrap a stored key, or a key wrapper failed.',
  ERR_STORE_UNAVAILABLE:
    'The store did not respond in time, or failed; the message names the reason.',
  ERR_STORE_CORRUPT:
    'The store returned a row that does not parse, or that does not match its integrity tag; `detail` names it.',
  ERR_AUDIT_NOT_KEPT:
    'The audit is not kept, because the store does not keep one or it is switched off; the policy requires it, or it was asked for.',
  ERR_RESTRICTIONS_NOT_KEPT:
    'The store keeps no restrictions: it has no part `restrictions`. Use another store, or revoke.',
  ERR_FROZEN:
    'Issuing or rotating is frozen on every node; `retryAt` says until when, if that is known.',
  ERR_STORE_SCHEMA:
    'The schema of the store, or the state of a restriction, is newer than this library, or the schema is missing.',
  ERR_FEED_UNAVAILABLE:
    'The revocation feed did not respond in time, or failed; the message names the reason.',
  ERR_REVOCATION_UNCERTAIN:
    'It is unknown whether the revocation reached the feed; this node rejects the token.',
} as const

/** One of the codes of {@link ERROR_CODES}. */
export type WatchwordErrorCode = keyof typeof ERROR_CODES

/** Optional fields of an error besides its code and message. */
export interface WatchwordErrorOptions {
  /** For operators: may name a row, a table or a setting, but never a token, a key or a claim's value. */
  readonly detail?: string
  /** Why `verify` rejected the token, with `ERR_TOKEN_REJECTED`. */
  readonly reason?: string
  /** When to retry, in Unix milliseconds, with `ERR_ROTATION_LIMIT`, `ERR_REVOKED_AHEAD` and `ERR_FROZEN`. */
  readonly retryAt?: number
  /** The underlying error, such as the database driver's own. */
  readonly cause?: unknown
}

// The brand identifies the error instead of the class, because the ESM and the CommonJS copy of the package may run in
// one process.
const BRAND = Symbol.for('watchword.error')

/**
 * The one error class of the library.
 *
 * @example
 * ```ts
 * import { createWatchword, WatchwordError } from 'watchword'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * const policy: string = 'jobs'
 * try {
 *   await watchword.issue({ policy, subject: 'svc_mail', actor: 'ops' })
 * } catch (error) {
 *   if (!(error instanceof WatchwordError) || error.code !== 'ERR_UNKNOWN_POLICY') throw error
 * }
 * await watchword.close()
 * ```
 */
export class WatchwordError<C extends WatchwordErrorCode = WatchwordErrorCode> extends Error {
  /** Stable within a major version; switch on this, not on the message. */
  readonly code: C
  /** For operators, not for callers across a trust boundary. */
  declare readonly detail?: string
  /** Why `verify` rejected the token, if the code is `ERR_TOKEN_REJECTED`. */
  declare readonly reason?: string
  /** When to retry, in Unix milliseconds, if the code is `ERR_ROTATION_LIMIT`, `ERR_REVOKED_AHEAD` or `ERR_FROZEN`. */
  declare readonly retryAt?: number

  constructor(code: C, message: string, options: WatchwordErrorOptions = {}) {
    super(message, Object.hasOwn(options, 'cause') ? { cause: options.cause } : undefined)
    this.name = 'WatchwordError'
    this.code = code
    // Without a prototype, so a polluted `Object.prototype` adds no fields.
    const own = Object.assign(Object.create(null) as WatchwordErrorOptions, options)
    const { detail, reason, retryAt } = own
    // Set only if present, so a printed error shows no empty fields.
    if (detail !== undefined) this.detail = detail
    if (reason !== undefined) this.reason = reason
    if (retryAt !== undefined) this.retryAt = retryAt
    Object.defineProperty(this, BRAND, { value: true })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && Object.hasOwn(value, BRAND)
  }
}
