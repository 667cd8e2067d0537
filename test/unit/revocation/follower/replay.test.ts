/** What nodes say to each other in the log counts where it stands in the log, and nowhere else. */
import { afterEach, describe, expect, it } from 'vitest'
import type { SealedEvent } from 'watchword/feed'
import type { NodeEntry } from '../../../../src/revocation/index/entries.js'
import { sealedEvent, sealKeysOf } from '../../../support/feed-writer.js'
import { ACTOR, drive, issueOn, SECOND, verdict } from '../../../support/fleet.js'
import { type LogFleet, newLogFleet } from '../../../support/log-fleet.js'

let fleet: LogFleet
afterEach(() => fleet.close())

const OTHER_EPOCH = `${'B'.repeat(21)}A`

/** An authentic event with this entry, which this log does not hold where it says that it stands. */
async function replayed(
  entry: NodeEntry,
  place: 'earlier life' | 'lost branch',
): Promise<SealedEvent> {
  const { epoch = '', seq = 0 } = fleet.log.head ?? {}
  const changes =
    place === 'earlier life' ? { epoch: OTHER_EPOCH, seq: 1 } : { epoch, seq: seq + 7 }
  return sealedEvent(await sealKeysOf(fleet), [entry], changes)
}

describe.each(['earlier life', 'lost branch'] as const)('an event of an %s of the log', (place) => {
  it('does not tell where this one begins', async () => {
    fleet = await newLogFleet({ durable: false })
    const node = await fleet.startNode()
    const token = await fleet.revokeOne(node)
    const trim = await replayed({ kind: 'trim', value: 'x', until: 100 }, place)
    fleet.log.push({ events: [trim] })
    await fleet.revokeOne(node)
    await fleet.pass(SECOND)
    // Whoever has no key cuts off what was revoked: the next to come must not take the rest for the whole.
    fleet.log.truncate((fleet.log.head?.seq ?? 1) - 1)
    const late = await fleet.startNode({ onStart: 'reject' })
    for (let i = 0; i < 20; i++) {
      expect(verdict(late.watchword.verify(token))).not.toBe('ok')
      await fleet.pass(100)
    }
  })

  it('takes no node off the list', async () => {
    fleet = await newLogFleet()
    const [a, b] = [await fleet.startNode({ node: 'a' }), await fleet.startNode({ node: 'b' })]
    await fleet.pass(SECOND)
    const { token } = await issueOn(a.watchword)
    const leave = await replayed({ kind: 'leave', value: 'b', until: 0 }, place)
    b.feed.partition()
    fleet.log.push({ events: [leave] })
    const revoking = a.watchword.revoke({ token }, { ...ACTOR, waitFor: 'all' })
    const { nodes } = await drive(fleet.clock, revoking)
    expect(nodes).toEqual({ applied: ['a'], pending: ['b'] })
  })
})
