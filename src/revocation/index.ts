/**
 * The revocation index: a node's view, in memory, of everything that is revoked and could still be alive.
 *
 * It only grows until entries expire: of two times from when a token is dead the earlier stands, of two watermarks the
 * later. So entries may come twice, late or in any order, and nothing undoes a revocation.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import type { RevocationKind } from '../store/store.js'
import type { RevocationEntry, TokenEntry, WatermarkEntry } from './event.js'

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

interface TokenState {
  /** From when the token is dead: `REVOKED` for a revocation, a time for a rotation. */
  from: number
  expiresAt: number
}

interface Watermark {
  before: number
  expiresAt: number
}

/** What {@link RevocationIndex.deadline} answers for a revoked token: earlier than any time. */
export const REVOKED = Number.NEGATIVE_INFINITY
/** What {@link RevocationIndex.deadline} answers for a token that nothing has named. */
export const NOT_REVOKED = Number.POSITIVE_INFINITY

type WatermarkKind = WatermarkEntry['kind']
// These name things that never come back to life, so the time of issue does not matter.
const ABSOLUTE: ReadonlySet<WatermarkKind> = new Set(['family', 'key'])

/** The tables of one node. */
export class RevocationIndex {
  /** Changes whenever an entry changed something, so that a cached token is asked about again only then. */
  version = 0
  readonly #tokens = new Map<string, TokenState>()
  readonly #watermarks: Readonly<Record<WatermarkKind, Map<string, Watermark>>> = {
    family: new Map(),
    subject: new Map(),
    key: new Map(),
    audience: new Map(),
    all: new Map(),
  }

  /** How many entries are held. */
  get size(): number {
    let size = this.#tokens.size
    for (const table of Object.values(this.#watermarks)) size += table.size
    return size
  }

  /** Has every cached token asked about again, after a change that was none of an entry's. */
  touch(): void {
    this.version++
  }

  /** Takes one entry in. Anything already known, or weaker than what is known, changes nothing. */
  apply(entry: RevocationEntry): void {
    const changed = entry.kind === 'token' ? this.#applyToken(entry) : this.#applyWatermark(entry)
    if (changed) this.version++
  }

  #applyToken(entry: TokenEntry): boolean {
    const from = entry.from ?? REVOKED
    const known = this.#tokens.get(entry.value)
    if (known === undefined) {
      this.#tokens.set(entry.value, { from, expiresAt: entry.expiresAt })
      return true
    }
    known.expiresAt = Math.max(known.expiresAt, entry.expiresAt)
    if (from >= known.from) return false
    known.from = from
    return true
  }

  #applyWatermark(entry: WatermarkEntry): boolean {
    const table = this.#watermarks[entry.kind]
    const before = ABSOLUTE.has(entry.kind) ? NOT_REVOKED : entry.before
    const known = table.get(entry.value)
    if (known === undefined) {
      table.set(entry.value, { before, expiresAt: entry.expiresAt })
      return true
    }
    known.expiresAt = Math.max(known.expiresAt, entry.expiresAt)
    if (before <= known.before) return false
    known.before = before
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
    if (marks.family.size > 0 && marks.family.has(token.family)) return REVOKED
    if (marks.key.size > 0 && marks.key.has(token.keyId)) return REVOKED
    if (marks.subject.size + marks.audience.size + marks.all.size > 0) {
      const born = Math.min(token.issuedAt, decodeTime(token.family))
      if (born <= this.watermark(token.subject, token.audience)) return REVOKED
    }
    return this.#tokens.get(token.id)?.from ?? NOT_REVOKED
  }

  /** The latest time up to which tokens of this subject and audience are revoked, or -1. */
  watermark(subject: string, audience: string): number {
    const { subject: subjects, audience: audiences, all } = this.#watermarks
    return Math.max(
      subjects.get(subject)?.before ?? -1,
      audiences.get(audience)?.before ?? -1,
      all.get('')?.before ?? -1,
    )
  }

  /**
   * The latest watermark that a token under this target may have been issued right after, or -1. A new revocation of
   * the target must reach past it, or it would spare what was issued in the same millisecond as the one before.
   */
  latestAround(kind: RevocationKind, value: string): number {
    const { subject: subjects, audience: audiences, all } = this.#watermarks
    let latest = all.get('')?.before ?? -1
    if (kind === 'subject') latest = Math.max(latest, subjects.get(value)?.before ?? -1)
    else for (const { before } of subjects.values()) latest = Math.max(latest, before)
    if (kind === 'audience') return Math.max(latest, audiences.get(value)?.before ?? -1)
    for (const { before } of audiences.values()) latest = Math.max(latest, before)
    return latest
  }

  /** Whether the key was revoked. */
  isKeyRevoked(keyId: string): boolean {
    return this.#watermarks.key.has(keyId)
  }

  /** Whether the family was revoked. */
  isFamilyRevoked(family: string): boolean {
    return this.#watermarks.family.has(family)
  }

  /** Forgets what only concerns tokens that expired at or before this time. */
  forget(before: number): void {
    for (const table of [this.#tokens, ...Object.values(this.#watermarks)]) {
      for (const [value, { expiresAt }] of table) if (expiresAt <= before) table.delete(value)
    }
  }
}
