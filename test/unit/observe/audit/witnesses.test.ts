/**
 * The nodes of a fleet as witnesses: each learns the checkpoints of the others from the log.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import type { AuditStore } from 'watchword/store'
import { AuditWitness } from '../../../../src/observe/audit/witness.js'
import { checkpointEntry, checkpointIn } from '../../../../src/revocation/index/checkpoint-entry.js'
import { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { applyEntries } from '../../../../src/revocation/log/decode-event.js'
import { encodeEntries } from '../../../../src/revocation/log/encode-event.js'
import { closeAll, cuttableFeed, rig, START, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }
const root = (digit: string) => digit.repeat(64)

describe('a node that has never written to the audit', () => {
  it('finds by the log that the tail was cut, or that everything was deleted', async () => {
    const store = sharedStore()
    const writer = await rig({}, { store })
    for (let i = 0; i < 5; i++) await writer.watchword.issue(INPUT)
    await writer.watchword.audit.checkpoint()
    const { size } = await writer.watchword.audit.verify()
    const part = store.audit as AuditStore
    for (const left of [size - 2, 0]) {
      const cut: AuditStore = {
        ...part,
        head: async () => ({ size: left, state: '' }),
        read: async (from, limit) =>
          (await part.read(from, limit)).filter((e) => (e.index ?? 0) < left),
      }
      const { feed, root: rootKey, clock } = writer
      const reader = await rig({}, { store: { ...store, audit: cut }, feed, root: rootKey, clock })
      expect(await reader.watchword.audit.verify()).toMatchObject({
        ok: false,
        first: { index: left, what: 'missing' },
      })
      await reader.watchword.close()
    }
  })

  it('verifies an unchanged audit up to the checkpoint of another node', async () => {
    const store = sharedStore()
    const { watchword, feed, root: rootKey, clock } = await rig({}, { store })
    await watchword.issue(INPUT)
    const { size } = await watchword.audit.checkpoint()
    const reader = await rig({}, { store, feed, root: rootKey, clock })
    expect(await reader.watchword.audit.verify()).toEqual({
      ok: true,
      size,
      anchoredTo: size,
      first: null,
    })
  })
})

describe('a checkpoint', () => {
  it('is announced again until the log has it', async () => {
    const feed = cuttableFeed()
    const { watchword, store, root: rootKey, clock } = await rig({}, { feed })
    await watchword.issue(INPUT)
    feed.cut = true
    await watchword.audit.checkpoint()
    expect(watchword.health().pendingRevocations).toBe(0)
    feed.cut = false
    const { size } = await watchword.audit.checkpoint()
    const reader = await rig({}, { store, feed, root: rootKey, clock })
    expect((await reader.watchword.audit.verify()).anchoredTo).toBe(size)
  })

  it('is an entry that every node can read, and that revokes nothing', () => {
    const checkpoint = { size: 7, root: root('a') }
    const entry = checkpointEntry(checkpoint, START)
    expect(checkpointIn(entry)).toEqual(checkpoint)
    const seen: unknown[] = []
    const index = new RevocationIndex({ onCheckpoint: (each) => seen.push(each) })
    expect(applyEntries(encodeEntries([entry]), { index })).toEqual({ refused: 0 })
    expect(seen).toEqual([checkpoint])
    expect([...index.entries()]).toEqual([entry])
    const value = { ...entry, value: `${entry.value}x` }
    expect(checkpointIn(value)).toBeUndefined()
    expect(checkpointIn({ ...entry, value: 'user:1' })).toBeUndefined()
    expect(checkpointIn({ ...entry, kind: 'audience' })).toBeUndefined()
  })
})

describe('a witness', () => {
  it('remembers the largest checkpoint, and each that the tree was once smaller than', () => {
    const witness = new AuditWitness()
    witness.see({ size: 0, root: '' })
    expect(witness.seen).toEqual([])
    for (let size = 1; size <= 1000; size++) witness.see({ size, root: root('a') })
    expect(witness.largest.size).toBe(1000)
    expect(witness.seen.length).toBeLessThanOrEqual(64)
    // Cut to 500, and grown again with other rows.
    for (let size = 501; size <= 2000; size++) witness.see({ size, root: root('b') })
    expect(witness.largest).toEqual({ size: 2000, root: root('b') })
    expect(witness.seen).toContainEqual({ size: 1000, root: root('a') })
    expect(witness.seen.length).toBeLessThanOrEqual(128)
  })

  it('keeps two checkpoints of one size that differ, and one of two that are equal', () => {
    const witness = new AuditWitness()
    for (const digit of ['a', 'b', 'a']) witness.see({ size: 5, root: root(digit) })
    const roots = new Set(witness.seen.map((each) => each.root))
    expect(roots).toEqual(new Set([root('a'), root('b')]))
  })
})
