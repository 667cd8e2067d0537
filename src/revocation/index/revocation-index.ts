/**
 * The revocation index: a node's view, in memory, of everything that is revoked and could still be alive.
 *
 * It only grows until entries expire: of two rotations of a family the later generation stands, of two watermarks the
 * later time. So entries may come twice, late or in any order, and nothing undoes a revocation. When it is full it refuses
 * what is new, and says so; it never gives up what it has.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import type { RevocationKind } from '../../store/store.js'
import {
  type EntrySink,
  type FamilyEntry,
  isFamilyEntry,
  type RevocationEntry,
  type TokenEntry,
  type WatermarkEntry,
} from './entries.js'
import { Families, type HeldFamily, SUPERSEDED } from './families.js'
import { isFree, newPlacing, type Placing } from './id-table.js'
import { SetHash } from './set-hash.js'
import {
  bucketEnd,
  type HeldToken,
  NOT_REVOKED,
  type Outcome,
  REVOKED,
  TokenBuckets,
} from './token-buckets.js'
import { readUlid, timeOfWords, writeUlid } from './ulid-codec.js'
import { UnknownExpiry } from './unknown-expiry.js'
import { isTimed, Watermarks } from './watermarks.js'

export { NOT_REVOKED, REVOKED, SUPERSEDED }

/** What the index has to know of a token. */
export interface TokenFacts {
  readonly id: string
  readonly family: string
  readonly generation: number
  readonly subject: string
  readonly audience: string
  readonly keyId: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Bounds of the index. */
export interface IndexOptions {
  /** The most entries. Default: 20 million, which take some 400 MB. */
  readonly max?: number
  /**
   * The latest time, in Unix milliseconds, up to which a watermark may reach; a later one counts as this. Default: no
   * limit, for an index that only compares.
   */
  readonly latest?: () => number
  /** Called with the number of watermarks that reached further. */
  readonly onFuture?: (count: number) => void
  /** @internal For tests that want ids to meet in one place. */
  readonly placing?: Placing
}

const MAX_ENTRIES_HELD = 20_000_000
// The share of the room that rotations leave free, also for what many nodes rotate at once.
const KEPT_FOR_REVOCATIONS = 0.1

// Shared by all indexes: written and read within one synchronous step that calls no foreign code. A generator never
// holds it across a `yield`.
const words = new Int32Array(4)

/** The tables of one node. */
export class RevocationIndex implements EntrySink {
  /** Changes whenever an entry changed something, so that a cached token is asked about again only then. */
  version = 0
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
    placing = newPlacing(),
  }: IndexOptions = {}) {
    this.#max = max
    this.#latest = latest
    this.#onFuture = onFuture
    this.#tokens = new TokenBuckets(placing)
    this.#families = new Families(placing)
  }

  /** How many entries are held. */
  get size(): number {
    return this.#tokens.size + this.#families.size + this.#loose.size + this.#watermarks.size
  }

  /** How much memory they take, in bytes: an estimate. */
  get bytes(): number {
    return this.#tokens.bytes + this.#families.bytes + this.#loose.bytes + this.#watermarks.bytes
  }

  /** Whether an entry was refused for want of room since the last time that forgetting made some. */
  get full(): boolean {
    return this.#full
  }

  /**
   * Whether the end of a token of this family may take room: it has a register, or there is more room than is kept for
   * revocations. Any holder can rotate; what that costs must not keep a revocation out.
   */
  admitsRotation(family: string): boolean {
    return this.size < this.#max * (1 - KEPT_FOR_REVOCATIONS) || this.hasSuccessor(family, 0)
  }

  /** Has every cached token asked about again, after a change that was none of an entry's. */
  touch(): void {
    this.version++
  }

  /**
   * Takes one entry in. Anything already known, or weaker than what is known, changes nothing, and neither does what
   * was to be forgotten by the last `forget`.
   *
   * @returns `false` only if there was no room for it: then this node does not refuse what the entry revokes.
   */
  apply(entry: RevocationEntry): boolean {
    if (entry.kind !== 'token' && !isFamilyEntry(entry)) return this.#applyWatermark(entry)
    readId(entry.value)
    if (isFamilyEntry(entry)) return this.#applyFamily(entry)
    return entry.loose ? this.#applyLoose(entry) : this.applyWords(words, entry.expiresAt)
  }

  applyWords(id: Int32Array, expiresAt: number): boolean {
    // The one id that the tables cannot hold. No token has it that was issued after 1970.
    if (isFree(id, 0)) return this.#applyLoose({ ...tokenEntry(id, expiresAt), loose: true })
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

  // No family has the id of all zeros that began after 1970.
  #applyFamily(entry: FamilyEntry): boolean {
    if (isFree(words, 0) || this.#isPast(bucketEnd(entry.expiresAt))) return true
    return this.#took(this.#families.apply(words, entry, this.#room))
  }

  get #room(): boolean {
    return this.size < this.#max
  }

  // What is read once more, from the start of a log, must not fill the memory with what was forgotten before.
  #isPast(end: number): boolean {
    return end <= this.#forgotten
  }

  #took(outcome: Outcome): boolean {
    if (outcome === 'refused') {
      this.#full = true
      return false
    }
    if (outcome !== 'known') this.version++
    return true
  }

  /**
   * From when on the token is dead: {@link REVOKED}; by rotation, a Unix time in milliseconds, which is
   * {@link SUPERSEDED} when the token is more than one rotation old; or {@link NOT_REVOKED}.
   *
   * A family counts from its first token, so that a token rotated while its subject was being revoked does not
   * outlive the revocation.
   */
  deadline(token: TokenFacts): number {
    const marks = this.#watermarks
    if (marks.hasFamily(token.family) || marks.hasKey(token.keyId)) return REVOKED
    if (marks.timed && bornAt(token) <= this.watermark(token.subject, token.audience))
      return REVOKED
    const { id, expiresAt } = token
    if (this.#loose.size > 0 && this.#loose.has(id)) return REVOKED
    if (this.#tokens.size > 0) {
      // What has no id of ours cannot be told from what is revoked.
      if (!readUlid(id, words) || this.#tokens.has(words, expiresAt)) return REVOKED
    }
    if (this.#families.size === 0) return NOT_REVOKED
    return readUlid(token.family, words)
      ? this.#families.deadline(words, token.generation)
      : REVOKED
  }

  /** Whether it would change nothing: an entry at least as strong is held, or what it revokes has expired. */
  covers(entry: RevocationEntry): boolean {
    if (entry.kind === 'token') {
      readId(entry.value)
      if (entry.loose || isFree(words, 0))
        return this.#isPast(entry.expiresAt) || this.#loose.covers(entry)
      return this.#isPast(bucketEnd(entry.expiresAt)) || this.#tokens.has(words, entry.expiresAt)
    }
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
   * The latest watermark that a token under this target may have been issued right after, or -1. A new revocation of
   * the target must reach past it, or it would spare what was issued in the same millisecond as the one before. A
   * watermark later than `limit` does not count.
   */
  latestAround(kind: RevocationKind, value: string, limit = NOT_REVOKED): number {
    return this.#watermarks.latestAround(kind, value, limit)
  }

  /**
   * Lowers watermarks that reach further into the future than clocks may differ, as one that was dated by a clock that
   * was ahead does: what exists by now stays revoked, what is issued later is not.
   */
  clampFuture(): void {
    const clamped = this.#watermarks.clamp(this.#latest())
    if (clamped === 0) return
    this.version++
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
   * Everything that is held, as it would be written to another index: an entry says no more of a token's expiry than
   * the hour. Entries may be applied meanwhile; then some may come twice, but none is left out that was there before.
   */
  *entries(): Generator<RevocationEntry> {
    for (const { id, expiresAt } of this.#tokens.held()) yield tokenEntry(id, expiresAt)
    for (const { entry } of this.#families.held()) yield entry
    yield* this.#loose.entries()
    yield* this.#watermarks.entries()
  }

  /** What this index holds, and the other one has to be told: it lacks it, or has it weaker. */
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
  }

  /** Says what is held, in 32 characters: equal on nodes that hold the same. Takes a while for millions of entries. */
  digest(): string {
    const digest = new SetHash()
    for (const token of this.#tokens.held()) digest.addWords(numbersOf(token))
    for (const held of this.#families.held()) digest.addWords(numbersOfFamily(held))
    for (const entry of this.#loose.entries()) digest.addText(JSON.stringify(entry))
    for (const entry of this.#watermarks.entries()) digest.addText(JSON.stringify(entry))
    return digest.toString()
  }

  /** Forgets what only concerns tokens that expired at or before this time; tokens go by the hour. */
  forget(before: number): void {
    const { size } = this
    this.#tokens.forget(before)
    this.#families.forget(before)
    this.#loose.forget(before)
    this.#watermarks.forget(before)
    this.#forgotten = before
    if (this.size < size) this.#full = false
  }
}

// The family is as old as its first token, whose id it has.
function bornAt({ issuedAt, family }: TokenFacts): number {
  return readUlid(family, words) ? Math.min(issuedAt, timeOfWords(words)) : 0
}

function readId(value: string): void {
  if (!readUlid(value, words)) {
    throw new WatchwordError('ERR_INVALID_ARGUMENT', 'value: expected a ULID')
  }
}

const tokenEntry = (id: Int32Array, expiresAt: number): TokenEntry => ({
  kind: 'token',
  value: writeUlid(id),
  expiresAt,
})

const numbersOf = ({ id, expiresAt }: HeldToken): number[] => [
  ...id.subarray(0, 4),
  ...wordsOf(expiresAt),
]

function numbersOfFamily({ family, entry }: HeldFamily): number[] {
  const { kind, generation, expiresAt } = entry
  const register = [...family.subarray(0, 4), ...wordsOf(expiresAt), generation]
  // No time is all ones.
  return kind === 'rotated' ? [...register, ...wordsOf(entry.from ?? -1)] : register
}

const wordsOf = (time: number): [number, number] => [Math.floor(time / 2 ** 32), time]
