/**
 * What the library says about itself, on Node's diagnostics channels: nothing is built unless somebody listens.
 *
 * `watchword:decision` tells every decision of `verify` and `authenticate`; `watchword:audit` tells every change: issue,
 * rotate, revoke, reuse, keys. No message holds a token, a key or a custom claim.
 *
 * @module
 */
import { channel } from 'node:diagnostics_channel'
import type { IncidentKind } from '../revocation/follower-options.js'
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
  /** Present when whoever asked said what for: the request that carried the token. */
  readonly context?: RequestContext
}

/**
 * The request that a token came with, for those who listen to decisions. It decides nothing. What is published is a
 * frozen copy of these fields: text of at most 256 characters each; a longer one is cut, anything else left out.
 */
export interface RequestContext {
  /** `GET` */
  readonly method?: string
  /** The pattern of the route, such as `/orders/:id`; not the path, which is the client's own text. */
  readonly route?: string
  /** What the service calls the request. */
  readonly requestId?: string
  /** The client's address, as far as the framework trusts it. */
  readonly address?: string
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
  | `feed.${IncidentKind}`

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
  /** Of what happened to the feed: how many events or entries. */
  readonly count?: number
}

/** Carries a {@link Decision} for each call of `verify`. */
export const decisions = channel('watchword:decision')
/** Carries an {@link AuditEvent} for each change. */
export const audits = channel('watchword:audit')

const CONTEXT_FIELDS = ['method', 'route', 'requestId', 'address'] as const
const MAX_CONTEXT_LENGTH = 256

/** What may be told of a context: nothing, or a `context` of which no text can be endless or change later. */
export function tellable(context: RequestContext | undefined): Pick<Decision, 'context'> {
  if (typeof context !== 'object' || context === null) return {}
  const told: { -readonly [Field in keyof RequestContext]: string } = {}
  for (const field of CONTEXT_FIELDS) {
    const value: unknown = context[field]
    if (typeof value === 'string') told[field] = value.slice(0, MAX_CONTEXT_LENGTH)
  }
  return { context: Object.freeze(told) }
}
