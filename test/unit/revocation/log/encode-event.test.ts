import { encodeTime, ulid } from 'ulid'
import { describe, expect, it } from 'vitest'
import {
  expiryOf,
  type FeedEntry,
  type RevocationEntry,
} from '../../../../src/revocation/index/entries.js'
import { readUlid, timeOfWords, writeUlid } from '../../../../src/revocation/index/ulid-codec.js'
import { applyEntries } from '../../../../src/revocation/log/decode-event.js'
import { encodeEntries, groupEntries } from '../../../../src/revocation/log/encode-event.js'
import { MAX_ENTRIES } from '../../../../src/revocation/log/event-layout.js'
import { decodeEntries } from '../../../support/decode-entries.js'

const ID = '01JGFJJZ00ABCDEFGHJKMNPQRS'
const NOW = 1_735_689_600_000
const LATEST = 2 ** 48 - 1

const EXAMPLES: readonly FeedEntry[] = [
  { kind: 'token', value: ID, expiresAt: NOW },
  { kind: 'token', value: '7ZZZZZZZZZZZZZZZZZZZZZZZZZ', expiresAt: LATEST },
  { kind: 'token', value: '00000000000000000000000000', expiresAt: 0, loose: true },
  { kind: 'rotated', value: ID, generation: 0, from: NOW, expiresAt: NOW },
  { kind: 'rotated', value: ID, generation: 2 ** 32 - 1, from: null, expiresAt: LATEST },
  { kind: 'successors', value: ID, generation: 2 ** 31, expiresAt: NOW },
  { kind: 'family', value: ID, before: NOW, expiresAt: NOW + 1 },
  { kind: 'subject', value: '\uFEFFsvc_é𝕏\0', before: NOW, expiresAt: NOW + 2 },
  { kind: 'key', value: `k4.lid.${'A'.repeat(44)}`, before: 0, expiresAt: NOW + 3 },
  { kind: 'audience', value: 'a'.repeat(4096), before: NOW, expiresAt: NOW + 4 },
  { kind: 'all', value: '', before: LATEST, expiresAt: LATEST },
  { kind: 'join', value: 'node 1', until: NOW },
  { kind: 'leave', value: '節', until: NOW },
  { kind: 'ack', value: 'n'.repeat(256), until: 7 },
  { kind: 'lease', value: 'n', until: NOW },
  { kind: 'trim', value: 'n', until: 1 },
  { kind: 'snapshot', value: 'n', until: 0 },
  { kind: 'call', value: 'n', until: NOW },
]

const invalid = (message: string) =>
  expect.objectContaining({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining(message),
  })

/** Applies everything, or nothing. */
class List {
  readonly entries: RevocationEntry[] = []
  readonly #taken: boolean

  constructor(taken = true) {
    this.#taken = taken
  }

  apply(entry: RevocationEntry): boolean {
    this.entries.push(entry)
    return this.#taken
  }

  applyWords(words: Int32Array, expiresAt: number): boolean {
    return this.apply({ kind: 'token', value: writeUlid(words), expiresAt })
  }
}

describe('the bytes of an event', () => {
  it('decode to the entries that were written, by reading or applying', () => {
    const bytes = encodeEntries(EXAMPLES)
    expect(decodeEntries(bytes)).toEqual(EXAMPLES)
    const index = new List()
    const nodes: FeedEntry[] = []
    const onNode = (entry: FeedEntry) => nodes.push(entry)
    expect(applyEntries(bytes, { index, onNode })).toEqual({ refused: 0 })
    expect([...index.entries, ...nodes]).toEqual(EXAMPLES)
  })

  it('match the format', () => {
    const expiresAt = 0x0102_0304_0506
    const token: FeedEntry = { kind: 'token', value: ID, expiresAt }
    const loose: FeedEntry = { ...token, loose: true }
    const family = { value: ID, generation: 0xfffe_fdfc, expiresAt } as const
    const rotated: FeedEntry = { kind: 'rotated', ...family, from: 9 }
    const unretired: FeedEntry = { kind: 'rotated', ...family, from: null }
    const successors: FeedEntry = { kind: 'successors', ...family }
    const all: FeedEntry = { kind: 'all', value: '', before: 1, expiresAt: 2 }
    const ack: FeedEntry = { kind: 'ack', value: 'é', until: 3 }
    const entries = [token, loose, rotated, unretired, successors, all, ack]
    expect(Buffer.from(encodeEntries(entries)).toString('hex')).toBe(
      `0007 00 01941f297c0052d8d73e1194e95b5f19 010203040506
       02 01941f297c0052d8d73e1194e95b5f19 010203040506
       05 01941f297c0052d8d73e1194e95b5f19 010203040506 fffefdfc 000000000009
       04 01941f297c0052d8d73e1194e95b5f19 010203040506 fffefdfc
       06 01941f297c0052d8d73e1194e95b5f19 010203040506 fffefdfc
       14 0000 000000000001 000000000002
       22 0002 c3a9 000000000003`.replace(/\s/g, ''),
    )
    expect(encodeEntries([{ kind: 'token', value: ID, expiresAt: NOW }])).toHaveLength(2 + 23)
  })

  it('may stand anywhere in a buffer, and may have no entries', () => {
    const bytes = encodeEntries(EXAMPLES)
    const larger = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)])
    expect(decodeEntries(larger.subarray(3, -1))).toEqual(EXAMPLES)
    expect(decodeEntries(encodeEntries([]))).toEqual([])
    expect(applyEntries(encodeEntries([]), { index: new List() })).toEqual({ refused: 0 })
  })

  it.each([
    ['value: expected a ULID', { kind: 'token', value: ID.toLowerCase(), expiresAt: 1 }],
    ['value: expected a ULID', { kind: 'token', value: `8${ID.slice(1)}`, expiresAt: 1 }],
    ['value: expected a ULID', { kind: 'token', value: `${ID.slice(1)}U`, expiresAt: 1 }],
    ['value: expected a ULID', { kind: 'token', value: `${ID}0`, expiresAt: 1 }],
    // The low seven bits of this character are those of a digit.
    ['value: expected a ULID', { kind: 'token', value: `${ID.slice(0, -1)}\u0130`, expiresAt: 1 }],
    ['expiresAt: expected', { kind: 'token', value: ID, expiresAt: -1 }],
    ['from: expected', { kind: 'rotated', value: ID, generation: 0, expiresAt: 1, from: 0.5 }],
    ['generation: expected', { kind: 'successors', value: ID, generation: -1, expiresAt: 1 }],
    ['generation: expected', { kind: 'successors', value: ID, generation: 2 ** 32, expiresAt: 1 }],
    ['value: expected a ULID', { kind: 'successors', value: 'f', generation: 0, expiresAt: 1 }],
    ['before: expected', { kind: 'all', value: '', before: LATEST + 1, expiresAt: 1 }],
    ['expiresAt: expected', { kind: 'all', value: '', before: 1, expiresAt: Number.NaN }],
    ['value: expected well-formed', { kind: 'subject', value: '\uD800', before: 1, expiresAt: 1 }],
    ['at most 4096 bytes', { kind: 'subject', value: 'é'.repeat(2049), before: 1, expiresAt: 1 }],
    ['value: expected 1 to 278', { kind: 'ack', value: '', until: 1 }],
    ['value: expected 1 to 278', { kind: 'ack', value: 'n'.repeat(279), until: 1 }],
    ['until: expected', { kind: 'ack', value: 'n', until: Number.POSITIVE_INFINITY }],
  ] satisfies ReadonlyArray<readonly [string, FeedEntry]>)('cannot be: %s', (message, entry) => {
    expect(() => encodeEntries([entry])).toThrow(invalid(message))
  })

  it('hold at most a thousand entries', () => {
    const entries = Array.from({ length: MAX_ENTRIES + 1 }, () => EXAMPLES[0] as FeedEntry)
    expect(decodeEntries(encodeEntries(entries.slice(1)))).toHaveLength(MAX_ENTRIES)
    expect(() => encodeEntries(entries)).toThrow(invalid('entries: expected at most 1000'))
    const more = Buffer.concat([encodeEntries(entries.slice(1)), Buffer.alloc(23)])
    more.writeUInt16BE(MAX_ENTRIES + 1)
    expect(decodeEntries(more)).toBeUndefined()
  })

  it.each([
    ['nothing', ''],
    ['half a count', '00'],
    ['a count without entries', '0001'],
    ['entries without a count', '0000 14 0000 000000000001 000000000002'],
    ['an unknown tag', '0001 01 01941f297c0052d8d73e1194e95b5f19 010203040506 000000000009'],
    ['a family without a generation', '0001 04 01941f297c0052d8d73e1194e95b5f19 010203040506'],
    ['an unknown kind', '0001 15 0000 000000000001 000000000002'],
    ['an unknown message', '0001 27 0001 61 000000000001'],
    ['a cut token', '0001 00 01941f297c0052d8d73e1194e95b5f19 0102030405'],
    ['a cut family', '0001 05 01941f297c0052d8d73e1194e95b5f19 010203040506 00000001 0000'],
    ['a cut text', '0001 14 0002 61'],
    ['a cut time', '0001 14 0000 000000000001 0000000000'],
    ['an overlong character', '0001 11 0002 c080 000000000001 000000000002'],
    ['half a character', '0001 11 0001 c3 000000000001 000000000002'],
    ['a surrogate', '0001 11 0003 eda080 000000000001 000000000002'],
    ['a node without a name', '0001 20 0000 000000000001'],
    ['a name that is too long', `0001 20 0117 ${'61'.repeat(279)} 000000000001`],
    ['a text that is too long', `0001 11 1001 ${'61'.repeat(4097)} ${'00'.repeat(12)}`],
  ])('are rejected with %s', (_, hex) => {
    const bytes = Buffer.from(hex.replace(/\s/g, ''), 'hex')
    expect(decodeEntries(bytes)).toBeUndefined()
    const index = new List()
    expect(applyEntries(bytes, { index })).toBeUndefined()
    expect(index.entries).toEqual([])
  })

  it('are applied whole or not at all', () => {
    const good = encodeEntries(EXAMPLES)
    const index = new List()
    expect(applyEntries(good.subarray(0, -1), { index })).toBeUndefined()
    expect(index.entries).toEqual([])
  })
})

describe('applying an event', () => {
  it('counts entries for which there was no room', () => {
    const held = EXAMPLES.filter((entry) => !('until' in entry))
    const outcome = applyEntries(encodeEntries(EXAMPLES), { index: new List(false) })
    expect(outcome).toEqual({ refused: held.length })
  })
})

describe('entries', () => {
  it('are grouped into small enough events, in order', () => {
    const entries = EXAMPLES.flatMap((entry) => Array.from({ length: 300 }, () => entry))
    const groups = [...groupEntries(entries, 40_000)]
    expect(groups.flat()).toEqual(entries)
    const sizes = groups.map((group) => encodeEntries(group).length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(40_000)
    // No group could have held the first entry of the next.
    groups.slice(0, -1).forEach((group, i) => {
      const next = groups[i + 1]?.[0] as FeedEntry
      const larger = group.length === MAX_ENTRIES || encodeEntries([...group, next]).length > 40_000
      expect(larger).toBe(true)
    })
    expect([...groupEntries([], 40_000)]).toEqual([])
  })

  it('expire when the last of them does', () => {
    expect(expiryOf(EXAMPLES.slice(0, 1))).toBe(NOW)
    expect(expiryOf(EXAMPLES)).toBe(LATEST)
    expect(expiryOf(EXAMPLES.slice(11))).toBe(0)
    expect(expiryOf([])).toBe(0)
  })
})

describe('the words of a ULID', () => {
  it('are its bits', () => {
    const words = new Int32Array(4)
    expect(readUlid('7ZZZZZZZZZZZZZZZZZZZZZZZZZ', words)).toBe(true)
    expect([...words]).toEqual([-1, -1, -1, -1])
    expect(readUlid('40000000000000000000000001', words)).toBe(true)
    expect([...words]).toEqual([-(2 ** 31), 0, 0, 1])
  })

  it('hold its time', () => {
    const words = new Int32Array(4)
    for (const time of [0, 1, NOW, 2 ** 32, LATEST]) {
      expect(readUlid(encodeTime(time) + ulid(NOW).slice(10), words)).toBe(true)
      expect(timeOfWords(words)).toBe(time)
    }
  })
})
