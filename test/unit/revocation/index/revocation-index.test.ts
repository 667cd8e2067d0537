import { describe, expect, it } from 'vitest'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { newPlacing } from '../../../../src/revocation/index/id-table.js'
import {
  NOT_REVOKED,
  REVOKED,
  RevocationIndex,
  SUPERSEDED,
  type TokenFacts,
} from '../../../../src/revocation/index/revocation-index.js'
import { writeUlid } from '../../../../src/revocation/index/ulid-codec.js'
import { generator } from '../../../../src/testkit/random.js'

const NOW = 1_735_689_600_000
const HOUR = 3_600_000
const ID = '01JGFJJZ00ABCDEFGHJKMNPQRS'
const OTHER = '01JGFJJZ00ABCDEFGHJKMNPQRT'
const NO_ID = '0'.repeat(26)

const factsOf = (id: string, expiresAt = NOW): TokenFacts => ({
  id,
  family: ID,
  generation: 0,
  subject: 's',
  audience: 'a',
  keyId: 'k',
  issuedAt: NOW,
  expiresAt,
})

const token = (value: string, expiresAt = NOW): RevocationEntry => ({
  kind: 'token',
  value,
  expiresAt,
})

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

describe('a full index', () => {
  const held = idsOf('held', 3)
  const full = () => {
    const index = new RevocationIndex({ max: 3 })
    index.apply({ kind: 'rotated', value: ID, generation: 0, from: null, expiresAt: NOW })
    index.apply({ ...token(ID), loose: true } as RevocationEntry)
    index.apply({ kind: 'subject', value: 's', before: NOW, expiresAt: NOW + HOUR })
    return index
  }

  it('rejects new entries, keeps its own, and accepts entries that strengthen those', () => {
    const index = full()
    expect(index.full).toBe(false)
    const { version } = index
    for (const entry of [
      token(OTHER),
      { ...token(OTHER), loose: true },
      { kind: 'rotated', value: OTHER, generation: 0, from: NOW, expiresAt: NOW },
      { kind: 'successors', value: ID, generation: 0, expiresAt: NOW },
      { kind: 'all', value: '', before: NOW, expiresAt: NOW },
    ] as RevocationEntry[]) {
      expect(index.apply(entry)).toBe(false)
    }
    expect(index.applyWords(nth(held, 0), NOW)).toBe(false)
    expect([index.full, index.size, index.version]).toEqual([true, 3, version])
    expect(
      index.apply({ kind: 'rotated', value: ID, generation: 9, from: NOW, expiresAt: NOW }),
    ).toBe(true)
    expect([...index.entries()]).toContainEqual(expect.objectContaining({ generation: 9 }))
    expect(
      index.apply({ kind: 'subject', value: 's', before: NOW + 1, expiresAt: NOW + HOUR }),
    ).toBe(true)
    expect(index.watermark('s', 'a')).toBe(NOW + 1)
    expect(index.size).toBe(3)
  })

  it('has room again only after entries were forgotten', () => {
    const index = full()
    index.apply(token(OTHER))
    index.forget(NOW - 1)
    expect(index.full).toBe(true)
    index.forget(NOW)
    expect(index.full).toBe(false)
    expect(index.apply(token(OTHER))).toBe(true)
    expect(index.apply(token(OTHER, NOW + HOUR))).toBe(false)
  })
})

describe('an index', () => {
  it('forgets tokens by the hour, and does not accept them again', () => {
    const index = new RevocationIndex()
    const late = NOW + HOUR - 1
    index.apply(token(ID, NOW))
    index.forget(late)
    expect(index.deadline(factsOf(ID))).toBe(REVOKED)
    // It expired before the forgotten entries, and its hour is still there.
    index.apply(token(OTHER, NOW))
    expect(index.deadline(factsOf(OTHER, late))).toBe(REVOKED)
    index.forget(NOW + HOUR)
    expect(index.size).toBe(0)
    expect(index.apply(token(ID, late))).toBe(true)
    expect(index.apply({ kind: 'all', value: '', before: NOW, expiresAt: NOW })).toBe(true)
    expect(index.size).toBe(0)
    // A clock that had jumped ahead came back.
    index.forget(NOW)
    index.apply(token(ID, late))
    expect(index.deadline(factsOf(ID))).toBe(REVOKED)
  })

  it('finds a token of unknown expiry at any time', () => {
    const index = new RevocationIndex()
    const loose = { ...token(ID, NOW + HOUR), loose: true } as RevocationEntry
    index.apply(loose)
    expect(index.deadline(factsOf(ID, NOW - 5 * HOUR))).toBe(REVOKED)
    expect(index.deadline(factsOf(OTHER))).toBe(NOT_REVOKED)
    index.forget(NOW + HOUR - 1)
    expect([...index.entries()]).toEqual([loose])
    index.forget(NOW + HOUR)
    expect(index.size).toBe(0)
  })

  it('holds the id of all zeros as well', () => {
    const index = new RevocationIndex()
    index.apply(token(ID))
    expect(index.deadline(factsOf(NO_ID))).toBe(NOT_REVOKED)
    expect(index.applyWords(new Int32Array(4), NOW)).toBe(true)
    expect(index.deadline(factsOf(NO_ID))).toBe(REVOKED)
    expect(index.size).toBe(2)
  })

  it('rejects a malformed id, and an event that contains one', () => {
    const index = new RevocationIndex()
    expect(() => index.apply(token('t1'))).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'value: expected a ULID',
      }),
    )
    index.apply(token(ID))
    expect(index.deadline(factsOf('t1'))).toBe(REVOKED)
  })

  it('counts a family from its first token', () => {
    const index = new RevocationIndex()
    index.apply({ kind: 'subject', value: 's', before: NOW - 1, expiresAt: NOW })
    // ID is of the millisecond NOW.
    expect(index.deadline(factsOf(OTHER))).toBe(NOT_REVOKED)
    expect(index.deadline({ ...factsOf(OTHER), family: `00${ID.slice(2)}` })).toBe(REVOKED)
    expect(index.deadline({ ...factsOf(OTHER), issuedAt: NOW - 1 })).toBe(REVOKED)
    expect(index.deadline({ ...factsOf(OTHER), family: 'none' })).toBe(REVOKED)
  })

  it('makes cached tokens be looked up again when it changes', () => {
    const index = new RevocationIndex()
    const { version } = index
    index.touch()
    expect(index.version).not.toBe(version)
  })

  it('finds the latest watermark around a target', () => {
    const index = new RevocationIndex()
    expect(index.latestAround('all', '')).toBe(-1)
    const marks = { s1: 5, s2: 7 }
    for (const [value, before] of Object.entries(marks))
      index.apply({ kind: 'subject', value, before, expiresAt: NOW })
    index.apply({ kind: 'audience', value: 'a1', before: 6, expiresAt: NOW })
    index.apply({ kind: 'family', value: ID, before: 99, expiresAt: NOW })
    expect(index.latestAround('subject', 's1')).toBe(6)
    expect(index.latestAround('subject', 's2')).toBe(7)
    expect(index.latestAround('audience', 'a1')).toBe(7)
    expect(index.latestAround('audience', 'a2')).toBe(7)
    for (const kind of ['all', 'family', 'key', 'token'] as const)
      expect(index.latestAround(kind, 's1')).toBe(7)
    index.apply({ kind: 'all', value: '', before: 8, expiresAt: NOW })
    expect(index.latestAround('subject', 's1')).toBe(8)
    expect(index.watermark('s2', 'a1')).toBe(8)
  })
})
