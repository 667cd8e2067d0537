/**
 * What the revocation index does, said slowly: plain Maps, no tables, no words.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import type {
  FamilyEntry,
  RestrictedEntry,
  RevocationEntry,
  TokenEntry,
  WatermarkEntry,
} from '../../src/revocation/index/entries.js'
import {
  NOT_REVOKED,
  REVOKED,
  SUPERSEDED,
  type TokenFacts,
} from '../../src/revocation/index/revocation-index.js'

const HOUR = 3_600_000
const NO_ID = '0'.repeat(26)

const endOf = (expiresAt: number) => (Math.floor(expiresAt / HOUR) + 1) * HOUR

/** Held by what it is about; of a token, its hour is a part of that. */
type Held = Map<string, RevocationEntry>

/** One node's view. */
export class RevocationModel {
  readonly #held: Held = new Map()
  readonly #max: number
  #forgotten = Number.NEGATIVE_INFINITY
  full = false

  constructor(max = Number.POSITIVE_INFINITY) {
    this.#max = max
  }

  get size(): number {
    return this.#held.size
  }

  get entries(): RevocationEntry[] {
    return [...this.#held.values()]
  }

  apply(raw: RevocationEntry): boolean {
    const entry = normal(raw)
    if (isOfFamily(entry) && entry.value === NO_ID) return true
    const key = keyOf(entry)
    const known = this.#held.get(key)
    const isPast = lastsUntil(entry) <= this.#forgotten
    if (isPast && (known === undefined || entry.kind !== 'restricted')) return true
    if (known === undefined && this.size >= this.#max) {
      this.full = true
      return false
    }
    this.#held.set(key, known === undefined ? entry : merge(known, entry))
    return true
  }

  forget(before: number): void {
    const { size } = this
    for (const [key, entry] of this.#held)
      if (lastsUntil(entry) <= before && !isInForce(entry)) this.#held.delete(key)
    this.#forgotten = before
    if (this.size < size) this.full = false
  }

  deadline(token: TokenFacts): number {
    const born = Math.min(token.issuedAt, decodeTime(token.family))
    const times = this.entries.map((entry) => {
      // A restriction can be lifted, so it ends no token.
      if (entry.kind === 'restricted') return NOT_REVOKED
      if (entry.kind === 'token') return deathBy(entry, token)
      return isOfFamily(entry) ? deathInFamily(entry, token) : killed(entry, token, born)
    })
    return Math.min(NOT_REVOKED, ...times)
  }

  watermark(subject: string, audience: string): number {
    const named = { subject, audience, all: '' } as Readonly<Record<string, string>>
    const times = this.entries.map((entry) =>
      'before' in entry && named[entry.kind] === entry.value ? entry.before : -1,
    )
    return Math.max(-1, ...times)
  }
}

const isOfFamily = (entry: RevocationEntry): entry is FamilyEntry =>
  entry.kind === 'rotated' || entry.kind === 'successors'

/** As it is held: what has an id by its hour, or loosely; a family or a key for good. */
function normal(entry: RevocationEntry): RevocationEntry {
  if (isOfFamily(entry)) return { ...entry, expiresAt: endOf(entry.expiresAt) - 1 }
  if (entry.kind === 'restricted') return entry
  if (entry.kind !== 'token') return isAbsolute(entry) ? { ...entry, before: 0 } : entry
  if (entry.loose) return entry
  return entry.value === NO_ID
    ? { ...entry, loose: true }
    : { ...entry, expiresAt: endOf(entry.expiresAt) - 1 }
}

/** Whether it restricts tokens that are issued later. No state of these tests ends by itself. */
const isInForce = (entry: RevocationEntry): boolean =>
  entry.kind === 'restricted' &&
  entry.state !== '{}' &&
  entry.target !== 'token' &&
  entry.target !== 'family'

const isAbsolute = ({ kind }: WatermarkEntry) => kind === 'family' || kind === 'key'

const lastsUntil = (entry: RevocationEntry) =>
  isOfFamily(entry) || (entry.kind === 'token' && !entry.loose)
    ? entry.expiresAt + 1
    : entry.expiresAt

function keyOf(entry: RevocationEntry): string {
  if (entry.kind === 'restricted') return `restricted ${entry.target} ${entry.value}`
  if (entry.kind !== 'token') return `${entry.kind} ${entry.value}`
  return entry.loose ? `loose ${entry.value}` : `${entry.expiresAt} ${entry.value}`
}

function merge(a: RevocationEntry, b: RevocationEntry): RevocationEntry {
  return { ...further(a, b), expiresAt: Math.max(a.expiresAt, b.expiresAt) }
}

function further(a: RevocationEntry, b: RevocationEntry): RevocationEntry {
  if (a.kind === 'rotated' && b.kind === 'rotated') {
    if (a.generation !== b.generation) return a.generation > b.generation ? a : b
    return (a.from ?? NOT_REVOKED) <= (b.from ?? NOT_REVOKED) ? a : b
  }
  if (a.kind === 'successors' && b.kind === 'successors') return a.generation < b.generation ? a : b
  if (a.kind === 'restricted' && b.kind === 'restricted') return rankOf(b) > rankOf(a) ? b : a
  return 'before' in a && 'before' in b && b.before > a.before ? b : a
}

/** Higher for a later revision; of two states with one revision, for the smaller text, then for the wider coverage. */
function rankOf({ revision, state, descent }: RestrictedEntry): string {
  const down = (text: string) =>
    [...text].map((c) => String(0xffff - c.charCodeAt(0)).padStart(5, '0')).join('')
  const reach =
    descent === null ? '~' : `${descent.family}${String(descent.generation).padStart(10, '0')}`
  // Ended by the highest unit, so that a shorter text ranks above the longer ones that begin with it.
  return `${String(revision).padStart(20, '0')} ${down(state)}65536 ${down(reach)}65536`
}

function deathBy(entry: TokenEntry, { id, expiresAt }: TokenFacts): number {
  const meant = entry.loose || endOf(entry.expiresAt) === endOf(expiresAt)
  return meant && entry.value === id ? REVOKED : NOT_REVOKED
}

function deathInFamily(entry: FamilyEntry, { family, generation }: TokenFacts): number {
  if (entry.value !== family) return NOT_REVOKED
  if (entry.kind === 'successors') return generation >= entry.generation ? REVOKED : NOT_REVOKED
  if (generation < entry.generation) return SUPERSEDED
  return generation === entry.generation ? (entry.from ?? NOT_REVOKED) : NOT_REVOKED
}

function killed({ kind, value, before }: WatermarkEntry, token: TokenFacts, born: number): number {
  const named = { ...token, key: token.keyId, all: '' }
  if (named[kind] !== value) return NOT_REVOKED
  return kind === 'family' || kind === 'key' || born <= before ? REVOKED : NOT_REVOKED
}
