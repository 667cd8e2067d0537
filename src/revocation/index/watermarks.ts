/**
 * Watermarks: revocations of everything issued up to a time, for a family, a subject, a key, an audience, or all
 * tokens.
 *
 * @module
 */
import type { RevocationKind } from '../../store/records.js'
import type { WatermarkEntry } from './entries.js'
import { NOT_REVOKED, type Outcome } from './outcome.js'

// Earlier than any time.
const NEVER = -1

interface Watermark {
  before: number
  /**
   * The times that entries requested further in the future than the clock skew allows. Another such time is another
   * revocation, even if it is earlier: clocks may be ahead by different amounts.
   */
  claimed: readonly number[]
  expiresAt: number
}

// After more of them for one target, the earliest is extended if it is repeated: tokens are revoked that need not be.
const MAX_CLAIMED = 16

type WatermarkKind = WatermarkEntry['kind']
// These targets never become valid again, so the time of issue does not matter.
const ABSOLUTE: ReadonlySet<WatermarkKind> = new Set(['family', 'key'])

// The size of a Map entry with a key text of about 30 characters and no claimed times.
const ENTRY_BYTES = 168

const TIMED = ['subject', 'audience', 'all'] as const

/** Whether it depends on the time of issue, instead of revoking a whole family or key. */
export const isTimed = ({ kind }: WatermarkEntry): boolean => !ABSOLUTE.has(kind)

/** Extends the mark to what the entry covers; returns whether that changed it. */
function raise(mark: Watermark, { kind, before }: WatermarkEntry, latest: number): boolean {
  if (ABSOLUTE.has(kind)) return move(mark, NOT_REVOKED)
  if (mark.claimed.includes(before)) return false
  if (before <= latest) return move(mark, before)
  claim(mark, before)
  return move(mark, latest)
}

function claim(mark: Watermark, time: number): void {
  mark.claimed = [...mark.claimed, time].slice(-MAX_CLAIMED)
}

function move(mark: Watermark, before: number): boolean {
  if (before <= mark.before) return false
  mark.before = before
  return true
}

/** The watermarks of one node. Of two for the same target the later wins. */
export class Watermarks {
  readonly #tables: Readonly<Record<WatermarkKind, Map<string, Watermark>>> = {
    family: new Map(),
    subject: new Map(),
    key: new Map(),
    audience: new Map(),
    all: new Map(),
  }

  /** The number of watermarks. */
  get size(): number {
    const { family, subject, key, audience, all } = this.#tables
    return family.size + subject.size + key.size + audience.size + all.size
  }

  /** The estimated memory used, in bytes. */
  get bytes(): number {
    return this.size * ENTRY_BYTES
  }

  /** Whether any watermark depends on the time of issue. */
  get timed(): boolean {
    const { subject, audience, all } = this.#tables
    return subject.size + audience.size + all.size > 0
  }

  /**
   * Records a watermark. A time later than `latest` counts as `latest`: it covers existing tokens and none issued
   * later. A repeated entry is not extended when `latest` has advanced.
   *
   * @param room - Whether there is space for one more.
   */
  apply(entry: WatermarkEntry, room: boolean, latest = NOT_REVOKED): Outcome {
    const { kind, value, expiresAt } = entry
    const table = this.#tables[kind]
    const known = table.get(value)
    if (known === undefined && !room) return 'refused'
    const mark = known ?? { before: NEVER, claimed: [], expiresAt }
    table.set(value, mark)
    mark.expiresAt = Math.max(mark.expiresAt, expiresAt)
    const changed = raise(mark, entry, latest)
    if (known === undefined) return 'added'
    return changed ? 'changed' : 'known'
  }

  /** Lowers every time later than `latest` to it. Returns the number lowered. */
  clamp(latest: number): number {
    let clamped = 0
    for (const kind of TIMED) {
      for (const mark of this.#tables[kind].values()) {
        if (mark.before <= latest) continue
        claim(mark, mark.before)
        mark.before = latest
        clamped++
      }
    }
    return clamped
  }

  /** Whether the family was revoked. */
  hasFamily(family: string): boolean {
    return this.#tables.family.size > 0 && this.#tables.family.has(family)
  }

  /** Whether the key was revoked. */
  hasKey(keyId: string): boolean {
    return this.#tables.key.size > 0 && this.#tables.key.has(keyId)
  }

  /** The latest time up to which tokens of this subject and audience are revoked, or -1. */
  latest(subject: string, audience: string): number {
    const { subject: subjects, audience: audiences, all } = this.#tables
    return Math.max(
      subjects.get(subject)?.before ?? NEVER,
      audiences.get(audience)?.before ?? NEVER,
      all.get('')?.before ?? NEVER,
    )
  }

  /**
   * The latest watermark that a token of this target may have been issued right after, or -1. Watermarks later than
   * `limit` do not count: no token is dated after them yet.
   */
  latestAround(kind: RevocationKind, value: string, limit: number): number {
    const { subject: subjects, audience: audiences, all } = this.#tables
    let latest = NEVER
    const note = (mark: Watermark | undefined) => {
      if (mark !== undefined && mark.before <= limit) latest = Math.max(latest, mark.before)
    }
    note(all.get(''))
    if (kind === 'subject') note(subjects.get(value))
    else for (const mark of subjects.values()) note(mark)
    if (kind === 'audience') note(audiences.get(value))
    else for (const mark of audiences.values()) note(mark)
    return latest
  }

  /** Whether a watermark at least as strong is stored. */
  covers({ kind, value, before, expiresAt }: WatermarkEntry): boolean {
    const known = this.#tables[kind].get(value)
    if (known === undefined || known.expiresAt < expiresAt) return false
    return known.before >= before || known.claimed.includes(before)
  }

  /** All watermarks; `before` is 0 if the time of issue does not matter. */
  *entries(): Generator<WatermarkEntry> {
    for (const [kind, table] of Object.entries(this.#tables) as Array<
      [WatermarkKind, Map<string, Watermark>]
    >) {
      for (const [value, { before, expiresAt }] of table)
        yield { kind, value, before: ABSOLUTE.has(kind) ? 0 : before, expiresAt }
    }
  }

  /** Drops watermarks that expired at or before this time. */
  forget(before: number): void {
    for (const table of Object.values(this.#tables)) {
      for (const [value, { expiresAt }] of table) if (expiresAt <= before) table.delete(value)
    }
  }
}
