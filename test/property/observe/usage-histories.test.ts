import { describe, expect, it } from 'vitest'
import { expectNoFault, playHistory } from '../../support/usage-history.js'

const HISTORIES = 40
/** Histories whose reports were once wrong. */
const FORMER_FAULTS = [92, 162, 787, 1429, 1501, 1629, 1662, 2951, 3159, 8550]

describe('reports of usage', () => {
  it('never miss a use without a gap, in any history', async () => {
    expect(await expectNoFault(1, HISTORIES)).toBeGreaterThan(HISTORIES)
  })

  it.each(FORMER_FAULTS)('do not repeat the fault of history %i', async (seed) => {
    expect((await playHistory(seed)).fault).toBe(undefined)
  })
})
