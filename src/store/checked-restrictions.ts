/**
 * The boundary to the part of a store that keeps restrictions: its rows are parsed before use.
 *
 * @module
 */
import { bare } from '../lib/fields.js'
import type { AuditRow } from './audit.js'
import { type CheckedRow, corruptRow, readNumber } from './checked.js'
import { parseRestriction, restrictionName, targetOf } from './restriction-schema.js'
import {
  compareTargets,
  type RestrictionPage,
  type RestrictionRecord,
  type RestrictionStore,
  type RestrictionTarget,
  type RestrictionWrite,
} from './restrictions.js'

/** Reads a register, if it exists. Rejects with `ERR_STORE_CORRUPT`. */
export async function readRestriction(
  part: Pick<RestrictionStore, 'read'>,
  { kind, value }: RestrictionTarget,
): Promise<RestrictionRecord | undefined> {
  const target = bare({ kind, value })
  return checked(await part.read(target), target)
}

/**
 * Writes the next revision of a register. Rejects with `ERR_STORE_CORRUPT`, also if the store reports as changed what
 * it should have written.
 */
export async function writeRestriction(
  part: Pick<RestrictionStore, 'write'>,
  next: RestrictionRecord,
  audit?: readonly AuditRow[],
): Promise<RestrictionWrite> {
  const result: unknown = await part.write(bare(next), audit)
  const { outcome, current: row } = (result ?? {}) as { outcome?: unknown; current?: unknown }
  if (outcome === 'written') return { outcome }
  if (outcome !== 'changed') throw corruptRow('result of the restriction', restrictionName(next))
  const current = checked(row, next)
  // A caller that tries again with the revision after this one would do so in an endless loop.
  if ((current?.revision ?? 0) === next.revision - 1)
    throw corruptRow('restriction', restrictionName(next))
  return { outcome, current }
}

/** One register of a list. */
export interface CheckedRestriction extends CheckedRow<RestrictionRecord> {
  readonly target: RestrictionTarget
}

/**
 * Reads a page of registers, in which those that do not parse have no record. Rejects with `ERR_STORE_CORRUPT` if one
 * has no readable target or if the order is wrong, since the next page would omit registers.
 */
export async function listRestrictions(
  part: Pick<RestrictionStore, 'list'>,
  { after, limit }: RestrictionPage,
): Promise<readonly CheckedRestriction[]> {
  const start = after && bare({ kind: after.kind, value: after.value })
  const page = bare({ limit, ...(start === undefined ? {} : { after: start }) })
  const rows: readonly unknown[] = await part.list(page)
  let last = start
  return rows.map((row) => {
    const target = targetOf(row)
    if (target === undefined || (last !== undefined && compareTargets(target, last) <= 0))
      throw corruptRow(
        'page of restrictions after',
        last === undefined ? '' : restrictionName(last),
      )
    last = target
    return { id: restrictionName(target), target, record: parseRestriction(row) }
  })
}

/** Removes registers and returns their number. Rejects with `ERR_STORE_CORRUPT` if the result is not a number. */
export async function purgeRestrictions(
  part: Pick<RestrictionStore, 'purge'>,
  until: number,
): Promise<number> {
  return readNumber(await part.purge(until), 'restrictions')
}

function checked(row: unknown, target: RestrictionTarget): RestrictionRecord | undefined {
  if (row === undefined) return undefined
  const record = parseRestriction(row)
  // A connection that mixed up two responses must not turn one register into another.
  if (record === undefined || restrictionName(record) !== restrictionName(target))
    throw corruptRow('restriction', restrictionName(target))
  return record
}
