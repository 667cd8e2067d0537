/** What a starting node finds in a log that another node has just cut off. */
import { afterEach, describe, expect, it } from 'vitest'
import { chaosLog } from 'watchword/testkit'
import {
  ACTOR,
  drive,
  type Fleet,
  issueOn,
  MINUTE,
  newFleet,
  verdict,
} from '../../../support/fleet.js'

describe('a log whose expired beginning was cut off', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  it('is not damaged for a node that starts before the next append', async () => {
    fleet = await newFleet({ policies: { service: { ttl: '1m', scopes: ['*'] } } })
    const log = chaosLog()
    const { clock } = fleet
    const node = await drive(clock, fleet.start({ feed: log.feed() }))
    // Five blocks of events, and a few more.
    for (let i = 0; i < 1300; i++) {
      const { token } = await issueOn(node)
      await node.revoke({ token }, ACTOR)
    }
    while (log.floor === 1) await clock.advance(MINUTE / 60)
    const cut = log.head
    const late = await drive(clock, fleet.start({ feed: log.feed() }))
    expect(log.head).toMatchObject({ epoch: cut?.epoch })
    expect(late.health().incidents).toEqual({})
    const { token } = await issueOn(late)
    await drive(clock, late.revoke({ token }, ACTOR))
    expect(verdict(node.verify(token))).toBe('revoked')
  })
})
