/**
 * Plays thousands of histories of processes that count uses, each from a seed: with crashes, partitions, lost writes and
 * clock steps. A report must have every use that is not in one of its gaps.
 *
 * The histories with odd numbers are in `usage-histories-odd.test.ts`.
 */
import { describe, expect, it } from 'vitest'
import { expectNoFault } from '../support/usage-history.js'

const MINUTES = 60_000
const HISTORIES = 10_000

describe('reports of usage', () => {
  it('never miss a use without a gap in every even history', {
    timeout: 30 * MINUTES,
  }, async () => {
    expect(await expectNoFault(2, HISTORIES, 2)).toBeGreaterThan(HISTORIES / 2)
  })
})
