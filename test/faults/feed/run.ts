/**
 * Runs faults against one broker: each in a separate world, checked against its history, and reported in one line.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Broker } from './broker.js'
import { faultsOf } from './checker.js'
import type { Place } from './connect.js'
import type { Fault } from './faults.js'
import * as outside from './faults.js'
import * as ofLogs from './log-faults.js'
import * as ofNodes from './node-faults.js'
import { removeProgram } from './remote-node.js'
import { figuresOf, lineOf } from './report.js'
import { instant } from './time.js'
import { World } from './world.js'

// Runs all faults at full length: `WATCHWORD_FAULTS=full npm run test:full -- test/faults`.
const FULL = process.env['WATCHWORD_FAULTS'] === 'full'
const OUTAGE_MS = FULL ? 10_000 : 1600
// The goal is two seconds. A busy machine does not explain more than this.
const LATEST_MS = 10_000
const WARM_UP = 30

const { storm, outages, ...rest } = ofNodes
const crowds = { storm: storm(FULL ? 50 : 16), outages: outages(FULL ? 1000 : 12) }

/** Every fault. */
const FAULTS = { ...outside, ...ofLogs, ...rest, ...crowds } satisfies Readonly<
  Record<string, Fault>
>

/** Declares a suite with one test for each named fault; at full length, for every fault. */
export function sufferFaults(
  kind: Place['kind'],
  open: () => Promise<Broker>,
  names: readonly (keyof typeof FAULTS)[],
): void {
  const faults = FULL
    ? Object.values<Fault>(FAULTS).filter(({ notFor }) => !notFor?.includes(kind))
    : names.map((name) => FAULTS[name])
  describe('keeps every promise during the fault', () => {
    const lines: string[] = []
    let broker: Broker | undefined
    beforeAll(async () => {
      broker = await open()
    })
    afterAll(async () => {
      console.info(lines.join('\n'))
      await broker?.end()
      await broker?.server.remove()
      await removeProgram()
    })

    it.each(faults)('$name', { timeout: 600_000 }, async (fault) => {
      lines.push(await suffer(broker as Broker, fault))
    })
  })
}

async function suffer(broker: Broker, fault: Fault): Promise<string> {
  const { name, silent = false, lastsMs = OUTAGE_MS, incidents = /^/ } = fault
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
    const backAt = instant()
    await world.live()
    await world.more(WARM_UP)
    await world.settle()
    const history = await world.history()
    const figures = figuresOf(history, { hurtAt, healedAt, backAt, silent })
    expect(faultsOf(history)).toEqual([])
    expect(figures.liveAfterMs).toBeLessThan(LATEST_MS)
    expect(figures.incidents).toMatch(incidents)
    return lineOf(broker.kind, name, figures)
  } finally {
    await world.close()
  }
}
