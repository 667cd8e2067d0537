/** The histories of `usage-histories.test.ts` with odd numbers, in a separate process. */
import { describe, expect, it } from 'vitest'
import { expectNoFault } from '../support/usage-history.js'

const MINUTES = 60_000
const HISTORIES = 10_000

describe('reports of usage', () => {
  it('never miss a use without a gap in every odd history', { timeout: 30 * MINUTES }, async () => {
    expect(await expectNoFault(1, HISTORIES, 2)).toBeGreaterThan(HISTORIES / 2)
  })
})
