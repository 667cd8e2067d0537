/**
 * The differences between the databases of the feeds, and their shared tables.
 *
 * @module
 */

import {
  type Answer,
  raw,
  type Sql,
  type SqlScalar,
  type Steps,
} from '../../clients/sql/statement.js'
import type { Schema, SchemaEngine } from '../../store/sql/dialect.js'
import type { Durability, Position, RevocationFeed, SealedEvent, SealedHead } from '../feed.js'
import type { Incidents } from '../incidents.js'

/** The tables of the feeds of one prefix, as they are written in SQL. */
export interface FeedTables {
  /** One row for each feed: where its log stands. */
  readonly head: Sql
  readonly log: Sql
  /** One row for each feed: which generation of chunks is its snapshot. */
  readonly snapshots: Sql
  readonly chunks: Sql
  /** Which versions of the schema were applied. */
  readonly versions: Sql
}

/** Where `RevocationFeed.read` reads on. */
export type ReadAfter = Pick<Position, 'epoch' | 'seq'>

/** How one database spells what the others spell differently. */
export interface FeedDialect extends Schema {
  readonly tables: FeedTables
  /** Whether the connected server is a replica. */
  readonly isReplica: Sql
  /** Seconds since 1970 by the database's own clock. */
  readonly now: Sql
  /** Ends a SELECT whose rows are about to be written. */
  readonly forUpdate: Sql
  limit(count: number): Sql
  /** Reads events, if the shared statement is slow on this database. */
  selectEvents?(feed: string, after: ReadAfter, limit: number): Sql
  /** Inserts one row, unless its key is there: then nothing is written. */
  insertUnlessThere(table: Sql, columns: Sql, values: readonly SqlScalar[]): Sql
  /** Makes a generation the snapshot of a feed, and what was the snapshot the one before. */
  pointTo(feed: string, generation: string, chunks: number): Sql
}

/** A database that appends in the steps of a transaction. */
export interface SteppedDialect extends FeedDialect {
  /** Inserts the events, overwriting rows at their positions. */
  insertEvents(feed: string, epoch: string, events: readonly SealedEvent[]): readonly Sql[]
}

/** One append, as `RevocationFeed.append` is asked for it. */
export interface Append {
  readonly feed: string
  readonly expect: Position | null
  readonly events: readonly SealedEvent[]
  readonly next: SealedHead
}

/** A database behind one feed: how statements are run. Bounded retries of what the database gave up are its business. */
export interface FeedEngine extends SchemaEngine {
  readonly dialect: FeedDialect
  /** Which feed of the tables. */
  readonly feed: string
  /** Runs one statement by itself. When the signal aborts, nothing of it holds up later ones. */
  run(statement: Sql, signal?: AbortSignal): Promise<Answer>
  /** Runs the steps as one transaction; afterwards all of it is written, or nothing. */
  transaction<T>(steps: () => Steps<T>, signal: AbortSignal): Promise<T>
  /** Appends in one step. Returns whether the head was the expected one; if not, nothing is written. */
  append(append: Append, signal: AbortSignal): Promise<boolean>
  /** Asks the server what a commit survives. */
  durability(signal: AbortSignal): Promise<Durability>
  /** Called with what the adapter notices about the log. */
  readonly incidents: Incidents
  /** `false` for a database that cannot be split, such as a file. Default: `true`. */
  readonly splits?: boolean
  /** Asks which server holds the log, if the server reports it. */
  readonly identity?: (signal: AbortSignal) => Promise<string | undefined>
  /** The push channel, where there is one. */
  readonly watch?: RevocationFeed['watch']
}

/** The tables of a prefix, behind a qualifier such as a schema. */
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

/** The types of one database. */
export interface FeedTypes {
  /** Short text without a collation: of at most 64 bytes where a length has to be given. */
  readonly text: string
  readonly number: string
  /** At most 64 bytes. */
  readonly short: string
  readonly bytes: string
  /** The text after the list of columns. */
  readonly tableEnd: string
}

/**
 * Creates the tables of version 1. The epoch is part of an event's key, so that a new epoch begins while the events of
 * the old one are being removed.
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
