/**
 * The state of a register from which the next revision is made.
 *
 * The store orders the revisions, and the log proves them: a row that is behind the log, or that no authority wrote, does
 * not count.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { RecordTagger } from '../keys/record-tagger.js'
import type { AuditTrail } from '../observe/audit/trail.js'
import type { RestrictionState } from '../policy/limits.js'
import { FROZEN, readState, SUSPENDED } from '../policy/restriction.js'
import type { RestrictedDescent, RestrictedEntry } from '../revocation/index/entries.js'
import { isLaterRevision } from '../revocation/index/entries.js'
import { entryOfRow, isSameRevision } from '../revocation/index/register-entry.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'
import { restrictionName } from '../store/restriction-schema.js'
import type { RestrictionRecord, RestrictionTarget } from '../store/restrictions.js'

/** The parts that find the base. */
export interface BaseParts {
  readonly index: Pick<RevocationIndex, 'registers'>
  readonly tagger: Pick<RecordTagger, 'checkRestriction'>
  readonly trail: Pick<AuditTrail, 'noteOnce'>
  readonly follower: { readonly time: { stamp(): number } }
}

/** The current state of a register. */
export interface Base {
  readonly state: RestrictionState
  /** The canonical text of the state. */
  readonly text: string
  /** The highest revision that the store or the log has. */
  readonly revision: number
  readonly descent: RestrictedDescent | null
  /** Whether the stored row has another state. */
  readonly isBroken: boolean
}

const ABSENT: Base = { state: {}, text: '{}', revision: 0, descent: null, isBroken: false }

/**
 * The base of a register. Reports a row that was edited, deleted or set back. Rejects with `ERR_STORE_SCHEMA` for a
 * state that a newer version has written.
 */
export async function baseOf(
  parts: BaseParts,
  target: RestrictionTarget,
  row: RestrictionRecord | undefined,
): Promise<Base> {
  const known = parts.index.registers.get(target)
  if (known !== undefined && row !== undefined && isSameRevision(row, known))
    return ofEntry(known, false)
  if (row === undefined) return known === undefined ? ABSENT : ofLog(parts, target, known)
  const entry = entryOfRow(row, row.expiresAt)
  if (known !== undefined && !isLaterRevision(entry, known)) return ofLog(parts, target, known)
  const integrity = await parts.tagger.checkRestriction(row)
  if (integrity === 'intact') return ofEntry(entry, false)
  if (known === undefined && integrity === 'unknown') return ofEntry(entry, false)
  report(parts, target)
  if (known !== undefined) return { ...ofEntry(known, true), revision: row.revision }
  // What the row restricted is lost.
  const state = target.kind === 'freeze' ? FROZEN : SUSPENDED
  return { ...ABSENT, state, revision: row.revision, isBroken: true }
}

function ofEntry(entry: RestrictedEntry, isBroken: boolean): Base {
  const { state: text, revision, descent } = entry
  const state = readState(text)
  if (state !== undefined) return { state, text, revision, descent, isBroken }
  throw new WatchwordError(
    'ERR_STORE_SCHEMA',
    'the restriction was written by a newer version of the library: upgrade watchword on this node to change it',
    { detail: `restriction ${entry.target}:${entry.value}` },
  )
}

// A row that expired may have been purged.
function ofLog(parts: BaseParts, target: RestrictionTarget, known: RestrictedEntry): Base {
  const now = parts.follower.time.stamp()
  const isBroken = known.expiresAt > now || parts.index.registers.outlastsEntry(target, now)
  if (isBroken) report(parts, target)
  return ofEntry(known, isBroken)
}

function report({ trail }: BaseParts, target: RestrictionTarget): void {
  const id = restrictionName(target)
  trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target: 'restriction', id })
}
