/** What becomes of a node’s freshness when its wall clock is stepped and the other nodes’ are not. */
import { afterEach, describe, expect, it } from 'vitest'
import { chaosLog } from 'watchword/testkit'
import { drive, type Fleet, issueOn, MINUTE, newFleet, SECOND, verdict } from '../support/fleet.js'

describe('a node whose clock is stepped', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  it.each([
    ['forward and back', [5 * MINUTE, -5 * MINUTE]],
    ['back and forward', [-5 * MINUTE, 5 * MINUTE]],
    ['forward', [5 * MINUTE]],
    ['back', [-5 * MINUTE]],
  ])('%s is live again with the next proof, and so are the others', async (_, steps) => {
    fleet = await newFleet({ maxStaleness: SECOND, clockTolerance: 200 })
    const log = chaosLog()
    let offset = 0
    const { clock } = fleet
    const own = {
      now: () => clock.now() + offset,
      monotonic: clock.monotonic,
      setTimer: clock.setTimer,
    }
    const other = await drive(clock, fleet.start({ feed: log.feed() }))
    const node = await drive(clock, fleet.start({ feed: log.feed(), clock: own }))
    const { token } = await issueOn(other, { policy: 'service' })
    for (const step of steps) {
      offset += step
      await clock.advance(2 * SECOND)
    }
    expect(node.health().status).toBe('live')
    expect(other.health().status).toBe('live')
    expect(verdict(other.verify(token))).toBe('ok')
  })
})
