/**
 * The differences between databases.
 *
 * @module
 */

import type { Schema, SchemaEngine } from '../../clients/sql/migrations.js'
import type { Sql, SqlResult, SqlScalar, Steps } from '../../clients/sql/statement.js'
import type { AuditLeaf, AuditRow } from '../audit.js'
import type { TokenRecord, Usage } from '../store.js'

/** The tables of one store, as SQL. */
export interface Tables {
  readonly tokens: Sql
  readonly keys: Sql
  readonly revocations: Sql
  /** The numbers of the last changes, a row for each of the stripes of {@link STRIPES}. */
  readonly arrivals: Sql
  /** The registers of restrictions. */
  readonly restrictions: Sql
  readonly usage: Sql
  readonly lives: Sql
  /** One row: the time up to which hours of usage are closed. */
  readonly states: Sql
  readonly audit: Sql
  /** One row: the size and the state of the tree of the audit. */
  readonly heads: Sql
  /** The versions of the schema that were applied. */
  readonly versions: Sql
}

/** The SQL that differs between databases. */
export interface Dialect extends Schema {
  readonly tables: Tables
  /** Ends a SELECT whose rows are about to be written. */
  readonly forUpdate: Sql
  /** Ends a SELECT whose rows must not change until the transaction ends. */
  readonly forShare: Sql
  limit(count: number): Sql
  /** Whether the column is one of the values. */
  among(column: Sql, values: readonly string[]): Sql
  /** Inserts the rows in one transaction and skips existing ids. */
  insertTokens(records: readonly TokenRecord[]): readonly Sql[]
  /** Inserts one row, unless a unique key of it exists. */
  insertUnlessThere(table: Sql, columns: Sql, values: readonly SqlScalar[]): Sql
  /** Combines independent statements of one transaction into as few round trips as possible. */
  together(statements: readonly Sql[]): readonly Sql[]
  /** Moves each `last_used_at` forward. Takes one report for each id, in the order in which rows must be locked. */
  recordUsage(usages: readonly Usage[]): readonly Sql[]
  /** Inserts rows of usage, and replaces those that have no more requests. The keys differ and are in ascending order. */
  upsertUsage(rows: readonly (readonly SqlScalar[])[]): readonly Sql[]
  /**
   * Statements of a transaction before a read of one page in the order of an index: the planner must not sort all rows
   * instead, which it prefers if its statistics are older than the rows.
   */
  readonly walksIndex: readonly Sql[]
  /** Gives rows of the audit their places: the indices from `from` on, in the order of the list. */
  placeAudit(from: number, leaves: readonly AuditLeaf[]): readonly Sql[]
  /** Removes a batch of the hours (0) or days (1) of usage that end by a time. */
  removeUsage(isFolded: number, until: number): Sql
  /** Marks rows. Locks them before the update, in an order that all writers share, if the database supports it. */
  markRevoked(set: Sql, where: Sql): Sql
  /** The server's wall clock in Unix milliseconds, as `now`. */
  readonly now: Sql
  /** Removes a batch of expired rows. */
  purgeBatch(table: Sql, before: number): Sql
}

/** The locks that a transaction holds until it ends. */
export interface Locks {
  /**
   * `shared` for a transaction that creates tokens, `exclusive` for one that revokes them. A revocation waits for
   * earlier rotations and inserts and marks their rows; later ones see the revocation.
   */
  readonly making?: 'shared' | 'exclusive'
  /** Excludes other transactions that count the valid tokens of the same subject and policy. */
  readonly holder?: string
  /** Takes the next number of this stripe, and locks the stripe until the end of the transaction. */
  readonly stripe?: number
}

/**
 * How statements run on the database behind one store. The engine retries what the database aborted, a bounded number
 * of times.
 */
export interface Engine extends SchemaEngine {
  readonly dialect: Dialect
  /** Runs the steps as one transaction under the locks. */
  transaction<T>(locks: Locks, steps: () => Steps<T>): Promise<T>
  /** Returns the id of the server, the same as a feed on it. */
  identity(): Promise<string | undefined>
  /** Inserts without a limit, if the database can do it in one statement. */
  insertTokens?(records: readonly TokenRecord[]): Promise<unknown>
  /** Inserts without a limit, with rows of the audit, if the database can do it in one statement. */
  insertWithAudit?(records: readonly TokenRecord[], rows: readonly AuditRow[]): Promise<unknown>
  /**
   * Merges rows of hours of usage under the same rules as `upsertUsage`, except those of closed hours, if the database
   * can do it in one statement. Returns the time up to which hours are closed, as `n`.
   */
  mergeUsage?(rows: readonly (readonly SqlScalar[])[]): Promise<SqlResult>
}
