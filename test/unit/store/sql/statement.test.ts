import { describe, expect, it } from 'vitest'
import { withRetries } from '../../../../src/clients/sql/retry.js'
import { joined, listed, once, raw, sql } from '../../../../src/clients/sql/statement.js'
import { natsFeed } from '../../../../src/feed/nats.js'
import { redisFeed } from '../../../../src/feed/redis.js'
import { type MysqlPool, mysqlStore } from '../../../../src/store/mysql.js'
import { type PostgresPool, postgresStore } from '../../../../src/store/postgres.js'
import { redisStore } from '../../../../src/store/redis.js'
import { TOKEN_COLUMNS, toRecord, toValues } from '../../../../src/store/sql/columns.js'
import { type SqliteDatabase, sqliteStore } from '../../../../src/store/sqlite.js'
import { fixtures } from '../../../../src/testkit/store/fixtures.js'

const never = () => {
  throw new Error('a construction must not touch the client')
}
const sqlite = { exec: never, prepare: never } as unknown as SqliteDatabase
const postgres = { query: never, connect: never } as unknown as PostgresPool
const mysql = { execute: never, query: never, getConnection: never } as unknown as MysqlPool

const make: Readonly<Record<string, (options: object) => { migrationSql(): string }>> = {
  sqlite: (options) => sqliteStore(sqlite, options),
  postgres: (options) => postgresStore(postgres, options),
  mysql: (options) => mysqlStore(mysql, options),
}

const HOSTILE: readonly unknown[] = [
  ...['', 'A', '1a', 'a-b', 'a b', 'a.b', 'a;', 'a"', "a'", 'a`', 'é', 'a\n', 'a\0', 'a$'],
  ...['a'.repeat(32), 'x; DROP TABLE tokens; --', '"x"', null, 1, {}, ['a']],
]

describe('the options of the SQL stores', () => {
  it.each(Object.keys(make))('%s rejects a prefix that is not a plain name', (name) => {
    for (const prefix of HOSTILE) {
      expect(() => make[name]?.({ prefix })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringMatching(/^prefix: /),
        }),
      )
    }
    for (const prefix of ['a', '_', 'auth_', 'a'.repeat(31)]) {
      expect(make[name]?.({ prefix }).migrationSql()).toContain(`${prefix}tokens`)
    }
  })

  it('of Postgres reject such a schema too, and quote one that is an SQL keyword', () => {
    for (const schema of HOSTILE)
      expect(() => postgresStore(postgres, { schema } as object)).toThrow(/^schema: /)
    expect(postgresStore(postgres, { schema: 'order' }).migrationSql()).toContain(
      'CREATE TABLE IF NOT EXISTS "order".watchword_tokens',
    )
  })

  it.each(Object.keys(make))('%s rejects an unknown option', (name) => {
    for (const options of [{ prefx: 'a' }, null])
      expect(() => make[name]?.(options as object)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
      )
  })

  it('reject a client of another kind by name', () => {
    const wrong = { hget: never } as unknown
    expect(() => sqliteStore(wrong as SqliteDatabase)).toThrow(/^database: /)
    expect(() => postgresStore(wrong as PostgresPool)).toThrow(/^pool: /)
    expect(() => mysqlStore(wrong as MysqlPool)).toThrow(/^pool: /)
  })

  it.each<[string, (uri: never) => unknown]>([
    ['sqliteStore', sqliteStore],
    ['postgresStore', postgresStore],
    ['mysqlStore', mysqlStore],
    ['redisStore', redisStore],
    ['redisFeed', redisFeed],
  ])('a connection string is rejected by %s without its password', (_, make) => {
    const call = () => make('db://user:hunter2@host/app' as never)
    expect(call).toThrow(/^(?:database|pool|client): expected .*, got a string of 26 characters$/)
  })
})

describe('rows', () => {
  it('become records again, however a driver represents numbers and texts', () => {
    const token = fixtures('rows').token({ subject: '\ufeffé', revokedAt: 5, scopes: ['a', '"'] })
    const values = toValues(TOKEN_COLUMNS, token)
    const row = (change: (value: unknown) => unknown) =>
      Object.fromEntries(TOKEN_COLUMNS.map(({ name }, index) => [name, change(values[index])]))
    const changes = [
      (value: unknown) => value,
      (value: unknown) => (typeof value === 'number' ? String(value) : value),
      (value: unknown) => (typeof value === 'number' ? BigInt(value) : value),
      (value: unknown) => (typeof value === 'string' ? Buffer.from(value) : value),
      (value: unknown) => (typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value),
    ]
    for (const change of changes) expect(toRecord(TOKEN_COLUMNS, row(change))).toStrictEqual(token)
  })

  it('that do not parse are passed on for the core to reject, and throw nothing', () => {
    const row = { id: 'x', scopes: '{', issued_at: 'soon', expires_at: null }
    expect(toRecord(TOKEN_COLUMNS, row)).toMatchObject({
      id: 'x',
      scopes: '{',
      issuedAt: Number.NaN,
      expiresAt: null,
    })
  })
})

describe('statements', () => {
  it('bind values in order', () => {
    const inner = sql`b = ${'x'} AND c IN (${listed([1, null])})`
    expect(sql`SELECT ${raw('a')} WHERE a = ${1} AND ${inner}`).toStrictEqual({
      text: 'SELECT a WHERE a = ? AND b = ? AND c IN (?, ?)',
      values: [1, 'x', 1, null],
    })
    expect(joined([sql`${1}`, sql`${2}`], ', ')).toStrictEqual({ text: '?, ?', values: [1, 2] })
    expect(sql`SELECT ${once(raw('1'))}`.once).toBe(true)
  })
})

describe('retries', () => {
  it('are few, and only of transactions that were rolled back', async () => {
    let calls = 0
    const failing = (error: unknown) => async () => {
      calls++
      throw error
    }
    const isUndone = (error: unknown) => error === 'undone'
    await expect(withRetries(failing('undone'), isUndone)).rejects.toBe('undone')
    expect(calls).toBe(5)
    await expect(withRetries(failing('else'), isUndone)).rejects.toBe('else')
    expect(calls).toBe(6)
  })
})

describe('an explicit undefined', () => {
  it.each([
    ['sqliteStore', () => sqliteStore({} as never, { prefix: undefined } as never)],
    ['postgresStore', () => postgresStore({} as never, { schema: undefined } as never)],
    ['mysqlStore', () => mysqlStore({} as never, { prefix: undefined } as never)],
    ['redisStore', () => redisStore({} as never, { prefix: undefined } as never)],
    ['redisFeed', () => redisFeed({} as never, { prefix: undefined } as never)],
    ['natsFeed', () => natsFeed({} as never, { replicas: undefined } as never)],
  ])('is rejected as an option of %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
    expect(make).toThrow(/: it is undefined: set a value, or leave the field out/)
  })
})
