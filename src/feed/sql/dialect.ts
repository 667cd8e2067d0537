/**
 * The differences between the databases of the feeds, and their shared tables.
 *
 * @module
 */

import type { Schema, SchemaEngine } from '../../clients/sql/migrations.js'
import {
  raw,
  type Sql,
  type SqlResult,
  type SqlScalar,
  type Steps,
} from '../../clients/sql/statement.js'
import type { Durability, Position, RevocationFeed, SealedEvent, SealedHead } from '../feed.js'
import type { Incidents } from '../incidents.js'

/** The tables of the feeds of one prefix, as SQL. */
export interface FeedTables {
  /** One row for each feed: the head of its log. */
  readonly head: Sql
  readonly log: Sql
  /** One row for each feed: the generation of its snapshot. */
  readonly snapshots: Sql
  readonly chunks: Sql
  /** The versions of the schema that were applied. */
  readonly versions: Sql
}

/** The position after which `RevocationFeed.read` continues. */
export type ReadAfter = Pick<Position, 'epoch' | 'seq'>

/** The SQL that differs between databases. */
export interface FeedDialect extends Schema {
  readonly tables: FeedTables
  /** Whether the connected server is a replica. */
  readonly isReplica: Sql
  /** The database's own clock, in seconds since 1970. */
  readonly now: Sql
  /** Ends a SELECT whose rows are about to be written. */
  readonly forUpdate: Sql
  limit(count: number): Sql
  /** Reads events, if the shared statement is slow on this database. */
  selectEvents?(feed: string, after: ReadAfter, limit: number): Sql
  /** Inserts one row, unless its key exists. */
  insertUnlessThere(table: Sql, columns: Sql, values: readonly SqlScalar[]): Sql
  /** Makes a generation the current snapshot of a feed, and the current one the previous one. */
  pointTo(feed: string, generation: string, chunks: number): Sql
}

/** A database that appends in the steps of a transaction. */
export interface SteppedDialect extends FeedDialect {
  /** Inserts the events, overwriting rows at their positions. */
  insertEvents(feed: string, epoch: string, events: readonly SealedEvent[]): readonly Sql[]
}

/** The arguments of one `RevocationFeed.append`. */
export interface Append {
  readonly feed: string
  readonly expect: Position | null
  readonly events: readonly SealedEvent[]
  readonly next: SealedHead
}

/**
 * How statements run on the database behind one feed. The engine retries what the database aborted, a bounded number of
 * times.
 */
export interface FeedEngine extends SchemaEngine {
  readonly dialect: FeedDialect
  /** The name of the feed within the tables. */
  readonly feed: string
  /** Runs a single statement. An aborted statement does not hold up later ones. */
  run(statement: Sql, signal?: AbortSignal): Promise<SqlResult>
  /** Runs the steps as one transaction. */
  transaction<T>(steps: () => Steps<T>, signal: AbortSignal): Promise<T>
  /** Appends in one step. Returns `false`, and writes nothing, if the head was not the expected one. */
  append(append: Append, signal: AbortSignal): Promise<boolean>
  /** Asks the server what a commit survives. */
  durability(signal: AbortSignal): Promise<Durability>
  /** Called with incidents that the adapter detects. */
  readonly incidents: Incidents
  /** `false` for a database that cannot be split, such as a file. Default: `true`. */
  readonly splits?: boolean
  /** Returns the id of the server that holds the log, if the server reports it. */
  readonly identity?: (signal: AbortSignal) => Promise<string | undefined>
  /** The push channel, if the database has one. */
  readonly watch?: RevocationFeed['watch']
}

/** The tables of a prefix, with a qualifier such as a schema. */
export function feedTablesOf(prefix: string, qualifier = ''): FeedTables {
  const table = (name: string) => raw(`${qualifier}${prefix}feed_${name}`)
  return {
    head: table('head'),
    log: table('log'),
    snapshots: table('snapshots'),
    chunks: table('chunks'),
    versions: table('schema'),
  }
}

/** The column types of one database. */
export interface FeedTypes {
  /** Short text without a collation: at most 64 bytes if a length is required. */
  readonly text: string
  readonly number: string
  /** At most 64 bytes. */
  readonly short: string
  readonly bytes: string
  /** The text after the list of columns. */
  readonly tableEnd: string
}

/**
 * Creates the tables of version 1. The epoch is part of an event's key, so a new epoch can begin while the events of the
 * old one are being removed.
 */
export function feedTablesOfVersion1(tables: FeedTables, types: FeedTypes): string[] {
  const { text, number, short, bytes, tableEnd } = types
  const create = (table: Sql, key: string, columns: readonly string[]): string =>
    `CREATE TABLE IF NOT EXISTS ${table.text} (\n  ${[...columns, `PRIMARY KEY (${key})`].join(',\n  ')}\n)${tableEnd}`
  return [
    create(tables.head, 'feed', [
      `feed ${text} NOT NULL`,
      `epoch ${text} NOT NULL`,
      `seq ${number} NOT NULL`,
      `link ${short} NOT NULL`,
      `floor ${number} NOT NULL`,
      `beacon_at ${number} NOT NULL`,
      `seal ${bytes} NOT NULL`,
    ]),
    create(tables.log, 'feed, epoch, seq', [
      `feed ${text} NOT NULL`,
      `epoch ${text} NOT NULL`,
      `seq ${number} NOT NULL`,
      `bytes ${bytes} NOT NULL`,
    ]),
    create(tables.snapshots, 'feed', [
      `feed ${text} NOT NULL`,
      `generation ${text} NOT NULL`,
      `previous ${text}`,
      `chunks ${number} NOT NULL`,
    ]),
    create(tables.chunks, 'feed, generation, part', [
      `feed ${text} NOT NULL`,
      `generation ${text} NOT NULL`,
      `part ${number} NOT NULL`,
      `saved_at ${number} NOT NULL`,
      `bytes ${bytes} NOT NULL`,
    ]),
  ]
}
