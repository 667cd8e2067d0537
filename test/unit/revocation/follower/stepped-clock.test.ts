/** How the freshness of a node changes when its wall clock is stepped and those of other nodes are not. */
import { afterEach, describe, expect, it } from 'vitest'
import { chaosLog } from 'watchword/testkit'
import {
  around,
  drive,
  type Fleet,
  issueOn,
  MINUTE,
  newFleet,
  SECOND,
  verdict,
} from '../../../support/fleet.js'

describe('a node whose clock is stepped', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  // The others need one of two things: a store to read, or the wrong node's clock to date its seals with.
  it.each([
    ['forward and back', [5 * MINUTE, -5 * MINUTE], true],
    ['back and forward', [-5 * MINUTE, 5 * MINUTE], true],
    ['forward', [5 * MINUTE], true],
    ['back', [-5 * MINUTE], true],
    ['forward', [5 * MINUTE], false],
    ['back', [-5 * MINUTE], false],
  ])('%s is live again with the next proof, and so are the others', async (_, steps, durable) => {
    fleet = await newFleet({ maxStaleness: SECOND, clockTolerance: 200 })
    const log = chaosLog()
    let offset = 0
    const { clock } = fleet
    const now = async () => clock.now()
    const store = { ...around(fleet.store), supports: { durable }, now }
    const own = {
      now: () => clock.now() + offset,
      monotonic: clock.monotonic,
      setTimer: clock.setTimer,
    }
    const other = await drive(clock, fleet.start({ feed: log.feed(), store }))
    const node = await drive(clock, fleet.start({ feed: log.feed(), store, clock: own }))
    const { token } = await issueOn(other, { policy: 'service' })
    for (const step of steps) {
      offset += step
      await clock.advance(2 * SECOND)
    }
    // Where no store vouches for the log, each waits for the other's seal, and can be stale for a moment.
    const isLive = () => [node, other].every((each) => each.health().status === 'live')
    for (let i = 0; i < 20 && !isLive(); i++) await clock.advance(50)
    expect(node.health().status).toBe('live')
    expect(other.health().status).toBe('live')
    expect(verdict(other.verify(token))).toBe('ok')
  })
})
