/**
 * The nodes of a fleet as witnesses of the audit: each reads the newest checkpoint, remembers it, and reports one that
 * contradicts it.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEvent } from 'watchword'
import { ready } from 'watchword/paseto'
import type { AuditHead, AuditRow, AuditStore } from 'watchword/store'
import { AuditWitness } from '../../../../src/observe/audit/witness.js'
import { closeAll, MINUTE, type Rig, rig, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }
const root = (digit: string) => digit.repeat(64)

/** A store in which an attacker replaces the head, hides rows, and counts the reads of heads. */
function attackable() {
  const inner = sharedStore()
  const part = inner.audit as AuditStore
  const state = {
    head: undefined as AuditHead | undefined,
    left: Number.POSITIVE_INFINITY,
    hidden: new Set<string>(),
    heads: 0,
  }
  const audit: AuditStore = {
    ...part,
    head: async () => {
      state.heads++
      return state.head ?? (await part.head())
    },
    read: async (from, limit) =>
      (await part.read(from, limit)).filter(({ index }) => (index ?? 0) < state.left),
    listPending: async (page) =>
      (await part.listPending(page)).filter(({ id }) => !state.hidden.has(id)),
    locate: async (ids) => (await part.locate(ids)).filter(({ id }) => !state.hidden.has(id)),
  }
  return { store: { ...inner, audit }, part, state }
}

async function fleet(count = 1) {
  const attacked = attackable()
  const first = await rig({}, { store: attacked.store })
  const { feed, root: rootKey, clock } = first
  const join = () => rig({}, { store: attacked.store, feed, root: rootKey, clock })
  const nodes: Rig[] = [first]
  while (nodes.length < count) nodes.push(await join())
  const grow = async (rows: number) => {
    for (let i = 0; i < rows; i++) await first.watchword.issue(INPUT)
    return first.watchword.audit.checkpoint()
  }
  return { ...attacked, clock, nodes, join, grow, first: first.watchword }
}

const incidentsOf = ({ watchword }: Rig) =>
  Object.entries(watchword.health().incidents).filter(([kind]) => kind.startsWith('audit.'))

describe('a node that only reads', () => {
  it('remembers the checkpoints of others at the interval, with one read each', async () => {
    const { grow, clock, nodes, state } = await fleet(2)
    const reader = nodes[1] as Rig
    await grow(3)
    await clock.advance(MINUTE)
    await clock.advance(MINUTE)
    expect(reader.watchword.health().audit.size).toBe(4)
    const before = state.heads
    await clock.advance(10 * MINUTE)
    expect(state.heads - before).toBeGreaterThanOrEqual(18)
    expect(state.heads - before).toBeLessThanOrEqual(24)
    expect(incidentsOf(reader)).toEqual([])
    expect((await reader.watchword.audit.verify()).anchoredTo).toBe(4)
  })

  it('finds at the next interval that the tail was cut, and reports it once', async () => {
    const { grow, clock, nodes, state, part } = await fleet(2)
    await grow(2)
    const earlier = await part.head()
    await grow(2)
    await clock.advance(MINUTE)
    state.head = earlier
    state.left = earlier.size
    const events: AuditEvent[] = []
    const listen = (message: unknown) => void events.push(message as AuditEvent)
    subscribe('watchword:audit', listen)
    await clock.advance(MINUTE)
    unsubscribe('watchword:audit', listen)
    await clock.advance(MINUTE)
    for (const node of nodes) expect(incidentsOf(node)).toEqual([['audit.rollback', 1]])
    expect(events.map(({ action, count }) => [action, count])).toEqual([
      ['audit.rollback', 1],
      ['audit.rollback', 1],
    ])
    const { ok, first } = await (nodes[1] as Rig).watchword.audit.verify()
    expect([ok, first]).toEqual([false, { index: 3, id: null, what: 'missing' }])
  })

  it('finds that everything was deleted, also before its first interval has passed', async () => {
    const { grow, clock, join, state } = await fleet()
    await grow(2)
    const reader = await join()
    await clock.advance(1)
    state.head = { size: 0, state: '' }
    state.left = 0
    await clock.advance(MINUTE)
    expect(incidentsOf(reader)).toEqual([['audit.missing', 1]])
    expect(await reader.watchword.audit.verify()).toMatchObject({
      ok: false,
      first: { index: 0, what: 'missing' },
    })
  })
})

describe('an edited checkpoint', () => {
  it.each([
    ['another size', ({ state }: AuditHead) => ({ size: 2, state }), 'audit.tampered'],
    ['another state', ({ size }: AuditHead) => ({ size, state: 'v4.local.x' }), 'audit.tampered'],
    ['no state', ({ size }: AuditHead) => ({ size, state: '' }), 'audit.tampered'],
    [
      'a state that names an unknown key',
      ({ size, state }: AuditHead) => ({ size, state: withOtherKey(state) }),
      'audit.unreadable',
    ],
    ['nothing', () => ({ size: 0, state: '' }), 'audit.missing'],
  ])('is reported with %s, and named by a verification', async (_, edit, kind) => {
    const { grow, clock, nodes, state, part, join } = await fleet(1)
    await grow(3)
    state.head = edit(await part.head())
    await clock.advance(MINUTE)
    expect(incidentsOf(nodes[0] as Rig)).toEqual([[kind, 1]])
    const fault = { ok: false, first: { index: null, id: null, what: 'checkpoint' } }
    expect(await (nodes[0] as Rig).watchword.audit.verify()).toMatchObject(fault)
    // A node that starts afterwards knows no earlier checkpoint, but every row.
    expect(await (await join()).watchword.audit.verify()).toMatchObject(fault)
  })

  it('is sealed again with the next row, without losing one', async () => {
    const { grow, nodes, state, part } = await fleet(1)
    const { size } = await grow(3)
    const real = await part.head()
    state.head = { size: real.size, state: 'x' }
    await (nodes[0] as Rig).watchword.issue(INPUT)
    await (nodes[0] as Rig).watchword.audit.checkpoint()
    state.head = undefined
    expect(await (nodes[0] as Rig).watchword.audit.verify()).toEqual({
      ok: true,
      size: size + 2,
      anchoredTo: size + 2,
      first: null,
    })
  })
})

// Sealed with a key that no authority has: its id is made up.
function withOtherKey(state: string): string {
  const parts = state.split('.')
  const text = Buffer.from(parts.pop() ?? '', 'base64url').toString()
  const other = text.replace(/.{4}"\}$/, 'AAAA"}')
  return [...parts, Buffer.from(other).toString('base64url')].join('.')
}

describe('a tree that was replaced by another of the same size', () => {
  it('is reported as a fork, and verified as rows that are missing', async () => {
    const store = sharedStore()
    const part = store.audit as AuditStore
    const first = await rig({}, { store })
    const { feed, root: rootKey, clock } = first
    await first.watchword.issue(INPUT)
    await first.watchword.audit.checkpoint()
    // An older copy of the store, in which another node makes other changes.
    const copy = sharedStore()
    for (const key of await store.listKeys()) await copy.insertKey(key)
    const other = await rig({}, { store: copy, root: rootKey, clock })
    for (let i = 0; i < 2; i++) await other.watchword.issue(INPUT)
    await other.watchword.audit.checkpoint()
    const replaced = { ...part, ...copy.audit } as AuditStore
    const swapped = { current: part }
    const watching = await rig(
      {},
      {
        store: {
          ...store,
          audit: {
            ...replaced,
            head: () => swapped.current.head(),
            read: (from, limit) => swapped.current.read(from, limit),
            listPending: (page) => swapped.current.listPending(page),
          },
        },
        ...{ feed, root: rootKey, clock },
      },
    )
    await clock.advance(MINUTE)
    expect((await watching.watchword.audit.verify()).anchoredTo).toBe(2)
    swapped.current = copy.audit as AuditStore
    await clock.advance(MINUTE)
    expect(incidentsOf(watching)).toEqual([['audit.fork', 1]])
    expect(await watching.watchword.audit.verify()).toMatchObject({
      ok: false,
      first: { index: 0, what: 'missing' },
    })
  })
})

describe('a pending row', () => {
  const pendingOf = async (part: AuditStore) =>
    (await part.listPending({ limit: 100 })).map(({ id }) => id)

  it('is missed by the node that wrote it, even after another node has appended the rest', async () => {
    const { first, nodes, part, state, clock } = await fleet(2)
    await clock.advance(MINUTE)
    const { id } = await first.issue(INPUT)
    await first.issue(INPUT)
    await first.revoke({ id }, { actor: 'ops' })
    const deleted = (await pendingOf(part)).at(-1) as string
    state.hidden.add(deleted)
    await (nodes[1] as Rig).watchword.audit.checkpoint()
    const fault = { ok: false, first: { index: null, id: deleted, what: 'missing' } }
    // Before and after the node has looked for it at its interval.
    expect(await first.audit.verify()).toMatchObject(fault)
    await first.audit.checkpoint()
    expect(incidentsOf(nodes[0] as Rig)).toEqual([['audit.deleted', 1]])
    expect(await first.audit.verify()).toMatchObject(fault)
    state.hidden.clear()
    await first.audit.checkpoint()
    expect(await first.audit.verify()).toMatchObject({ ok: true, first: null })
  })

  it('is not missed if another node was first with the same change', async () => {
    const { first, nodes, clock } = await fleet(2)
    await clock.advance(MINUTE)
    for (let i = 0; i < 20; i++) {
      await first.issue(INPUT)
      await Promise.all(nodes.map(({ watchword }) => watchword.audit.checkpoint()))
    }
    for (const node of nodes) {
      expect(incidentsOf(node)).toEqual([])
      expect((await node.watchword.audit.verify()).ok).toBe(true)
    }
  })

  it('is named edited by the node that wrote it, and inserted by another', async () => {
    const { first, nodes, store, part, clock } = await fleet(1)
    await first.issue(INPUT)
    const [row] = (await part.listPending({ limit: 9 })).slice(-1) as [AuditRow]
    const edited = { ...row, actor: 'other' }
    const audit = { ...store.audit, listPending: async () => [edited] }
    const { feed, root: rootKey } = nodes[0] as Rig
    const other = await rig({}, { store: { ...store, audit }, feed, root: rootKey, clock })
    expect((await other.watchword.audit.verify()).first).toEqual({
      ...{ index: null, id: row.id, what: 'inserted' },
    })
    store.audit.listPending = async () => [edited]
    expect((await first.audit.verify()).first).toEqual({
      ...{ index: null, id: row.id, what: 'edited' },
    })
  })
})

describe('the remembered checkpoints', () => {
  it('include the largest, and each that the tree was once smaller than', () => {
    const witness = new AuditWitness()
    witness.see({ size: 0, root: '' })
    expect(witness.seen).toEqual([])
    for (let size = 1; size <= 9000; size++) witness.see({ size, root: root('a') })
    expect(witness.largest.size).toBe(9000)
    expect(witness.seen.length).toBeLessThanOrEqual(4096)
    // Cut to 8500, and grown again with other rows.
    for (let size = 8501; size <= 18_000; size++) witness.see({ size, root: root('b') })
    expect(witness.largest).toEqual({ size: 18_000, root: root('b') })
    expect(witness.seen).toContainEqual({ size: 9000, root: root('a') })
    expect(witness.seen.length).toBeLessThanOrEqual(4096 + 64)
  })

  it('include each of the last day, so that a cut tail that was grown over is still contradicted', () => {
    const witness = new AuditWitness()
    for (let size = 1; size <= 5000; size++) witness.see({ size, root: root('a') })
    // Cut by one row and grown again by a node that knew nothing of it, before this node has read again.
    for (let size = 5001; size <= 5000 + 24 * 60; size++) witness.see({ size, root: root('b') })
    expect(witness.seen).toContainEqual({ size: 5000, root: root('a') })
  })

  it('keep two of one size that differ, and one of two that are equal', () => {
    const witness = new AuditWitness()
    for (const digit of ['a', 'b', 'a']) witness.see({ size: 5, root: root(digit) })
    const roots = new Set(witness.seen.map((each) => each.root))
    expect(roots).toEqual(new Set([root('a'), root('b')]))
  })
})
