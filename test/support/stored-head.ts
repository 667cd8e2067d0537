/**
 * The head of the tree of the audit, deleted or set back in a real database: it is repaired, and hides nothing.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { rig, START } from './harness.js'

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }

/** What a database stores as the head. */
export interface StoredHead {
  readonly n: number
  readonly state: string
}

/** Full write access to the head and the rows of one database. */
export interface HeadAccess {
  readonly store: Store
  read(): Promise<StoredHead>
  /** Replaces the head; `undefined` removes it. */
  write(head: StoredHead | undefined): Promise<void>
  /** Removes the rows of the tree from an index on. */
  removeRows(from: number): Promise<void>
}

/** A node whose tree has grown twice. */
async function grown(access: HeadAccess) {
  const clock = manualClock(START)
  const store = { ...access.store, now: async () => clock.now(), close: async () => {} }
  const { watchword, root } = await rig({}, { store, clock })
  const grow = async (by = watchword, rows = 3) => {
    for (let i = 0; i < rows; i++) await by.issue(INPUT)
    return by.audit.checkpoint()
  }
  await grow()
  const older = await access.read()
  const newest = await grow()
  const fresh = async () => (await rig({}, { store, clock, root })).watchword
  return { ...access, watchword, fresh, grow, older, newest }
}

const ATTACKS = {
  'was deleted': ({ write }) => write(undefined),
  'was emptied': ({ write }) => write({ n: 0, state: '' }),
  'has a smaller size': async ({ read, write }) => {
    const { n, state } = await read()
    await write({ n: n - 2, state })
  },
  'is an older one': ({ write, older }) => write(older),
} satisfies Record<string, (scene: Awaited<ReturnType<typeof grown>>) => Promise<void>>

/** Declares the tests on a database that `open` creates. */
export function headTests(open: () => Promise<HeadAccess>): void {
  describe.each(Object.entries(ATTACKS))('a head that %s', (_, attack) => {
    it('is reported, and repaired by the next append of a running node', async () => {
      const scene = await grown(await open())
      const { watchword, grow, newest } = scene
      await attack(scene)
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
      const scene = await grown(await open())
      await scene.watchword.close()
      await attack(scene)
      const fresh = await scene.fresh()
      const { size } = await scene.grow(fresh)
      expect(await fresh.audit.verify({ checkpoint: scene.newest.text })).toEqual({
        ...{ ok: true, size, anchoredTo: size, first: null },
      })
    })

    it('does not hide that the last rows were removed, however the tree grows on', async () => {
      const scene = await grown(await open())
      const { removeRows, watchword, newest, older } = scene
      await attack(scene)
      await removeRows(older.n)
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
}
