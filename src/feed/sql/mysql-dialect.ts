/**
 * The feed's SQL for MySQL 8 and MariaDB.
 *
 * @module
 */

import { joined, listed, once, raw, type Sql, sql } from '../../clients/sql/statement.js'
import { mysqlVersions } from '../../clients/sql/versions.js'
import type { SealedEvent } from '../feed.js'
import { feedTablesOf, feedTablesOfVersion1, type SteppedDialect } from './dialect.js'

// Binary types: a collation could fold case or accents, or ignore trailing spaces.
const TYPES = {
  text: 'VARBINARY(64)',
  number: 'BIGINT',
  short: 'VARBINARY(64)',
  bytes: 'MEDIUMBLOB',
  tableEnd: ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC',
}

// A byte takes two characters in a literal, and a server may reject statements over 1 MiB.
const BYTES_AT_ONCE = 256 * 1024

/** The dialect over tables with this prefix. */
export function mysqlFeedDialect(prefix: string): SteppedDialect {
  const tables = feedTablesOf(prefix)
  return {
    tables,
    isReplica: raw('0'),
    now: raw('UNIX_TIMESTAMP()'),
    forUpdate: raw(' FOR UPDATE'),
    // A bound number is sent as a float, which LIMIT rejects.
    limit: (count) => raw(`LIMIT ${Math.trunc(count)}`),
    insertUnlessThere: (table, columns, values) =>
      sql`INSERT IGNORE INTO ${table} (${columns}) VALUES (${listed(values)})`,
    insertEvents: (feed, epoch, events) =>
      batchesOf(events).map((batch) => insertInto(tables.log, feed, epoch, batch)),
    // Later assignments see earlier ones: `previous` comes before `generation`.
    pointTo: (feed, generation, chunks) =>
      sql`INSERT INTO ${tables.snapshots} (feed, generation, chunks)
        VALUES (${listed([feed, generation, chunks])})
        ON DUPLICATE KEY UPDATE previous = generation, generation = VALUES(generation),
          chunks = VALUES(chunks)`,
    ...mysqlVersions(tables.versions),
    migrations: [feedTablesOfVersion1(tables, TYPES)],
  }
}

function insertInto(log: Sql, feed: string, epoch: string, events: readonly SealedEvent[]): Sql {
  const rows = events.map(({ seq, bytes }) => sql`(${listed([feed, epoch, seq, bytes])})`)
  const insert = sql`INSERT INTO ${log} (feed, epoch, seq, bytes) VALUES ${joined(rows, ', ')}
    ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)`
  return events.length > 1 ? once(insert) : insert
}

function batchesOf(events: readonly SealedEvent[]): SealedEvent[][] {
  const batches: SealedEvent[][] = []
  let room = -1
  for (const event of events) {
    room -= event.bytes.length
    if (room < 0) {
      batches.push([])
      room = BYTES_AT_ONCE - event.bytes.length
    }
    batches.at(-1)?.push(event)
  }
  return batches
}
