import { describe, expect, it } from 'vitest'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import {
  NOT_REVOKED,
  REVOKED,
  RevocationIndex,
  SUPERSEDED,
} from '../../../../src/revocation/index/revocation-index.js'
import { HOUR } from '../../../support/constants.js'
import { factsOf, ID, NOW, token } from '../../../support/index-entries.js'

const OTHER = '01JGFJJZ00ABCDEFGHJKMNPQRT'
const NO_ID = '0'.repeat(26)

/** Every kind of entry. Except for the second rotation, each concerns the token `factsOf(ID)`. */
const ONE_OF_EACH: readonly RevocationEntry[] = [
  token(ID),
  { kind: 'rotated', value: ID, generation: 1, from: NOW + 2 ** 32, expiresAt: NOW },
  { kind: 'rotated', value: OTHER, generation: 2, from: null, expiresAt: NOW },
  { kind: 'successors', value: ID, generation: 0, expiresAt: NOW },
  { kind: 'token', value: ID, expiresAt: NOW, loose: true },
  { kind: 'family', value: ID, before: 0, expiresAt: NOW },
  { kind: 'subject', value: 's', before: NOW, expiresAt: NOW },
  { kind: 'key', value: 'k', before: 0, expiresAt: NOW },
  { kind: 'audience', value: 'a', before: NOW, expiresAt: NOW },
  { kind: 'all', value: '', before: NOW, expiresAt: NOW },
]

describe('a full index', () => {
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
    expect(index.applyWords(Int32Array.of(1, 2, 3, 4), NOW)).toBe(false)
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
    expect([index.covers(token(NO_ID)), index.covers(token(OTHER))]).toEqual([true, false])
  })

  it('rejects a malformed id, and an event that contains one', () => {
    const index = new RevocationIndex()
    expect(() => index.apply(token('t1'))).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'value: expected a ULID',
      }),
    )
    const rotated: RevocationEntry = {
      kind: 'rotated',
      value: 'f1',
      generation: 0,
      from: null,
      expiresAt: NOW,
    }
    for (const entry of [token('t1'), rotated])
      expect(() => index.covers(entry), entry.kind).toThrow('value: expected a ULID')
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

  it('counts a malformed family from the first millisecond of 1970, for its own subject only', () => {
    const index = new RevocationIndex()
    index.apply({ kind: 'subject', value: 's', before: 0, expiresAt: NOW })
    const facts = { ...factsOf(ID), family: 'none' }
    expect(index.deadline(facts)).toBe(REVOKED)
    expect(index.deadline({ ...facts, subject: 't' })).toBe(NOT_REVOKED)
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

  it('counts its entries of every kind', () => {
    const index = new RevocationIndex()
    for (const entry of ONE_OF_EACH) index.apply(entry)
    expect(index.size).toBe(ONE_OF_EACH.length)
    expect([...index.entries()]).toHaveLength(ONE_OF_EACH.length)
    // One for each part: tokens, families, tokens of unknown expiry and watermarks.
    const alone = (...kept: RevocationEntry[]) => {
      const made = new RevocationIndex()
      for (const entry of kept) made.apply(entry)
      expect(made.bytes).toBeGreaterThan(100)
      return made.bytes
    }
    const isFamily = (entry: RevocationEntry) => 'generation' in entry
    const families = ONE_OF_EACH.filter(isFamily)
    const others = ONE_OF_EACH.filter((entry) => !isFamily(entry))
    const sum = others.reduce((bytes, entry) => bytes + alone(entry), alone(...families))
    expect(index.bytes).toBe(sum)
  })

  it('has the same digest in every release', () => {
    const index = new RevocationIndex()
    expect(index.digest()).toBe('0'.repeat(32))
    for (const entry of ONE_OF_EACH) index.apply(entry)
    expect(index.digest()).toBe('14cd65f7d16939e5e2c0ebac5abe5127')
  })

  it('has another version after each change, and the same one after anything else', () => {
    let latest = NOW
    const index = new RevocationIndex({ latest: () => latest })
    const seen = new Set([index.version])
    index.touch()
    seen.add(index.version)
    for (const entry of ONE_OF_EACH) {
      index.apply(entry)
      seen.add(index.version)
      index.apply(entry)
      seen.add(index.version)
    }
    expect(seen.size).toBe(2 + ONE_OF_EACH.length)
    index.clampFuture()
    index.forget(NOW - HOUR)
    expect(seen).toContain(index.version)
    latest = NOW - 1
    index.clampFuture()
    expect(seen).not.toContain(index.version)
  })

  it('neither changes nor reports anything when no watermark is of the future', () => {
    const lowered: number[] = []
    let latest = NOW
    const index = new RevocationIndex({
      latest: () => latest,
      onFuture: (count) => lowered.push(count),
    })
    for (const entry of ONE_OF_EACH) index.apply(entry)
    const { version } = index
    index.clampFuture()
    expect([index.version, lowered]).toEqual([version, []])
    latest = NOW - 1
    index.clampFuture()
    expect(index.version).not.toBe(version)
    expect(lowered).toEqual([3])
  })

  it('reports a watermark of the future when it is added or reaches further, not when it is known', () => {
    const lowered: number[] = []
    let latest = NOW
    const index = new RevocationIndex({
      latest: () => latest,
      onFuture: (count) => lowered.push(count),
      max: 1,
    })
    const subject = (before: number): RevocationEntry => ({
      kind: 'subject',
      value: 's',
      before,
      expiresAt: NOW,
    })
    index.apply(subject(NOW))
    expect(lowered).toEqual([])
    index.apply({ kind: 'all', value: '', before: NOW + HOUR, expiresAt: NOW })
    expect([lowered, index.full]).toEqual([[], true])
    latest = NOW + 1
    index.apply(subject(NOW + HOUR))
    index.apply(subject(NOW + HOUR))
    expect([lowered, index.watermark('s', 'a')]).toEqual([[1], NOW + 1])
    const empty = new RevocationIndex({
      latest: () => NOW,
      onFuture: (count) => lowered.push(count),
    })
    empty.apply(subject(NOW + 1))
    empty.apply({ kind: 'family', value: ID, before: NOW + 1, expiresAt: NOW })
    expect(lowered).toEqual([1, 1])
  })

  it('admits rotations of new families up to nine tenths of its capacity, and of its own always', () => {
    const index = new RevocationIndex({ max: 10 })
    index.apply({ kind: 'rotated', value: ID, generation: 0, from: null, expiresAt: NOW })
    for (let i = 1; i < 8; i++) index.applyWords(Int32Array.of(1, 2, 3, i), NOW)
    expect(index.admitsRotation(OTHER)).toBe(true)
    index.applyWords(Int32Array.of(1, 2, 3, 8), NOW)
    expect([index.size, index.full]).toEqual([9, false])
    expect([index.admitsRotation(OTHER), index.admitsRotation(ID)]).toEqual([false, true])
    expect([index.hasSuccessor(ID, 0), index.hasSuccessor(ID, 1)]).toEqual([true, false])
    expect(index.hasSuccessor('no ULID', 0)).toBe(false)
  })

  it('rejects a token by any one of its entries', () => {
    for (const entry of ONE_OF_EACH) {
      const index = new RevocationIndex()
      index.apply(entry)
      const family = 'generation' in entry ? entry.value : ID
      expect(index.deadline({ ...factsOf(ID), family }), entry.kind).toBe(
        entry.kind === 'rotated' ? SUPERSEDED : REVOKED,
      )
      const third = `${ID.slice(0, 25)}V`
      const foreign = { ...factsOf(third), family: third, subject: 't', audience: 'b', keyId: 'l' }
      expect(index.deadline(foreign), entry.kind).toBe(entry.kind === 'all' ? REVOKED : NOT_REVOKED)
    }
  })

  it('knows which families and keys are revoked as a whole', () => {
    const index = new RevocationIndex()
    for (const entry of ONE_OF_EACH) index.apply(entry)
    expect([index.isFamilyRevoked(ID), index.isFamilyRevoked(OTHER)]).toEqual([true, false])
    expect([index.isKeyRevoked('k'), index.isKeyRevoked('l')]).toEqual([true, false])
  })

  it('rejects a token whose family is malformed once a family was rotated', () => {
    const index = new RevocationIndex()
    index.apply({ kind: 'rotated', value: ID, generation: 0, from: null, expiresAt: NOW })
    expect(index.deadline({ ...factsOf(ID), family: 'none' })).toBe(REVOKED)
  })

  it('covers the entries that it holds and those that it forgot, and reports the others missing', () => {
    const [index, empty] = [new RevocationIndex(), new RevocationIndex()]
    for (const entry of ONE_OF_EACH) {
      expect(index.covers(entry), entry.kind).toBe(false)
      index.apply(entry)
      expect(index.covers(entry), entry.kind).toBe(true)
    }
    expect([...index.missingFrom(index)]).toEqual([])
    expect([...index.missingFrom(empty)]).toEqual([...index.entries()])
    // All of the entries expire in the hour that begins at NOW, some at NOW exactly.
    empty.forget(NOW - 1)
    expect([...index.missingFrom(empty)]).toEqual([...index.entries()])
    empty.forget(NOW + HOUR)
    expect([...index.missingFrom(empty)]).toEqual([])
    for (const entry of ONE_OF_EACH) expect(empty.covers(entry), entry.kind).toBe(true)
  })

  it('forgets entries of every kind, and accepts them again without effect', () => {
    const index = new RevocationIndex()
    for (const entry of ONE_OF_EACH) index.apply(entry)
    index.forget(NOW + HOUR)
    const { version } = index
    expect([index.size, index.bytes]).toEqual([0, 0])
    for (const entry of ONE_OF_EACH) expect(index.apply(entry), entry.kind).toBe(true)
    expect([index.size, index.version]).toEqual([0, version])
  })

  it('has no entry for a family whose id is all zeros, which no family has', () => {
    const index = new RevocationIndex()
    const entry: RevocationEntry = {
      kind: 'successors',
      value: NO_ID,
      generation: 0,
      expiresAt: NOW,
    }
    expect([index.apply(entry), index.size]).toEqual([true, 0])
  })
})
