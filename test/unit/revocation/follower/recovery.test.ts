/** How a node recovers a damaged log, when a feed itself returns false data. */
import { afterEach, describe, expect, it } from 'vitest'
import { ACTOR, codeOf, drive, issueOn, MINUTE, SECOND, verdict } from '../../../support/fleet.js'
import { type LogFleet, MAX_STALENESS_MS, newLogFleet } from '../../../support/log-fleet.js'

let fleet: LogFleet
afterEach(() => fleet.close())

describe('a feed that reports that there is no log', () => {
  it('is not believed while it accepts no new log', async () => {
    fleet = await newLogFleet()
    const { watchword } = await fleet.startNode()
    const { token } = await issueOn(watchword)
    const starting = fleet.startNode(
      {},
      { head: async () => null, append: () => Promise.reject(new Error('down')) },
    )
    expect(await codeOf(starting)).toBe('ERR_FEED_UNAVAILABLE')
    const lying = { head: async () => null, append: () => Promise.reject(new Error('down')) }
    const later = await fleet.startNode({ onStart: 'reject' }, lying)
    await fleet.pass(2 * SECOND)
    expect(verdict(later.watchword.verify(token))).toBe('stale')
    expect(later.watchword.health().status).toBe('stale')
  })

  it('is not retried without end while it has a log', async () => {
    fleet = await newLogFleet()
    const first = await fleet.startNode()
    let asked = 0
    let isHidden = false
    const real = fleet.log.feed()
    const hidden = await fleet.startNode(
      {},
      {
        head: async (options) => {
          asked++
          return isHidden ? null : real.head(options)
        },
      },
    )
    const token = await fleet.revokeOne(first)
    await fleet.pass(SECOND)
    isHidden = true
    asked = 0
    await fleet.pass(4 * SECOND)
    expect(asked).toBeLessThan(400)
    expect(hidden.watchword.health()).toMatchObject({ status: 'stale' })
    expect(hidden.watchword.health().incidents).toMatchObject({ frozen: expect.any(Number) })
    isHidden = false
    await fleet.pass(SECOND)
    expect(hidden.watchword.health().status).toBe('live')
    expect(verdict(hidden.watchword.verify(token))).toBe('revoked')
  })
})

describe('a log that is being recovered', () => {
  it('is not declared whole by a node that has since seen events cut off', async () => {
    fleet = await newLogFleet({ durable: false })
    const [founder] = [await fleet.startNode(), await fleet.startNode()]
    const token = await fleet.revokeOne(founder)
    await fleet.pass(SECOND)
    fleet.log.wipe()
    while (fleet.log.events.length === 0) await fleet.pass(1)
    fleet.log.truncate(fleet.log.head?.seq ?? 0)
    await fleet.pass(2 * SECOND)
    const late = await fleet.startNode({ onStart: 'reject' })
    for (let i = 0; i < 20; i++) {
      await fleet.pass(100)
      expect(verdict(late.watchword.verify(token))).not.toBe('ok')
    }
  })
})

describe('a log that no node watched', () => {
  it('is recovered from the store, also when its seal is dated in the future', async () => {
    fleet = await newLogFleet()
    const ahead = await fleet.startNode()
    await fleet.pass(SECOND)
    const token = await fleet.revokeOne(ahead)
    await fleet.kill(ahead)
    fleet.log.rollback(1)
    fleet.clock.step(-10 * MINUTE)
    const late = await fleet.startNode()
    await fleet.pass(2 * SECOND)
    fleet.clock.step(10 * MINUTE)
    await fleet.pass(2 * SECOND)
    expect(verdict(late.watchword.verify(token))).toBe('revoked')
  })

  it('is recreated when one of its events names a key that never existed', async () => {
    fleet = await newLogFleet()
    const first = await fleet.startNode()
    const token = await fleet.revokeOne(first)
    await fleet.pass(SECOND)
    await fleet.kill(first)
    const KEY_ID_BIT = 40
    fleet.log.flip(1, KEY_ID_BIT)
    await fleet.pass(2 * MINUTE)
    const late = await fleet.startNode({ onStart: 'reject' })
    await fleet.pass(5 * MAX_STALENESS_MS)
    expect(late.watchword.health()).toMatchObject({ status: 'live' })
    expect(late.watchword.health().incidents).toMatchObject({ gap: 1 })
    expect(verdict(late.watchword.verify(token))).toBe('revoked')
  })

  it('is left alone when the key of a recent event may belong to other nodes', async () => {
    fleet = await newLogFleet()
    const first = await fleet.startNode()
    await fleet.revokeOne(first)
    await fleet.pass(SECOND)
    // The first event is the node's own announcement.
    fleet.log.flip(2, 40)
    const late = await fleet.startNode({ onStart: 'reject' })
    await fleet.pass(10 * SECOND)
    expect(late.watchword.health()).toMatchObject({ status: 'stale' })
    expect(fleet.log.head?.epoch).toBe(first.watchword.health().position.epoch)
    await drive(fleet.clock, late.watchword.close())
  })
})

describe('the outbox of a node', () => {
  it('holds each revocation once, however often it was requested', async () => {
    fleet = await newLogFleet()
    const { watchword, feed } = await fleet.startNode()
    const { token, subject } = await issueOn(watchword)
    await fleet.pass(SECOND)
    feed.partition()
    for (let i = 0; i < 5; i++) {
      for (const target of [{ token }, { subject }])
        for (const waitFor of ['local', 'all'] as const) {
          const revoking = watchword.revoke(target, { ...ACTOR, waitFor })
          expect(await codeOf(drive(fleet.clock, revoking))).toBe('ERR_REVOCATION_UNCERTAIN')
        }
    }
    // The token, its successors and the subject.
    expect(watchword.health().pendingRevocations).toBe(3)
    const { length } = fleet.log.events
    feed.heal()
    await fleet.pass(2 * SECOND)
    expect(watchword.health()).toMatchObject({ status: 'live', pendingRevocations: 0 })
    expect(fleet.log.events.length - length).toBe(1)
    const late = await fleet.startNode()
    expect(verdict(late.watchword.verify(token))).toBe('revoked')
  })
})
