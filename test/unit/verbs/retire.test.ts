import { afterEach, describe, expect, it } from 'vitest'
import type { Store, TokenRecord } from 'watchword/store'
import { ACTOR, auditOf, flush, verdict } from '../../support/fleet.js'
import { closeAll, MINUTE, rig, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const POLICIES = {
  service: { ttl: '30d', scopes: ['orders:*'], retireOn: 'first-use', reuse: 'observe' },
} as const

/** A token, its successor, and a store that returns the successor's row as `edit` changes it. */
async function rotated(edit: (row: TokenRecord) => TokenRecord | undefined) {
  const inner = sharedStore()
  const changed = { edit: undefined as typeof edit | undefined, id: '' }
  const store: Store = {
    ...inner,
    getToken: async (id) => {
      const row = await inner.getToken(id)
      return row && id === changed.id && changed.edit ? changed.edit(row) : row
    },
  }
  const { watchword, clock } = await rig({ policies: POLICIES }, { store })
  const first = await watchword.issue({
    policy: 'service',
    subject: 'svc_billing',
    scopes: ['orders:read'],
    ...ACTOR,
  })
  const next = await watchword.rotate(first.token, ACTOR)
  changed.edit = edit
  changed.id = next.id
  const use = () =>
    auditOf(async () => {
      expect(verdict(watchword.verify(next.token))).toBe('ok')
      await flush()
    })
  return { changed, clock, next, use, first: () => verdict(watchword.verify(first.token)) }
}

describe('the first use of a successor', () => {
  it('retires its predecessor and reports it', async () => {
    const { use, first } = await rotated((row) => row)
    expect(await use()).toMatchObject([{ action: 'token.superseded', actor: 'system' }])
    expect(first()).toBe('superseded')
  })

  it('retires nothing if the store has lost its row, or the row names no predecessor', async () => {
    for (const edit of [() => undefined, (row: TokenRecord) => ({ ...row, predecessor: null })]) {
      const { use, first } = await rotated(edit)
      expect(await use()).toEqual([])
      expect(first()).toBe('ok')
    }
  })

  it('retires nothing if its row was edited, and reports the row', async () => {
    const { next, use, first } = await rotated((row) => ({ ...row, subject: 'mallory' }))
    expect(await use()).toMatchObject([{ action: 'store.tampered', target: 'token', id: next.id }])
    expect(first()).toBe('ok')
  })

  it('retires its predecessor later if the key that proves its row is not loaded yet', async () => {
    const keyId = `k4.lid.${'A'.repeat(44)}`
    const { changed, clock, use, first } = await rotated((row) => ({ ...row, keyId }))
    expect(await use()).toEqual([])
    expect(first()).toBe('ok')
    changed.edit = undefined
    await clock.advance(MINUTE)
    expect(await use()).toMatchObject([{ action: 'token.superseded' }])
    expect(first()).toBe('superseded')
  })
})
