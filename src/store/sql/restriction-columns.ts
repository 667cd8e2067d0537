/**
 * The columns of registers of restrictions.
 *
 * @module
 */
import type { RestrictionRecord, RestrictionTarget } from '../restrictions.js'
import { CHANGED, type Column, hashOf } from './columns.js'

type Field = keyof RestrictionRecord & string

const required = (
  name: string,
  field: Field,
  type: Column<RestrictionRecord>['type'],
): Column<RestrictionRecord> => ({ name, field, type, nullable: false })

const optional = (
  name: string,
  field: Field,
  type: Column<RestrictionRecord>['type'],
): Column<RestrictionRecord> => ({ name, field, type, nullable: true })

const ID = 64
const LONG = 1024 * 3

/** The number of characters of a value in the index of the list. No database can hold a whole value in an index. */
const PLACE_LENGTH = 200

/** The columns of a register. */
export const RESTRICTION_COLUMNS: readonly Column<RestrictionRecord>[] = [
  { name: 'id', type: ID, nullable: false, value: idOf },
  { name: 'place', type: 16 + PLACE_LENGTH * 4, nullable: false, value: placeOf },
  required('kind', 'kind', 16),
  required('value', 'value', LONG),
  required('revision', 'revision', 'number'),
  required('state', 'state', 16_384 * 3),
  optional('family', 'family', ID),
  optional('generation', 'generation', 'number'),
  required('written_at', 'at', 'number'),
  required('actor', 'actor', 256 * 3),
  optional('reason', 'reason', LONG),
  required('expires_at', 'expiresAt', 'number'),
  required('tag', 'tag', 512),
]

/** All columns of the table. */
export const RESTRICTION_TABLE = [...RESTRICTION_COLUMNS, CHANGED] as readonly Column<never>[]

/** The primary key of a register. */
export function idOf({ kind, value }: RestrictionTarget): string {
  return hashOf(`${kind} ${value}`)
}

/**
 * The position of a register in the list: its kind and the beginning of its value. Registers of one position are ordered
 * by the whole value. A space sorts before every letter, so kinds stay together.
 */
export function placeOf({ kind, value }: RestrictionTarget): string {
  // Whole characters: half of a surrogate pair cannot be stored.
  const start = [...value.slice(0, 2 * PLACE_LENGTH)].slice(0, PLACE_LENGTH)
  return `${kind} ${start.join('')}`
}
