/**
 * A tree whose first rows were appended by an earlier version, which left the time out of the leaves: it still verifies,
 * and no later row passes for one of them. The fixture was written by that version.
 *
 * @module
 */
import { hash } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import type { AuditEntry, AuditRow, AuditStore, KeyRecord, Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { closeAll, DAY, rig, START, sharedStore } from '../../../support/harness.js'
import stored from '../../../support/untimed-audit.json' with { type: 'json' }

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 's', scopes: ['orders:read'], actor: 'bot' }
const ROWS = stored.entries.length
const LATER = START + 500 * DAY

/** The fixture in a store whose entries and head a test edits, with its keys or without. */
async function restored({ withKeys = true, at = START } = {}) {
  const store = sharedStore()
  const part = store.audit as AuditStore
  if (withKeys) for (const key of stored.keys as KeyRecord[]) await store.insertKey(key)
  await part.write(stored.entries.map(({ row }) => row as AuditRow))
  const leaves = stored.entries.map(({ id, hash, place }) => ({ id, hash, place }))
  await part.append(0, leaves, stored.head.state)
  const edits = { entry: (entry: AuditEntry) => entry, state: undefined as string | undefined }
  const audit: AuditStore = {
    ...part,
    head: async () => {
      const head = await part.head()
      return { ...head, state: edits.state ?? head.state }
    },
    read: async (from, limit) => (await part.read(from, limit)).map((each) => edits.entry(each)),
  }
  const attacked: Store = { ...store, audit }
  const { rootKey } = stored
  const start = () => rig({ rootKey }, { store: attacked, clock: manualClock(at) })
  return { part, edits, start }
}

const withOtherKey = (seal: string): string => {
  const parts = seal.split('.')
  const footer = Buffer.from(parts.pop() ?? '', 'base64url').toString()
  const other = footer.replace(/.{4}"\}$/, 'AAAA"}')
  return [...parts, Buffer.from(other).toString('base64url')].join('.')
}

const wiped = (entry: AuditEntry): AuditEntry => ({
  ...entry,
  ...{ at: 0, row: null, place: withOtherKey(String(entry.place)) },
})

/** As an earlier version would have stored it: with the hash of the leaf. */
const asBefore = (entry: AuditEntry): AuditEntry => ({
  ...wiped(entry),
  hash: hash('sha256', `\0${ROWS}:${entry.at}:${entry.hash}`, 'hex'),
  place: withOtherKey(String(entry.place).replace('2.', '')),
})

describe('rows of an earlier version', () => {
  it('verify, and rows of this version are appended to them', async () => {
    const { start } = await restored()
    const { watchword } = await start()
    const proof = { checkpoint: stored.text }
    const before = { ok: true, size: ROWS, anchoredTo: ROWS, first: null }
    expect(await watchword.audit.verify(proof)).toEqual(before)
    await watchword.issue(INPUT)
    const { size } = await watchword.audit.checkpoint()
    expect(size).toBeGreaterThan(ROWS)
    const after = { ok: true, size, anchoredTo: size, first: null }
    expect(await watchword.audit.verify(proof)).toEqual(after)
    const next = await start()
    expect(await next.watchword.audit.verify(proof)).toEqual(after)
  })

  it('keep their root when a node has to compute it from the rows', async () => {
    const { start, edits } = await restored()
    const { watchword } = await start()
    await watchword.issue(INPUT)
    const { text } = await watchword.audit.checkpoint()
    edits.state = 'x'
    const other = await start()
    await other.watchword.issue(INPUT)
    await other.watchword.audit.checkpoint()
    edits.state = undefined
    const { ok, first } = await other.watchword.audit.verify({ checkpoint: text })
    expect([ok, first]).toEqual([true, null])
  })

  it('verify after a purge, also when their keys are lost', async () => {
    for (const withKeys of [true, false]) {
      const { start, part } = await restored({ withKeys, at: LATER })
      await part.purge(START)
      const { watchword } = await start()
      const { size } = await watchword.audit.checkpoint()
      const proof = { checkpoint: stored.text }
      expect(await watchword.audit.verify(proof)).toEqual({
        ...{ ok: true, size, anchoredTo: size, first: null },
      })
    }
  })

  it('are not believed to be purged until a row of this version proves their number', async () => {
    const { start, edits } = await restored({ withKeys: false, at: LATER })
    const { watchword } = await start()
    edits.entry = wiped
    const { ok, first } = await watchword.audit.verify({ checkpoint: stored.text })
    expect([ok, first?.index, first?.what]).toEqual([false, 0, 'edited'])
  })
})

describe('a row of this version whose content was removed', () => {
  it.each([
    ['as if it had been purged', wiped],
    ['as if an earlier version had written it', asBefore],
  ])('is found %s, at any place', async (_, wipe) => {
    const { start, edits } = await restored()
    const { watchword } = await start()
    for (let i = 0; i < 3; i++) await watchword.issue(INPUT)
    const { size, text } = await watchword.audit.checkpoint()
    const { watchword: fresh } = await start()
    for (let index = ROWS; index < size; index++) {
      edits.entry = (entry) => (entry.index === index ? wipe(entry) : entry)
      for (const node of [watchword, fresh]) {
        const { ok, first } = await node.audit.verify({ checkpoint: text })
        expect([ok, first?.index, first?.what]).toEqual([false, index, 'edited'])
      }
    }
  })
})
