/**
 * Watermarks: everything of a family, a subject, a key or an audience, or all there is, that was issued up to a time.
 *
 * @module
 */
import type { RevocationKind } from '../../store/store.js'
import type { WatermarkEntry } from './entries.js'
import { NOT_REVOKED, type Outcome } from './token-buckets.js'

interface Watermark {
  before: number
  /** The latest time that an entry asked for, when it was further in the future than clocks may differ; otherwise -1. */
  claimed: number
  expiresAt: number
}

type WatermarkKind = WatermarkEntry['kind']
// These name things that never come back to life, so the time of issue does not matter.
const ABSOLUTE: ReadonlySet<WatermarkKind> = new Set(['family', 'key'])

// What an entry takes in a Map, beside the text that it is held by.
const ENTRY_BYTES = 120

const TIMED = ['subject', 'audience', 'all'] as const

/** Whether it goes by the time of issue, rather than revoking a whole family or key. */
export const isTimed = ({ kind }: WatermarkEntry): boolean => !ABSOLUTE.has(kind)

/** Moves the mark as far as the entry reaches; returns whether that moved it. */
function raise(mark: Watermark, { kind, before }: WatermarkEntry, latest: number): boolean {
  if (ABSOLUTE.has(kind)) return move(mark, NOT_REVOKED)
  if (before === mark.claimed) return false
  if (before <= latest) return move(mark, before)
  if (before < mark.claimed) return false
  mark.claimed = before
  return move(mark, latest)
}

function move(mark: Watermark, before: number): boolean {
  if (before <= mark.before) return false
  mark.before = before
  return true
}

/** The watermarks of one node: of two for the same the later stands. */
export class Watermarks {
  readonly #tables: Readonly<Record<WatermarkKind, Map<string, Watermark>>> = {
    family: new Map(),
    subject: new Map(),
    key: new Map(),
    audience: new Map(),
    all: new Map(),
  }

  /** How many there are. */
  get size(): number {
    const { family, subject, key, audience, all } = this.#tables
    return family.size + subject.size + key.size + audience.size + all.size
  }

  /** How much memory they take, in bytes, texts of some 30 characters supposed. */
  get bytes(): number {
    return this.size * (ENTRY_BYTES + 48)
  }

  /** Whether any goes by the time of issue. */
  get timed(): boolean {
    const { subject, audience, all } = this.#tables
    return subject.size + audience.size + all.size > 0
  }

  /**
   * Notes one. A time later than `latest` counts as `latest`: it covers what exists, and nothing that is issued later.
   * The same entry heard again, when `latest` has moved on, reaches no further.
   *
   * @param room - Whether there is room for one more.
   */
  apply(entry: WatermarkEntry, room: boolean, latest = NOT_REVOKED): Outcome {
    const { kind, value, expiresAt } = entry
    const table = this.#tables[kind]
    const known = table.get(value)
    if (known === undefined) {
      if (!room) return 'refused'
      table.set(value, { before: -1, claimed: -1, expiresAt })
    }
    const mark = known ?? (table.get(value) as Watermark)
    mark.expiresAt = Math.max(mark.expiresAt, expiresAt)
    const changed = raise(mark, entry, latest)
    if (known === undefined) return 'added'
    return changed ? 'changed' : 'known'
  }

  /** Lowers every time that is later than `latest` to it. Returns how many there were. */
  clamp(latest: number): number {
    let clamped = 0
    for (const kind of TIMED) {
      for (const mark of this.#tables[kind].values()) {
        if (mark.before <= latest) continue
        mark.claimed = Math.max(mark.claimed, mark.before)
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
      subjects.get(subject)?.before ?? -1,
      audiences.get(audience)?.before ?? -1,
      all.get('')?.before ?? -1,
    )
  }

  /**
   * The latest watermark that a token under this target may have been issued right after, or -1. One that is later than
   * `limit` does not count: no token is dated after it yet.
   */
  latestAround(kind: RevocationKind, value: string, limit: number): number {
    const { subject: subjects, audience: audiences, all } = this.#tables
    let latest = -1
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

  /** Whether one at least as strong is there. */
  covers({ kind, value, before, expiresAt }: WatermarkEntry): boolean {
    const known = this.#tables[kind].get(value)
    if (known === undefined || known.expiresAt < expiresAt) return false
    return known.before >= before || known.claimed >= before
  }

  /** All of them; where the time of issue does not matter, `before` is 0. */
  *entries(): Generator<WatermarkEntry> {
    for (const [kind, table] of Object.entries(this.#tables) as Array<
      [WatermarkKind, Map<string, Watermark>]
    >) {
      for (const [value, { before, expiresAt }] of table)
        yield { kind, value, before: ABSOLUTE.has(kind) ? 0 : before, expiresAt }
    }
  }

  /** Forgets those that expired at or before this time. */
  forget(before: number): void {
    for (const table of Object.values(this.#tables)) {
      for (const [value, { expiresAt }] of table) if (expiresAt <= before) table.delete(value)
    }
  }
}
