/**
 * The parameters and results of `suspend`, `restrict`, `restore`, `freeze` and `unfreeze`.
 *
 * @module
 */
import type { Duration } from '../lib/duration.js'
import type { RestrictionKind } from '../store/restrictions.js'
import type { LogPosition } from '../types.js'

/** The target of a restriction: exactly one of these. */
export type RestrictTarget =
  | { readonly token: string }
  | { readonly id: string }
  | { readonly family: string }
  | { readonly subject: string }
  | { readonly audience: string }

/** The parameters of `unfreeze`, and of all verbs that restrict. */
export interface UnfreezeOptions {
  /** The actor, for the record: 1 to 256 characters. */
  readonly actor: string
  /** The reason, for the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
  /**
   * `all`: resolves when every running node has confirmed that it applied the change, or after `timeout`; the receipt
   * lists the nodes. Default: `local`, which resolves when the feed has it and this node honours it.
   */
  readonly waitFor?: 'local' | 'all'
  /** How long to wait for the other nodes, at most an hour. Default: `maxStaleness` plus one second. */
  readonly timeout?: Duration
}

/** The parameters of `restore`. */
export interface RestoreOptions extends UnfreezeOptions {
  /** The binding of the token, if the target is a bound token. Default: no binding. */
  readonly binding?: string
}

/** The parameters of `suspend`. */
export interface SuspendOptions extends RestoreOptions {
  /** After this time, at least a second, it ends by itself. Default: it does not end. */
  readonly for?: Duration
}

/** The parameters of `restrict`: at least one of `to` and `deny`. */
export interface RestrictOptions extends SuspendOptions {
  /** The scopes that are left, 1 to 64: a token keeps those that it has and that one of these covers. Default: all. */
  readonly to?: readonly string[]
  /**
   * The scopes that are taken away, 1 to 64. Every segment may be `*`, which stands for one or more segments: `*:write`.
   * Default: none.
   */
  readonly deny?: readonly string[]
  /**
   * `report`: requests that it would refuse pass, and the result has `wouldRefuse`. Each mode replaces the previous
   * restriction of the same mode, and `enforce` also ends the one in `report`. Default: `enforce`.
   */
  readonly mode?: 'enforce' | 'report'
}

/** The parameters of `freeze`. */
export interface FreezeOptions extends UnfreezeOptions {
  /** After this time, at least a second, it ends by itself. Default: it does not end. */
  readonly for?: Duration
}

/** What is frozen: at least one of them is `true`. The other one stays as it is. */
export interface Frozen {
  /** Whether `issue` and `issueMany` reject. Default: `false`. */
  readonly issue?: boolean
  /** Whether `rotate` rejects. Default: `false`. */
  readonly rotate?: boolean
}

/** The receipt of a restriction. */
export interface RestrictReceipt {
  /** The kind of the target. */
  readonly kind: RestrictionKind
  /** The token id, family id, subject or audience; empty for `freeze`. */
  readonly value: string
  /** The revision of the register: one more than before. 0 if there was nothing to restore, and nothing was written. */
  readonly revision: number
  /** When it ends by itself, in Unix milliseconds; `null` if it does not. */
  readonly until: number | null
  /** The position in the feed: a node at or past it honours the change. */
  readonly position: LogPosition
  /** With `waitFor: 'all'`, the nodes by name: those that have applied it, including this one, and the others. */
  readonly nodes?: { readonly applied: readonly string[]; readonly pending: readonly string[] }
}

/** When a restriction ends by itself. */
export interface RestrictionTerm {
  /** Unix milliseconds; `null` if it does not end. */
  readonly until: number | null
}

/** The scopes of a restriction. */
export interface RestrictedScopes extends RestrictionTerm {
  /** The scopes that are left; absent if it does not limit them. */
  readonly to?: readonly string[]
  /** The scopes that are taken away; absent if there are none. */
  readonly deny?: readonly string[]
}

/** What restricts a target at present. A part that is absent, or whose time is over, restricts nothing. */
export interface RestrictionInfo {
  /** The kind of the target. */
  readonly kind: RestrictionKind
  /** The token id, family id, subject or audience; empty for `freeze`. */
  readonly value: string
  /** One more with each change. */
  readonly revision: number
  /** When it was written, in Unix milliseconds. */
  readonly at: number
  /** The actor who wrote this revision. */
  readonly actor: string
  /** The reason given, or `null`. */
  readonly reason: string | null
  /** Every token is refused. */
  readonly suspended?: RestrictionTerm
  /** The scopes are limited. */
  readonly enforced?: RestrictedScopes
  /** The limit that is on trial, by `mode: 'report'`. */
  readonly reported?: RestrictedScopes
  /** `issue` and `issueMany` reject. */
  readonly issue?: RestrictionTerm
  /** `rotate` rejects. */
  readonly rotate?: RestrictionTerm
}

/** The place of a register in the list. */
export interface RestrictionPlace {
  readonly kind: RestrictionKind
  readonly value: string
}

/** The page of a list of restrictions. */
export interface RestrictionQuery {
  /** The page size, 1 to 1000. Default: 100. */
  readonly limit?: number
  /** The `next` of the previous page. */
  readonly after?: RestrictionPlace
}

/** A page of restrictions. */
export interface RestrictionInfoPage {
  /** The registers that restrict something, in the order of kind and value. */
  readonly items: readonly RestrictionInfo[]
  /** Pass as `after` for the next page; absent on the last one. */
  readonly next?: RestrictionPlace
  /** The registers whose rows do not parse or were edited in the database, as kind and value; absent if there are none. */
  readonly corrupt?: readonly string[]
}
