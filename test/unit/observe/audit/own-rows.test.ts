/** The rows that a node has written, until they have a place; and rows that wait for a key. */
import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { idMaker } from '../../../../src/lib/new-id.js'
import { OwnRows } from '../../../../src/observe/audit/own-rows.js'
import { AuditTrail, rowsOf } from '../../../../src/observe/audit/trail.js'
import { ISSUER, START, sharedStore } from '../../../support/harness.js'

const ids = (count: number) => Array.from({ length: count }, (_, i) => `row ${i}`)

describe('the rows of a node', () => {
  it('are watched until they have a place, asked for in calls of 1,000, and missed once', async () => {
    const calls: number[] = []
    const places = new Map<string, number | null>(ids(2500).map((id) => [id, null]))
    const own = new OwnRows(async (asked) => {
      calls.push(asked.length)
      return asked.flatMap((id) => {
        const index = places.get(id)
        return index === undefined ? [] : [{ id, index }]
      })
    })
    for (const id of ids(2500)) own.add(id)
    expect(await own.look(own.ids)).toBe(0)
    expect(calls).toEqual([1000, 1000, 500])
    own.placed(ids(500))
    for (const id of ids(1000).slice(500)) places.set(id, 7)
    for (const id of ids(1150).slice(1000)) places.delete(id)
    expect(await own.look(own.ids)).toBe(150)
    expect(await own.look(own.ids)).toBe(0)
    expect(own.ids.length).toBe(1350)
    expect([own.has('row 999'), own.has('row 1200')]).toEqual([false, true])
    expect(await own.firstDeleted()).toBe('row 1000')
    for (const id of ids(1150).slice(1000)) places.set(id, null)
    expect(await own.firstDeleted()).toBeUndefined()
  })

  it('are not watched beyond 10,000, or if the audit is not kept', async () => {
    const own = new OwnRows(async () => [])
    for (const id of ids(10_001)) own.add(id)
    expect([own.ids.length, own.has('row 10000')]).toEqual([10_000, false])
    const none = new OwnRows(undefined)
    none.add('row')
    expect([none.ids, await none.firstDeleted()]).toEqual([[], undefined])
  })
})

describe('rows without a key for their tags', () => {
  it('wait, are not written with their change, and are written once there is a key', async () => {
    const clock = resolveClock(manualClock(START))
    const { audit: store } = sharedStore()
    const common = { clock, issuer: ISSUER, newId: idMaker() }
    const trail = new AuditTrail({ ...common, store, call: (work) => work() })
    const content = { action: 'revoked', actor: 'ops' } as const
    const drafts = [trail.draft(content), trail.draft(content)]
    expect(rowsOf(drafts)).toBeUndefined()
    for (const draft of drafts) trail.written(draft)
    await trail.flush()
    expect([trail.waiting, await store?.listPending({ limit: 9 })]).toEqual([2, []])
    trail.sealWith(() => 'tag')
    await trail.flush()
    expect(trail.waiting).toBe(0)
    expect((await store?.listPending({ limit: 9 }))?.length).toBe(2)
    const certain = trail.draft(content)
    trail.written(certain, false)
    expect(trail.own.has(certain.id)).toBe(false)
    trail.written(certain)
    expect(trail.own.has(certain.id)).toBe(true)
  })

  it('keep no long text that someone wrote into the store in place of an id', async () => {
    const clock = resolveClock(manualClock(START))
    const { audit: store } = sharedStore()
    const common = { clock, issuer: ISSUER, newId: idMaker() }
    const trail = new AuditTrail({ ...common, store, call: (work) => work() })
    trail.sealWith(() => 'tag')
    const ids = ['x'.repeat(1024), 'x'.repeat(1_000_000)]
    for (const id of [...ids, ...ids])
      trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target: 'token', id })
    await trail.flush()
    const rows = (await store?.listPending({ limit: 9 })) ?? []
    expect(rows.map(({ token }) => token)).toEqual([ids[0], 'a text of 1000000 characters'])
    expect(Math.max(...rows.map(({ body }) => body.length))).toBeLessThan(2000)
  })

  it('are not made if the audit is not kept', async () => {
    const clock = resolveClock(manualClock(START))
    const common = { clock, issuer: ISSUER, newId: idMaker(), store: undefined }
    const trail = new AuditTrail({ ...common, call: (work) => work() })
    trail.note({ action: 'revoked', actor: 'ops' })
    trail.keep(trail.draft({ action: 'revoked', actor: 'ops' }))
    trail.noteOnce('x', { action: 'token.reused', actor: 'ops' })
    await trail.flush()
    expect([trail.isKept, trail.waiting, trail.lost]).toEqual([false, 0, 0])
  })
})
