/**
 * Runs statements and transactions on a pool of the package `pg`.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { listJson } from '../../lib/plain.js'
import {
  BEGIN,
  isUndone,
  type PostgresPool,
  queries,
  resultOf,
  withClient,
} from './postgres-client.js'
import { withRetries } from './retry.js'
import { awaitSteps, type Sql, type SqlResult, type Steps } from './statement.js'
import { limited } from './with-connection.js'

/** Statements on a pool, repeated while the server undid them for another transaction. */
export interface PostgresRunner {
  /** Runs one statement. */
  run(statement: Sql, signal?: AbortSignal): Promise<SqlResult>
  /** Runs the steps as one transaction, which `first` begins. */
  transact<T>(first: string, steps: () => Steps<T>, signal?: AbortSignal): Promise<T>
  /** Runs the steps of a migration of these tables, one process at a time. */
  migrate(steps: () => Steps<void>): Promise<void>
}

/** Options of the runner. */
export interface PostgresRunnerOptions {
  readonly pool: PostgresPool
  /** Whether statements are prepared by name. */
  readonly prepare: boolean
  /** The table that names the migrations. */
  readonly table: string
  /** How long each attempt of a statement may take, in milliseconds. Default: as long as its signal allows. */
  readonly statementMs?: number
}

/** Creates the runner. */
export function postgresRunner({
  pool,
  prepare,
  table,
  statementMs,
}: PostgresRunnerOptions): PostgresRunner {
  const toQuery = queries(prepare)
  const ask = (statement: Sql, attempt: number, signal?: AbortSignal) =>
    withClient(
      pool,
      async (client) => resultOf(await client.query(toQuery(statement, attempt))),
      signal,
    )
  const transact: PostgresRunner['transact'] = (first, steps, signal) =>
    withRetries(
      (attempt) =>
        withClient(
          pool,
          async (client) => {
            await client.query({ text: first })
            const result = await awaitSteps(steps(), async (statement) =>
              resultOf(await client.query(toQuery(statement, attempt))),
            )
            await client.query({ text: 'COMMIT' })
            return result
          },
          signal,
        ),
      isUndone,
    )
  const migrating = `${BEGIN}; SELECT pg_advisory_xact_lock(${lockKey('migrate', table)})`
  return {
    run: (statement, signal) =>
      withRetries(
        (attempt) =>
          statementMs === undefined
            ? ask(statement, attempt, signal)
            : limited(statementMs, (late) => ask(statement, attempt, late)),
        isUndone,
      ),
    transact,
    migrate: (steps) => transact(migrating, steps),
  }
}

/** The key of an advisory lock: 63 bits of a hash, since all programs of a database share the keys. */
export function lockKey(...parts: readonly string[]): bigint {
  const digest = createHash('sha256').update(listJson(parts)).digest()
  return digest.readBigUInt64BE() >> 1n
}
