/**
 * The entries of the revocation log, and how two entries of the same target combine.
 *
 * @module
 */
import type { RevocationKind } from '../../store/records.js'
import type { RestrictionKind } from '../../store/restrictions.js'

/** One revoked token. */
export interface TokenEntry {
  readonly kind: 'token'
  /** A ULID. */
  readonly value: string
  /** The token's own expiry: the entry may be dropped after it. */
  readonly expiresAt: number
  /** Present if the token's record was not available: `expiresAt` is then only an upper bound. */
  readonly loose?: true
}

/**
 * How far a family was rotated. Every generation below `generation` is superseded, and `generation` itself is
 * superseded from `from` on. There is one register per family, regardless of how often it rotates.
 */
export interface RotatedEntry {
  readonly kind: 'rotated'
  /** The family's ULID. */
  readonly value: string
  /** The newest generation that has a successor: 0 to 2^32 - 1. */
  readonly generation: number
  /** Unix milliseconds; `null` while that generation stays valid until the first use of its successor. */
  readonly from: number | null
  /** The latest expiry of the superseded generations. */
  readonly expiresAt: number
}

/** Every generation of a family from `generation` on is revoked, including future ones. */
export interface SuccessorsEntry {
  readonly kind: 'successors'
  /** The family's ULID. */
  readonly value: string
  /** 0 to 2^32 - 1. */
  readonly generation: number
  /** The end of the family. */
  readonly expiresAt: number
}

/** An entry about the generations of one family. */
export type FamilyEntry = RotatedEntry | SuccessorsEntry

/** Everything of one family, subject, key or audience, or all tokens, issued at or before a time. */
export interface WatermarkEntry {
  readonly kind: Exclude<RevocationKind, 'token'>
  /** At most 4096 bytes of UTF-8; empty for `all`. */
  readonly value: string
  readonly before: number
  readonly expiresAt: number
}

/**
 * The state of a register of restrictions. The highest revision of a register is its current state, regardless of the
 * order in which revisions arrive.
 */
export interface RestrictedEntry {
  readonly kind: 'restricted'
  readonly target: RestrictionKind
  /** The token id, family id, subject or audience; empty for `freeze`. At most 4096 bytes of UTF-8. */
  readonly value: string
  /** For a token: its position in its family, if known, so that successors are found. */
  readonly descent: RestrictedDescent | null
  /** 1 to 2^48 - 1. */
  readonly revision: number
  /** What it restricts: canonical JSON of at most 16,384 bytes. */
  readonly state: string
  /**
   * By then every token that exists has expired. Nodes extend it as long as the register restricts something, since
   * tokens that are issued later are covered as well.
   */
  readonly expiresAt: number
}

/** A generation of a family; its successors are the higher ones. */
export interface RestrictedDescent {
  /** The family's ULID. */
  readonly family: string
  /** 0 to 2^32 - 1. */
  readonly generation: number
}

/** The kinds of {@link NodeEntry}, in the order of their tags. */
export const NODE_KINDS = ['join', 'leave', 'ack', 'lease', 'trim', 'snapshot', 'call'] as const

/** Entries that nodes publish in the log about themselves: their presence and position. */
export interface NodeEntry {
  readonly kind: (typeof NODE_KINDS)[number]
  /** The node instance, see `members.ts`: 1 to 278 characters. */
  readonly value: string
  /**
   * For `join` and `leave`: the time. For `ack`: the `seq` that the node has applied. For `lease`: its end. For `trim`:
   * the lowest `seq` that stays. For `snapshot`: its `seq`. For `call`, which asks every node for an `ack`: the time,
   * or 0 if any event of a node suffices.
   */
  readonly until: number
}

/** An entry that a node holds in memory for as long as a covered token could be valid. */
export type RevocationEntry = TokenEntry | FamilyEntry | WatermarkEntry | RestrictedEntry
/** An entry of an event. */
export type FeedEntry = RevocationEntry | NodeEntry

const NODE_KIND_SET: ReadonlySet<string> = new Set(NODE_KINDS)

/** Whether it is about nodes or the log, not about tokens. */
export const isNodeEntry = (entry: FeedEntry): entry is NodeEntry => NODE_KIND_SET.has(entry.kind)

/** Whether it is about the generations of a family. */
export const isFamilyEntry = (entry: FeedEntry): entry is FamilyEntry =>
  entry.kind === 'rotated' || entry.kind === 'successors'

/** Whether it revokes by the time of issue, or a whole family or key. */
export const isWatermark = (entry: FeedEntry): entry is WatermarkEntry =>
  entry.kind !== 'token' &&
  entry.kind !== 'restricted' &&
  !isFamilyEntry(entry) &&
  !isNodeEntry(entry)

/** When the last of these entries may be dropped, in Unix milliseconds; 0 if none of them revokes anything. */
export function expiryOf(entries: readonly FeedEntry[]): number {
  return entries.reduce(
    (last, entry) => (isNodeEntry(entry) ? last : Math.max(last, entry.expiresAt)),
    0,
  )
}

/** The key of an entry's target. Two entries of one target combine into one that covers both. */
export function targetOf(entry: RevocationEntry): string {
  const { kind, value } = entry
  if (kind === 'restricted') return `restricted ${entry.target} ${value}`
  return kind === 'token' ? `token ${value} ${entry.loose === true}` : `${kind} ${value}`
}

/** Combines two entries of one target: the wider coverage, until the later expiry. */
export function combine(a: RevocationEntry, b: RevocationEntry): RevocationEntry {
  const further = reachesFurther(b, a) ? b : a
  const expiresAt = Math.max(a.expiresAt, b.expiresAt)
  return expiresAt === further.expiresAt ? further : { ...further, expiresAt }
}

/** Whether `a` covers tokens that `b`, of the same target, does not. Their expiry does not matter. */
export function reachesFurther(a: RevocationEntry, b: RevocationEntry): boolean {
  if (a.kind === 'rotated' && b.kind === 'rotated') return isLaterRotation(a, b)
  if (a.kind === 'successors' && b.kind === 'successors') return a.generation < b.generation
  if (a.kind === 'restricted' && b.kind === 'restricted') return isLaterRevision(a, b)
  return isWatermark(a) && isWatermark(b) && a.before > b.before
}

/** The fields that compare two rotations of one family. */
type Rotated = Pick<RotatedEntry, 'generation' | 'from'>

/** Whether `a` supersedes more than `b`: a higher generation, or the same one from an earlier time on. */
export function isLaterRotation(a: Rotated, b: Rotated): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation
  return a.from !== null && (b.from === null || a.from < b.from)
}

/**
 * Whether `a` replaces `b`, of the same register: by a higher revision. Two states with one revision exist only if the
 * store was set back. A suspension then wins on every node, and otherwise the smaller text, so a lifted state never does.
 */
export function isLaterRevision(a: RestrictedEntry, b: RestrictedEntry): boolean {
  if (a.revision !== b.revision) return a.revision > b.revision
  if (isSuspension(a) !== isSuspension(b)) return isSuspension(a)
  if (a.state !== b.state) return a.state < b.state
  return descentText(a) < descentText(b)
}

// Only a field's name is followed by a colon: no scope contains a quotation mark.
const isSuspension = ({ state }: RestrictedEntry): boolean => state.includes('"suspended":')

const descentText = ({ descent }: RestrictedEntry): string =>
  // The wider coverage first: a position in a family reaches successors.
  descent === null ? '~' : `${descent.family} ${String(descent.generation).padStart(10, '0')}`

/** Accepts entries; a revocation index implements it. */
export interface EntrySink {
  /** Adds one entry; returns `false` if there is no space for it. */
  apply(entry: RevocationEntry): boolean
  /** The same for a token with exact expiry, by the four words of its id. The callee must not keep the words. */
  applyWords(words: Int32Array, expiresAt: number): boolean
}
