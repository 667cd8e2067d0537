import { describe, expect, it } from 'vitest'
import { SetHash } from '../../../../src/revocation/index/set-hash.js'

const digest = (...members: ReadonlyArray<readonly number[] | string>) => {
  const hash = new SetHash()
  for (const member of members)
    if (typeof member === 'string') hash.addText(member)
    else hash.addWords(member)
  return hash.toString()
}

describe('the digest of a set', () => {
  // Nodes of different releases compare their digests.
  it('is the same in every release', () => {
    expect(digest()).toBe('0'.repeat(32))
    expect(digest([1, 2, 3])).toBe('5cdb98a4975bf9da6a51a1d163655e8e')
    expect(digest('text')).toBe('6550de5334798523604af7f415ee3061')
  })

  it('does not depend on the order of members, but on the order within each', () => {
    expect(digest([1, 2], 'a')).toBe(digest('a', [1, 2]))
    expect(digest([1, 2])).not.toBe(digest([2, 1]))
  })

  it('counts the lowest 32 bits of a number', () => {
    expect(digest([2 ** 32 + 5])).toBe(digest([5]))
    expect(digest([-1])).toBe(digest([2 ** 32 - 1]))
  })
})
