/** How often eight nodes renew their place in the log. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from 'watchword/store'
import { delayed } from '../support/delayed-feed.js'
import { around, MINUTE, SECOND } from '../support/fleet.js'
import { type LogFleet, newLogFleet } from '../support/log-fleet.js'

let fleet: LogFleet

describe('the renewals of a fleet', () => {
  afterEach(() => fleet.close())

  it('are as frequent after outages of the store as before', { timeout: 300_000 }, async () => {
    fleet = await newLogFleet()
    const { clock, log } = fleet
    let isDown = false
    const reachable = around(fleet.store, async (_, call) => {
      if (isDown) throw new Error('the store is down')
      return call()
    })
    const store: Store = { ...reachable, supports: { durable: true } }
    const options = { store, maxStaleness: 5 * SECOND, clockTolerance: SECOND }
    // Delays that differ, or no request of one node meets the renewal of another.
    for (let i = 0; i < 8; i++)
      await fleet.startNode(options, delayed(clock, { log: log.feed() }, 7 + 3 * i))
    const growthIn = async (ms: number): Promise<number> => {
      const before = log.head?.seq ?? 0
      await fleet.pass(ms)
      return (log.head?.seq ?? 0) - before
    }
    const calm = await growthIn(5 * MINUTE)
    for (let outage = 0; outage < 2; outage++) {
      isDown = true
      await fleet.pass(5 * MINUTE)
      isDown = false
      await fleet.pass(MINUTE)
    }
    expect(calm).toBeGreaterThan(0)
    expect(await growthIn(5 * MINUTE)).toBeLessThan(1.5 * calm)
  })
})
