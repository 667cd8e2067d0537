/**
 * The revocation index: a node's in-memory set of all revocations of tokens that could still be valid.
 *
 * It only grows until entries expire: the later generation of a family wins, and the later time of a watermark. So
 * entries may arrive repeatedly, late or in any order, and nothing undoes a revocation. A full index rejects new
 * entries and reports it; it never evicts.
 *
 * @module
 */
import { invalidArgument } from '../../lib/invalid.js'
import type { RevocationKind } from '../../store/records.js'
import type { RestrictionTarget } from '../../store/restrictions.js'
import type { Verified } from '../../types.js'
import { numbersOf, numbersOfFamily, textOfRegister } from './digest-members.js'
import {
  type EntrySink,
  type FamilyEntry,
  isFamilyEntry,
  type RevocationEntry,
  type TokenEntry,
  type WatermarkEntry,
} from './entries.js'
import { Families, SUPERSEDED } from './families.js'
import { isFree, newPlacing, type Placing } from './id-table.js'
import { NOT_REVOKED, type Outcome, REVOKED } from './outcome.js'
import { Registers } from './registers.js'
import { SetHash } from './set-hash.js'
import { bucketEnd, TokenBuckets } from './token-buckets.js'
import { readUlid, timeOfWords, writeUlid } from './ulid-codec.js'
import { UnknownExpiry } from './unknown-expiry.js'
import { isTimed, Watermarks } from './watermarks.js'

export { NOT_REVOKED, REVOKED, SUPERSEDED }

/** The claims of a token that the index needs. */
export type TokenFacts = Pick<
  Verified<unknown>,
  'id' | 'family' | 'generation' | 'subject' | 'audience' | 'keyId' | 'issuedAt' | 'expiresAt'
>

/** Limits of the index. */
export interface IndexOptions {
  /** The maximum number of entries. Default: 20 million, which need about 400 MB. */
  readonly max?: number
  /**
   * The latest time, in Unix milliseconds, that a watermark may cover; a later one is lowered to it. Default: no limit,
   * for an index that is only used for comparison.
   */
  readonly latest?: () => number
  /** Called with the number of watermarks that were lowered. */
  readonly onFuture?: (count: number) => void
  /** Called for each state of a restriction that this version cannot read, and so treats as a suspension. */
  readonly onUnreadable?: () => void
  /** @internal For tests that need colliding ids. */
  readonly placing?: Placing
}

const MAX_ENTRIES_HELD = 20_000_000
// The share of the capacity that rotations and restrictions leave free, sized for concurrent ones on many nodes.
const KEPT_FOR_REVOCATIONS = 0.1

// Shared by all indexes: written and read within one synchronous step that calls no foreign code. A generator never
// holds it across a `yield`.
const words = new Int32Array(4)

/** The tables of one node. */
export class RevocationIndex implements EntrySink {
  /** Changes with every effective entry, so cached tokens are rechecked only then. */
  version = 0
  /** The restrictions: apply them through this index alone. A revocation stands above them. */
  readonly registers: Registers
  /** Called after each change of the version. It must not call this index. */
  onVersion: () => void = () => undefined
  readonly #max: number
  readonly #latest: () => number
  readonly #onFuture: (count: number) => void
  readonly #tokens: TokenBuckets
  readonly #families: Families
  readonly #loose = new UnknownExpiry()
  readonly #watermarks = new Watermarks()
  #forgotten = Number.NEGATIVE_INFINITY
  #full = false

  constructor({
    max = MAX_ENTRIES_HELD,
    latest = () => NOT_REVOKED,
    onFuture = () => undefined,
    onUnreadable,
    placing = newPlacing(),
  }: IndexOptions = {}) {
    this.#max = max
    this.#latest = latest
    this.#onFuture = onFuture
    this.#tokens = new TokenBuckets(placing)
    this.#families = new Families(placing)
    this.registers = new Registers(onUnreadable)
  }

  /** The number of entries. */
  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0)
  }

  /** The estimated memory used, in bytes. */
  get bytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Whether an entry was rejected for lack of space since entries were last dropped. */
  get full(): boolean {
    return this.#full
  }

  get #hasReserve(): boolean {
    return this.size < this.#max * (1 - KEPT_FOR_REVOCATIONS)
  }

  /**
   * Whether a restriction of this target may use an entry: it has one already, or more space is left than the reserve
   * for revocations.
   */
  admitsRestriction(target: RestrictionTarget): boolean {
    return this.#hasReserve || this.registers.get(target) !== undefined
  }

  /**
   * Whether the end of a token of this family may use an entry: the family has one already, or more space is left than
   * the reserve for revocations. Any holder can rotate, and that must not displace a revocation.
   */
  admitsRotation(family: string): boolean {
    return this.#hasReserve || this.hasSuccessor(family, 0)
  }

  /** Forces a recheck of every cached token, after a change that no entry made. */
  touch(): void {
    this.version++
    this.onVersion()
  }

  /**
   * Adds one entry. An entry that is known, weaker than a known one, or already expired at the last `forget` changes
   * nothing.
   *
   * @returns `false` only if there was no space: this node then does not reject the tokens of the entry.
   */
  apply(entry: RevocationEntry): boolean {
    if (entry.kind === 'restricted') return this.#took(this.registers.apply(entry, this.#room))
    if (entry.kind !== 'token' && !isFamilyEntry(entry)) return this.#applyWatermark(entry)
    readId(entry.value)
    if (isFamilyEntry(entry)) return this.#applyFamily(entry)
    return entry.loose ? this.#applyLoose(entry) : this.applyWords(words, entry.expiresAt)
  }

  applyWords(id: Int32Array, expiresAt: number): boolean {
    // The only id that the tables cannot store. No token issued after 1970 has it.
    if (isFree(id, 0)) return this.#applyLoose(tokenEntry(id, expiresAt))
    if (this.#isPast(bucketEnd(expiresAt))) return true
    return this.#took(this.#tokens.apply(id, expiresAt, this.#room))
  }

  #applyWatermark(entry: WatermarkEntry): boolean {
    if (this.#isPast(entry.expiresAt)) return true
    const latest = this.#latest()
    const outcome = this.#watermarks.apply(entry, this.#room, latest)
    const isFuture = isTimed(entry) && entry.before > latest
    if (isFuture && (outcome === 'added' || outcome === 'changed')) this.#onFuture(1)
    return this.#took(outcome)
  }

  #applyLoose(entry: TokenEntry): boolean {
    return this.#isPast(entry.expiresAt) || this.#took(this.#loose.apply(entry, this.#room))
  }

  // No family that began after 1970 has the id of all zeros.
  #applyFamily(entry: FamilyEntry): boolean {
    if (isFree(words, 0) || this.#isPast(bucketEnd(entry.expiresAt))) return true
    return this.#took(this.#families.apply(words, entry, this.#room))
  }

  get #parts() {
    return [this.#tokens, this.#families, this.#loose, this.#watermarks, this.registers] as const
  }

  get #room(): boolean {
    return this.size < this.#max
  }

  // Rereading the log from the start must not restore entries that were dropped before.
  #isPast(end: number): boolean {
    return end <= this.#forgotten
  }

  #took(outcome: Outcome): boolean {
    if (outcome === 'refused') {
      this.#full = true
      return false
    }
    if (outcome !== 'known') this.touch()
    return true
  }

  /**
   * When the token is rejected: {@link REVOKED}; after a rotation a Unix time in milliseconds, or {@link SUPERSEDED} if
   * the token is more than one rotation old; or {@link NOT_REVOKED}.
   *
   * A family counts from its first token, so a token rotated while its subject was being revoked does not outlive the
   * revocation.
   */
  deadline(token: TokenFacts): number {
    const marks = this.#watermarks
    if (marks.hasFamily(token.family) || marks.hasKey(token.keyId)) return REVOKED
    if (marks.timed && bornAt(token) <= this.watermark(token.subject, token.audience))
      return REVOKED
    const { id, expiresAt } = token
    if (this.#loose.size > 0 && this.#loose.has(id)) return REVOKED
    if (this.#tokens.size > 0) {
      // A non-ULID is rejected, because this authority cannot have issued it.
      if (!readUlid(id, words) || this.#tokens.has(words, expiresAt)) return REVOKED
    }
    if (this.#families.size === 0) return NOT_REVOKED
    return readUlid(token.family, words)
      ? this.#families.deadline(words, token.generation)
      : REVOKED
  }

  /** Whether the entry would change nothing: an entry at least as strong is stored, or it has expired. */
  covers(entry: RevocationEntry): boolean {
    if (entry.kind === 'token') {
      readId(entry.value)
      if (entry.loose || isFree(words, 0))
        return this.#isPast(entry.expiresAt) || this.#loose.covers(entry)
      return this.#isPast(bucketEnd(entry.expiresAt)) || this.#tokens.has(words, entry.expiresAt)
    }
    if (entry.kind === 'restricted') return this.registers.covers(entry)
    if (!isFamilyEntry(entry))
      return this.#isPast(entry.expiresAt) || this.#watermarks.covers(entry)
    readId(entry.value)
    return this.#isPast(bucketEnd(entry.expiresAt)) || this.#families.covers(words, entry)
  }

  /** The latest time up to which tokens of this subject and audience are revoked, or -1. */
  watermark(subject: string, audience: string): number {
    return this.#watermarks.latest(subject, audience)
  }

  /**
   * The latest watermark that a token of this target may have been issued right after, or -1. A new revocation of the
   * target must reach past it, or it would miss tokens issued in the same millisecond as the previous one. Watermarks
   * later than `limit` do not count.
   */
  latestAround(kind: RevocationKind, value: string, limit = NOT_REVOKED): number {
    return this.#watermarks.latestAround(kind, value, limit)
  }

  /**
   * Lowers watermarks that reach further into the future than the clock skew allows, as set by a clock that was ahead:
   * existing tokens stay revoked, later ones are unaffected.
   */
  clampFuture(): void {
    const clamped = this.#watermarks.clamp(this.#latest())
    if (clamped === 0) return
    this.touch()
    this.#onFuture(clamped)
  }

  /** Whether the family is revoked as a whole. */
  isFamilyRevoked(family: string): boolean {
    return this.#watermarks.hasFamily(family)
  }

  /** Whether this generation of the family is known to have a successor. */
  hasSuccessor(family: string, generation: number): boolean {
    return readUlid(family, words) && this.#families.hasSuccessor(words, generation)
  }

  /** Whether the key was revoked. */
  isKeyRevoked(keyId: string): boolean {
    return this.#watermarks.hasKey(keyId)
  }

  /**
   * All entries, in the form for another index: the expiry of a token is exact only to the hour. If entries are applied
   * during the iteration, some may be yielded twice, but no earlier entry is omitted.
   */
  *entries(): Generator<RevocationEntry> {
    for (const { id, expiresAt } of this.#tokens.held()) yield tokenEntry(id, expiresAt)
    for (const { entry } of this.#families.held()) yield entry
    yield* this.#loose.entries()
    yield* this.#watermarks.entries()
    yield* this.registers.entries()
  }

  /** The entries of this index that the other one lacks or has in a weaker form. */
  *missingFrom(other: RevocationIndex): Generator<RevocationEntry> {
    for (const { id, expiresAt } of this.#tokens.held()) {
      if (!other.#isPast(bucketEnd(expiresAt)) && !other.#tokens.has(id, expiresAt))
        yield tokenEntry(id, expiresAt)
    }
    for (const { family, entry } of this.#families.held())
      if (!other.#isPast(bucketEnd(entry.expiresAt)) && !other.#families.covers(family, entry))
        yield entry
    for (const entry of this.#loose.entries()) if (!other.covers(entry)) yield entry
    for (const entry of this.#watermarks.entries()) if (!other.covers(entry)) yield entry
    for (const entry of this.registers.entries()) if (!other.covers(entry)) yield entry
  }

  /** A digest of 32 characters: equal on nodes with equal entries. Takes a while for millions of entries. */
  digest(): string {
    const digest = new SetHash()
    for (const token of this.#tokens.held()) digest.addWords(numbersOf(token))
    for (const held of this.#families.held()) digest.addWords(numbersOfFamily(held))
    for (const entry of this.#loose.entries()) digest.addText(JSON.stringify(entry))
    for (const entry of this.#watermarks.entries()) digest.addText(JSON.stringify(entry))
    for (const entry of this.registers.entries()) digest.addText(textOfRegister(entry))
    return digest.toString()
  }

  /**
   * Drops entries that concern only tokens expired at or before this time; tokens are dropped by the hour.
   *
   * @param isExtended - See `Registers.forget`.
   */
  forget(before: number, isExtended = true): void {
    const { size } = this
    for (const part of this.#parts) part.forget(before, isExtended)
    this.#forgotten = before
    if (this.size < size) this.#full = false
  }
}

// The id of a family is the id of its first token, so it carries the family's start.
function bornAt({ issuedAt, family }: TokenFacts): number {
  return readUlid(family, words) ? Math.min(issuedAt, timeOfWords(words)) : 0
}

function readId(value: string): void {
  if (!readUlid(value, words)) throw invalidArgument('value', 'expected a ULID')
}

const tokenEntry = (id: Int32Array, expiresAt: number): TokenEntry => ({
  kind: 'token',
  value: writeUlid(id),
  expiresAt,
})
