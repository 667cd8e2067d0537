/**
 * What the library says about itself, on Node's diagnostics channels: nothing is built unless somebody listens.
 *
 * `watchword:decision` tells every decision of `verify` and `authenticate`; `watchword:audit` tells every change: issue,
 * rotate, revoke, reuse, keys. No message holds a token, a key or a custom claim.
 *
 * @module
 */
import { channel } from 'node:diagnostics_channel'
import type { RejectionCode } from '../types.js'

/** One decision about one presented token. */
export interface Decision {
  /** Unix milliseconds. */
  readonly at: number
  readonly issuer: string
  readonly outcome: 'ok' | RejectionCode
  /** Present when the token proved authentic: who it was. */
  readonly id?: string
  readonly subject?: string
  readonly audience?: string
  readonly policy?: string
}

/** What changed. */
export type AuditAction =
  | 'token.issued'
  | 'token.rotated'
  | 'token.reused'
  | 'token.superseded'
  | 'revoked'
  | 'key.created'
  | 'key.unreadable'

/** One change, flat and versioned. */
export interface AuditEvent {
  readonly v: 1
  /** Unix milliseconds. */
  readonly at: number
  readonly issuer: string
  readonly action: AuditAction
  /** Who asked for it; `system` for what the library does by itself. */
  readonly actor: string
  readonly id?: string
  readonly subject?: string
  readonly audience?: string
  readonly policy?: string
  readonly family?: string
  readonly predecessor?: string
  readonly keyId?: string
  readonly target?: string
  readonly reason?: string | null
}

/** Carries a {@link Decision} for each call of `verify`. */
export const decisions = channel('watchword:decision')
/** Carries an {@link AuditEvent} for each change. */
export const audits = channel('watchword:audit')
