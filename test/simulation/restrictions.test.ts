/**
 * Simulates worlds in which nodes restrict and restore subjects, under every fault of the table. Every node must reach
 * the highest acknowledged revision of each register, within the bound of a revocation, and never go back: not by an old
 * message, an old copy of the log or a late write.
 *
 * `WATCHWORD_SEED='world 17'` runs that world and prints its events.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../src/token/self-test.js'
import { runs } from '../support/runs.js'
import { FAULTS } from './faults.js'
import { live } from './world.js'

const MINUTES = 60_000
/** Fewer worlds may not meet every fault. */
const ENOUGH = 200

beforeAll(() => ready)

describe('the registers of restrictions', () => {
  it('converge to the highest revision in every world', { timeout: 20 * MINUTES }, async () => {
    const chosen = process.env['WATCHWORD_SEED']
    const count = chosen === undefined ? runs(600) : 1
    const trace = chosen === undefined ? undefined : (line: string) => console.log(line)
    const broken: string[] = []
    const met = new Set<string>()
    let acked = 0
    for (let i = 0; i < count; i++) {
      const seed = chosen ?? `world ${i}`
      const outcome = await live(seed, trace, 0.5)
      acked += outcome.acked
      for (const fault of outcome.faults) met.add(fault)
      if (outcome.violation !== undefined)
        broken.push(`${outcome.violation.message} [${outcome.faults}]: WATCHWORD_SEED='${seed}'`)
    }
    expect(broken).toEqual([])
    if (count < ENOUGH) return
    expect(acked / count).toBeGreaterThan(4)
    expect([...met].sort()).toEqual(Object.keys(FAULTS).sort())
  })
})
