/**
 * SQLite: a file of its own, through libsql.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { type SqliteDatabase, sqliteStore } from '../../../src/store/sqlite.js'
import { type Opener, orDrop, PREFIXES, SHELVES, type Shelf } from './place.js'

/** Opens a file with a write-ahead log; everything else is as SQLite comes. */
export const openSqlite: Opener = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-stores-'))
  const database = new Libsql(join(folder, 'tokens.db')) as unknown as SqliteDatabase & {
    close(): void
  }
  const drop = async () => {
    database.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return orDrop(drop, async () => {
    database.exec('PRAGMA journal_mode = WAL')
    const storeOf = (shelf: Shelf) => sqliteStore(database, { prefix: PREFIXES[shelf] })
    for (const shelf of SHELVES) await storeOf(shelf).migrate()
    database.exec('CREATE TABLE one (id INTEGER PRIMARY KEY, content TEXT)')
    database.exec("INSERT INTO one VALUES (1, 'one')")
    const select = database.prepare('SELECT content FROM one WHERE id = ?')
    const insert = database.prepare('INSERT INTO one (content) VALUES (?)')
    return {
      title: 'SQLite',
      clients: [
        {
          name: 'libsql, a file with WAL',
          store: storeOf,
          roundTrip: async () => (select.all(1)[0] as { content: string }).content === 'one',
          rawWrite: async () => Number(insert.run('more').changes) === 1,
        },
      ],
      settle: async () => {},
      drop,
    }
  })
}
