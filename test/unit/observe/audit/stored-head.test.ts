/** The row of the head of the tree, deleted or set back in a real database: it is repaired, and hides nothing. */
import Libsql from 'libsql'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import { sqliteStore } from 'watchword/store/sqlite'
import { manualClock } from 'watchword/testkit'
import { closeAll, rig, START } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }

/** A node whose tree has grown twice. */
async function grown() {
  const database = new Libsql(':memory:')
  const clock = manualClock(START)
  const own = { now: async () => clock.now(), close: async () => {} }
  const store = { ...sqliteStore(database), ...own }
  await store.migrate?.()
  const { watchword, root } = await rig({}, { store, clock })
  const grow = async (by = watchword, rows = 3) => {
    for (let i = 0; i < rows; i++) await by.issue(INPUT)
    return by.audit.checkpoint()
  }
  const head = () => database.prepare('SELECT n, state FROM watchword_audit_head').get()
  await grow()
  const older = head() as { n: number; state: string }
  const newest = await grow()
  const setBack = () =>
    database.prepare('UPDATE watchword_audit_head SET n = ?, state = ?').run(older.n, older.state)
  const fresh = async () => (await rig({}, { store, clock, root })).watchword
  return { database, watchword, fresh, grow, setBack, older, newest }
}

const ATTACKS = {
  'was deleted': ({ database }) => database.exec('DELETE FROM watchword_audit_head'),
  'was emptied': ({ database }) =>
    database.exec("UPDATE watchword_audit_head SET n = 0, state = ''"),
  'has a smaller size': ({ database }) =>
    database.exec('UPDATE watchword_audit_head SET n = n - 2'),
  'is an older one': ({ setBack }) => setBack(),
} satisfies Record<string, (scene: Awaited<ReturnType<typeof grown>>) => unknown>

describe.each(Object.entries(ATTACKS))('a head that %s', (_, attack) => {
  it('is reported, and repaired by the next append of a running node', async () => {
    const scene = await grown()
    const { watchword, grow, newest } = scene
    attack(scene)
    const found = { ok: false, size: newest.size, first: { what: 'checkpoint' } }
    expect(await watchword.audit.verify()).toMatchObject(found)
    // The row of the incident is appended, too.
    const { size } = await grow()
    expect(size).toBeGreaterThanOrEqual(newest.size + 3)
    expect(watchword.health().incidents['audit.tampered']).toBe(1)
    const proof = { checkpoint: newest.text }
    const repaired = { ok: true, size, anchoredTo: size, first: null }
    expect(await watchword.audit.verify(proof)).toEqual(repaired)
    expect(await (await scene.fresh()).audit.verify(proof)).toEqual(repaired)
  })

  it('is repaired by a node that starts afterwards', async () => {
    const scene = await grown()
    await scene.watchword.close()
    attack(scene)
    const fresh = await scene.fresh()
    const { size } = await scene.grow(fresh)
    expect(await fresh.audit.verify({ checkpoint: scene.newest.text })).toEqual({
      ...{ ok: true, size, anchoredTo: size, first: null },
    })
  })

  it('does not hide that the last rows were removed, however the tree grows on', async () => {
    const scene = await grown()
    const { database, watchword, newest, older } = scene
    attack(scene)
    database.exec(`DELETE FROM watchword_audit WHERE idx >= ${older.n}`)
    const fresh = await scene.fresh()
    await scene.grow(fresh, 9)
    for (const node of [watchword, fresh]) {
      const { ok, first } = await node.audit.verify({ checkpoint: newest.text })
      expect([ok, first?.what]).toEqual([false, 'missing'])
    }
    const { items } = await fresh.audit.list({ limit: 1000 })
    const indices = items.flatMap(({ index }) => index ?? [])
    expect(new Set(indices).size).toBe(indices.length)
  })
})
