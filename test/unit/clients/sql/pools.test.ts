/** Pools of `pg` and `mysql2` that behave as real ones seldom do. */
import { describe, expect, it, vi } from 'vitest'
import {
  ask,
  type MysqlPoolConnection,
  migrating,
} from '../../../../src/clients/sql/mysql-client.js'
import {
  isUndone,
  type PostgresClient,
  type PostgresPool,
  resultOf,
  withClient,
} from '../../../../src/clients/sql/postgres-client.js'
import { sql } from '../../../../src/clients/sql/statement.js'

/** A connection of `mysql2/promise` that replies by the text of the statement. */
function mysqlConnection(reply: (text: string) => unknown): MysqlPoolConnection {
  const run = async (query: { readonly sql: string }) =>
    reply(query.sql) as readonly [unknown, unknown]
  return {
    execute: run,
    query: run,
    beginTransaction: async () => undefined,
    commit: async () => undefined,
    release: () => undefined,
    destroy: () => undefined,
  }
}

describe('a connection of mysql2', () => {
  it('migrates nothing when another process holds the lock', async () => {
    const connection = mysqlConnection((text) =>
      text.includes('GET_LOCK') ? [[{ taken: 0 }], []] : [[{ autocommit: 1 }], []],
    )
    let ran = 0
    const steps = function* () {
      ran++
      yield sql`SELECT 1`
    }
    await expect(migrating(connection, 'watchword_', steps)).rejects.toThrow(
      'another process has been migrating for a minute',
    )
    expect(ran).toBe(0)
  })

  it('is rejected when its replies are not those of mysql2/promise', async () => {
    const callbacks = mysqlConnection(() => ({ on: () => undefined }))
    await expect(ask(callbacks, sql`SELECT 1`)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('mysql2/promise'),
    })
  })
})

describe('a pool of pg', () => {
  function client() {
    const listeners: unknown[] = []
    const state = { released: 0, listeners }
    const made: PostgresClient = {
      query: async () => ({ rows: [], rowCount: null }),
      release: () => void state.released++,
      on: (_, listener) => listeners.push(listener),
      removeListener: (_, listener) => listeners.splice(listeners.indexOf(listener), 1),
    }
    return { made, state }
  }

  it('may give its clients by promise alone, as a wrapped pool does', async () => {
    const { made, state } = client()
    const pool = { connect: () => Promise.resolve(made) } as PostgresPool
    expect(await withClient(pool, async () => state.listeners.length)).toBe(1)
    expect([state.released, state.listeners]).toEqual([1, []])
  })

  it('rejects with the error of the pool, or with one that says that no client came', async () => {
    const failure = new Error('too many clients')
    const failing: PostgresPool = { connect: (done) => done(failure) }
    await expect(withClient(failing, async () => 1)).rejects.toBe(failure)
    const empty: PostgresPool = { connect: (done) => done(null) }
    await expect(withClient(empty, async () => 1)).rejects.toThrow('the pool gave no client')
  })

  it('may not say how many connections are idle: then none is checked', async () => {
    vi.useFakeTimers()
    try {
      const { made, state } = client()
      let taken = 0
      const pool: PostgresPool = {
        connect: (done) => {
          taken++
          done(null, made)
        },
      }
      const stop = new AbortController()
      const call = withClient(pool, () => new Promise(() => {}), stop.signal)
      const failed = expect(call).rejects.toThrow('given up')
      await vi.advanceTimersByTimeAsync(0)
      stop.abort(new Error('given up'))
      await vi.advanceTimersByTimeAsync(1000)
      await failed
      expect([taken, state.released]).toEqual([1, 1])
    } finally {
      vi.useRealTimers()
    }
  })

  it('behind a pooler causes one warning, however often a statement exists already', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const exists = Object.assign(new Error('already exists'), { code: '42P05' })
    expect([isUndone(exists), isUndone(exists), isUndone(null)]).toEqual([true, true, false])
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockRestore()
  })

  it('may not say how many rows a statement wrote', () => {
    expect(resultOf({ rows: [], rowCount: null })).toEqual({ rows: [], changes: 0 })
  })
})
