import { describe, expect, it } from 'vitest'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { newPlacing } from '../../../../src/revocation/index/id-table.js'
import {
  NOT_REVOKED,
  REVOKED,
  RevocationIndex,
  SUPERSEDED,
} from '../../../../src/revocation/index/revocation-index.js'
import { writeUlid } from '../../../../src/revocation/index/ulid-codec.js'
import { generator } from '../../../../src/testkit/random.js'
import { HOUR } from '../../../support/constants.js'
import { factsOf, ID, NOW, token } from '../../../support/index-entries.js'

/** Made-up ids, four words each: always the same ones for a name. */
const idsOf = (name: string, count: number): Int32Array =>
  Int32Array.from({ length: 4 * count }, generator(name))

const nth = (ids: Int32Array, i: number): Int32Array => ids.subarray(4 * i, 4 * i + 4)

function filled(ids: Int32Array, options = {}): RevocationIndex {
  const index = new RevocationIndex(options)
  for (let i = 0; i < ids.length / 4; i++) index.applyWords(nth(ids, i), NOW)
  return index
}

function countOf(entries: Iterable<RevocationEntry>): number {
  let count = 0
  for (const _ of entries) count++
  return count
}

describe('a large index', () => {
  it('distinguishes every token that it holds from every other', () => {
    const count = 150_000
    const ids = idsOf('held', count)
    const index = filled(ids)
    expect(index.size).toBe(count)
    let wrong = 0
    for (let i = 0; i < count; i++) {
      const id = writeUlid(nth(ids, i))
      if (index.deadline(factsOf(id)) !== REVOKED) wrong++
      if (index.deadline(factsOf(id, NOW + HOUR)) !== NOT_REVOKED) wrong++
    }
    const foreign = idsOf('foreign', 1_000_000)
    for (let i = 0; i < foreign.length / 4; i++) {
      if (index.deadline(factsOf(writeUlid(nth(foreign, i)))) !== NOT_REVOKED) wrong++
    }
    expect(wrong).toBe(0)
    const again = filled(ids)
    expect(again.digest()).toBe(index.digest())
    expect([...index.missingFrom(again)]).toEqual([])
  })

  it('reports each entry once, however its tables have split', () => {
    const ids = idsOf('held', 120_000)
    const index = new RevocationIndex()
    for (let i = 0; i < ids.length / 4; i++) {
      index.applyWords(nth(ids, i), NOW)
      if (i % 10_000 === 0) expect(countOf(index.entries())).toBe(index.size)
    }
    expect(index.size).toBe(120_000)
  })

  it('orders its entries unlike any other index, so that inserting in iteration order does not cluster', () => {
    const [one, other] = [newPlacing(), newPlacing()]
    expect(one.length).toBe(other.length)
    expect(one.filter((word, i) => word === other[i]).length).toBeLessThan(10)
  })

  it('distinguishes tokens that mostly belong in one slot', () => {
    const count = 4000
    const ids = idsOf('held', count)
    const placing = newPlacing().map((word) => word & 0xe000_0000)
    const index = filled(ids, { placing })
    let wrong = 0
    for (let i = 0; i < count; i++) {
      const id = nth(ids, i)
      if (index.deadline(factsOf(writeUlid(id))) !== REVOKED) wrong++
      for (let word = 0; word < 4; word++) {
        const near = id.slice()
        near[word] = (id[word] as number) ^ (1 << (i % 29))
        if (index.deadline(factsOf(writeUlid(near))) !== NOT_REVOKED) wrong++
      }
    }
    expect(wrong).toBe(0)
    expect(index.digest()).toBe(filled(ids).digest())
  })

  it('takes about 20 bytes for an entry, by its own account', () => {
    const index = new RevocationIndex()
    const ids = idsOf('held', 200_000)
    for (let i = 0; i < ids.length / 4; i++) index.applyWords(nth(ids, i), NOW)
    expect(index.bytes / index.size).toBeGreaterThan(16)
    expect(index.bytes / index.size).toBeLessThan(24)
    index.forget(NOW + HOUR)
    expect(index.bytes).toBe(0)
  })

  it('can be iterated while it grows: every earlier entry is visited', () => {
    const [old, more] = [idsOf('held', 20_000), idsOf('more', 60_000)]
    const index = filled(old)
    index.apply(token(ID))
    index.apply({ kind: 'all', value: '', before: NOW, expiresAt: NOW })
    const expected = new Set(Array.from(index.entries(), (entry) => JSON.stringify(entry)))
    expect(expected.size).toBe(20_002)
    let next = 0
    for (const entry of index.entries()) {
      expected.delete(JSON.stringify(entry))
      for (let i = 0; i < 3 && next < more.length / 4; i++)
        index.applyWords(nth(more, next++), NOW + (next % 5) * HOUR)
    }
    expect(next).toBe(60_000)
    expect(expected.size).toBe(0)
  })

  it('can be iterated while inserted ids displace others, from the end of a table to its start', () => {
    // Every id belongs in the last slot.
    const placing = newPlacing().map((_, i) => (i < 256 ? -1 : 0))
    const index = new RevocationIndex({ placing })
    const held = Array.from({ length: 4 }, (_, i) => Int32Array.of(1, 1, 1, i + 1))
    for (const id of held) index.applyWords(id, NOW)
    const met = new Set<string>()
    for (const { value } of index.entries()) {
      met.add(value)
      if (met.size === 1) index.applyWords(Int32Array.of(1, 1, 1, 9), NOW)
    }
    for (const id of held) expect(met).toContain(writeUlid(id))
  })
})

describe('the rotated families of a large index', () => {
  const count = 96_000
  const ids = idsOf('families', count)
  const familyOf = (i: number) => writeUlid(nth(ids, i))

  /** Every family rotated three times, and every fifth revoked from its fourth generation on. */
  function rotated(): RevocationIndex {
    const index = new RevocationIndex()
    for (let i = 0; i < count; i++) {
      const value = familyOf(i)
      const expiresAt = NOW + (i % 24) * HOUR
      for (const generation of [0, 1, 2])
        index.apply({ kind: 'rotated', value, generation, from: NOW + generation, expiresAt })
      if (i % 5 === 0) index.apply({ kind: 'successors', value, generation: 3, expiresAt })
    }
    return index
  }

  it('are held in one register each, of less than 60 bytes', () => {
    const index = rotated()
    expect(index.size).toBe(1.2 * count)
    expect(index.bytes / index.size).toBeGreaterThan(24)
    expect(index.bytes / index.size).toBeLessThan(60)
  })

  it('decide about each generation, and about no other family', () => {
    const index = rotated()
    let wrong = 0
    for (let i = 0; i < count; i++) {
      const facts = { ...factsOf(ID), family: familyOf(i) }
      const deaths = [0, 1, 2, 3, 4].map((generation) => index.deadline({ ...facts, generation }))
      const last = i % 5 === 0 ? REVOKED : NOT_REVOKED
      const expected = [SUPERSEDED, SUPERSEDED, NOW + 2, last, last]
      if (!deaths.every((death, generation) => death === expected[generation])) wrong++
    }
    const foreign = idsOf('foreign', count)
    for (let i = 0; i < count; i++) {
      const family = writeUlid(nth(foreign, i))
      if (index.deadline({ ...factsOf(ID), family }) !== NOT_REVOKED) wrong++
    }
    expect(wrong).toBe(0)
  })

  it('are forgotten by the hour, and their memory is freed', () => {
    const index = rotated()
    const { bytes } = index
    index.forget(NOW + 12 * HOUR)
    expect(index.size).toBe(0.6 * count)
    expect(index.bytes).toBeLessThan(0.75 * bytes)
    const held = Array.from(index.entries(), ({ value }) => value)
    expect(new Set(held).size).toBe(0.5 * count)
    expect(index.deadline({ ...factsOf(ID), family: familyOf(11) })).toBe(NOT_REVOKED)
    expect(index.deadline({ ...factsOf(ID), family: familyOf(12) })).toBe(SUPERSEDED)
    index.forget(NOW + 24 * HOUR)
    expect([index.size, index.bytes]).toEqual([0, 0])
  })
})
