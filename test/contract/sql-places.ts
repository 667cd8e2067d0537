/**
 * Databases of their own for tests of the schema, with a connection for statements by hand.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { Schema } from '../../src/clients/sql/migrations.js'
import { mysqlStore } from '../../src/store/mysql.js'
import { postgresStore } from '../../src/store/postgres.js'
import { mysqlDialect } from '../../src/store/sql/mysql-dialect.js'
import { postgresDialect } from '../../src/store/sql/postgres-dialect.js'
import { sqliteDialect } from '../../src/store/sql/sqlite-dialect.js'
import { type SqlStore, sqliteStore } from '../../src/store/sqlite.js'
import { serverUrl, uniqueName } from './servers.js'

const [postgresUrl, mysqlUrl] = await Promise.all([serverUrl('postgres'), serverUrl('mysql')])

/** An empty database, a connection for statements by hand, and the statements of earlier versions of the schema. */
export interface Place {
  readonly store: SqlStore
  readonly other: SqlStore
  run(statement: string): Promise<unknown>
  readonly versionOne: readonly string[]
  /** Creates the tables of version 2. */
  readonly versionTwo: readonly string[]
  /** Creates the tables of version 3. */
  readonly versionThree: readonly string[]
  /** What version 4 adds. */
  readonly versionFour: readonly string[]
  /** What version 5 adds. */
  readonly versionFive: readonly string[]
  /** What version 6 adds. */
  readonly versionSix: readonly string[]
  remove(): Promise<unknown>
}

const INSERT_VERSION = 'INSERT INTO watchword_schema (version) VALUES'

const textsOf = (statements: readonly (string | { readonly text: string })[]) =>
  statements.map((statement) => (typeof statement === 'string' ? statement : statement.text))

function versionsOf({ createVersions, migrations }: Schema) {
  const [first = [], second = [], third = [], fourth = [], fifth = [], sixth = []] = migrations
  const versionOne = [...createVersions, ...textsOf(first)]
  const two = [...versionOne, ...textsOf(second)]
  const versionTwo = [...two, `${INSERT_VERSION} (1), (2)`]
  const versionThree = [...two, ...textsOf(third), `${INSERT_VERSION} (1), (2), (3)`]
  const added = { versionFour: textsOf(fourth), versionFive: textsOf(fifth) }
  return { versionOne, versionTwo, versionThree, ...added, versionSix: textsOf(sixth) }
}

async function sqlitePlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-changes-'))
  const open = () => new Libsql(join(folder, 'a.db'))
  const own = open()
  const dialect = sqliteDialect('watchword_')
  return {
    store: sqliteStore(open()),
    other: sqliteStore(open()),
    run: async (statement) => own.exec(statement),
    ...versionsOf(dialect),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function postgresPlace(url: string): Promise<Place> {
  const schema = uniqueName()
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => {})
  const client = await pool.connect()
  await client.query(`CREATE SCHEMA ${schema}; SET search_path TO ${schema}`)
  const dialect = postgresDialect('watchword_', schema)
  return {
    store: postgresStore(pool, { schema }),
    other: postgresStore(pool, { schema }),
    run: (statement) => client.query(statement),
    ...versionsOf(dialect),
    async remove() {
      await client.query(`DROP SCHEMA ${schema} CASCADE`)
      client.release()
      await pool.end()
    },
  }
}

async function mysqlPlace(url: string): Promise<Place> {
  const database = uniqueName()
  const uri = new URL(url)
  uri.pathname = database
  const admin = await mysql.createConnection({ uri: url })
  await admin.query(`CREATE DATABASE ${database}`)
  await admin.query(`USE ${database}`)
  const pool = mysql.createPool({ uri: uri.href, connectionLimit: 4 })
  const dialect = mysqlDialect('watchword_')
  return {
    store: mysqlStore(pool),
    other: mysqlStore(pool),
    run: (statement) => admin.query(statement),
    ...versionsOf(dialect),
    async remove() {
      await pool.end()
      await admin.query(`DROP DATABASE ${database}`)
      await admin.end()
    },
  }
}

/** The places of this machine. */
export const places: Array<[string, () => Promise<Place>]> = [['sqlite', sqlitePlace]]
if (postgresUrl !== undefined) places.push(['postgres', () => postgresPlace(postgresUrl)])
if (mysqlUrl !== undefined) places.push(['mysql', () => mysqlPlace(mysqlUrl)])
