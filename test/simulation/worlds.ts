/**
 * Runs a share of the simulated worlds. Each test file runs one share, so that the shares run in parallel.
 *
 * @module
 */
import { expect } from 'vitest'
import { FAULTS } from './faults.js'
import { live, type Outcome } from './world.js'

const WORLDS = Number(process.env['WATCHWORD_SEEDS'] ?? (process.env['CI'] ? 10_000 : 2000))
/** The number of files that share the worlds. */
const SHARES = 2
// Fewer worlds than these may not cover every incident.
const ENOUGH = 1000

/** Describes a world in which a guarantee was violated, and how to replay it. */
function report(seed: string, { violation, faults }: Outcome): string {
  return `${violation?.message} [${faults}]: replay with WATCHWORD_SEED='${seed}'`
}

function seedsOf(share: number): string[] {
  const chosen = process.env['WATCHWORD_SEED']
  if (chosen !== undefined) return share === 0 ? [chosen] : []
  return Array.from({ length: WORLDS }, (_, i) => i)
    .filter((i) => i % SHARES === share)
    .map((i) => `world ${i}`)
}

/** Fails if a guarantee is violated in a world of this share, or if an incident does not occur in any of them. */
export async function expectPromisesKept(share: 0 | 1): Promise<void> {
  const seeds = seedsOf(share)
  const trace =
    process.env['WATCHWORD_SEED'] === undefined ? undefined : (line: string) => console.log(line)
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
  if (seeds.length < ENOUGH) return
  // Worlds in which nothing happens would prove nothing.
  expect(acked / seeds.length).toBeGreaterThan(4)
  expect([...faults].sort()).toEqual(Object.keys(FAULTS).sort())
  expect([...incidents].sort()).toEqual([
    'clock',
    'epoch',
    'fork',
    'frozen',
    'gap',
    'missing',
    'reconciled',
    'refused',
    'restored',
    'rollback',
    'tampered',
    'trimmed',
  ])
}
