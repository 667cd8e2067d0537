/**
 * An audit in a real database, which an attacker changes and a test puts back: with one node that lives through all of
 * it, and nodes that start afterwards.
 *
 * @module
 */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { memoryFeed } from 'watchword'
import type { Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import {
  ATTACKS,
  type Choice,
  PENDING_SUBJECT,
  type RawAudit,
  type RawRow,
} from './audit-attacks.js'
import { rig, START } from './harness.js'

/** Full write access to the audit of one database. */
export interface RawAccess {
  readAll(): Promise<RawAudit>
  /** Replaces the whole audit. */
  writeAll(audit: RawAudit): Promise<void>
}

const idOf = (row: RawRow) => row['id']

const INPUT = { policy: 'service', scopes: ['orders:read'], actor: 'bot' }

/** Runs `count` attacks on the audit of a store that is open and empty. */
export async function attack(store: Store, access: RawAccess, count: number): Promise<void> {
  const clock = manualClock(START)
  const kept = { ...store, now: async () => clock.now(), close: async () => {} }
  const { watchword, root } = await rig({}, { store: kept, clock })
  const fresh = async () => rig({}, { store: kept, clock, root, feed: memoryFeed() })
  const older: RawAudit[] = []
  let text = ''
  for (let i = 0; i < 24; i++) {
    const { id } = await watchword.issue({ ...INPUT, subject: `svc_${i}` })
    if (i % 5 === 0) await watchword.revoke({ id }, { actor: 'ops', reason: 'left' })
    if (i === 20) text = (await watchword.audit.checkpoint()).text
    if (i % 8 === 7) {
      await watchword.audit.checkpoint()
      older.push(await access.readAll())
    }
  }
  text = (await watchword.audit.checkpoint()).text
  older.pop()
  for (let i = 0; i < 3; i++) await watchword.issue({ ...INPUT, subject: PENDING_SUBJECT })
  let intact = await access.readAll()
  const untouched = { ok: true, anchoredTo: intact.rows.length, first: null }
  expect(await watchword.audit.verify()).toMatchObject(untouched)

  const number = fc.nat({ max: 1_000_000 })
  const tried = new Set<string>()
  const check = async (name: string, choice: Choice) => {
    const { audit, expected } = (ATTACKS[name] as (typeof ATTACKS)[string])(intact, choice, older)
    const { index, what, id = null, byNodesOnly = false, elsewhere = what } = expected
    await access.writeAll(audit)
    try {
      const living = await watchword.audit.verify()
      expect({ ok: living.ok, ...living.first }).toEqual({ ok: false, index, id, what })
      if (byNodesOnly) return
      const after = await fresh()
      const { ok, first } = await after.watchword.audit.verify({ checkpoint: text })
      await after.watchword.close()
      expect({ ok, ...first }).toEqual({ ok: false, index, id, what: elsewhere })
    } finally {
      // The node keeps what it has noticed: such a row stays, because it is missed like any other.
      while (watchword.health().audit.waiting > 0) await new Promise(setImmediate)
      const known = new Set([...intact.rows, ...intact.pending, ...audit.pending].map(idOf))
      const { pending } = await access.readAll()
      const noticed = pending.filter((row) => !known.has(idOf(row)) && row['place'] === null)
      intact = { ...intact, pending: [...intact.pending, ...noticed] }
      await access.writeAll(intact)
      tried.add(name)
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(ATTACKS)),
      fc.record({ a: number, b: number, c: number }),
      check,
    ),
    { numRuns: count },
  )
  expect([...tried].sort()).toEqual(Object.keys(ATTACKS).sort())
  // The control: nothing is found in what was put back.
  expect(await watchword.audit.verify()).toMatchObject(untouched)
  expect(await (await fresh()).watchword.audit.verify({ checkpoint: text })).toMatchObject(
    untouched,
  )
}
