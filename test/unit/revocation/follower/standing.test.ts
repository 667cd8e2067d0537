import { describe, expect, it } from 'vitest'
import { memoryFeed } from 'watchword'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { AgreedTime } from '../../../../src/revocation/follower/agreed-time.js'
import { Members } from '../../../../src/revocation/follower/members.js'
import { standingOf } from '../../../../src/revocation/follower/standing.js'
import { Witness } from '../../../../src/revocation/follower/witness.js'

function newParts() {
  const source = manualClock()
  const clock = resolveClock(source)
  const writer = new Uint8Array(16)
  const time = new AgreedTime({
    clock,
    maxSkewMs: 5000,
    writer,
    storeTime: undefined,
    onDisagreement: () => undefined,
  })
  const members = new Members({ clock, life: 'own', renewMs: 1000 })
  const feed = memoryFeed()
  const witness = new Witness({ feed, clock, writer, time, toleranceMs: 0, reconcile: undefined })
  return { source, time, members, standing: () => standingOf(members, witness, time) }
}

describe('the standing of a node', () => {
  it('is alone, without evidence and without an agreed time before it has read the log', () => {
    expect(newParts().standing()).toEqual({
      members: [],
      alone: true,
      witness: 'none',
      sharedServer: false,
      clockAheadMs: null,
    })
  })

  it('names every other member with the age of its last sign', async () => {
    const { source, members, standing } = newParts()
    members.joined({ life: 'one', name: 'orders-1' }, 0)
    await source.advance(30)
    members.joined({ life: 'two', name: 'orders-2' }, 5)
    expect(standing()).toMatchObject({
      members: [
        { node: 'orders-1', lastSignMs: 30 },
        { node: 'orders-2', lastSignMs: 5 },
      ],
      alone: false,
    })
  })

  it('reports how far the clock is ahead once there is an agreed time', () => {
    const { time, standing } = newParts()
    time.begin()
    expect(standing().clockAheadMs).toBe(0)
  })
})
