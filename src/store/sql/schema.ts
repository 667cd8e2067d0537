/**
 * The schema: tables and indexes from one model, their versions, and the check that library and database match.
 *
 * @module
 */

import { once, raw, type Steps, sql } from '../../clients/sql/statement.js'
import { WatchwordError } from '../../errors.js'
import { invalidOption } from '../../lib/invalid.js'
import { describe } from '../../lib/quote.js'
import {
  CHANGED,
  type Column,
  KEY_COLUMNS,
  MATCHED,
  REVOCATION_COLUMNS,
  TOKEN_COLUMNS,
} from './columns.js'
import type { Schema, SchemaEngine, Tables } from './dialect.js'

/** A table of one version of the schema. */
export interface TableModel {
  readonly name: string
  readonly columns: readonly Column<never>[]
  /** The unique lists of columns, in addition to the primary key `id`. */
  readonly unique: readonly string[]
  /** The lists of columns, by the suffix of the index's name. */
  readonly indexes: Readonly<Record<string, string>>
}

const model = <T>(
  name: string,
  columns: readonly Column<T>[],
  unique: readonly string[],
  indexes: Readonly<Record<string, string>>,
): TableModel => ({
  name,
  columns: columns.filter(({ since }) => since === undefined) as readonly Column<never>[],
  unique,
  indexes,
})

/** A table to which a version of the schema adds columns and indexes. */
export interface Addition {
  readonly table: string
  readonly columns: readonly Column<never>[]
  readonly indexes: Readonly<Record<string, string>>
}

const addedIn2 = <T>(columns: readonly Column<T>[]) =>
  columns.filter(({ since }) => since === 2) as readonly Column<never>[]

/** Added in version 2: integrity tags, family limits, the reach of revocations, and the order of changes. */
export function additionsOfVersion2({ tokens, keys, revocations }: Tables): Addition[] {
  return [
    {
      table: tokens.text,
      columns: [...addedIn2(TOKEN_COLUMNS), CHANGED],
      indexes: { changed: 'changed' },
    },
    { table: keys.text, columns: addedIn2(KEY_COLUMNS), indexes: {} },
    {
      table: revocations.text,
      columns: [...addedIn2(REVOCATION_COLUMNS), MATCHED, CHANGED],
      indexes: { family: 'family, generation', changed: 'changed' },
    },
  ]
}

/** The tables of version 1. Later versions only add tables and nullable columns; this never changes. */
export function tablesOfVersion1({ tokens, keys, revocations }: Tables): TableModel[] {
  return [
    model(tokens.text, TOKEN_COLUMNS, [], {
      // Listing by any of these, in pages by id, walks one index.
      subject: 'subject_hash, id',
      family: 'family, id',
      policy: 'policy, id',
      audience: 'audience, id',
      key: 'key_id, id',
      // Counts the valid tokens of a holder without its invalid ones.
      holder: 'subject_hash, policy, expires_at',
      expiry: 'expires_at',
    }),
    model(keys.text, KEY_COLUMNS, ['audience, generation'], { expiry: 'expires_at' }),
    model(revocations.text, REVOCATION_COLUMNS, [], {
      target: 'kind, target, before_at',
      expiry: 'expires_at',
    }),
  ]
}

const NAME = /^[a-z_][a-z0-9_]{0,30}$/

/** Checks the name of a prefix or schema, which no database accepts as a bound value. Throws `ERR_INVALID_OPTION`. */
export function checkedName(field: string, name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw invalidOption(
    field,
    `expected 1 to 31 of a-z, 0-9 and '_', and no digit first, got ${describe(name)}`,
  )
}

/** The prefix of the tables, or its default. */
export function checkedPrefix(prefix: unknown): string {
  return prefix === undefined ? 'watchword_' : checkedName('prefix', prefix)
}

/** The tables of a prefix, with a qualifier such as a schema. */
export function tablesOf(prefix: string, qualifier = ''): Tables {
  const table = (name: string) => raw(`${qualifier}${prefix}${name}`)
  return {
    tokens: table('tokens'),
    keys: table('keys'),
    revocations: table('revocations'),
    arrivals: table('arrivals'),
    versions: table('schema'),
  }
}

/** The SQL that applies the schema manually. */
export function migrationSql({ createVersions, migrations, tables }: Schema): string {
  const lines = migrations.flatMap((statements, index) => [
    ...statements.map((statement) => (typeof statement === 'string' ? statement : statement.text)),
    `INSERT INTO ${tables.versions.text} (version) VALUES (${index + 1})`,
  ])
  return `${[...createVersions, ...lines].join(';\n\n')};\n`
}

/** The owner of a schema, for messages. */
export type Owner = 'store' | 'feed'

/** Upgrades the schema to the version of the library. One process at a time; idempotent. */
export async function migrate(engine: SchemaEngine, owner: Owner = 'store'): Promise<void> {
  const { migrations } = engine.dialect
  // Most starts have nothing to migrate and need no lock and no write.
  if ((await currentVersion(engine)) >= migrations.length) return checkVersion(engine, owner)
  await engine.migrate(() => migrationSteps(engine.dialect))
}

function* migrationSteps(dialect: Schema): Steps<void> {
  const { createVersions, migrations, tables }: Schema = dialect
  // Created instead of checked: a result from before the wait for other processes may be cached.
  for (const text of createVersions) yield once(raw(text))
  const { rows } = yield once(selectVersion(dialect))
  const applied = Number(rows[0]?.['version'] ?? 0)
  for (const [index, statements] of migrations.entries()) {
    if (index < applied) continue
    for (const statement of statements) {
      const { text, unless } = typeof statement === 'string' ? { text: statement } : statement
      // Steps that a crashed process completed are not repeated.
      if (unless !== undefined && (yield once(unless)).rows.length > 0) continue
      yield once(raw(text))
    }
    yield once(sql`INSERT INTO ${tables.versions} (version) VALUES (${raw(String(index + 1))})`)
  }
}

/** Rejects with `ERR_STORE_SCHEMA` unless the schema has the library's version. */
export async function checkVersion(engine: SchemaEngine, owner: Owner = 'store'): Promise<void> {
  const wanted = engine.dialect.migrations.length
  const version = await currentVersion(engine)
  if (version === wanted) return
  const { text } = engine.dialect.tables.versions
  const detail = `${text}: version ${version}, expected ${wanted}`
  const message =
    version > wanted
      ? `the schema of the ${engine.name} ${owner} is newer than this library: update the library`
      : `the schema of the ${engine.name} ${owner} is ${version === 0 ? 'missing' : 'older than this library'}: run the ${owner}'s migrate()`
  throw new WatchwordError('ERR_STORE_SCHEMA', message, { detail })
}

async function currentVersion(engine: SchemaEngine): Promise<number> {
  const { dialect } = engine
  if ((await engine.run(dialect.versionsExist)).rows.length === 0) return 0
  const { rows } = await engine.run(selectVersion(dialect))
  return Number(rows[0]?.['version'] ?? 0)
}

function selectVersion({ tables }: Pick<Schema, 'tables'>) {
  return sql`SELECT MAX(version) AS version FROM ${tables.versions}`
}
