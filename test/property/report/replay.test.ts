/**
 * The impact of a change, against what then happens to the same traffic.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { replay, scenarios } from '../../support/replay.js'
import { runs } from '../../support/runs.js'

const LEAST = 0.99

/** The share of the first set that the second one has too. */
function shareOf(all: ReadonlySet<string>, found: ReadonlySet<string>): number {
  if (all.size === 0) return 1
  return [...all].filter((each) => found.has(each)).length / all.size
}

describe('the impact of a revocation or a change of a policy', () => {
  it('names every token that the same traffic then fails with, and its callers, up to eight for each token', async () => {
    let tokens = 0
    let changes = 0
    await fc.assert(
      fc.asyncProperty(scenarios(25, { min: 1, max: 8 }), async (scenario) => {
        const { predicted, preview, predictedCallers, hitTokens, hitCallers, hitRequests } =
          await replay(scenario)
        expect(predicted.coverage.gaps.filter(({ node }) => node !== null)).toEqual([])
        expect([...predicted.usedIds].sort()).toEqual([...hitTokens].sort())
        expect(predicted.used).toBe(hitTokens.size)
        expect(shareOf(predictedCallers, hitCallers)).toBeGreaterThanOrEqual(LEAST)
        expect(shareOf(hitCallers, predictedCallers)).toBeGreaterThanOrEqual(LEAST)
        expect(predicted.requests).toBe(hitRequests)
        expect(predicted.otherRequests).toBe(0)
        if (preview !== undefined) expect(preview.used).toBe(predicted.used)
        tokens += hitTokens.size
        changes += hitTokens.size > 0 ? 1 : 0
      }),
      { numRuns: runs(60, 60) },
    )
    // Proves that there was something to predict.
    expect(changes).toBeGreaterThan(3)
    expect(tokens).toBeGreaterThan(20)
  })

  it('names no caller in vain and counts every request, however many callers a token has', async () => {
    let others = 0
    await fc.assert(
      fc.asyncProperty(scenarios(3, { min: 12, max: 40 }), async (scenario) => {
        const { predicted, predictedCallers, hitTokens, hitCallers, hitRequests } =
          await replay(scenario)
        expect([...predicted.usedIds].sort()).toEqual([...hitTokens].sort())
        expect(shareOf(predictedCallers, hitCallers)).toBe(1)
        const known = predicted.callers.reduce((sum, { requests }) => sum + requests, 0)
        expect(known + predicted.otherRequests).toBe(hitRequests)
        others += predicted.otherRequests
      }),
      { numRuns: runs(20, 20) },
    )
    expect(others).toBeGreaterThan(0)
  })
})
