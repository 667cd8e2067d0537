import fc from 'fast-check'
import Libsql from 'libsql'
import { describe, expect, it } from 'vitest'
import { sqliteStore } from '../../../src/store/sqlite.js'
import { checkDryRun, histories, lastingStore } from '../../support/dry-runs.js'
import { sharedStore } from '../../support/harness.js'
import { runs } from '../../support/runs.js'

async function sqlitePlace() {
  const store = sqliteStore(new Libsql(':memory:'))
  await store.migrate()
  return lastingStore(store)
}

describe.each([
  ['a memory store', async () => sharedStore(), 200, 50],
  ['a SQLite store', sqlitePlace, 60, 15],
] as const)('a dry run with %s', (_, place, count, fewest) => {
  it('changes nothing, and lists exactly the tokens that the revocation then rejects', async () => {
    let rejected = 0
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        rejected += await checkDryRun(await place(), history)
      }),
      { numRuns: runs(count, fewest) },
    )
    expect(rejected).toBeGreaterThan(0)
  })
})
