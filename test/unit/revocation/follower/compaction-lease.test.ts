import { beforeEach, describe, expect, it } from 'vitest'
import { type ManualClock, manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { CompactionLease } from '../../../../src/revocation/follower/compaction-lease.js'
import { MINUTE } from '../../../support/constants.js'

let clock: ManualClock
let lease: CompactionLease
beforeEach(() => {
  clock = manualClock()
  lease = new CompactionLease(resolveClock(clock), 'me')
})

const inMinutes = (minutes: number) => clock.now() + minutes * MINUTE
const standing = () => ({ mayLead: lease.mayLead(), leads: lease.leads() })
const FREE = { mayLead: true, leads: false }
const MINE = { mayLead: true, leads: true }
const TAKEN = { mayLead: false, leads: false }

describe('the compaction lease', () => {
  it('is free until a node announces that it compacts the log', () => {
    expect(standing()).toEqual(FREE)
    lease.granted('me', inMinutes(1))
    expect(standing()).toEqual(MINE)
  })

  it('keeps other nodes from compacting until it ends', async () => {
    lease.granted('other', inMinutes(1))
    expect(standing()).toEqual(TAKEN)
    await clock.advance(MINUTE - 1)
    expect(standing()).toEqual(TAKEN)
    await clock.advance(1)
    expect(standing()).toEqual(FREE)
  })

  it('of this node ends too', async () => {
    lease.granted('me', inMinutes(1))
    await clock.advance(MINUTE)
    expect(standing()).toEqual(FREE)
  })

  it('belongs to the node that announced it first', () => {
    lease.granted('other', inMinutes(1))
    lease.granted('me', inMinutes(2))
    expect(standing()).toEqual(TAKEN)
  })

  it('is extended or ended by its holder only', async () => {
    lease.granted('other', inMinutes(1))
    lease.granted('other', inMinutes(2))
    await clock.advance(MINUTE)
    expect(standing()).toEqual(TAKEN)
    lease.granted('other', 0)
    expect(standing()).toEqual(FREE)
  })

  it('passes to another node once it has ended', async () => {
    lease.granted('other', inMinutes(1))
    await clock.advance(MINUTE)
    lease.granted('me', inMinutes(1))
    expect(standing()).toEqual(MINE)
  })

  it('is not granted for longer than ten minutes, as by a node whose clock is ahead', () => {
    lease.granted('ahead', inMinutes(10) + 1)
    expect(standing()).toEqual(FREE)
    lease.granted('ahead', inMinutes(10))
    expect(standing()).toEqual(TAKEN)
  })

  it('is forgotten with the epoch in which it was announced', () => {
    lease.granted('other', inMinutes(1))
    lease.forget()
    expect(standing()).toEqual(FREE)
  })
})
