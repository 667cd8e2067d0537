/** Whether the file of a SQLite handle is still the one at its path, on real files. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { fileGuard } from '../../../../src/clients/sql/sqlite-file.js'
import { reasonOf } from '../../../../src/lib/failure-reason.js'
import { failureOf } from '../../../support/harness.js'

const folder = mkdtempSync(join(tmpdir(), 'watchword-guard-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
function openFile() {
  const path = join(folder, `${count++}.db`)
  const database = new Libsql(path)
  database.exec('CREATE TABLE t (x)')
  return { path, database }
}

function guarded(database: Parameters<typeof fileGuard>[0]) {
  let replaced = 0
  const guard = fileGuard(database, {
    code: 'ERR_STORE_UNAVAILABLE',
    onReplaced: () => void replaced++,
  })
  return { guard, replaced: () => replaced }
}

const REPLACED = /was replaced while it was open: restart the process/
const MOVED = /was deleted or moved while it was open: restart the process/

describe('the guard of a SQLite file', () => {
  it.each<[string, RegExp, (path: string) => void]>([
    ['deleted', MOVED, (path) => rmSync(path)],
    ['moved', MOVED, (path) => renameSync(path, `${path}.moved`)],
    [
      'replaced',
      REPLACED,
      (path) => {
        copyFileSync(path, `${path}.copy`)
        renameSync(`${path}.copy`, path)
      },
    ],
  ])('rejects every use once the file was %s', async (_, message, change) => {
    const { path, database } = openFile()
    const { guard, replaced } = guarded(database)
    guard()
    expect(replaced()).toBe(0)
    change(path)
    for (const times of [1, 2]) {
      const error = await failureOf(guard)
      expect(error).toMatchObject({
        code: 'ERR_STORE_UNAVAILABLE',
        message: expect.stringMatching(message),
      })
      expect(String(error)).toContain(path)
      expect(reasonOf(error)).toBe('missing')
      expect(replaced()).toBe(times)
    }
  })

  it('accepts the file again that was moved away and back', () => {
    const { path, database } = openFile()
    const { guard } = guarded(database)
    renameSync(path, `${path}.away`)
    expect(guard).toThrow(MOVED)
    renameSync(`${path}.away`, path)
    expect(guard()).toBeUndefined()
  })

  it('checks the main file of a handle and no attached one', () => {
    const { path, database } = openFile()
    const attached = openFile()
    database.exec(`ATTACH '${attached.path}' AS aside`)
    const { guard } = guarded(database)
    rmSync(attached.path)
    expect(guard()).toBeUndefined()
    rmSync(path)
    expect(guard).toThrow(MOVED)
  })

  it('does nothing for a database in memory', () => {
    const { guard, replaced } = guarded(new Libsql(':memory:'))
    expect(guard()).toBeUndefined()
    expect(replaced()).toBe(0)
  })

  it.each([
    ['on another machine', [{ name: 'main', file: join(folder, 'elsewhere.db') }]],
    ['whose driver lists none', []],
  ])('does nothing for a file %s', (_, rows) => {
    const { guard, replaced } = guarded({ prepare: () => ({ all: () => rows }) })
    expect(guard()).toBeUndefined()
    expect(replaced()).toBe(0)
  })

  it('looks at the file when it is first used, if the handle was not open before', () => {
    const { path, database } = openFile()
    let isOpen = false
    const { guard, replaced } = guarded({
      prepare(sql) {
        if (!isOpen) throw new Error('database is not open')
        return database.prepare(sql)
      },
    })
    expect(guard).toThrow('database is not open')
    isOpen = true
    expect(guard()).toBeUndefined()
    rmSync(path)
    expect(guard).toThrow(MOVED)
    expect(replaced()).toBe(1)
  })
})
