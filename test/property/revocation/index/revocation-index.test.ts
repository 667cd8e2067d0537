/**
 * The revocation index against a naive model, and the laws of merging.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { newPlacing } from '../../../../src/revocation/index/id-table.js'
import {
  RevocationIndex,
  type TokenFacts,
} from '../../../../src/revocation/index/revocation-index.js'
import { RevocationModel } from '../../../support/revocation-model.js'
import { runs } from '../../../support/runs.js'

const HOUR = 3_600_000
const BASE = 1_735_689_600_000

/** Two bits of a place are left, so that most ids want to be in the same slot. */
const CROWDED = newPlacing().map((word) => word & 0xc000_0000)

const FAMILY = '01JGFJJZ000000000000000000'
const ids = [
  // Next to each other, as those of one millisecond are.
  '01JGFJJZ00ABCDEFGHJKMNPQRS',
  '01JGFJJZ00ABCDEFGHJKMNPQRT',
  // Told apart by one word alone.
  '01JGFJJZ00ABCDEFGH00000000',
  '01JGFJJZ01ABCDEFGHJKMNPQRS',
  // What the tables hold least gladly: all zeros, zero where a free slot is told by, and all ones.
  '00000000000000000000000000',
  '01JGFJJZ000000000000000000',
  '7ZZZZZZZZZZZZZZZZZZZZZZZZZ',
] as const

const id = fc.constantFrom(...ids)
const time = fc.integer({ min: BASE - 5, max: BASE + 5 })
const expiresAt = fc.oneof(
  fc.integer({ min: BASE, max: BASE + 3 * HOUR }),
  fc.constantFrom(BASE, BASE + HOUR - 1, BASE + HOUR, BASE + HOUR + 1),
)
const family = fc.constantFrom(FAMILY, ids[0], ids[4])
const generation = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1))
const entry: fc.Arbitrary<RevocationEntry> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('token' as const), value: id, expiresAt }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('rotated' as const),
      value: family,
      generation,
      from: fc.option(time),
      expiresAt,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('successors' as const),
      value: family,
      generation,
      expiresAt,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('token' as const),
      value: id,
      expiresAt,
      loose: fc.constant(true as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('family', 'subject', 'key', 'audience', 'all'),
      value: fc.constantFrom(FAMILY, 's1', 'a1', 'k1', '', 'other'),
      before: time,
      expiresAt,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('restricted' as const),
      target: fc.constantFrom('token', 'family', 'subject', 'audience', 'freeze'),
      value: fc.constantFrom(FAMILY, 's1', 'a1', ''),
      descent: fc.option(fc.record({ family, generation })),
      revision: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom('{}', '{"suspended":{"until":null}}', '{"unknown":1}'),
      expiresAt,
    }),
  },
)
const entries = fc.array(entry, { maxLength: 24 })

const facts: TokenFacts = {
  id: ids[0],
  family: FAMILY,
  generation: 0,
  subject: 's1',
  audience: 'a1',
  keyId: 'k1',
  issuedAt: BASE,
  expiresAt: BASE + 1,
}
const tokens: readonly TokenFacts[] = [
  ...ids.flatMap((value) =>
    [0, 1, 2].flatMap((hour) =>
      [-4, 0, 4].map((shift) => ({
        ...facts,
        id: value,
        issuedAt: BASE + shift,
        expiresAt: BASE + hour * HOUR + 1,
      })),
    ),
  ),
  ...[FAMILY, ids[0]].flatMap((value) =>
    [0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1].map((number) => ({
      ...facts,
      family: value,
      generation: number,
    })),
  ),
]

const sorted = (held: Iterable<RevocationEntry>) =>
  Array.from(held, (each) => {
    const { descent = null, ...rest } = { descent: undefined, ...each }
    return JSON.stringify([rest, descent], [...Object.keys(rest), 'family', 'generation'].sort())
  }).sort()

/** All that can be seen of a node's view. */
const view = (node: RevocationIndex | RevocationModel) => ({
  size: node.size,
  full: node.full,
  entries: sorted(node instanceof RevocationModel ? node.entries : node.entries()),
  deadlines: tokens.map((token) => node.deadline(token)),
  watermark: node.watermark('s1', 'a1'),
})

function indexOf(...lists: ReadonlyArray<Iterable<RevocationEntry>>): RevocationIndex {
  const index = new RevocationIndex()
  for (const list of lists) for (const each of list) index.apply(each)
  return index
}

const shuffledTwice = (list: readonly RevocationEntry[]) =>
  fc.shuffledSubarray([...list, ...list], {
    minLength: 2 * list.length,
    maxLength: 2 * list.length,
  })

describe('the revocation index', () => {
  it('equals the model after any entries are applied and forgotten, full or not', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: entry },
      { weight: 1, arbitrary: fc.integer({ min: BASE - HOUR, max: BASE + 4 * HOUR }) },
    )
    const max = fc.oneof(fc.constant(1000), fc.nat({ max: 6 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), max, (script, room) => {
        const model = new RevocationModel(room)
        const indexes = [
          new RevocationIndex({ max: room }),
          new RevocationIndex({ max: room, placing: CROWDED }),
        ]
        for (const each of script) {
          if (typeof each === 'number') {
            for (const node of [model, ...indexes]) node.forget(each)
          } else {
            const taken = model.apply(each)
            for (const index of indexes) expect(index.apply(each)).toBe(taken)
          }
        }
        for (const index of indexes) expect(view(index)).toEqual(view(model))
        expect(indexes[0]?.digest()).toBe(indexes[1]?.digest())
      }),
      { numRuns: runs(1500) },
    )
  })

  it('reaches one state in every order, with every entry any number of times', () => {
    fc.assert(
      fc.property(
        entries.chain((list) => fc.tuple(fc.constant(list), shuffledTwice(list))),
        ([list, shuffled]) => {
          const [a, b] = [indexOf(list), indexOf(shuffled)]
          expect(view(a)).toEqual(view(b))
          expect(a.digest()).toBe(b.digest())
        },
      ),
      { numRuns: runs(500) },
    )
  })

  it('merges like sets: in any order, in any grouping, idempotently', () => {
    fc.assert(
      fc.property(entries, entries, entries, (a, b, c) => {
        const [x, y, z] = [indexOf(a), indexOf(b), indexOf(c)]
        const whole = indexOf(a, b, c)
        for (const merged of [
          indexOf(x.entries(), y.entries(), z.entries()),
          indexOf(z.entries(), indexOf(y.entries(), x.entries()).entries()),
          indexOf(whole.entries(), whole.entries(), a),
        ]) {
          expect(merged.digest()).toBe(whole.digest())
          expect(sorted(merged.entries())).toEqual(sorted(whole.entries()))
        }
      }),
      { numRuns: runs(300) },
    )
  })

  it('returns exactly the entries that another index is missing', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const [x, y] = [indexOf(a), indexOf(b)]
        const missing = [...x.missingFrom(y)]
        const repaired = indexOf(b, missing)
        expect(repaired.digest()).toBe(indexOf(a, b).digest())
        expect([...x.missingFrom(repaired)]).toEqual([])
        missing.forEach((_, i) => {
          expect(indexOf(b, missing.toSpliced(i, 1)).digest()).not.toBe(repaired.digest())
        })
      }),
      { numRuns: runs(300) },
    )
  })

  it('does not report entries that the other one forgot', () => {
    fc.assert(
      fc.property(entries, entries, expiresAt, (a, b, before) => {
        const [x, y] = [indexOf(a), indexOf(b)]
        y.forget(before)
        for (const missing of x.missingFrom(y)) y.apply(missing)
        expect([...x.missingFrom(y)]).toEqual([])
      }),
      { numRuns: runs(300) },
    )
  })

  it('has one digest for each state', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const [x, y] = [indexOf(a), indexOf(b)]
        // The expiry of a restriction is extended while it is in force, and is no part of its state.
        const stateOf = (index: RevocationIndex) =>
          sorted(
            [...index.entries()].map((each) =>
              each.kind === 'restricted' ? { ...each, expiresAt: 0 } : each,
            ),
          )
        const same = JSON.stringify(stateOf(x)) === JSON.stringify(stateOf(y))
        expect(x.digest() === y.digest()).toBe(same)
        expect(x.digest()).toMatch(/^[0-9a-f]{32}$/)
      }),
      { numRuns: runs(500) },
    )
  })

  it('only ever moves a deadline earlier, and then changes its version', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const index = new RevocationIndex()
        for (const each of list) {
          const before = tokens.map((token) => index.deadline(token))
          const { version } = index
          index.apply(each)
          const after = tokens.map((token) => index.deadline(token))
          after.forEach((deadline, i) => {
            expect(deadline).toBeLessThanOrEqual(before[i] as number)
          })
          if (after.some((deadline, i) => deadline !== before[i]))
            expect(index.version).not.toBe(version)
        }
      }),
      { numRuns: runs(500) },
    )
  })

  it('keeps its version while nothing new is applied', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const index = indexOf(list)
        const { version } = index
        for (const each of [...list, ...index.entries()]) index.apply(each)
        expect(index.version).toBe(version)
      }),
      { numRuns: runs(300) },
    )
  })
})
