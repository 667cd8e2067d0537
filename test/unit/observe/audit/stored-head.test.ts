/** The row of the head of the tree, deleted or set back in SQLite. */
import Libsql from 'libsql'
import { afterEach, beforeAll } from 'vitest'
import { ready } from 'watchword/paseto'
import { sqliteStore } from 'watchword/store/sqlite'
import { closeAll } from '../../../support/harness.js'
import { headTests, type StoredHead } from '../../../support/stored-head.js'

beforeAll(() => ready)
afterEach(closeAll)

headTests(async () => {
  const database = new Libsql(':memory:')
  const store = sqliteStore(database)
  await store.migrate()
  return {
    store,
    read: async () =>
      database.prepare('SELECT n, state FROM watchword_audit_head').get() as StoredHead,
    write: async (head) => {
      database.exec('DELETE FROM watchword_audit_head')
      if (head !== undefined)
        database
          .prepare('INSERT INTO watchword_audit_head (id, n, state) VALUES (0, ?, ?)')
          .run(head.n, head.state)
    },
    removeRows: async (from) => {
      database.prepare('DELETE FROM watchword_audit WHERE idx >= ?').run(from)
    },
  }
})
