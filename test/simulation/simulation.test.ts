/**
 * Simulates thousands of worlds, each from a seed. Nodes revoke and verify over a network that loses messages, on
 * machines that stop, with clocks that are wrong, and on a log that is rolled back,
 * split, truncated and forged. In each world, every guarantee of the revocation feed must hold.
 *
 * `WATCHWORD_SEEDS=50000` runs more worlds. `WATCHWORD_SEED='world 17'` runs that world and prints its events.
 * The worlds with odd numbers are in `simulation-odd.test.ts`.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../src/token/self-test.js'
import { live } from './world.js'
import { expectPromisesKept } from './worlds.js'

const MINUTES = 60_000

beforeAll(() => ready)

describe('the revocation feed', () => {
  it('keeps every promise in every world with an even number', { timeout: 60 * MINUTES }, () =>
    expectPromisesKept(0),
  )

  it.each(['world 1', 'world 2', 'world 3'])(
    'runs %s twice with the same outcome',
    async (seed) => {
      const traceOf = async () => {
        const lines: string[] = []
        await live(seed, (line) => lines.push(line.replace(/ \S+\/(\d+)$/, ' $1')))
        return lines
      }
      const first = await traceOf()
      expect(first.length).toBeGreaterThan(10)
      expect(await traceOf()).toEqual(first)
    },
  )
})
