/**
 * The statements of PostgreSQL that write rows of usage.
 *
 * Each column is one JSON array. `pg` would otherwise assemble an array literal from each element, which takes three
 * times as long and holds the event loop.
 *
 * @module
 */
import { raw, type Sql, type SqlScalar, sql } from '../../clients/sql/statement.js'
import { listJson } from '../../lib/plain.js'
import { namesOf } from './columns.js'
import type { Tables } from './dialect.js'
import { REPLACED, USAGE_COLUMNS } from './usage-columns.js'

type Rows = readonly (readonly SqlScalar[])[]

const NAMES = namesOf(USAGE_COLUMNS)

// Every value as text, in columns of the same names as those of the table.
const LISTS = raw(
  `ROWS FROM (${USAGE_COLUMNS.map(() => 'json_array_elements_text(?::json)').join(', ')}) AS v (${NAMES.text})`,
)
const VALUES = raw(
  USAGE_COLUMNS.map(({ name, type }) => `v.${name}${type === 'number' ? '::bigint' : ''}`).join(
    ', ',
  ),
)
const UPDATES = raw(
  `ON CONFLICT (id, from_at, life) DO UPDATE SET ${REPLACED.map(
    (name) => `${name} = excluded.${name}`,
  ).join(', ')} WHERE excluded.total >= old.total`,
)

const listsOf = (rows: Rows): Sql => ({
  text: LISTS.text,
  values: USAGE_COLUMNS.map((_, index) => listJson(rows.map((row) => row[index] ?? null))),
})

/** Inserts rows of usage, and replaces those that have no more requests. The keys differ and are in ascending order. */
export function upsertUsage({ usage }: Pick<Tables, 'usage'>, rows: Rows): Sql {
  return sql`INSERT INTO ${usage} AS old (${NAMES}) SELECT ${VALUES} FROM ${listsOf(rows)} ${UPDATES}`
}

/**
 * The same for rows of hours that are not closed. Returns the time up to which hours are closed, as `n`; no row if that
 * is missing.
 *
 * Where the statement waits for a purge that moves this time, it continues with the new one.
 */
export function mergeUsage({ usage, states }: Pick<Tables, 'usage' | 'states'>, rows: Rows): Sql {
  return sql`WITH state AS MATERIALIZED (SELECT n FROM ${states} WHERE id = 0 FOR SHARE),
    merged AS (INSERT INTO ${usage} AS old (${NAMES})
      SELECT ${VALUES} FROM state, ${listsOf(rows)} WHERE v.ends_at::bigint > state.n ${UPDATES})
    SELECT n FROM state`
}
