/**
 * The codec of revocation events, with every kind of entry and with invalid bytes.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FeedEntry } from '../../../../src/revocation/index/entries.js'
import { readUlid, writeUlid } from '../../../../src/revocation/index/ulid-codec.js'
import { applyEntries } from '../../../../src/revocation/log/decode-event.js'
import { encodeEntries } from '../../../../src/revocation/log/encode-event.js'
import { decodeEntries } from '../../../support/decode-entries.js'
import { runs } from '../../../support/runs.js'

const words = fc.int32Array({ minLength: 4, maxLength: 4 })
const value = words.map((drawn) => writeUlid(drawn))
const time = fc.oneof(fc.maxSafeNat(), fc.nat()).map((drawn) => drawn % 2 ** 48)
const generation = fc.nat().map((drawn) => (2 * drawn) % 2 ** 32)
const text = fc.string({ unit: 'binary', maxLength: 40 })
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })

const entry: fc.Arbitrary<FeedEntry> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('token' as const),
      value,
      expiresAt: time,
      loose: fc.constant(true as const),
    },
    { requiredKeys: ['kind', 'value', 'expiresAt'] },
  ),
  fc.record({
    kind: fc.constant('rotated' as const),
    value,
    generation,
    from: fc.option(time),
    expiresAt: time,
  }),
  fc.record({ kind: fc.constant('successors' as const), value, generation, expiresAt: time }),
  fc.record({
    kind: fc.constantFrom('family', 'subject', 'key', 'audience', 'all'),
    value: text,
    before: time,
    expiresAt: time,
  }),
  fc.record({
    kind: fc.constant('restricted' as const),
    target: fc.constantFrom('token', 'family', 'subject', 'audience', 'freeze'),
    value: text,
    descent: fc.option(fc.record({ family: value, generation })),
    revision: time.map((drawn) => Math.max(1, drawn)),
    state: text,
    expiresAt: time,
  }),
  fc.record({
    kind: fc.constantFrom('join', 'leave', 'ack', 'lease', 'trim', 'snapshot', 'call'),
    value: name,
    until: time,
  }),
)
const entries = fc.array(entry, { maxLength: 30 })

/** The results of both readers for the bytes; they must agree, and must not throw. */
function read(bytes: Uint8Array): readonly FeedEntry[] | undefined {
  let calls = 0
  const taken = () => ++calls > 0
  const index = { apply: taken, applyWords: taken }
  const outcome = applyEntries(bytes, { index, onNode: taken })
  const decoded = decodeEntries(bytes)
  expect(calls).toBe(decoded?.length ?? 0)
  expect(outcome === undefined).toBe(decoded === undefined)
  return decoded
}

/** Any decoded entries must have exactly one encoding. */
function check(bytes: Uint8Array): void {
  const decoded = read(bytes)
  if (decoded !== undefined) expect(Buffer.from(encodeEntries(decoded))).toEqual(Buffer.from(bytes))
}

describe('the codec of events', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(entries, (drawn) => {
        const bytes = encodeEntries(drawn)
        expect(read(bytes)).toEqual(drawn)
        check(bytes)
      }),
      { numRuns: runs(1000) },
    )
  })

  it('reads nothing from bytes that are truncated or extended', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.uint8Array({ minLength: 1 }), (drawn, cut, more) => {
        const bytes = encodeEntries(drawn)
        expect(read(bytes.subarray(0, cut % bytes.length))).toBeUndefined()
        expect(read(Buffer.concat([bytes, more]))).toBeUndefined()
      }),
      { numRuns: runs(1000) },
    )
  })

  it('throws for no bytes, and reads only what it would have written', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), check), { numRuns: runs(5000) })
    const mutation = fc.tuple(fc.nat(), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(entries, fc.array(mutation, { minLength: 1, maxLength: 4 }), (drawn, changes) => {
        const bytes = encodeEntries(drawn)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        check(bytes)
      }),
      { numRuns: runs(5000) },
    )
  })

  it('writes and reads every id, and accepts no other text as one', () => {
    const found = new Int32Array(4)
    fc.assert(
      fc.property(words, (drawn) => {
        const id = writeUlid(drawn)
        expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
        expect(readUlid(id, found)).toBe(true)
        expect(found).toEqual(drawn)
      }),
      { numRuns: runs(2000) },
    )
    const unit = fc.oneof(fc.constantFrom(...'01789AZILOUaz-'), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(value, fc.nat({ max: 25 }), unit, (id, at, character) => {
        const text = id.slice(0, at) + character + id.slice(at + 1)
        expect(readUlid(text, found)).toBe(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text))
        if (readUlid(text, found)) expect(writeUlid(found)).toBe(text)
      }),
      { numRuns: runs(5000) },
    )
  })
})
