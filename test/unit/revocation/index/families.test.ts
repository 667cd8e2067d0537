import { describe, expect, it } from 'vitest'
import type { FamilyEntry } from '../../../../src/revocation/index/entries.js'
import { Families } from '../../../../src/revocation/index/families.js'
import { newPlacing } from '../../../../src/revocation/index/id-table.js'
import { readUlid } from '../../../../src/revocation/index/ulid-codec.js'

const HOUR = 3_600_000
const value = '01J0000000000000000000000A'
const other = '01J0000000000000000000000B'
const REVOKED = Number.NEGATIVE_INFINITY
const NOT_REVOKED = Number.POSITIVE_INFINITY

function words(text: string): Int32Array {
  const into = new Int32Array(4)
  readUlid(text, into)
  return into
}
const rotated = (generation: number, from: number | null, expiresAt = 7): FamilyEntry => ({
  kind: 'rotated',
  value,
  generation,
  from,
  expiresAt,
})
const successors = (generation: number, expiresAt = 7): FamilyEntry => ({
  kind: 'successors',
  value,
  generation,
  expiresAt,
})

describe.each([
  ['at the start of a table', new Int32Array(newPlacing().length)],
  ['anywhere in a table', newPlacing()],
])('the generations of a family %s', (_, placing) => {
  function holding(...entries: FamilyEntry[]) {
    const families = new Families(placing)
    const outcomes = entries.map((entry) => families.apply(words(entry.value), entry, true))
    const deadlines = (...generations: number[]) =>
      generations.map((generation) => families.deadline(words(value), generation))
    return { families, outcomes, deadlines }
  }

  it('are superseded below the newest rotated one, which ends at its time', () => {
    const from = 1_790_000_000_123
    const { families, deadlines } = holding(rotated(3, from))
    expect(deadlines(0, 2, 3, 4)).toEqual([0, 0, from, NOT_REVOKED])
    expect(families.deadline(words(other), 0)).toBe(NOT_REVOKED)
    expect(holding(rotated(3, null)).deadlines(2, 3)).toEqual([0, NOT_REVOKED])
  })

  it('end at any time of 48 bits, to the millisecond', () => {
    for (const from of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 48 - 1])
      expect(holding(rotated(0, from)).deadlines(0)).toEqual([from])
  })

  it('are counted to 2^32 - 1', () => {
    expect(holding(rotated(2 ** 32 - 1, 5)).deadlines(2 ** 32 - 2, 2 ** 32 - 1)).toEqual([0, 5])
    expect(holding(successors(2 ** 31)).deadlines(2 ** 31 - 1, 2 ** 31)).toEqual([
      NOT_REVOKED,
      REVOKED,
    ])
  })

  it('are revoked from the revoked successor on, whether rotated or not', () => {
    expect(holding(successors(2)).deadlines(1, 2, 3)).toEqual([NOT_REVOKED, REVOKED, REVOKED])
    expect(holding(rotated(2, 9), successors(2)).deadlines(1, 2, 3)).toEqual([0, REVOKED, REVOKED])
  })

  it('have a successor up to the newest rotated one', () => {
    const { families } = holding(rotated(1, 5))
    expect([0, 1, 2].map((each) => families.hasSuccessor(words(value), each))).toEqual([
      true,
      true,
      false,
    ])
    expect(families.hasSuccessor(words(other), 0)).toBe(false)
  })

  it('change only by an entry that reaches further', () => {
    const { outcomes, deadlines } = holding(
      rotated(1, 9),
      rotated(1, 9),
      rotated(1, 8),
      rotated(0, 1),
      rotated(2, 9),
    )
    expect(outcomes).toEqual(['added', 'known', 'changed', 'known', 'changed'])
    expect(deadlines(1, 2)).toEqual([0, 9])
    expect(holding(successors(2), successors(2), successors(3), successors(1)).outcomes).toEqual([
      'added',
      'known',
      'known',
      'changed',
    ])
  })

  it('need room for a new register only', () => {
    const families = new Families(placing)
    expect(families.apply(words(value), rotated(0, 5), false)).toBe('refused')
    expect([families.size, families.bytes]).toEqual([0, 0])
    families.apply(words(value), rotated(0, 5), true)
    expect(families.apply(words(value), rotated(1, 5), false)).toBe('changed')
    expect(families.size).toBe(1)
    // Nine slots of eight words, and two tables with one reference each.
    expect(families.bytes).toBe(9 * 32 + 2 * 328)
    families.apply(words(value), successors(2), true)
    // Nine more of six words.
    expect(families.bytes).toBe(9 * 32 + 9 * 24 + 2 * 328)
  })

  it('cover an entry that is no stronger and expires in the same hour or earlier', () => {
    const { families } = holding(rotated(1, 9, HOUR), successors(4, HOUR))
    const covers = (entry: FamilyEntry) => families.covers(words(value), entry)
    expect(covers(rotated(1, 9, 2 * HOUR - 1))).toBe(true)
    expect(covers(rotated(1, 9, 2 * HOUR))).toBe(false)
    expect([
      covers(rotated(1, 8, 7)),
      covers(rotated(2, null, 7)),
      covers(rotated(0, 1, 7)),
    ]).toEqual([false, false, true])
    expect([covers(successors(4, 7)), covers(successors(5, 7)), covers(successors(3, 7))]).toEqual([
      true,
      true,
      false,
    ])
    expect(families.covers(words(other), rotated(0, null))).toBe(false)
  })

  it('keep the later hour of two entries, whichever reaches further', () => {
    for (const entries of [
      [rotated(1, 9, 7), rotated(2, 9, HOUR)],
      [rotated(2, 9, HOUR), rotated(1, 9, 7)],
      [rotated(1, 9, HOUR), rotated(2, 9, 7)],
      [rotated(2, 9, 7), rotated(1, 9, HOUR)],
    ]) {
      const [held] = [...holding(...entries).families.held()]
      expect(held?.entry).toEqual(rotated(2, 9, 2 * HOUR - 1))
    }
  })

  it('are yielded as entries', () => {
    const { families } = holding(rotated(1, null), successors(4))
    expect(Array.from(families.held(), ({ entry }) => entry)).toEqual([
      rotated(1, null, HOUR - 1),
      successors(4, HOUR - 1),
    ])
  })

  it('are dropped when their hour ends, and later ones when theirs does', () => {
    const { families } = holding(rotated(1, 9, 7), successors(4, HOUR), {
      ...rotated(1, 9, 2 * HOUR),
      value: other,
    })
    families.forget(HOUR - 1)
    expect(families.size).toBe(3)
    families.forget(HOUR)
    expect(Array.from(families.held(), ({ entry }) => entry.kind)).toEqual([
      'rotated',
      'successors',
    ])
    families.forget(2 * HOUR)
    expect(families.size).toBe(1)
    families.forget(3 * HOUR)
    expect([families.size, families.bytes]).toEqual([0, 0])
  })
})
