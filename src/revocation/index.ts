/**
 * The revocation index: a node's view, in memory, of everything that is revoked and could still be alive.
 *
 * It only grows until entries expire: of two times from when a token is dead the earlier stands, of two watermarks the
 * later. So entries may come twice, late or in any order, and nothing undoes a revocation. When it is full it refuses
 * what is new, and says so; it never gives up what it has.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { RevocationKind } from '../store/store.js'
import { Digest } from './digest.js'
import type { EntrySink, RevocationEntry, TokenEntry } from './event.js'
import { isFree, newPlacing, type Placing } from './id-table.js'
import { LooseTokens } from './loose-tokens.js'
import {
  bucketEnd,
  type HeldToken,
  NOT_REVOKED,
  type Outcome,
  REVOKED,
  TokenBuckets,
} from './token-buckets.js'
import { readUlid, timeOfWords, writeUlid } from './ulid-words.js'
import { Watermarks } from './watermarks.js'

export { NOT_REVOKED, REVOKED }

/** What the index has to know of a token. */
export interface TokenFacts {
  readonly id: string
  readonly family: string
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
  /** @internal For tests that want ids to meet in one place. */
  readonly placing?: Placing
}

const MAX_ENTRIES_HELD = 20_000_000

// Shared by all indexes: written and read within one synchronous step that calls no foreign code. A generator never
// holds it across a `yield`.
const words = new Int32Array(4)

/** The tables of one node. */
export class RevocationIndex implements EntrySink {
  /** Changes whenever an entry changed something, so that a cached token is asked about again only then. */
  version = 0
  readonly #max: number
  readonly #tokens: TokenBuckets
  readonly #loose = new LooseTokens()
  readonly #watermarks = new Watermarks()
  #forgotten = Number.NEGATIVE_INFINITY
  #full = false

  constructor({ max = MAX_ENTRIES_HELD, placing = newPlacing() }: IndexOptions = {}) {
    this.#max = max
    this.#tokens = new TokenBuckets(placing)
  }

  /** How many entries are held. */
  get size(): number {
    return this.#tokens.size + this.#loose.size + this.#watermarks.size
  }

  /** How much memory they take, in bytes: an estimate. */
  get bytes(): number {
    return this.#tokens.bytes + this.#loose.bytes + this.#watermarks.bytes
  }

  /** Whether an entry was refused for want of room since the last time that forgetting made some. */
  get full(): boolean {
    return this.#full
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
    if (entry.kind !== 'token') {
      return this.#isPast(entry.expiresAt) || this.#took(this.#watermarks.apply(entry, this.#room))
    }
    if (!readUlid(entry.value, words)) {
      throw new WatchwordError('ERR_INVALID_ARGUMENT', 'value: expected a ULID')
    }
    return entry.loose
      ? this.#applyLoose(entry)
      : this.applyWords(words, entry.expiresAt, entry.from)
  }

  applyWords(id: Int32Array, expiresAt: number, from: number = REVOKED): boolean {
    // The one id that the tables cannot hold. No token has it that was issued after 1970.
    if (isFree(id, 0)) return this.#applyLoose(tokenEntry(id, expiresAt, from))
    if (this.#isPast(bucketEnd(expiresAt))) return true
    return this.#took(this.#tokens.apply(id, expiresAt, from, this.#room))
  }

  #applyLoose(entry: TokenEntry): boolean {
    return this.#isPast(entry.expiresAt) || this.#took(this.#loose.apply(entry, this.#room))
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
   * From when on the token is dead: {@link REVOKED}, a Unix time in milliseconds by rotation, or {@link NOT_REVOKED}.
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
    const loose = this.#loose.size === 0 ? NOT_REVOKED : this.#loose.deadline(id)
    if (this.#tokens.size === 0) return loose
    // What has no id of ours cannot be told from what is revoked.
    if (!readUlid(id, words)) return REVOKED
    return Math.min(loose, this.#tokens.deadline(words, expiresAt))
  }

  /** The latest time up to which tokens of this subject and audience are revoked, or -1. */
  watermark(subject: string, audience: string): number {
    return this.#watermarks.latest(subject, audience)
  }

  /**
   * The latest watermark that a token under this target may have been issued right after, or -1. A new revocation of
   * the target must reach past it, or it would spare what was issued in the same millisecond as the one before.
   */
  latestAround(kind: RevocationKind, value: string): number {
    return this.#watermarks.latestAround(kind, value)
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
    for (const { id, expiresAt, from } of this.#tokens.held()) {
      yield tokenEntry(id, expiresAt, from)
    }
    yield* this.#loose.entries()
    yield* this.#watermarks.entries()
  }

  /** What this index holds, and the other one has to be told: it lacks it, or has it weaker. */
  *missingFrom(other: RevocationIndex): Generator<RevocationEntry> {
    for (const { id, expiresAt, from } of this.#tokens.held()) {
      if (other.#tokens.deadline(id, expiresAt) > from && !other.#isPast(bucketEnd(expiresAt)))
        yield tokenEntry(id, expiresAt, from)
    }
    for (const entry of this.#loose.entries())
      if (!other.#loose.covers(entry) && !other.#isPast(entry.expiresAt)) yield entry
    for (const entry of this.#watermarks.entries())
      if (!other.#watermarks.covers(entry) && !other.#isPast(entry.expiresAt)) yield entry
  }

  /** Says what is held, in 32 characters: equal on nodes that hold the same. Takes a while for millions of entries. */
  digest(): string {
    const digest = new Digest()
    for (const token of this.#tokens.held()) digest.addWords(numbersOf(token))
    for (const entry of this.#loose.entries()) digest.addText(JSON.stringify(entry))
    for (const entry of this.#watermarks.entries()) digest.addText(JSON.stringify(entry))
    return digest.toString()
  }

  /** Forgets what only concerns tokens that expired at or before this time; tokens go by the hour. */
  forget(before: number): void {
    const { size } = this
    this.#tokens.forget(before)
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

function tokenEntry(id: Int32Array, expiresAt: number, from: number): TokenEntry {
  const token = { kind: 'token', value: writeUlid(id), expiresAt } as const
  return from === REVOKED ? token : { ...token, from }
}

function numbersOf({ id, expiresAt, from }: HeldToken): number[] {
  const [a, b, c, d] = id as unknown as [number, number, number, number]
  // No time is all ones.
  const time = from === REVOKED ? -1 : from
  return [a, b, c, d, highOf(expiresAt), expiresAt, highOf(time), time]
}

const highOf = (time: number): number => Math.floor(time / 2 ** 32)
