/**
 * A store over any relational database.
 *
 * @module
 */

import { checkVersion, migrate, migrationSql } from '../../clients/sql/migrations.js'
import { awaitSteps, type Sql, type SqlResult } from '../../clients/sql/statement.js'
import { closedError } from '../../lib/closed-adapter.js'
import type { AuditRow } from '../audit.js'
import type { PurgeBefore, Store, TokenRecord, Usage } from '../store.js'
import { anyStripe, readChanges } from './arrivals.js'
import { changeWith, sqlAudit, writeAudit } from './audit.js'
import { isStorable, KEY_COLUMNS, REVOCATION_COLUMNS, TOKEN_COLUMNS, toRecord } from './columns.js'
import type { Engine } from './dialect.js'
import { sqlRestrictions } from './restrictions.js'
import { insertKey, revoke, rewrapKey, selectKeys } from './revocations.js'
import {
  countTokens,
  insertAudited,
  insertLimited,
  insertTokens,
  latestOf,
  listTokens,
  pageOf,
  selectToken,
  succeed,
  supersede,
  updateDetails,
} from './tokens.js'
import { sqlUsage } from './usage.js'

/** A store with its own schema. */
export interface SqlStore extends Store {
  /**
   * Creates the tables or upgrades them to the version of this library. Idempotent, and safe when many processes start
   * at once. Rejects with `ERR_STORE_SCHEMA` if the schema is newer.
   */
  migrate(): Promise<void>
  /** The SQL that {@link SqlStore.migrate} runs on an empty database, for migration tools. */
  migrationSql(): string
}

/** Builds the store over an engine. */
export function sqlStore(engine: Engine): SqlStore {
  const { name, dialect } = engine
  let closed = false
  const ensureOpen = (): void => {
    if (closed) throw closedError(`the ${name} store`)
  }
  // Async, so it rejects instead of throwing, also after close.
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    ensureOpen()
    return await work()
  }
  const run = (statement: Sql) => step(() => engine.run(statement))
  return {
    name,
    supports: { durable: true },
    open: () => step(() => checkVersion(engine)),
    close: async () => {
      closed = true
    },
    migrate: () => step(() => migrate(engine)),
    migrationSql: () => migrationSql(dialect),
    insertTokens: (records, limit, audit) => step(() => insert(engine, records, limit, audit)),
    getToken: (id) =>
      step(async () => {
        const [row] = isStorable(id) ? (await engine.run(selectToken(dialect, id))).rows : []
        return row === undefined ? undefined : toRecord(TOKEN_COLUMNS, row)
      }),
    listTokens: (filter, page) =>
      step(async () => {
        const statement = listTokens(dialect, filter, page)
        const rows = statement === undefined ? [] : (await engine.run(statement)).rows
        return rows.map((row) => toRecord(TOKEN_COLUMNS, row))
      }),
    countTokens: (filter) =>
      step(async () => {
        const statement = countTokens(dialect, filter)
        if (statement === undefined) return 0
        return Number((await engine.run(statement)).rows[0]?.['found'])
      }),
    updateDetails: (id, expected, next, audit) =>
      step(async () => {
        if (!isStorable(id) || !isStorable(expected)) return false
        return await changeWith(engine, updateDetails(dialect, id, expected, next), audit)
      }),
    succeed: (id, successor, at, audit) =>
      step(async () => {
        if (!isStorable(id)) return { outcome: 'missing' }
        const stripe = anyStripe()
        return await engine.transaction({ making: 'shared', stripe }, () =>
          succeed(dialect, { id, successor, at, stripe, audit }),
        )
      }),
    supersede: (id, at, audit) =>
      step(async () => {
        if (!isStorable(id)) return
        const stripe = anyStripe()
        await engine.transaction({ stripe }, function* () {
          const { changes } = yield supersede(dialect, { id, at, stripe })
          if (changes > 0) yield* writeAudit(dialect, audit)
        })
      }),
    revoke: (revocation, audit) =>
      step(() => {
        const stripe = anyStripe()
        return engine.transaction({ making: 'exclusive', stripe }, () =>
          revoke(dialect, revocation, stripe, audit),
        )
      }),
    changes: (after, limit) =>
      step(() =>
        awaitSteps(readChanges(dialect, after, limit), (statement) => engine.run(statement)),
      ),
    now: async () => Number((await run(dialect.now)).rows[0]?.['now']),
    identity: () => step(() => engine.identity()),
    listRevocations: async (page) => {
      const listing = { columns: REVOCATION_COLUMNS, conditions: [], page }
      const { rows } = await run(pageOf(dialect, { table: dialect.tables.revocations, ...listing }))
      return rows.map((row) => toRecord(REVOCATION_COLUMNS, row))
    },
    insertKey: (record, audit) => step(() => changeWith(engine, insertKey(dialect, record), audit)),
    listKeys: async () =>
      (await run(selectKeys(dialect))).rows.map((row) => toRecord(KEY_COLUMNS, row)),
    rewrapKey: (id, expected, next, audit) =>
      step(async () => {
        if (!isStorable(id) || !isStorable(expected)) return false
        return await changeWith(engine, rewrapKey(dialect, id, expected, next), audit)
      }),
    recordUsage: (usages) => step(() => recordUsage(engine, latestOf(usages))),
    purge: (before) => step(() => purge(engine, before, ensureOpen)),
    usage: sqlUsage(engine, step),
    restrictions: sqlRestrictions(engine, step, (table, until) =>
      emptyTable(engine, table, until, ensureOpen),
    ),
    audit: sqlAudit(engine, step),
  }
}

async function insert(
  engine: Engine,
  records: readonly TokenRecord[],
  limit: Parameters<Store['insertTokens']>[1],
  audit: readonly AuditRow[] = [],
): Promise<'inserted' | 'limit'> {
  const [first] = records
  if (first === undefined) return 'inserted'
  const { dialect } = engine
  if (limit !== undefined) {
    // The length prefix makes the separator unambiguous.
    const holder = `${first.subject.length}:${first.subject}${first.policy}`
    return await engine.transaction({ making: 'shared', holder }, () =>
      insertLimited(dialect, records, limit, audit),
    )
  }
  if (audit.length > 0) {
    if (engine.insertWithAudit !== undefined) await engine.insertWithAudit(records, audit)
    else
      await engine.transaction({ making: 'shared' }, () => insertAudited(dialect, records, audit))
  } else if (engine.insertTokens !== undefined) await engine.insertTokens(records)
  else await engine.transaction({ making: 'shared' }, () => insertTokens(dialect, records))
  return 'inserted'
}

async function recordUsage(engine: Engine, usages: readonly Usage[]): Promise<void> {
  if (usages.length === 0) return
  const [first, ...more] = engine.dialect.recordUsage(usages)
  if (first === undefined) return
  if (more.length === 0) await engine.run(first)
  else
    await engine.transaction({}, function* () {
      for (const statement of [first, ...more]) yield statement
    })
}

async function purge(engine: Engine, before: PurgeBefore, ensureOpen: () => void) {
  const { tables } = engine.dialect
  return {
    tokens: await emptyTable(engine, tables.tokens, before.tokens, ensureOpen),
    keys: await emptyTable(engine, tables.keys, before.keys, ensureOpen),
    revocations: await emptyTable(engine, tables.revocations, before.revocations, ensureOpen),
  }
}

/** Removes expired rows, in batches, so no lock is held for long. */
async function emptyTable(
  engine: Engine,
  table: Sql,
  until: number,
  ensureOpen: () => void,
): Promise<number> {
  let removed = 0
  for (;;) {
    const { changes }: SqlResult = await engine.run(engine.dialect.purgeBatch(table, until))
    if (changes === 0) return removed
    removed += changes
    await new Promise(setImmediate)
    ensureOpen()
  }
}
