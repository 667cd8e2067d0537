/**
 * Thousands of worlds, each from a seed: nodes that revoke and verify over a network that loses, on machines that stop,
 * with clocks that are wrong and a log that is set back,
 * split, cut and forged. In each, every promise of the revocation feed must hold.
 *
 * `WATCHWORD_SEEDS=50000` lives through more of them; `WATCHWORD_SEED='world 17'` through that one, and tells what happens.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../src/token/self-test.js'
import { FAULTS } from './faults.js'
import { live, type Outcome } from './world.js'

const WORLDS = Number(process.env['WATCHWORD_SEEDS'] ?? (process.env['CI'] ? 10_000 : 2000))
const MINUTES = 60_000

beforeAll(() => ready)

/** What became of a world in which a promise was broken, with how to live through it again. */
function report(seed: string, { violation, faults }: Outcome): string {
  return `${violation?.message} [${faults}]: replay with WATCHWORD_SEED='${seed}'`
}

describe('the revocation feed', () => {
  it('keeps every promise in every world', { timeout: 60 * MINUTES }, async () => {
    const chosen = process.env['WATCHWORD_SEED']
    const seeds =
      chosen === undefined ? Array.from({ length: WORLDS }, (_, i) => `world ${i}`) : [chosen]
    const trace = chosen === undefined ? undefined : (line: string) => console.log(line)
    const broken: string[] = []
    const faults = new Set<string>()
    const incidents = new Set<string>()
    let acked = 0
    for (const seed of seeds) {
      const outcome = await live(seed, trace)
      if (outcome.violation !== undefined) broken.push(report(seed, outcome))
      acked += outcome.acked
      for (const fault of outcome.faults) faults.add(fault)
      for (const incident of outcome.incidents.keys()) incidents.add(incident)
    }
    expect(broken).toEqual([])
    if (seeds.length < 1000) return
    // Worlds in which nothing happens would prove nothing.
    expect(acked / seeds.length).toBeGreaterThan(4)
    expect([...faults].sort()).toEqual(Object.keys(FAULTS).sort())
    expect([...incidents].sort()).toEqual(
      [
        'clock',
        'epoch',
        'fork',
        'frozen',
        'reconciled',
        'refused',
        'restored',
        'rollback',
        'tampered',
        'gap',
        'trimmed',
        'missing',
      ].sort(),
    )
  })

  it.each(['world 1', 'world 2', 'world 3'])('lives through %s twice the same', async (seed) => {
    const traceOf = async () => {
      const lines: string[] = []
      await live(seed, (line) => lines.push(line.replace(/ \S+\/(\d+)$/, ' $1')))
      return lines
    }
    const first = await traceOf()
    expect(first.length).toBeGreaterThan(10)
    expect(await traceOf()).toEqual(first)
  })
})
