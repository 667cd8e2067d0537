/** Messages between nodes count only at their own position in the log. */
import { afterEach, describe, expect, it } from 'vitest'
import type { SealedEvent } from 'watchword/feed'
import type { NodeEntry } from '../../../../src/revocation/index/entries.js'
import { sealedEvent, sealKeysOf } from '../../../support/feed-writer.js'
import { ACTOR, drive, issueOn, SECOND, verdict } from '../../../support/fleet.js'
import { type LogFleet, newLogFleet } from '../../../support/log-fleet.js'

let fleet: LogFleet
afterEach(() => fleet.close())

const OTHER_EPOCH = `${'B'.repeat(21)}A`

/** An authentic event with this entry, which this log does not hold at the position that it claims. */
async function replayed(
  entry: NodeEntry,
  place: 'earlier epoch' | 'lost branch',
): Promise<SealedEvent> {
  const { epoch = '', seq = 0 } = fleet.log.head ?? {}
  const changes =
    place === 'earlier epoch' ? { epoch: OTHER_EPOCH, seq: 1 } : { epoch, seq: seq + 7 }
  return sealedEvent(await sealKeysOf(fleet), [entry], changes)
}

describe.each(['earlier epoch', 'lost branch'] as const)(
  'an event from the %s of the log',
  (place) => {
    it('does not set the beginning of this one', async () => {
      fleet = await newLogFleet({ durable: false })
      const node = await fleet.startNode()
      const token = await fleet.revokeOne(node)
      const trim = await replayed({ kind: 'trim', value: 'x', until: 100 }, place)
      fleet.log.push({ events: [trim] })
      await fleet.revokeOne(node)
      await fleet.pass(SECOND)
      // An attacker without a key cuts off the revocations: the next node must not take the rest for the whole log.
      fleet.log.truncate((fleet.log.head?.seq ?? 1) - 1)
      const late = await fleet.startNode({ onStart: 'reject' })
      for (let i = 0; i < 20; i++) {
        expect(verdict(late.watchword.verify(token))).not.toBe('ok')
        await fleet.pass(100)
      }
    })

    it('removes no node from the list of members', async () => {
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
  },
)
