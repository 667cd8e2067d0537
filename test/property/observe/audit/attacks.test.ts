/** An attacker with full write access to the database of the audit. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { ready } from 'watchword/paseto'
import { sqliteStore } from 'watchword/store/sqlite'
import type { RawRow } from '../../../support/audit-attacks.js'
import { attack } from '../../../support/audit-scene.js'
import { closeAll } from '../../../support/harness.js'
import { sqlAudit } from '../../../support/raw-audits.js'
import { runs } from '../../../support/runs.js'

const folder = mkdtempSync(join(tmpdir(), 'watchword-attacks-'))
beforeAll(() => ready)
afterEach(closeAll)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('SQLite, changed by an attacker', () => {
  it('has an audit in which each of 1,000 changes is found and named', async () => {
    const file = join(folder, 'a.db')
    const open = () => {
      const database = new Libsql(file)
      // Nothing here outlives the process, so nothing waits for the disk.
      database.pragma('synchronous = OFF')
      return database
    }
    const store = sqliteStore(open())
    await store.migrate()
    const own = open()
    const run = async (text: string, values: readonly (string | number | null)[] = []) => {
      const statement = own.prepare(text)
      if (text.startsWith('SELECT')) return statement.all() as RawRow[]
      statement.run(...values)
      return []
    }
    await attack(store, sqlAudit({ run, mark: () => '?' }), runs(1000, 200))
    await store.close()
  })
})
