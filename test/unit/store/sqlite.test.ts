import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { type SqliteDatabase, sqliteStore } from '../../../src/store/sqlite.js'
import type { TokenFilter } from '../../../src/store/store.js'
import { fixtures, NOW } from '../../../src/testkit/store/fixtures.js'

const make = fixtures('sqlite')
const folder = mkdtempSync(join(tmpdir(), 'watchword-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('sqliteStore', () => {
  it('rejects when the caller has closed the database', async () => {
    const database = new Libsql(':memory:')
    const store = sqliteStore(database)
    await store.migrate()
    await store.getToken(make.id())
    database.close()
    for (const call of [
      () => store.getToken(make.id()),
      () => store.insertTokens([make.token()]),
      () => store.listKeys(),
    ])
      await expect(call()).rejects.toThrow()
  })

  it('reads a read-only database, and rejects writes', async () => {
    const path = join(folder, 'read-only.db')
    const token = make.token()
    const writer = sqliteStore(new Libsql(path))
    await writer.migrate()
    await writer.insertTokens([token])
    const handle = new Libsql(path)
    handle.exec('PRAGMA query_only = ON')
    const store = sqliteStore(handle)
    await store.open()
    expect(await store.getToken(token.id)).toStrictEqual(token)
    await expect(store.supersede(token.id, NOW)).rejects.toThrow()
    await expect(store.insertTokens([make.token()])).rejects.toThrow()
    expect(await writer.getToken(token.id)).toStrictEqual(token)
  })

  it('rejects when the database is full, writes none of a batch, and continues when there is room', async () => {
    const handle = new Libsql(join(folder, 'full.db'))
    const store = sqliteStore(handle)
    await store.migrate()
    const pages = handle.prepare('PRAGMA page_count').all() as Array<{ page_count: number }>
    handle.exec(`PRAGMA max_page_count = ${(pages[0]?.page_count ?? 0) + 20}`)
    await expect(store.insertTokens(make.tokens(1000))).rejects.toThrow(/full/)
    expect(await store.listTokens({}, { limit: 1 })).toEqual([])
    await store.insertTokens(make.tokens(3))
    expect(await store.listTokens({}, { limit: 9 })).toHaveLength(3)
  })

  it('rolls back its failures, and leaves a transaction of the caller alone', async () => {
    const handle = new Libsql(':memory:')
    const store = sqliteStore(handle)
    await store.migrate()
    const [token, other] = [make.token(), make.token()]
    await store.insertTokens([token, other])
    const clash = make.successor(token, { id: other.id })
    await expect(store.succeed(token.id, clash, NOW)).rejects.toThrow(/UNIQUE/)
    expect(await store.getToken(token.id)).toStrictEqual(token)
    handle.exec('CREATE TABLE theirs (n INTEGER); BEGIN; INSERT INTO theirs VALUES (1)')
    await expect(store.revoke(make.revocation('all', ''))).rejects.toThrow(/transaction/)
    handle.exec('COMMIT')
    expect(handle.prepare('SELECT n FROM theirs').all()).toEqual([{ n: 1 }])
    await store.revoke(make.revocation('all', ''))
  })

  it('lists the valid rows beside a damaged one', async () => {
    const handle = new Libsql(':memory:')
    const store = sqliteStore(handle)
    await store.migrate()
    const tokens = make.tokens(3)
    await store.insertTokens(tokens)
    handle.exec(
      `UPDATE watchword_tokens SET scopes = '[', audience = '' WHERE id = '${tokens[1]?.id}'`,
    )
    const found = await store.listTokens({}, { limit: 9 })
    expect(found).toStrictEqual([tokens[0], { ...tokens[1], scopes: '[', audience: '' }, tokens[2]])
  })

  it('purges thousands of rows in batches', async () => {
    const store = sqliteStore(new Libsql(':memory:'))
    await store.migrate()
    for (let batch = 0; batch < 3; batch++) await store.insertTokens(make.tokens(1000))
    await store.insertTokens([make.token({ expiresAt: NOW * 2 })])
    const purged = await store.purge({ tokens: NOW + NOW / 2, keys: 0, revocations: 0 })
    expect(purged).toEqual({ tokens: 3000, keys: 0, revocations: 0 })
    expect(await store.listTokens({}, { limit: 9 })).toHaveLength(1)
  })

  it('serves every list from an index, without a sort', async () => {
    const handle = new Libsql(':memory:')
    const sent: string[] = []
    const database: SqliteDatabase = {
      exec: (text) => handle.exec(text),
      prepare: (text) => {
        if (text.startsWith('SELECT')) sent.push(text)
        return handle.prepare(text)
      },
    }
    const store = sqliteStore(database)
    await store.migrate()
    sent.length = 0
    const names = [
      ...(['subject', 'family', 'policy', 'audience', 'keyId'] as const),
      ...(['owner', 'issuedBy'] as const),
    ]
    const filters: TokenFilter[] = [{}, ...names.map((name) => ({ [name]: 'x' }))]
    filters.push({ subject: 'x', liveAt: NOW }, { supersededAliveAt: NOW }, { revoked: true })
    for (const filter of filters) {
      for (const order of ['oldest', 'newest'] as const) {
        await store.listTokens(filter, { limit: 9, order })
        await store.listTokens(filter, { after: 'x', limit: 9, order })
      }
      await store.countTokens(filter)
    }
    expect(sent).toHaveLength(55)
    for (const text of sent) {
      const rows = handle.prepare(`EXPLAIN QUERY PLAN ${text}`).all(
        ...Array(9)
          .fill('x')
          .slice(0, text.split('?').length - 1),
      ) as Array<{ detail: string }>
      const plan = rows.map(({ detail }) => detail).join('\n')
      expect(plan, text).toMatch(/USING (COVERING )?INDEX/)
      expect(plan, text).not.toMatch(/TEMP B-TREE/)
    }
  })
})
