/**
 * The optional part of a store that keeps restrictions: one register per target, which says what its tokens may not do at
 * present. Unlike a revocation, a restriction can be lifted.
 *
 * A register is changed by compare-and-set on its revision, so two administrators never overwrite each other unseen. The
 * highest revision of a register is its current state. A register that restricts nothing any more stays, so that an
 * earlier revision that arrives late is recognised as old.
 *
 * Maximum lengths in UTF-16 units: value 1024, state 16,384, actor 256, reason 1024, tag 512.
 *
 * @module
 */

import type { AuditRow } from './audit.js'

/** What a register restricts. */
export type RestrictionKind =
  /** One token and its successors. */
  | 'token'
  /** Every token of a family. */
  | 'family'
  /** Every token of a subject. */
  | 'subject'
  /** Every token for an audience. */
  | 'audience'
  /** Issue and rotation by every node of the authority. */
  | 'freeze'

/** The name of a register. Primary key. */
export interface RestrictionTarget {
  readonly kind: RestrictionKind
  /** The token id, family id, subject or audience; empty for `freeze`. */
  readonly value: string
}

/** The state of a register. */
export interface RestrictionRecord extends RestrictionTarget {
  /** Counts from 1. */
  readonly revision: number
  /** What it restricts, as canonical JSON; `'{}'` once it was lifted. Stores keep it unchanged. */
  readonly state: string
  /** For a token: its family, so that successors are found; otherwise `null`. */
  readonly family: string | null
  /** For a token: its generation; `null` if `family` is. */
  readonly generation: number | null
  /** When this revision was written, by the clock of the node that wrote it. */
  readonly at: number
  readonly actor: string
  readonly reason: string | null
  /** When the last covered token has expired and no earlier revision can arrive any more. */
  readonly expiresAt: number
  /** A message authentication code over all other fields, computed by the authority. Stores keep it unchanged. */
  readonly tag: string
}

/** One page of a list of registers in ascending order of kind, then of value, both by their bytes in UTF-8. */
export interface RestrictionPage {
  /** Only registers after this one. */
  readonly after?: RestrictionTarget
  /** The maximum number of registers to return, at least 1. */
  readonly limit: number
}

/** The result of writing a register. */
export type RestrictionWrite =
  | { readonly outcome: 'written' }
  /** The register has another revision than expected: its current state, or `undefined` if it does not exist. */
  | { readonly outcome: 'changed'; readonly current: RestrictionRecord | undefined }

/** The part of a store that keeps restrictions. */
export interface RestrictionStore {
  /** Returns the register, or `undefined` if there is none. */
  read(target: RestrictionTarget): Promise<RestrictionRecord | undefined>

  /**
   * Writes the next revision of a register, if its stored revision is `next.revision - 1`; 0 stands for a register that
   * does not exist. Atomicity: compare and set on the register, together with the rows of the audit. A call that is
   * repeated after it was written returns `written` again and changes nothing: the stored register then equals `next`.
   */
  write(next: RestrictionRecord, audit?: readonly AuditRow[]): Promise<RestrictionWrite>

  /** Returns the page of all registers, lifted ones included. */
  list(page: RestrictionPage): Promise<readonly RestrictionRecord[]>

  /** Removes the registers whose `expiresAt` is not after the given time. Returns their number. Idempotent. */
  purge(until: number): Promise<number>
}

/** Compares two registers in the order of {@link RestrictionStore.list}. */
export function compareTargets(a: RestrictionTarget, b: RestrictionTarget): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1
  // Code units order U+10000 and above before U+E000.
  return Buffer.compare(Buffer.from(a.value), Buffer.from(b.value))
}

/** Every field of a revision but its tag, in the order in which the tag covers them. */
export const RESTRICTION_FIELDS = [
  'kind',
  'value',
  'revision',
  'state',
  'family',
  'generation',
  'at',
  'actor',
  'reason',
  'expiresAt',
] as const satisfies readonly (keyof RestrictionRecord)[]

/** Whether two states of a register are the same in every field. */
export function sameRestriction(a: RestrictionRecord, b: RestrictionRecord): boolean {
  return a.tag === b.tag && RESTRICTION_FIELDS.every((field) => a[field] === b[field])
}
