/** An audit of more rows than one page of the store. */
import { afterEach, beforeAll, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import type { AuditRow, AuditStore } from 'watchword/store'
import { closeAll, rig, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }

it('is appended and verified page by page, and a fault on any of them is found', async () => {
  const inner = sharedStore()
  const part = inner.audit as AuditStore
  const state = { at: -1, broken: false, pending: [] as unknown[] }
  const audit: AuditStore = {
    ...part,
    read: async (from, limit) => {
      if (state.broken && from > 0) throw new Error('the connection was lost')
      const page = await part.read(from, limit)
      return page.map((entry) => (entry.index === state.at ? { ...entry, at: 1 } : entry))
    },
    listPending: async (page) =>
      [...(await part.listPending(page)), ...state.pending].slice(0, page.limit) as AuditRow[],
  }
  const { watchword } = await rig({}, { store: { ...inner, audit } })
  for (let i = 0; i < 3; i++) await watchword.issueMany(Array.from({ length: 800 }, () => INPUT))
  const pending = await watchword.audit.verify()
  expect(pending).toMatchObject({ ok: true, size: 0 })
  const { size } = await watchword.audit.checkpoint()
  expect(size).toBe(2401)
  expect(await watchword.audit.verify()).toMatchObject({ ok: true, size, anchoredTo: size })
  for (const at of [0, 999, 1000, 2400]) {
    state.at = at
    expect((await watchword.audit.verify()).first).toMatchObject({ index: at, what: 'edited' })
  }
  state.at = -1
  state.pending = [{ id: 'x', at: 'never' }]
  expect((await watchword.audit.verify()).first).toEqual({ index: null, id: 'x', what: 'edited' })
  state.pending = []
  state.broken = true
  await expect(watchword.audit.verify()).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
})
