/**
 * The file of a handle of SQLite, and whether it is still the one that its path leads to.
 *
 * A file that is replaced under a running process, as by a restored backup, goes on living without a name: this process
 * would write to it and read from it, while others use the new one.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { WatchwordError } from '../../errors.js'
import { withReason } from '../../lib/failure-reason.js'

/** The purpose of the handle. */
export interface SqliteUse {
  readonly code: 'ERR_STORE_UNAVAILABLE' | 'ERR_FEED_UNAVAILABLE'
  /** Called each time that the file turns out to be another one. */
  readonly onReplaced: () => void
}

interface Queryable {
  prepare(sql: string): { all(): unknown[] }
}

/**
 * A function that throws once the file was replaced, moved or deleted. It does nothing for a database in memory, and for
 * one whose file is not on this machine.
 */
export function fileGuard(database: Queryable, { code, onReplaced }: SqliteUse): () => void {
  let path: string | undefined
  let opened: string | undefined
  let isKnown = false
  const look = (): void => {
    isKnown = true
    path = pathOf(database)
    opened = path === undefined ? undefined : identityOf(path)
  }
  try {
    look()
  } catch {
    // The handle is not open yet, or busy: then the first use looks.
    isKnown = false
  }
  return () => {
    if (!isKnown) look()
    if (path === undefined || opened === undefined) return
    const now = identityOf(path)
    if (now === opened) return
    onReplaced()
    const error = new WatchwordError(
      code,
      `the database file ${path} was ${now === undefined ? 'deleted or moved' : 'replaced'} while it was open: restart the process, so that it opens the file that is there now`,
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
