import { describe, expect, it } from 'vitest'
import { lifeMaker } from '../../../src/observe/usage/life-id.js'
import type { UsageLife } from '../../../src/store/usage.js'
import { gapsOf, type LivesKnown } from '../../../src/verbs/usage-coverage.js'

const MEMBER = Buffer.alloc(16, 1).toString('base64url')

const lifeOf = (change: Partial<UsageLife> = {}): UsageLife => ({
  life: lifeMaker(MEMBER, true)(0),
  node: 'one',
  from: 0,
  to: 200,
  endedAt: null,
  gaps: [],
  ...change,
})

/** What is known of the interval from 100 to 200. */
const gaps = (change: Partial<LivesKnown>) =>
  gapsOf({
    from: 100,
    to: 200,
    readAt: 200,
    keptSince: 0,
    firstLife: 0,
    lives: [],
    members: [],
    maxSkewMs: 50,
    ...change,
  })

describe('the gaps of a report', () => {
  it('are none if a life covers the whole interval', () => {
    expect(gaps({ lives: [lifeOf()] })).toEqual([])
  })

  it('are the whole interval if nothing was ever counted', () => {
    expect(gaps({ firstLife: undefined })).toEqual([{ node: null, from: 100, to: 200 }])
  })

  it('are the time before the first life, and the time whose counts were removed', () => {
    const lives = [lifeOf()]
    expect(gaps({ lives, firstLife: 150 })).toEqual([{ node: null, from: 100, to: 150 }])
    expect(gaps({ lives, keptSince: 120 })).toEqual([{ node: null, from: 100, to: 120 }])
  })

  it('are what a life lost and has not reported yet', () => {
    const life = lifeOf({
      to: 180,
      gaps: [
        { from: 50, to: 110 },
        { from: 130, to: 140 },
      ],
    })
    expect(gaps({ lives: [life] })).toEqual([
      { node: 'one', from: 100, to: 110 },
      { node: 'one', from: 130, to: 140 },
      { node: 'one', from: 180, to: 200 },
    ])
  })

  it('end with the life that left them', () => {
    const life = lifeOf({ to: 120, endedAt: 130 })
    expect(gaps({ lives: [life] })).toEqual([{ node: 'one', from: 120, to: 130 }])
  })

  it('are joined for one node where they meet or overlap, and not for two nodes', () => {
    const lost = [
      { from: 110, to: 130 },
      { from: 120, to: 125 },
      { from: 130, to: 140 },
    ]
    const lives = [lifeOf({ gaps: lost }), lifeOf({ node: 'two', gaps: lost.slice(0, 1) })]
    expect(gaps({ lives })).toEqual([
      { node: 'one', from: 110, to: 140 },
      { node: 'two', from: 110, to: 130 },
    ])
  })

  it('are the whole interval for a life whose clock is ahead by more than the tolerance', () => {
    expect(gaps({ lives: [lifeOf({ to: 250 })] })).toEqual([])
    expect(gaps({ lives: [lifeOf({ to: 251 })] })).toEqual([{ node: 'one', from: 100, to: 200 }])
  })

  it('are what a member of the feed without a life, or after its last one, may have accepted', () => {
    const members = [{ life: MEMBER, name: 'old' }]
    expect(gaps({ members })).toEqual([{ node: 'old', from: 100, to: 200 }])
    const ended = [lifeOf({ to: 110, endedAt: 150 }), lifeOf({ to: 160, endedAt: 140 })]
    expect(gaps({ members, lives: ended })).toContainEqual({ node: 'old', from: 160, to: 200 })
    expect(gaps({ members, lives: [lifeOf()] })).toEqual([])
  })
})
