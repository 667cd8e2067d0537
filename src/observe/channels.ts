/**
 * Node diagnostics channels of the library: messages are built only if there are subscribers.
 *
 * `watchword:decision` publishes every decision of `verify` and `authenticate`; `watchword:audit` publishes every
 * change: issue, rotate, revoke, reuse, keys. No message contains a token, a key or a custom claim.
 *
 * @module
 */
import { channel } from 'node:diagnostics_channel'
import { readField } from '../lib/fields.js'
import type { RejectionCode, Verified } from '../types.js'
import type { AuditIncidentKind, IncidentKind } from './incident-kind.js'

/** One decision about one presented token. */
export interface Decision {
  /** Unix milliseconds. */
  readonly at: number
  /** The issuer of the authority that made the decision. */
  readonly issuer: string
  /** The node that made the decision. */
  readonly node: string
  /** `ok`, or why the token was rejected. */
  readonly outcome: 'ok' | RejectionCode
  /** The code with which a restriction with `mode: 'report'` would have refused the token; otherwise absent. */
  readonly wouldRefuse?: RejectionCode
  /** The scopes that were required, those of `allOf` before those of `anyOf`; absent when the requirement is invalid. */
  readonly required?: readonly string[]
  /** The fault of the requirement, if it is invalid. No token meets it. */
  readonly invalidRequirement?: string
  /** The token's id. This field and the next five are present only for an authentic token. */
  readonly id?: string
  /** The subject of the token. */
  readonly subject?: string
  /** The audience of the token. */
  readonly audience?: string
  /** The policy under which the token was issued. */
  readonly policy?: string
  /** The id of the first token of its family. */
  readonly family?: string
  /** 0 for the first token of its family, incremented by each rotation. */
  readonly generation?: number
  /** The request that carried the token, if the caller passed a context. */
  readonly context?: RequestContext
}

/**
 * The request that carried the token, for subscribers to decisions. It does not affect the decision. The published
 * value is a frozen copy of these fields, each a text of at most 256 characters: longer text is cut, other values are
 * omitted.
 */
export interface RequestContext {
  /** `GET` */
  readonly method?: string
  /** The pattern of the route, such as `/orders/:id`; not the path, which the client controls. */
  readonly route?: string
  /** The service's id for the request. */
  readonly requestId?: string
  /** The client's address, as far as the framework trusts it. */
  readonly address?: string
  /** The `User-Agent` of the request, which the client controls. */
  readonly userAgent?: string
}

/** The kinds of changes. */
export type AuditAction =
  /** A token was issued. */
  | 'token.issued'
  /** A token was rotated; `id` is the successor. */
  | 'token.rotated'
  /** The details of a token were replaced; see `label`, `owner` and `purpose`. */
  | 'token.updated'
  /** A rotated token was presented to `rotate` after its grace. Not published with `reuse: 'observe'`. */
  | 'token.reused'
  /** A rotated token was retired at the first use of its successor, as `retireOn: 'first-use'` requires. */
  | 'token.superseded'
  /** A target was revoked; see `target` and `id`. */
  | 'revoked'
  /** A target was suspended; see `target`, `id` and `until`. */
  | 'token.suspended'
  /** The scopes of a target were limited; see `target`, `id`, `to`, `deny`, `mode` and `until`. */
  | 'token.restricted'
  /** The suspension and the restrictions of a target were lifted; see `target` and `id`. */
  | 'token.restored'
  /** Issue or rotation was stopped on every node; see `operation` and `until`. */
  | 'frozen'
  /** Issue and rotation were permitted again. */
  | 'unfrozen'
  /** A key was created. */
  | 'key.created'
  /** None of the root keys can unwrap a stored key. */
  | 'key.unreadable'
  /** A key was wrapped with the current root key. */
  | 'key.rewrapped'
  /** The wrapping of a key was destroyed, because no root key opens it. */
  | 'key.discarded'
  /**
   * A call by an administrator was rejected; see `operation` and `code`. Only in the kept audit, not on the channel, and
   * at most 100 a minute and node.
   */
  | 'refused'
  /** Expired rows were removed from the store; see `count`. */
  | 'store.purged'
  /** A stored row does not match its integrity tag. */
  | 'store.tampered'
  /** An incident of the feed, detected by this node. */
  | `feed.${IncidentKind}`
  /** An incident of the audit, detected by this node. */
  | `audit.${AuditIncidentKind}`

/** One change, as a flat, versioned object. */
export interface AuditEvent {
  /** The version of this format. */
  readonly v: 1
  /** Unix milliseconds. */
  readonly at: number
  /** The issuer of the authority that published it. */
  readonly issuer: string
  /** The change. */
  readonly action: AuditAction
  /** The actor of the change; `system` for changes made by the library itself. */
  readonly actor: string
  /** The token's id; for a revocation or a restriction, the target's value. */
  readonly id?: string
  /** The subject of the token. */
  readonly subject?: string
  /** The audience of the token or key. */
  readonly audience?: string
  /** The policy of the token. */
  readonly policy?: string
  /** The id of the first token of the family. */
  readonly family?: string
  /** For a rotation: the id of the token that was rotated. */
  readonly predecessor?: string
  /** For a rotation: the scopes of the token that its policy no longer grants. */
  readonly lostScopes?: readonly string[]
  /** For an issued token: its label, if it has one. For an update: the new label if it changed, `null` if removed. */
  readonly label?: string | null
  /** The owner, like `label`. */
  readonly owner?: string | null
  /** The purpose, like `label`. */
  readonly purpose?: string | null
  /** The key that seals the token, or the key that changed. */
  readonly keyId?: string
  /** For a revocation or a restriction: the kind of its target. For a tampered row: its kind. */
  readonly target?: string
  /** For a revocation or a restriction: the given reason, or `null`. */
  readonly reason?: string | null
  /** For a suspension, a restriction or a freeze: when it ends by itself, in Unix milliseconds. */
  readonly until?: number
  /** For a restriction: the scopes that are left. */
  readonly to?: readonly string[]
  /** For a restriction: the scopes that are taken away. */
  readonly deny?: readonly string[]
  /** For a restriction: `report` if it is on trial. */
  readonly mode?: 'report'
  /**
   * For an incident: the number of events, entries or rows. For a purge: the number of rows. For a refused call: the
   * number of calls that were not reported before it, if there are any.
   */
  readonly count?: number
  /** For a refused call: its name, such as `issue` or `tokens.update`. For a freeze: what is frozen. */
  readonly operation?: string
  /** For a refused call: the error code. */
  readonly code?: string
}

/** Carries a {@link Decision} for each call of `verify`. */
export const decisions = channel('watchword:decision')
/** Carries an {@link AuditEvent} for each change. */
export const audits = channel('watchword:audit')

const CONTEXT_FIELDS = ['method', 'route', 'requestId', 'address', 'userAgent'] as const
const MAX_CONTEXT_LENGTH = 256

/** The common fields of every decision. */
export interface DecisionParts {
  readonly at: number
  readonly issuer: string
  readonly node: string
  readonly outcome: Decision['outcome']
  readonly required: readonly string[]
  readonly context: RequestContext | undefined
}

/** A decision about a token that is not authentic. */
export function decisionOf({
  at,
  issuer,
  node,
  outcome,
  required,
  context,
}: DecisionParts): Decision {
  return context === undefined
    ? { at, issuer, node, outcome, required }
    : { at, issuer, node, outcome, required, context }
}

/**
 * A decision about an authentic token. Uses literals, because spreading two objects costs more than the whole check.
 */
export function decisionAbout(
  { id, subject, audience, policy, family, generation }: Verified<unknown>,
  { at, issuer, node, outcome, required, context }: DecisionParts,
): Decision {
  return context === undefined
    ? { at, issuer, node, outcome, required, id, subject, audience, policy, family, generation }
    : {
        at,
        issuer,
        node,
        outcome,
        required,
        id,
        subject,
        audience,
        policy,
        family,
        generation,
        context,
      }
}

/** The published part of a context: a frozen copy of bounded text. */
export function tellable(context: RequestContext | undefined): RequestContext | undefined {
  if (typeof context !== 'object' || context === null) return undefined
  const told: { -readonly [Field in keyof RequestContext]: string } = {}
  for (const field of CONTEXT_FIELDS) {
    const value = readField(context, field)
    if (typeof value === 'string') told[field] = value.slice(0, MAX_CONTEXT_LENGTH)
  }
  return Object.freeze(told)
}
