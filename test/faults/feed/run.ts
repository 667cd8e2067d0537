/**
 * Runs faults against one broker: each in a world of its own, held against its history, told in one line.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Broker } from './broker.js'
import { faultsOf } from './checker.js'
import type { Fault } from './faults.js'
import { figuresOf, lineOf } from './report.js'
import { instant } from './time.js'
import { World } from './world.js'

/** Whether everything is done at length: `WATCHWORD_FAULTS=full npm run test:faults`. */
export const FULL = process.env['WATCHWORD_FAULTS'] === 'full'
const OUTAGE_MS = FULL ? 10_000 : 1600
// The goal is two seconds; more than this is no matter of a busy machine.
const LATEST_MS = 10_000
const WARM_UP = 30

/** Declares a suite with one test for each fault. */
export function sufferFaults(open: () => Promise<Broker>, faults: readonly Fault[]): void {
  describe('whatever happens to the log', () => {
    const lines: string[] = []
    let broker: Broker
    beforeAll(async () => {
      broker = await open()
    })
    afterAll(async () => {
      console.info(lines.join('\n'))
      await broker.end()
      await broker.server.remove()
    })

    it.each(faults)('$name', { timeout: 120_000 }, async (fault) => {
      lines.push(await suffer(broker, fault))
    })
  })
}

async function suffer(broker: Broker, fault: Fault): Promise<string> {
  const { name, silent = false, lastsMs = OUTAGE_MS } = fault
  const world = await World.open(broker, fault)
  try {
    await world.more(WARM_UP)
    await fault.prepare?.(world)
    await fault.hurt(world)
    const hurtAt = instant()
    await sleep(lastsMs)
    const healedAt = instant()
    if (silent) world.silence(hurtAt, healedAt)
    await fault.heal?.(world)
    await world.live()
    await world.more(WARM_UP)
    await world.settle()
    const history = await world.history()
    const figures = figuresOf(history, { hurtAt, healedAt, silent })
    expect(faultsOf(history)).toEqual([])
    expect(figures.liveAfterMs).toBeLessThan(LATEST_MS)
    expect(figures.incidents).toMatch(fault.incidents ?? /^/)
    return lineOf(broker.kind, name, figures)
  } finally {
    await world.close()
  }
}
