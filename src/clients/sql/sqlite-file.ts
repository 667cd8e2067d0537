/**
 * Checks that the file of a SQLite handle is still the one at its path.
 *
 * If a file is replaced under a running process, for instance by a restored backup, the process keeps reading and
 * writing the old file while other processes use the new one.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { WatchwordError } from '../../errors.js'
import { withReason } from '../../lib/failure-reason.js'

/** The purpose of the handle. */
export interface SqliteUse {
  readonly code: 'ERR_STORE_UNAVAILABLE' | 'ERR_FEED_UNAVAILABLE'
  /** Called each time that the file is found to be another one. */
  readonly onReplaced: () => void
}

interface Queryable {
  prepare(sql: string): { all(): unknown[] }
}

/**
 * A function that throws once the file was replaced, moved or deleted. It does nothing for a database in memory, or for
 * a file on another machine.
 */
export function fileGuard(database: Queryable, { code, onReplaced }: SqliteUse): () => void {
  let path: string | undefined
  let opened: string | undefined
  let isKnown = false
  const look = (): void => {
    path = pathOf(database)
    opened = path === undefined ? undefined : identityOf(path)
    // Last: a look that failed must be repeated.
    isKnown = true
  }
  try {
    look()
  } catch {
    // The handle is not open yet, or busy: checked at the first use.
  }
  return () => {
    if (!isKnown) look()
    if (path === undefined || opened === undefined) return
    const now = identityOf(path)
    if (now === opened) return
    onReplaced()
    const error = new WatchwordError(
      code,
      `the database file ${path} was ${now === undefined ? 'deleted or moved' : 'replaced'} while it was open: restart the process to open the current file`,
    )
    throw withReason(error, 'missing')
  }
}

function pathOf(database: Queryable): string | undefined {
  const rows = database.prepare('PRAGMA database_list').all() as {
    readonly name?: unknown
    readonly file?: unknown
  }[]
  const file = rows.find(({ name }) => name === 'main')?.file
  return typeof file === 'string' && file !== '' ? file : undefined
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}
