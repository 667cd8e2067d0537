/**
 * The feed's SQL for SQLite. SQLite has one writer at a time, so a transaction needs no further lock.
 *
 * @module
 */

import { listed, raw, sql } from '../../clients/sql/statement.js'
import { sqliteVersions } from '../../clients/sql/versions.js'
import { feedTablesOf, feedTablesOfVersion1, type SteppedDialect } from './dialect.js'

const TYPES = {
  text: 'TEXT',
  number: 'INTEGER',
  short: 'BLOB',
  bytes: 'BLOB',
  tableEnd: ' STRICT',
}

/** The dialect over tables with this prefix. */
export function sqliteFeedDialect(prefix: string): SteppedDialect {
  const tables = feedTablesOf(prefix)
  return {
    tables,
    isReplica: raw('0'),
    now: raw("CAST(strftime('%s', 'now') AS INTEGER)"),
    forUpdate: raw(''),
    limit: (count) => sql`LIMIT ${count}`,
    insertUnlessThere: (table, columns, values) =>
      sql`INSERT INTO ${table} (${columns}) VALUES (${listed(values)}) ON CONFLICT DO NOTHING`,
    insertEvents: (feed, epoch, events) =>
      events.map(
        ({ seq, bytes }) => sql`INSERT INTO ${tables.log} (feed, epoch, seq, bytes)
          VALUES (${listed([feed, epoch, seq, bytes])})
          ON CONFLICT (feed, epoch, seq) DO UPDATE SET bytes = excluded.bytes`,
      ),
    pointTo: (feed, generation, chunks) =>
      sql`INSERT INTO ${tables.snapshots} AS s (feed, generation, chunks)
        VALUES (${listed([feed, generation, chunks])})
        ON CONFLICT (feed) DO UPDATE SET previous = s.generation,
          generation = excluded.generation, chunks = excluded.chunks`,
    ...sqliteVersions(tables.versions),
    migrations: [feedTablesOfVersion1(tables, TYPES)],
  }
}
