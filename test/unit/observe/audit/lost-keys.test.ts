/**
 * An audit whose keys are lost, or whose head cannot be used: what is still proved, and that nodes go on.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { toJsonLines, toOcsf } from 'watchword'
import { ready } from 'watchword/paseto'
import type { AuditEntry, AuditHead, AuditRow, AuditStore, Store } from 'watchword/store'
import { bodyHash } from '../../../../src/observe/audit/tree.js'
import { closeAll, rig, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }

/** The audit of a store, as an attacker lets it be read. */
function attackable(part: AuditStore) {
  const state = {
    edit: (entries: readonly AuditEntry[]): readonly AuditEntry[] => entries,
    head: undefined as AuditHead | undefined,
    appends: true,
  }
  const audit: AuditStore = {
    ...part,
    head: async () => state.head ?? part.head(),
    append: async (size, leaves, text) => state.appends && part.append(size, leaves, text),
    read: async (from, limit) => {
      const { size } = await part.head()
      const all = state.edit(await part.read(0, size))
      return all.filter(({ index }) => (index ?? 0) >= from).slice(0, limit)
    },
  }
  return { audit, state }
}

/** Five rows of an authority whose keys are gone, and another authority over the same audit. */
async function withLostKeys() {
  const store = sharedStore()
  const part = store.audit as AuditStore
  const lost = await rig({}, { store })
  for (let i = 0; i < 4; i++) await lost.watchword.issue(INPUT)
  await lost.watchword.audit.checkpoint()
  const { audit, state } = attackable(part)
  const inner = sharedStore()
  const later: Store = {
    ...inner,
    audit,
    insertKey: async (record, rows) => {
      const isNew = await inner.insertKey(record)
      if (isNew && rows !== undefined) await part.write(rows)
      return isNew
    },
  }
  const { clock } = lost
  const made = await rig({}, { store: later, clock })
  await clock.advance(1)
  return { watchword: made.watchword, state, part }
}

const replaced =
  (at: number, change: (entry: AuditEntry) => Partial<AuditEntry>) =>
  (entries: readonly AuditEntry[]) =>
    entries.map((entry, i) => (i === at ? { ...entry, ...change(entry) } : entry))

const withContent = (entry: AuditEntry, change: (body: string) => string) => {
  const row = entry.row as AuditRow
  const body = change(row.body)
  return { row: { ...row, body }, hash: bodyHash(body) }
}

describe('rows whose keys are lost', () => {
  it('are proved by the next checkpoint, after an incident', async () => {
    const { watchword } = await withLostKeys()
    expect(watchword.health().incidents['audit.unreadable']).toBe(1)
    // No key opens the newest checkpoint, so nothing proves the rows yet.
    expect(await watchword.audit.verify()).toMatchObject({
      ok: false,
      first: { what: 'checkpoint' },
    })
    const { size } = await watchword.audit.checkpoint()
    expect(size).toBeGreaterThanOrEqual(6)
    expect(await watchword.audit.verify()).toEqual({
      ok: true,
      size,
      anchoredTo: size,
      first: null,
    })
  })

  it('are named when they do not match the checkpoint', async () => {
    const { watchword, state } = await withLostKeys()
    await watchword.audit.checkpoint()
    const actor = (body: string) => body.replace('"bot"', '"eve"')
    const edits = [
      // Consistent, except for the checkpoint: the body, its hash and the column.
      replaced(2, (entry) => {
        const { row, hash } = withContent(entry, actor)
        return { hash, row: { ...row, actor: 'eve' } }
      }),
      replaced(2, (entry) => ({ row: { ...(entry.row as AuditRow), actor: 'eve' } })),
      replaced(2, (entry) => withContent(entry, (body) => body.replace('{', '{ '))),
      replaced(2, () => ({ row: null })),
      replaced(2, (entry) => ({ row: { ...(entry.row as AuditRow), tag: 'x' } })),
    ]
    for (const edit of edits) {
      state.edit = edit
      const { ok, first } = await watchword.audit.verify()
      expect([ok, first?.what]).toEqual([false, 'edited'])
      // The first row that only the checkpoint proves, or the very row.
      expect(first?.index).toBeLessThanOrEqual(2)
    }
  })

  it('are named as inserted after the last checkpoint, and before rows that they have pushed', async () => {
    const { watchword, state } = await withLostKeys()
    const { size } = await watchword.audit.checkpoint()
    const lost = (entries: readonly AuditEntry[], index: number) => ({
      ...(entries[1] as AuditEntry),
      index,
    })
    state.edit = (entries) => [...entries, lost(entries, size)]
    const appended = await watchword.audit.verify()
    expect(appended.first).toMatchObject({ index: size, what: 'inserted' })
    state.edit = (entries) => [
      ...entries.slice(0, 5),
      lost(entries, 5),
      ...entries.slice(5).map((entry, i) => ({ ...entry, index: i + 6 })),
    ]
    const pushed = await watchword.audit.verify()
    expect(pushed.ok).toBe(false)
    expect(pushed.first?.what).toBe('inserted')
  })
})

describe('a list of rows whose keys are lost', () => {
  it('marks them as not proved, also in exports, and omits those that have no place', async () => {
    const { watchword, part } = await withLostKeys()
    const { size } = await watchword.audit.checkpoint()
    const { items, corrupt } = await watchword.audit.list({})
    expect([items.length, corrupt]).toEqual([size, undefined])
    const lost = items.filter(({ proved }) => !proved)
    expect(lost.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    const lines: string[] = []
    for await (const line of toJsonLines(watchword.audit.read({}))) lines.push(line)
    expect(lines.filter((line) => JSON.parse(line).proved === false).length).toBe(5)
    expect(lines.filter((line) => line.includes('proved')).length).toBe(5)
    expect(items.map((item) => toOcsf(item).unmapped['proved'])).toEqual(
      items.map(({ proved }) => (proved ? undefined : false)),
    )
    const [entry] = (await part.read(1, 1)) as [AuditEntry]
    const id = '01ZZZZZZZZZZZZZZZZZZZZZZZZ'
    const { body, ...row } = entry.row as AuditRow
    await part.write([{ ...row, id, body: body.replace(row.id, id) }])
    expect((await watchword.audit.list({})).corrupt).toEqual([id])
    await expect(watchword.audit.read({}).next()).rejects.toThrow('call audit.verify()')
  })
})

describe('a place that names a lost key, of a row whose tag does not', () => {
  it('is found, because the place was sealed after the tag', async () => {
    const store = sharedStore()
    const { audit, state } = attackable(store.audit as AuditStore)
    const { watchword } = await rig({}, { store: { ...store, audit } })
    await watchword.issue(INPUT)
    await watchword.audit.checkpoint()
    state.edit = replaced(1, ({ place }) => {
      const parts = String(place).split('.')
      const footer = Buffer.from(parts.pop() ?? '', 'base64url').toString()
      const other = footer.replace(/.{4}"\}$/, 'AAAA"}')
      return { place: [...parts, Buffer.from(other).toString('base64url')].join('.') }
    })
    expect((await watchword.audit.verify()).first).toMatchObject({ index: 1, what: 'moved' })
  })
})

describe('a node whose checkpoint was edited', () => {
  it('goes on at the stated size, even if rows of it are missing', async () => {
    const store = sharedStore()
    const { audit, state } = attackable(store.audit as AuditStore)
    const { watchword } = await rig({}, { store: { ...store, audit } })
    await watchword.issue(INPUT)
    await watchword.audit.checkpoint()
    state.head = { size: 9, state: 'x' }
    state.edit = (entries) => entries.map((entry) => ({ ...entry, hash: null }))
    expect((await watchword.audit.checkpoint()).size).toBe(9)
    expect(watchword.health().incidents['audit.tampered']).toBe(1)
    state.edit = (entries) => entries
    expect(await watchword.audit.verify()).toMatchObject({
      ok: false,
      first: { what: 'checkpoint' },
    })
  })

  it('gives up after a number of appends that the store refuses, and keeps the rows', async () => {
    const store = sharedStore()
    const { audit, state } = attackable(store.audit as AuditStore)
    const { watchword } = await rig({}, { store: { ...store, audit } })
    state.appends = false
    await watchword.issue(INPUT)
    expect((await watchword.audit.checkpoint()).size).toBe(0)
    expect(watchword.health().incidents['audit.deleted']).toBeUndefined()
    state.appends = true
    expect((await watchword.audit.checkpoint()).size).toBe(2)
    expect((await watchword.audit.verify()).ok).toBe(true)
  })
})
