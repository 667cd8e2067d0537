/**
 * The differences between the databases.
 *
 * @module
 */

import type { Answer, Sql, SqlScalar, Steps } from '../../clients/sql/statement.js'
import type { TokenRecord, Usage } from '../store.js'

/** The tables of one store, as they are written in SQL. */
export interface Tables {
  readonly tokens: Sql
  readonly keys: Sql
  readonly revocations: Sql
  /** The numbers of the last changes, a row for each of the stripes of {@link STRIPES}. */
  readonly arrivals: Sql
  /** Which versions of the schema were applied. */
  readonly versions: Sql
}

/** Where it is kept which versions of a schema were applied. */
export interface Versions {
  /** Asks for one row if the table of versions is there. */
  readonly versionsExist: Sql
  /** Creates the table of versions if it is not there. */
  readonly createVersions: readonly string[]
}

/** A statement of a migration that cannot be repeated, and a query that returns a row once it was run. */
export interface Guarded {
  readonly text: string
  readonly unless?: Sql
}

/** A schema and its versions. */
export interface Schema extends Versions {
  readonly tables: Pick<Tables, 'versions'>
  /** The statements of each version of the schema, oldest first. */
  readonly migrations: readonly (readonly (string | Guarded)[])[]
}

/** How one database spells what the others spell differently. */
export interface Dialect extends Schema {
  readonly tables: Tables
  /** Ends a SELECT whose rows are about to be written. */
  readonly forUpdate: Sql
  limit(count: number): Sql
  /** Whether the column is one of the values. */
  among(column: Sql, values: readonly string[]): Sql
  /** Inserts the rows, all in one transaction, and passes over ids that are there. */
  insertTokens(records: readonly TokenRecord[]): readonly Sql[]
  /** Inserts one row, unless a unique key of it is there: then nothing is written. */
  insertUnlessThere(table: Sql, columns: Sql, values: readonly SqlScalar[]): Sql
  /** Statements of one transaction that do not depend on one another, in as few round trips as can be. */
  together(statements: readonly Sql[]): readonly Sql[]
  /** Moves each `last_used_at` forward. One report for an id, in the order in which rows are to be locked. */
  recordUsage(usages: readonly Usage[]): readonly Sql[]
  /** Locks rows before they are updated, in an order that all writers share, where the database can. */
  markRevoked(set: Sql, where: Sql): Sql
  /** The server's wall clock in Unix milliseconds, as `now`. */
  readonly now: Sql
  /** Removes some of what has expired. */
  purgeBatch(table: Sql, before: number): Sql
}

/** The locks that a transaction holds until it ends. */
export interface Locks {
  /**
   * `shared` for what makes tokens, `exclusive` for what revokes them. A revocation therefore waits for the rotations
   * and inserts before it and marks what they wrote, and those after it see it as kept.
   */
  readonly making?: 'shared' | 'exclusive'
  /** Excludes other transactions that count the valid tokens of the same subject and policy. */
  readonly holder?: string
  /** Takes the next number of this stripe, and the stripe with it until the end of the transaction. */
  readonly stripe?: number
}

/** Keeps a schema at the library's version. */
export interface SchemaEngine {
  readonly name: string
  readonly dialect: Schema
  /** Runs one statement by itself. */
  run(statement: Sql): Promise<Answer>
  /** Runs the steps while no other process migrates. */
  migrate(steps: () => Steps<void>): Promise<void>
}

/** A database behind one store: how statements are run. Bounded retries of what the database gave up are its business. */
export interface Engine extends SchemaEngine {
  readonly dialect: Dialect
  /** Runs the steps as one transaction under the locks; afterwards all of it is written, or nothing. */
  transaction<T>(locks: Locks, steps: () => Steps<T>): Promise<T>
  /** Names the server, as a feed on it does. */
  identity(): Promise<string | undefined>
  /** Inserts without a limit, where that takes one statement. */
  insertTokens?(records: readonly TokenRecord[]): Promise<unknown>
}
