/**
 * Applies the versions of a schema, and checks that library and database have the same one.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { once, raw, type Sql, type SqlResult, type Steps, sql } from './statement.js'

/** The table of applied schema versions. */
export interface Versions {
  /** Selects one row if the table of versions exists. */
  readonly versionsExist: Sql
  /** Creates the table of versions if it is missing. */
  readonly createVersions: readonly string[]
}

/** A migration statement that cannot be repeated, and a query that returns a row if it has already run. */
export interface Guarded {
  readonly text: string
  readonly unless?: Sql
}

/** A schema and its versions. */
export interface Schema extends Versions {
  readonly tables: { readonly versions: Sql }
  /** The statements of each version of the schema, oldest first. */
  readonly migrations: readonly (readonly (string | Guarded)[])[]
}

/** Applies a schema of the library. */
export interface SchemaEngine {
  readonly name: string
  readonly dialect: Schema
  /** Runs a single statement. */
  run(statement: Sql): Promise<SqlResult>
  /** Runs the steps while no other process migrates. */
  migrate(steps: () => Steps<void>): Promise<void>
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
