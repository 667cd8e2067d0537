/**
 * SQL of the feed as Postgres spells it.
 *
 * @module
 */
import { postgresVersions } from '../../store/sql/postgres-dialect.js'
import { listed, raw, type Sql, sql } from '../../store/sql/statement.js'
import { type Append, type FeedDialect, feedTablesOf, feedTablesOfVersion1 } from './dialect.js'
import { beginsEpoch, moveHead, removeOtherEpochs } from './log.js'

// The order of "C" is that of the bytes, whatever the database's own is; it is also the fastest.
const TYPES = {
  text: 'TEXT COLLATE "C"',
  number: 'BIGINT',
  short: 'BYTEA',
  bytes: 'BYTEA',
  tableEnd: '',
}

/** The dialect over tables with this prefix, in a schema of their own or where the search path leads. */
export function postgresFeedDialect(prefix: string, schema: string | undefined): FeedDialect {
  const tables = feedTablesOf(prefix, schema === undefined ? '' : `"${schema}".`)
  return {
    tables,
    isReplica: raw('pg_is_in_recovery()'),
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

/** What is sent to those who listen. */
export interface Notice {
  readonly channel: string
  readonly payload: string
}

/**
 * Appends, and tells those who listen, in one statement and so in one round trip: the row of the head, which the UPDATE
 * locks, makes the order of commits that of `seq`. One row if the head was the expected one, none otherwise.
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
