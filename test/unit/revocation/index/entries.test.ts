import { describe, expect, it } from 'vitest'
import {
  combine,
  expiryOf,
  type FeedEntry,
  isFamilyEntry,
  isLaterRotation,
  isNodeEntry,
  isWatermark,
  type RevocationEntry,
  reachesFurther,
  targetOf,
} from '../../../../src/revocation/index/entries.js'

const value = '01J00000000000000000000000'
const token: RevocationEntry = { kind: 'token', value, expiresAt: 5 }
const rotated = (generation: number, from: number | null, expiresAt = 5): RevocationEntry => ({
  kind: 'rotated',
  value,
  generation,
  from,
  expiresAt,
})
const successors = (generation: number, expiresAt = 5): RevocationEntry => ({
  kind: 'successors',
  value,
  generation,
  expiresAt,
})
const subject = (before: number, expiresAt = 5): RevocationEntry => ({
  kind: 'subject',
  value: 's',
  before,
  expiresAt,
})
const join: FeedEntry = { kind: 'join', value: 'n', until: 99 }

describe('the entries of the log', () => {
  it('belong to exactly one group each', () => {
    const groups = (entry: FeedEntry) => [
      isNodeEntry(entry),
      isFamilyEntry(entry),
      isWatermark(entry),
    ]
    expect(groups(token)).toEqual([false, false, false])
    expect(groups(join)).toEqual([true, false, false])
    expect(groups(rotated(0, null))).toEqual([false, true, false])
    expect(groups(successors(0))).toEqual([false, true, false])
    expect(groups(subject(0))).toEqual([false, false, true])
  })

  it('expire with the last revocation among them, regardless of what nodes say about themselves', () => {
    expect(expiryOf([])).toBe(0)
    expect(expiryOf([join])).toBe(0)
    expect(expiryOf([subject(0, 7), join, { ...token, expiresAt: 9 }, subject(0, 8)])).toBe(9)
  })

  it('have one target for each kind and value, and one more for a token of unknown expiry', () => {
    expect(targetOf(token)).toBe(`token ${value} false`)
    expect(targetOf({ ...token, loose: true })).toBe(`token ${value} true`)
    expect(targetOf(subject(1))).toBe('subject s')
  })

  it('reach further with a later rotation, an earlier successor or a later time', () => {
    expect(reachesFurther(rotated(2, null), rotated(1, 5))).toBe(true)
    expect(reachesFurther(rotated(1, 5), rotated(2, null))).toBe(false)
    expect(reachesFurther(successors(1), successors(2))).toBe(true)
    expect(reachesFurther(successors(2), successors(2))).toBe(false)
    expect(reachesFurther(subject(2), subject(1))).toBe(true)
    expect(reachesFurther(subject(1), subject(1))).toBe(false)
    expect(reachesFurther(token, token)).toBe(false)
  })

  it('supersede more at one generation from an earlier time, and from any time rather than none', () => {
    const later = (a: number | null, b: number | null) =>
      isLaterRotation({ generation: 1, from: a }, { generation: 1, from: b })
    expect(later(4, 5)).toBe(true)
    expect(later(5, 5)).toBe(false)
    expect(later(6, 5)).toBe(false)
    expect(later(5, null)).toBe(true)
    expect(later(null, 5)).toBe(false)
    expect(later(null, null)).toBe(false)
  })

  it('combine into the wider coverage until the later expiry, in either order', () => {
    expect(combine(subject(1, 9), subject(2, 5))).toEqual(subject(2, 9))
    expect(combine(subject(2, 5), subject(1, 9))).toEqual(subject(2, 9))
    const wider = subject(2, 9)
    expect(combine(subject(1, 5), wider)).toBe(wider)
    expect(combine(wider, subject(1, 5))).toBe(wider)
  })
})
