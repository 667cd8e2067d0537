/**
 * The feed's SQL for PostgreSQL.
 *
 * @module
 */

import { listed, raw, type Sql, sql } from '../../clients/sql/statement.js'
import { postgresVersions } from '../../clients/sql/versions.js'
import {
  type Append,
  type FeedDialect,
  type FeedTables,
  feedTablesOf,
  feedTablesOfVersion1,
  type ReadAfter,
} from './dialect.js'
import { beginsEpoch, boundedEvent, moveHead, READ_BYTES, removeOtherEpochs } from './log.js'

// Collation "C" orders by bytes, independent of the database's collation; it is also the fastest.
const TYPES = {
  text: 'TEXT COLLATE "C"',
  number: 'BIGINT',
  short: 'BYTEA',
  bytes: 'BYTEA',
  tableEnd: '',
}

const IS_REPLICA = raw('pg_is_in_recovery()')

/** The dialect over tables with this prefix, in the given schema or the first of the search path. */
export function postgresFeedDialect(prefix: string, schema: string | undefined): FeedDialect {
  const tables = feedTablesOf(prefix, schema === undefined ? '' : `"${schema}".`)
  return {
    tables,
    isReplica: IS_REPLICA,
    selectEvents: (feed, after, limit) => selectInOrder(tables, feed, after, limit),
    now: raw('EXTRACT(EPOCH FROM now())::bigint'),
    forUpdate: raw(' FOR UPDATE'),
    limit: (count) => sql`LIMIT ${count}`,
    insertUnlessThere: (table, columns, values) =>
      sql`INSERT INTO ${table} (${columns}) VALUES (${listed(values)}) ON CONFLICT DO NOTHING`,
    pointTo: (feed, generation, chunks) =>
      sql`INSERT INTO ${tables.snapshots} AS s (feed, generation, chunks)
        VALUES (${listed([feed, generation, chunks])})
        ON CONFLICT (feed) DO UPDATE SET previous = s.generation,
          generation = excluded.generation, chunks = excluded.chunks`,
    ...postgresVersions(tables.versions, schema),
    migrations: [feedTablesOfVersion1(tables, TYPES)],
  }
}

// One index scan without a join of the log. Until it has statistics, Postgres assumes a short log, and would sort all
// remaining events for each page or rescan earlier ones for each event.
function selectInOrder(
  { head, log }: FeedTables,
  feed: string,
  { epoch, seq }: ReadAfter,
  limit: number,
): Sql {
  const ofHead = (column: 'floor' | 'seq') =>
    sql`(SELECT g.${raw(column)} FROM ${head} g WHERE g.feed = ${feed} AND g.epoch = ${epoch})`
  const events = sql`SELECT l.seq, ${boundedEvent(raw('l.bytes'))} AS bytes,
      LENGTH(l.bytes) AS size FROM ${log} l
    WHERE l.feed = ${feed} AND l.epoch = ${epoch} AND l.seq > ${seq}
      AND l.seq >= ${ofHead('floor')} AND l.seq <= ${ofHead('seq')}
    ORDER BY l.seq LIMIT ${limit}`
  return sql`SELECT r.replica, h.floor, e.seq, e.bytes
    FROM (SELECT ${IS_REPLICA} AS replica) r LEFT JOIN ${head} h ON h.feed = ${feed}
    LEFT JOIN (
      SELECT s.seq, s.bytes, SUM(s.size) OVER (ORDER BY s.seq) - s.size AS earlier FROM (${events}) s
    ) e ON e.earlier < ${raw(String(READ_BYTES))}
    ORDER BY e.seq`
}

/** The payload sent to listeners. */
export interface Notice {
  readonly channel: string
  readonly payload: string
}

/**
 * Appends and notifies listeners in one statement and one round trip. The UPDATE locks the row of the head, which makes
 * the order of commits that of `seq`. Returns one row if the head was the expected one, otherwise none.
 */
export function appendAtOnce(dialect: FeedDialect, append: Append, notice?: Notice): Sql {
  const { feed, events, next } = append
  const seqs = events.map(({ seq }) => seq)
  const bytes = events.map((event) => event.bytes)
  const written = sql`INSERT INTO ${dialect.tables.log} (feed, epoch, seq, bytes)
    SELECT ${feed}, ${next.epoch}, e.seq, e.bytes
    FROM moved, unnest(${seqs}::bigint[], ${bytes}::bytea[]) AS e (seq, bytes)
    ON CONFLICT (feed, epoch, seq) DO UPDATE SET bytes = excluded.bytes`
  const removed = beginsEpoch(append)
    ? sql`, removed AS (${removeOtherEpochs(dialect, append)} AND EXISTS (SELECT 1 FROM moved))`
    : raw('')
  const told =
    notice === undefined ? raw('1') : sql`pg_notify(${notice.channel}, ${notice.payload})`
  return sql`WITH moved AS (${moveHead(dialect, append)} RETURNING 1)${removed},
    written AS (${written})
    SELECT ${told} FROM moved`
}
