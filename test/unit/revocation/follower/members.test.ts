import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { NEVER } from '../../../../src/revocation/follower/freshness.js'
import { Members } from '../../../../src/revocation/follower/members.js'

const MAX_MEMBERS = 4096

function newMembers() {
  const source = manualClock()
  const members = new Members({ clock: resolveClock(source), life: 'own', renewMs: 1000 })
  return { source, members }
}

const memberOf = (number: number) => ({ life: `life ${number}`, name: `node-${number}` })

describe('the list of members', () => {
  it('leaves out the instance of this process, whose own entry it also reads', () => {
    const { members } = newMembers()
    members.joined({ life: 'own', name: 'this-node' }, 0)
    expect(members.others()).toEqual([])
    expect(members.alone).toBe(true)
  })

  it('drops the member that was silent longest once there are too many, as one that was lost', () => {
    const { members } = newMembers()
    for (let number = 0; number < MAX_MEMBERS; number++)
      members.joined(memberOf(number), number === 7 ? 500 : 100)
    expect(members.others()).toHaveLength(MAX_MEMBERS)
    expect(members.lostSome).toBe(false)
    members.joined(memberOf(MAX_MEMBERS), 0)
    const lives = members.others().map(({ life }) => life)
    expect(lives).toHaveLength(MAX_MEMBERS)
    expect(lives).not.toContain('life 7')
    expect(lives).toContain(`life ${MAX_MEMBERS}`)
    expect(members.lostSome).toBe(true)
  })

  it('marks a known member as given up until it joins again, and ignores an unknown one', () => {
    const { members } = newMembers()
    members.joined(memberOf(1), 0)
    members.givenUp('life 2')
    members.givenUp('life 1')
    expect(members.others()).toMatchObject([{ life: 'life 1', isGivenUp: true }])
    members.joined(memberOf(1), 0)
    expect(members.others()).toMatchObject([{ life: 'life 1', isGivenUp: false }])
  })

  it('has no moment of common signs without other members, or before each has signed', () => {
    const { members } = newMembers()
    expect(members.signedSince).toBe(NEVER)
    members.joined(memberOf(1), 0)
    members.signed('life 1')
    members.settleSigns([10, 20])
    expect(members.signedSince).toEqual([10, 20])
    members.joined(memberOf(2), 0)
    expect(members.signedSince).toBe(NEVER)
  })
})
