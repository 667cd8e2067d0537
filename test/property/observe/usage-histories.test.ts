import { describe, expect, it } from 'vitest'
import { playHistory } from '../../support/usage-history.js'

const HISTORIES = 40

describe('reports of usage', () => {
  it('never miss a use without a gap, in any history', async () => {
    let reports = 0
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const history = await playHistory(seed)
      expect({ seed, fault: history.fault }).toEqual({ seed, fault: undefined })
      reports += history.reports
    }
    expect(reports).toBeGreaterThan(HISTORIES)
  })
})
