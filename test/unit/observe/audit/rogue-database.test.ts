/** An attacker who writes to the database of an audit while a node lives, and outages that look like one. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import type { AuditEntry, AuditHead, AuditRow, AuditStore } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { closeAll, DAY, HOUR, MINUTE, rig, START, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }

/** Sealed with a key that no authority has: its id is made up. */
function withOtherKey(seal: string): string {
  const parts = seal.split('.')
  const footer = Buffer.from(parts.pop() ?? '', 'base64url').toString()
  const other = footer.replace(/.{4}"\}$/, 'AAAA"}')
  return [...parts, Buffer.from(other).toString('base64url')].join('.')
}

/** A node over a store whose head, rows and keys a test replaces. */
async function attacked() {
  const store = sharedStore()
  const part = store.audit as AuditStore
  const state = {
    head: undefined as AuditHead | undefined,
    edit: (entry: AuditEntry): AuditEntry => entry,
    editPending: (row: AuditRow): AuditRow => row,
    hasKeys: true,
  }
  const audit: AuditStore = {
    ...part,
    head: async () => state.head ?? part.head(),
    listPending: async (page) =>
      (await part.listPending(page)).map((row) => state.editPending(row)),
    read: async (from, limit) => (await part.read(from, limit)).map((entry) => state.edit(entry)),
  }
  const listKeys: typeof store.listKeys = async () => {
    if (!state.hasKeys) throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
    return store.listKeys()
  }
  const { watchword, clock } = await rig({}, { store: { ...store, audit, listKeys } })
  await watchword.issue(INPUT)
  await watchword.audit.checkpoint()
  const incidents = () =>
    Object.entries(watchword.health().incidents).filter(([kind]) => kind.startsWith('audit.'))
  return { watchword, clock, part, state, incidents }
}

describe('a stored size that no tree has', () => {
  it.each([2 ** 40, 2 ** 47 + 5, 2 ** 53 - 1])('does not hold the process up: %d', async (size) => {
    const { watchword, state, incidents } = await attacked()
    state.head = { size, state: 'x' }
    expect((await watchword.audit.checkpoint()).size).toBe(size)
    expect(incidents()).toEqual([['audit.tampered', 1]])
    expect((await watchword.audit.verify()).ok).toBe(false)
  })

  it.each([2 ** 63, Number.POSITIVE_INFINITY, Number.NaN, -5, 1.5])(
    'is not taken up if it is no number of rows: %d',
    async (size) => {
      const { watchword, state, incidents } = await attacked()
      const before = (await watchword.audit.checkpoint()).size
      state.head = { size, state: 'x' }
      expect((await watchword.audit.checkpoint()).size).toBeGreaterThanOrEqual(before)
      expect(incidents()).toContainEqual(['audit.tampered', expect.any(Number)])
      expect((await watchword.audit.verify()).ok).toBe(false)
    },
  )
})

describe('a flood of forged rows', () => {
  it('is reported by at most 100 rows a run, and with short ids', async () => {
    const { watchword, part } = await attacked()
    const [like] = (await part.read(0, 1)).flatMap(({ row }) => row ?? [])
    const ids = Array.from({ length: 150 }, (_, i) => `01ZZ${i}`)
    for (const id of [...ids, '~'.repeat(100_000)])
      await part.write([{ ...(like as AuditRow), id }])
    const reported = async () => {
      await watchword.audit.checkpoint()
      while (watchword.health().audit.waiting > 0) await new Promise(setImmediate)
      const page = await watchword.audit.list({ action: 'store.tampered', limit: 1000 })
      return page.items.map(({ event }) => event.id)
    }
    expect((await reported()).length).toBe(100)
    const all = await reported()
    expect(all).toEqual(expect.arrayContaining([...ids, 'a text of 100000 characters']))
    expect(all.length).toBe(151)
  })
})

describe('a pending row that lost a field', () => {
  it.each(['tag', 'body', 'actor'])(
    'does not stop the others from being appended: %s',
    async (field) => {
      const { watchword, part, state } = await attacked()
      const [like] = (await part.read(0, 1)).flatMap(({ row }) => row ?? [])
      const id = '01ZZ'
      await part.write([{ ...(like as AuditRow), id }])
      state.editPending = (row) => (row.id === id ? { ...row, [field]: null } : row)
      await watchword.issue(INPUT)
      const before = (await part.head()).size
      const { size } = await watchword.audit.checkpoint()
      expect(size).toBeGreaterThan(before)
      while (watchword.health().audit.waiting > 0) await new Promise(setImmediate)
      const page = await watchword.audit.list({ action: 'store.tampered' })
      expect(page.items.map(({ event }) => event.id)).toEqual([id])
      expect((await watchword.audit.verify()).first?.what).toBe('edited')
    },
  )
})

describe('a recent row whose content was removed', () => {
  it('is found if its place names a lost key and its time is before the last purge', async () => {
    const { watchword, state } = await attacked()
    await watchword.issue(INPUT)
    const { size } = await watchword.audit.checkpoint()
    expect((await watchword.audit.verify()).ok).toBe(true)
    state.edit = (entry) =>
      entry.index === size - 1
        ? { ...entry, at: 0, row: null, place: withOtherKey(String(entry.place)) }
        : entry
    const { ok, first } = await watchword.audit.verify()
    expect([ok, first?.index, first?.what]).toEqual([false, size - 1, 'edited'])
  })
})

describe('a store that does not return its keys', () => {
  it('is no incident, and its audit is neither verified nor called changed', async () => {
    const { watchword, clock, part, state, incidents } = await attacked()
    const real = await part.head()
    state.head = { ...real, state: withOtherKey(real.state) }
    state.hasKeys = false
    await clock.advance(2 * MINUTE)
    expect(incidents()).toEqual([])
    const unavailable = expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' })
    await expect(watchword.audit.verify()).rejects.toEqual(unavailable)
    // As it was: nothing of the outage is remembered.
    state.head = undefined
    expect((await watchword.audit.verify()).ok).toBe(true)
    state.edit = (entry) =>
      entry.row === null
        ? entry
        : {
            ...entry,
            place: withOtherKey(String(entry.place)),
            row: { ...entry.row, tag: withOtherKey(entry.row.tag) },
          }
    await expect(watchword.audit.verify()).rejects.toEqual(unavailable)
  })

  it('is asked again, and what it does not know then is lost', async () => {
    const { watchword, clock, part, state, incidents } = await attacked()
    const real = await part.head()
    state.head = { ...real, state: withOtherKey(real.state) }
    state.hasKeys = false
    await clock.advance(MINUTE)
    expect(incidents()).toEqual([])
    state.hasKeys = true
    await clock.advance(MINUTE)
    expect(incidents()).toEqual([['audit.unreadable', 1]])
    expect((await watchword.audit.verify()).ok).toBe(false)
  })
})

describe('a node whose clock is behind that of the store', () => {
  it('does not call rows edited that were purged in time', async () => {
    const [store, right] = [sharedStore(), manualClock(START)]
    const dated = { ...store, now: async () => right.now() }
    const options = { audit: { keep: '1d' } } as const
    const { watchword, root } = await rig(options, { store: dated, clock: right })
    await watchword.issue(INPUT)
    await watchword.audit.checkpoint()
    await watchword.close()
    right.step(DAY + 30 * MINUTE)
    await store.audit?.purge(right.now() - DAY - MINUTE)
    for (const behind of [0, 2 * HOUR]) {
      const clock = manualClock(right.now() - behind)
      const node = await rig(options, { store: dated, root, clock })
      expect((await node.watchword.audit.verify()).first).toBeNull()
    }
  })
})

describe('a listener of checkpoints that fails', () => {
  it('ends neither the run nor the process, also if it is asynchronous', async () => {
    const texts: string[] = []
    const rejections: unknown[] = []
    const note = (error: unknown) => rejections.push(error)
    process.on('unhandledRejection', note)
    try {
      const onCheckpoint = async (text: string) => {
        texts.push(text)
        throw new Error('the bucket is full')
      }
      const { watchword } = await rig({ audit: { onCheckpoint } })
      const { size } = await watchword.audit.checkpoint()
      await new Promise(setImmediate)
      expect([texts.length, size, rejections]).toEqual([1, 1, []])
    } finally {
      process.off('unhandledRejection', note)
    }
  })
})

describe('a polluted Object.prototype', () => {
  it('does not change the rows that are written meanwhile', async () => {
    const { watchword } = await attacked()
    const prototype = Object.prototype as Record<string, unknown>
    const polluted = ['subject', 'family', 'target', 'id']
    try {
      for (const name of polluted) prototype[name] = 'token'
      await watchword.keys.rotate()
      await watchword.issue(INPUT)
      await watchword.revoke({ subject: 'other' }, { actor: 'ops' })
    } finally {
      for (const name of polluted) delete prototype[name]
    }
    expect((await watchword.audit.verify()).first).toBeNull()
    await watchword.audit.checkpoint()
    expect((await watchword.audit.verify()).first).toBeNull()
  })
})
