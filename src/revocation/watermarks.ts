/**
 * Watermarks: everything of a family, a subject, a key or an audience, or all there is, that was issued up to a time.
 *
 * @module
 */
import type { RevocationKind } from '../store/store.js'
import type { WatermarkEntry } from './entries.js'
import { NOT_REVOKED, type Outcome } from './token-buckets.js'

interface Watermark {
  before: number
  expiresAt: number
}

type WatermarkKind = WatermarkEntry['kind']
// These name things that never come back to life, so the time of issue does not matter.
const ABSOLUTE: ReadonlySet<WatermarkKind> = new Set(['family', 'key'])

// What an entry takes in a Map, beside the text that it is held by.
const ENTRY_BYTES = 120

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
   * Notes one.
   *
   * @param room - Whether there is room for one more.
   */
  apply({ kind, value, before, expiresAt }: WatermarkEntry, room: boolean): Outcome {
    const table = this.#tables[kind]
    const reach = ABSOLUTE.has(kind) ? NOT_REVOKED : before
    const known = table.get(value)
    if (known === undefined) {
      if (!room) return 'refused'
      table.set(value, { before: reach, expiresAt })
      return 'added'
    }
    known.expiresAt = Math.max(known.expiresAt, expiresAt)
    if (reach <= known.before) return 'known'
    known.before = reach
    return 'changed'
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

  /** The latest watermark that a token under this target may have been issued right after, or -1. */
  latestAround(kind: RevocationKind, value: string): number {
    const { subject: subjects, audience: audiences, all } = this.#tables
    let latest = all.get('')?.before ?? -1
    if (kind === 'subject') latest = Math.max(latest, subjects.get(value)?.before ?? -1)
    else for (const { before } of subjects.values()) latest = Math.max(latest, before)
    if (kind === 'audience') return Math.max(latest, audiences.get(value)?.before ?? -1)
    for (const { before } of audiences.values()) latest = Math.max(latest, before)
    return latest
  }

  /** Whether one at least as strong is there. */
  covers({ kind, value, before, expiresAt }: WatermarkEntry): boolean {
    const known = this.#tables[kind].get(value)
    return known !== undefined && known.before >= before && known.expiresAt >= expiresAt
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
