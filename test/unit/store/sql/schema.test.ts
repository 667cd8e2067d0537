import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { mysqlStore } from '../../../../src/store/mysql.js'
import { postgresStore } from '../../../../src/store/postgres.js'
import { type SqlStore, sqliteStore } from '../../../../src/store/sqlite.js'
import { fixtures } from '../../../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../../../contract/servers.js'

/** An empty database for a store, and connections to it. */
interface Place {
  /** A store on its own connection. */
  connect(): SqlStore
  run(statement: string): Promise<unknown>
  readonly versions: string
  remove(): Promise<unknown>
}

async function sqlitePlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-schema-'))
  const open = () => new Libsql(join(folder, 'a.db'))
  const own = open()
  return {
    connect: () => sqliteStore(open()),
    run: async (statement) => own.exec(statement),
    versions: 'watchword_schema',
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function postgresPlace(url: string): Promise<Place> {
  const schema = uniqueName()
  const pools: pg.Pool[] = []
  const open = () => {
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    pools.push(pool)
    return pool
  }
  const own = open()
  return {
    connect: () => postgresStore(open(), { schema }),
    run: (statement) => own.query(statement),
    versions: `${schema}.watchword_schema`,
    async remove() {
      await own.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}

async function mysqlPlace(url: string): Promise<Place> {
  const database = uniqueName()
  const uri = new URL(url)
  uri.pathname = database
  const admin = await mysql.createConnection({ uri: url, multipleStatements: true })
  await admin.query(`CREATE DATABASE ${database}; USE ${database}`)
  const pools: mysql.Pool[] = []
  return {
    connect: () => {
      const pool = mysql.createPool({ uri: uri.href, connectionLimit: 1 })
      pools.push(pool)
      return mysqlStore(pool)
    },
    run: (statement) => admin.query(statement),
    versions: 'watchword_schema',
    async remove() {
      await admin.query(`DROP DATABASE ${database}`)
      await Promise.all([admin.end(), ...pools.map((pool) => pool.end())])
    },
  }
}

const [postgresUrl, mysqlUrl] = [await serverUrl('postgres'), await serverUrl('mysql')]
const places: Array<[string, () => Promise<Place>]> = [['sqlite', sqlitePlace]]
if (postgresUrl !== undefined) places.push(['postgres', () => postgresPlace(postgresUrl)])
if (mysqlUrl !== undefined) places.push(['mysql', () => mysqlPlace(mysqlUrl)])

describe.each(places)('the schema in %s', (_, makePlace) => {
  const made: Place[] = []
  const place = async () => {
    const fresh = await makePlace()
    made.push(fresh)
    return fresh
  }
  afterAll(async () => {
    for (const each of made) await each.remove()
  })

  it('is created once by ten simultaneous starts', async () => {
    const { connect } = await place()
    const stores = Array.from({ length: 10 }, connect)
    await Promise.all(stores.map((store) => store.migrate()))
    await Promise.all(stores.map((store) => store.open()))
    const token = fixtures('schema').token()
    await stores[0]?.insertTokens([token])
    await stores[1]?.migrate()
    expect(await stores[2]?.getToken(token.id)).toStrictEqual(token)
  })

  it('is rejected when it is missing, and the message names the call to run', async () => {
    const store = (await place()).connect()
    await expect(store.open()).rejects.toMatchObject({
      code: 'ERR_STORE_SCHEMA',
      message: expect.stringMatching(/is missing: run the store's migrate\(\)/),
    })
    await store.migrate()
    await store.open()
  })

  it('is rejected when it is newer, and left unchanged', async () => {
    const { connect, run, versions } = await place()
    const store = connect()
    await store.migrate()
    await run(`INSERT INTO ${versions} (version) VALUES (7)`)
    for (const call of [() => connect().open(), () => connect().migrate()]) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_STORE_SCHEMA',
        message: expect.stringMatching(/newer than this library/),
        detail: expect.stringMatching(/version 7, expected 6/),
      })
    }
  })

  it('is completed when a migration was interrupted', async () => {
    const { connect, run, versions } = await place()
    await connect().migrate()
    await run(`DELETE FROM ${versions}`)
    const store = connect()
    await expect(store.open()).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await store.migrate()
    await store.open()
  })

  it('can be applied by hand', async () => {
    const { connect, run } = await place()
    const store = connect()
    await run(store.migrationSql())
    await store.open()
    await store.migrate()
    expect(await store.listTokens({}, { limit: 1 })).toEqual([])
  })
})

describe('the schema in sqlite, with handles that do not wait', () => {
  it('is created once the current writer has finished', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-busy-'))
    const open = () => new Libsql(join(folder, 'a.db'))
    const writer = open()
    writer.exec('BEGIN IMMEDIATE')
    const store = sqliteStore(open())
    const migrated = store.migrate()
    await new Promise((resolve) => setTimeout(resolve, 120))
    writer.exec('COMMIT')
    await migrated
    await store.open()
    writer.exec('BEGIN IMMEDIATE')
    const busy = store.insertTokens([fixtures('busy').token()])
    await expect(busy).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
    rmSync(folder, { recursive: true, force: true })
  })
})
