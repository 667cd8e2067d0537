import { describe, expect, it } from 'vitest'
import type { Position } from 'watchword/feed'
import { Announcements } from '../../../../src/revocation/follower/announcements.js'
import type { RevocationEntry, WatermarkEntry } from '../../../../src/revocation/index/entries.js'
import { flush, newGate } from '../../../support/fleet.js'

const subject = (before: number): WatermarkEntry => ({
  kind: 'subject',
  value: 'svc_billing',
  before,
  expiresAt: 1000,
})

function newLog() {
  const appended: RevocationEntry[] = []
  const positionOf = (epoch: string): Position => ({
    epoch,
    seq: appended.length,
    link: new Uint8Array(16),
  })
  const log = { epoch: 'first', before: async () => {} }
  const announcements = new Announcements({
    follower: {
      async publish(entries) {
        appended.push(...entries)
        const position = positionOf(log.epoch)
        await log.before()
        return position
      },
      isPending: () => false,
      get position() {
        return positionOf(log.epoch)
      },
    },
    index: { covers: () => false },
  })
  return { log, appended, announcements }
}

describe('an announcement', () => {
  it('is appended once for equal entries, at the same time and later', async () => {
    const { announcements, appended } = newLog()
    const [first, second] = [announcements.announce(subject(1)), announcements.announce(subject(1))]
    expect((await first).seq).toBe(1)
    expect(await second).toEqual(await first)
    expect(await announcements.announce(subject(1))).toEqual(await first)
    expect(announcements.isKnown(subject(1))).toBe(true)
    expect(appended).toEqual([subject(1)])
  })

  it('is appended again in another epoch, whose log may lack it', async () => {
    const { log, announcements, appended } = newLog()
    await announcements.announce(subject(1))
    log.epoch = 'second'
    expect(announcements.isKnown(subject(1))).toBe(false)
    expect((await announcements.announce(subject(1))).epoch).toBe('second')
    expect(appended).toEqual([subject(1), subject(1)])
  })

  it('that reaches further is appended while the first is pending, and stays pending itself', async () => {
    const { log, announcements, appended } = newLog()
    const [short, long] = [newGate(), newGate()]
    log.before = () => short.pass()
    const first = announcements.announce(subject(1))
    log.before = () => long.pass()
    const second = announcements.announce(subject(2))
    short.open()
    await first
    // The end of the first append leaves the second one pending: equal entries share it.
    const third = announcements.announce(subject(2))
    await flush()
    expect(appended).toEqual([subject(1), subject(2)])
    long.open()
    expect(await third).toEqual(await second)
  })
})
