/**
 * The columns of usage and of lives, and the conversion of their rows.
 *
 * @module
 */
import type { Row, SqlScalar } from '../../clients/sql/statement.js'
import { DAY, HOUR } from '../../lib/duration.js'
import type { UsageLife, UsageRow } from '../usage.js'
import { gapsOf, gapsText, listsOf, rowTexts } from '../usage-codec.js'
import { totalOf } from '../usage-sums.js'
import { type Column, textOf } from './columns.js'

const column = (name: string, type: Column<never>['type'], nullable = false): Column<never> => ({
  name,
  type,
  nullable,
})

/** The columns of a row, in the order of {@link usageValues}. */
export const USAGE_COLUMNS: readonly Column<never>[] = [
  column('id', 64),
  column('from_at', 'number'),
  column('life', 64 * 3),
  // 1 once the row is about a day. Hours are found for folding, and both for removing, by when they end.
  column('folded', 'number'),
  column('ends_at', 'number'),
  column('total', 'number'),
  column('requests', 'number'),
  column('refused', 'long'),
  column('first_used_at', 'number', true),
  column('last_used_at', 'number', true),
  column('scopes', 'long'),
  column('callers', 'long'),
  column('others', 'number'),
]

/** The columns that a replaced row gets from the new one. `total` is last: its old value decides over all of them. */
export const REPLACED = [
  'folded',
  'ends_at',
  'requests',
  'refused',
  'first_used_at',
  'last_used_at',
  'scopes',
  'callers',
  'others',
  'total',
] as const

export const LIFE_COLUMNS: readonly Column<never>[] = [
  column('life', 64 * 3),
  column('node', 256 * 3),
  column('from_at', 'number'),
  column('to_at', 'number'),
  column('ended_at', 'number', true),
  column('gaps', 'long'),
]

/** The time `n` up to which hours are closed, in the row 0. */
export const STATE_COLUMNS: readonly Column<never>[] = [
  column('id', 'number'),
  column('n', 'number'),
]

/** The values of a row of an hour or a day, in the order of the columns. */
export function usageValues(row: UsageRow, isDay = false): SqlScalar[] {
  const { refused, scopes, callers } = rowTexts(row)
  return [
    row.id,
    row.from,
    row.life,
    Number(isDay),
    row.from + (isDay ? DAY : HOUR),
    totalOf(row),
    row.requests,
    refused,
    row.firstUsedAt,
    row.lastUsedAt,
    scopes,
    callers,
    row.others,
  ]
}

/** Converts a row of the database. */
export function usageRowOf(row: Row): UsageRow {
  const { refused, scopes, callers } = row
  return {
    id: textOf(row['id']) as string,
    from: Number(row['from_at']),
    life: textOf(row['life']) as string,
    requests: Number(row['requests']),
    firstUsedAt: maybe(row['first_used_at']),
    lastUsedAt: maybe(row['last_used_at']),
    ...listsOf({ refused: textOf(refused), scopes: textOf(scopes), callers: textOf(callers) }),
    others: Number(row['others']),
  }
}

/** The values of a life, in the order of the columns. */
export function lifeValues(life: UsageLife): SqlScalar[] {
  return [life.life, life.node, life.from, life.to, life.endedAt, gapsText(life)]
}

/** Converts a row of the database. */
export function lifeOf(row: Row): UsageLife {
  return {
    life: textOf(row['life']) as string,
    node: textOf(row['node']) as string,
    from: Number(row['from_at']),
    to: Number(row['to_at']),
    endedAt: maybe(row['ended_at']),
    gaps: gapsOf(textOf(row['gaps'])),
  }
}

function maybe(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
