import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { describe, expect, it } from 'vitest'
import {
  mysqlIdentity,
  postgresIdentity,
  sqliteIdentity,
} from '../../../../src/clients/sql/server.js'
import type { Row, Sql } from '../../../../src/clients/sql/statement.js'

/** A server that returns one row per statement that contains the text, and rejects every other statement. */
function serverWith(rows: Readonly<Record<string, readonly Row[]>>) {
  return async ({ text }: Sql) => {
    const [, found] = Object.entries(rows).find(([part]) => text.includes(part)) ?? []
    if (found === undefined) throw new Error('permission denied')
    return { rows: found, changes: 0 }
  }
}

describe('postgresIdentity', () => {
  const STARTED = { pg_postmaster_start_time: [{ at: '1767225600000000' }] }

  it('is the cluster and the start time of the server', async () => {
    const server = serverWith({ ...STARTED, pg_control_system: [{ id: '7' }] })
    expect(await postgresIdentity(server)).toBe('postgres:7:1767225600000000')
  })

  it('is the start time alone when the role may not read the id of the cluster', async () => {
    expect(await postgresIdentity(serverWith(STARTED))).toBe('postgres::1767225600000000')
  })

  it('is unknown when the server does not report its start time', async () => {
    const cluster = { pg_control_system: [{ id: '7' }] }
    expect(await postgresIdentity(serverWith(cluster))).toBeUndefined()
    const hidden = serverWith({ ...cluster, pg_postmaster_start_time: [{ at: null }] })
    expect(await postgresIdentity(hidden)).toBeUndefined()
  })
})

describe('mysqlIdentity', () => {
  const variables = (values: Readonly<Record<string, string>>) =>
    serverWith({
      VARIABLES: Object.entries(values).map(([name, value]) => ({
        Variable_name: name,
        Value: value,
      })),
    })
  const PLACE = { hostname: 'db-1', port: '3306', server_id: '1' }

  it('is the UUID of a MySQL server', async () => {
    expect(await mysqlIdentity(variables({ ...PLACE, SERVER_UUID: 'aa-bb' }))).toBe('mysql:aa-bb')
  })

  it('is host, port and server id of a MariaDB server, which has no UUID', async () => {
    expect(await mysqlIdentity(variables(PLACE))).toBe('mysql:db-1:3306:1')
    expect(await mysqlIdentity(variables({ ...PLACE, server_uuid: '' }))).toBe('mysql:db-1:3306:1')
  })

  it('is unknown when the server does not report all three', async () => {
    const { port: _, ...rest } = PLACE
    expect(await mysqlIdentity(variables(rest))).toBeUndefined()
  })
})

describe('sqliteIdentity', () => {
  it('is unknown after the file of an open database was deleted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-sqlite-'))
    const database = new Libsql(join(folder, 'a.db'))
    const ask = async ({ text }: Sql) => ({
      rows: database.prepare(text).all() as Row[],
      changes: 0,
    })
    database.exec('CREATE TABLE a (b)')
    expect(await sqliteIdentity(ask)).toMatch(/^sqlite:\d+:\d+:.+a\.db$/)
    rmSync(folder, { recursive: true })
    expect(await sqliteIdentity(ask)).toBeUndefined()
    database.close()
  })

  it('is unknown for a database in memory', async () => {
    for (const file of ['', null])
      expect(await sqliteIdentity(serverWith({ main: [{ file }] }))).toBeUndefined()
  })
})
