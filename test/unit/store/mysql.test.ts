import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type MysqlPool,
  type MysqlQuery,
  type MysqlValue,
  mysqlStore,
} from '../../../src/store/mysql.js'
import type { SqlStore } from '../../../src/store/sql/store.js'
import type { TokenFilter } from '../../../src/store/store.js'
import { fixtures, NOW } from '../../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../../contract/servers.js'

const url = await serverUrl('mysql')
const make = fixtures('mysql')

describe.skipIf(url === undefined)('mysqlStore', () => {
  const database = uniqueName()
  const uri = new URL(url ?? 'mysql://localhost/test')
  uri.pathname = database
  const pools: mysql.Pool[] = []
  const poolOf = (connectionLimit: number) => {
    const pool = mysql.createPool({ uri: uri.href, connectionLimit })
    pools.push(pool)
    return pool
  }
  let admin: mysql.Connection
  let store: SqlStore

  beforeAll(async () => {
    admin = await mysql.createConnection(url ?? '')
    await admin.query(`CREATE DATABASE ${database}`)
    await admin.query(`USE ${database}`)
    store = mysqlStore(poolOf(4))
    await store.migrate()
  })
  afterAll(async () => {
    await admin.query(`DROP DATABASE ${database}`)
    await Promise.all([admin.end(), ...pools.map((pool) => pool.end())])
  })

  it('rejects when no server listens, and when the caller has ended the pool', async () => {
    const nowhere = mysql.createPool('mysql://x@127.0.0.1:9/x')
    pools.push(nowhere)
    const dead = mysqlStore(nowhere)
    const ended = mysql.createPool(uri.href)
    await ended.end()
    for (const each of [dead, mysqlStore(ended)]) {
      await expect(each.open()).rejects.toThrow()
      await expect(each.getToken(make.id())).rejects.toThrow()
      await expect(each.succeed(make.id(), make.token(), null)).rejects.toThrow()
      await expect(each.migrate()).rejects.toThrow()
    }
  })

  it('destroys a connection whose transaction failed', async () => {
    const pool = poolOf(1)
    const single = mysqlStore(pool)
    const [token, other] = [make.token(), make.token()]
    await single.insertTokens([token, other])
    const threadOf = async () => {
      const [rows] = await pool.query('SELECT CONNECTION_ID() AS id')
      return (rows as Array<{ id: number }>)[0]?.id
    }
    const before = await threadOf()
    const clash = make.successor(token, { id: other.id })
    await expect(single.succeed(token.id, clash, NOW)).rejects.toMatchObject({ errno: 1062 })
    expect(await threadOf()).not.toBe(before)
    expect(await single.getToken(token.id)).toStrictEqual(token)
    expect(await single.succeed(token.id, make.successor(token), NOW)).toEqual({
      outcome: 'succeeded',
    })
  })

  it('survives the end of its connection in the middle of a transaction', async () => {
    const single = mysqlStore(poolOf(1))
    const token = make.token()
    await single.insertTokens([token])
    await admin.query('START TRANSACTION')
    await admin.query('SELECT id FROM watchword_tokens WHERE id = ? FOR UPDATE', [token.id])
    const failed = single.revoke(make.revocation('token', token.id)).then(
      () => 'done',
      () => 'failed',
    )
    const waiting = `SELECT ID AS id FROM information_schema.processlist
      WHERE DB = ? AND INFO LIKE 'UPDATE watchword_tokens SET revoked_at%'`
    let rows: Array<{ id: number }> = []
    while (rows.length === 0)
      [rows] = (await admin.query(waiting, [database])) as unknown as [typeof rows]
    await admin.query(`KILL ${rows[0]?.id}`)
    expect(await failed).toBe('failed')
    await admin.query('ROLLBACK')
    expect(await single.getToken(token.id)).toStrictEqual(token)
    await single.revoke(make.revocation('token', token.id))
    expect((await single.getToken(token.id))?.revokedBy).toBe('operator')
  })

  it('makes an insert wait for a revocation, and reports a missing lock row', async () => {
    await admin.query('START TRANSACTION')
    await admin.query('SELECT id FROM watchword_locks WHERE id = 0 FOR UPDATE')
    let inserted = 0
    const inserts = [make.tokens(1), make.tokens(2)].map(async (records) => {
      await store.insertTokens(records)
      inserted++
    })
    const waiting = `SELECT COUNT(*) AS n FROM information_schema.innodb_trx
      WHERE trx_state = 'LOCK WAIT'`
    let waiters = 0
    while (waiters < 2) {
      const [rows] = (await admin.query(waiting)) as unknown as [Array<{ n: number }>]
      waiters = rows[0]?.n ?? 0
      // InnoDB refreshes its report of transactions ten times a second.
      await new Promise((resolve) => setTimeout(resolve, 110))
    }
    expect(inserted).toBe(0)
    await admin.query('ROLLBACK')
    await Promise.all(inserts)
    await admin.query('DELETE FROM watchword_locks WHERE id = 0')
    for (const records of [make.tokens(1), make.tokens(2)])
      await expect(store.insertTokens(records)).rejects.toThrow(/watchword_locks/)
    await admin.query('INSERT INTO watchword_locks (id) VALUES (0)')
  })

  it('serves every list and count from an index', async () => {
    const sent: Array<readonly [MysqlQuery, MysqlValue[]]> = []
    const pool: MysqlPool = poolOf(2)
    const recording = mysqlStore({
      execute: (query, values) => pool.execute(query, values),
      query: (query, values) => pool.query(query, values),
      getConnection: async () => {
        const connection = await pool.getConnection()
        const execute = connection.execute.bind(connection)
        return Object.assign(connection, {
          execute: (query: MysqlQuery, values: MysqlValue[]) => {
            sent.push([query, values])
            return execute(query, values)
          },
        })
      },
    })
    const keys = Array.from({ length: 5 }, () => make.keyId())
    const tokens = make.tokens(5000).map((token, index) => ({
      ...token,
      subject: `s${index % 5}`,
      audience: `a${index % 5}`,
      policy: `p${index % 5}`,
      keyId: keys[index % 5] ?? '',
      owner: `o${index % 5}`,
      issuedBy: `i${index % 5}`,
      ...(index % 100 === 0 ? { revokedAt: NOW, revokedBy: 'x' } : {}),
    }))
    for (let index = 0; index < tokens.length; index += 1000)
      await recording.insertTokens(tokens.slice(index, index + 1000))
    await admin.query('ANALYZE TABLE watchword_tokens')
    const filters: TokenFilter[] = [
      ...[{}, { subject: 's1' }, { family: tokens[1]?.family ?? '' }, { policy: 'p1' }],
      ...[{ audience: 'a1' }, { keyId: keys[1] ?? '' }, { subject: 's1', liveAt: NOW }],
      ...[{ owner: 'o1' }, { issuedBy: 'i1' }],
    ]
    sent.length = 0
    const after = tokens[2500]?.id ?? ''
    for (const filter of filters) {
      const first = await recording.listTokens(filter, { limit: 50 })
      const next = await recording.listTokens(filter, { after, limit: 50 })
      const newest = await recording.listTokens(filter, { after, limit: 50, order: 'newest' })
      expect(first.length + next.length + newest.length).toBeGreaterThan(0)
    }
    expect(sent).toHaveLength(27)
    for (const [{ sql }, values] of sent) {
      const [rows] = (await admin.query(`EXPLAIN ${sql}`, values)) as never as [
        Array<{ type: string | null; key: string | null; Extra: string | null }>,
      ]
      for (const { type, key, Extra } of rows) {
        expect(type, sql).not.toBe('ALL')
        expect(key, sql).not.toBe(null)
        expect(Extra ?? '', sql).not.toMatch(/filesort|temporary/)
      }
    }
    // Reads only the revoked rows, and sorts those.
    sent.length = 0
    const revoked = await recording.listTokens({ revoked: true }, { limit: 99 })
    expect(revoked.filter(({ owner }) => owner === 'o0')).toHaveLength(50)
    expect(await recording.countTokens({ revoked: true })).toBe(revoked.length)
    for (const [{ sql }, values] of sent) {
      const [rows] = (await admin.query(`EXPLAIN ${sql}`, values)) as never as [
        Array<{ key: string | null }>,
      ]
      expect(rows[0]?.key, sql).toBe('watchword_tokens_revoked')
    }
  })
})
