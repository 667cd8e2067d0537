/** The properties of a seal under tampering, and the key that makes it. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { exportKey, generateKey, keyId, ready } from 'watchword/paseto'
import { MAX_EVENT_BYTES, MAX_HEAD_BYTES } from '../../../../src/feed/feed.js'
import {
  claimsPlace,
  linkOf,
  MAX_PAYLOAD,
  type Opened,
  open,
  openHead,
  type SealHeader,
  type SealKeys,
  type SealType,
  seal,
  sealHead,
  type Unopened,
} from '../../../../src/revocation/log/seal.js'
import { deriveKey, destroyKey, type LocalKey } from '../../../../src/token/paserk.js'
import { decryptInto, sealText, wipePlaintext } from '../../../../src/token/v4local.js'
import { headerOf, sealKeys } from '../../../support/feed-writer.js'
import { failureOf } from '../../../support/harness.js'

const TYPES: readonly SealType[] = ['event', 'head', 'chunk']
const HEADER_BYTES = 107
const KEY_ID = { from: 2, to: 35 }
const EMPTY = new Uint8Array(0)

const header: SealHeader = headerOf({
  epoch: Buffer.alloc(16, 0xe5).toString('base64url'),
  seq: 0x0102_0304_0506,
  link: new Uint8Array(16).fill(3),
  at: Date.UTC(2026, 0, 1),
  first: 42,
  second: 2 ** 48 - 1,
})
const payload = new TextEncoder().encode('who is not to be let in')

let key: LocalKey
let keys: SealKeys
beforeAll(async () => {
  await ready
  key = generateKey()
  keys = sealKeys(new Map([[keyId(key), key]]))
})

const failureOfSeal = (opened: Opened | Unopened) => ('failure' in opened ? opened.failure : 'none')

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

describe('a seal', () => {
  it.each(TYPES)('of a %s opens to what was sealed', (type) => {
    for (const content of [EMPTY, payload, new Uint8Array(randomBytes(MAX_PAYLOAD))]) {
      expect(open(keys, type, seal(keys, type, header, content))).toEqual({
        ...header,
        payload: content,
      })
    }
  })

  it('reveals nothing of its content, and never looks the same twice', () => {
    const [one, other] = [
      seal(keys, 'event', header, payload),
      seal(keys, 'event', header, payload),
    ]
    expect(Buffer.from(one).includes(Buffer.from(payload))).toBe(false)
    expect(one).not.toEqual(other)
    expect(linkOf(one)).not.toEqual(linkOf(other))
  })

  it('is no longer than the contract allows', () => {
    expect(seal(keys, 'chunk', header, new Uint8Array(MAX_PAYLOAD))).toHaveLength(MAX_EVENT_BYTES)
    expect(seal(keys, 'head', header).length).toBeLessThanOrEqual(MAX_HEAD_BYTES)
  })

  it.each(TYPES)('of a %s is not valid for another type', (type) => {
    const sealed = seal(keys, type, header, payload)
    for (const other of TYPES.filter((each) => each !== type))
      expect(open(keys, other, sealed)).toEqual({ failure: 'forged' })
  })

  it('breaks with every flipped bit of its header, nonce, text and tag', () => {
    const sealed = seal(keys, 'event', header, payload)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const byte = bit >> 3
      const named = byte >= KEY_ID.from && byte < KEY_ID.to ? 'unknown_key' : 'forged'
      expect([bit, failureOfSeal(open(keys, 'event', flipped(sealed, bit)))]).toEqual([bit, named])
    }
    expect(failureOfSeal(open(keys, 'event', sealed))).toBe('none')
  })

  it('breaks when bytes are cut off or added', () => {
    const sealed = seal(keys, 'event', header, payload)
    for (let length = 0; length < sealed.length; length++)
      expect(failureOfSeal(open(keys, 'event', sealed.subarray(0, length)))).toBe('forged')
    for (const more of [1, 2, 3, MAX_EVENT_BYTES - sealed.length, MAX_EVENT_BYTES]) {
      const longer = new Uint8Array(sealed.length + more)
      longer.set(sealed)
      expect(open(keys, 'event', longer)).toEqual({ failure: 'forged' })
    }
  })

  it('breaks when its header is combined with the body of another', () => {
    const [one, other] = [seal(keys, 'event', header), seal(keys, 'event', { ...header, seq: 1 })]
    const spliced = one.slice()
    spliced.set(other.subarray(HEADER_BYTES), HEADER_BYTES)
    expect(open(keys, 'event', spliced)).toEqual({ failure: 'forged' })
  })

  it('opens at any place in a larger piece of memory', () => {
    const sealed = seal(keys, 'event', header, payload)
    const larger = new Uint8Array(randomBytes(sealed.length + 100))
    larger.set(sealed, 33)
    const within = larger.subarray(33, 33 + sealed.length)
    expect(open(keys, 'event', within)).toEqual({ ...header, payload })
  })

  it('under a key that is not loaded shows only its header', () => {
    const sealed = seal(keys, 'event', header, payload)
    const others = sealKeys(new Map([['k4.lid.other', generateKey()]]))
    expect(open(others, 'event', sealed)).toEqual({ failure: 'unknown_key', claimed: header })
  })

  it('made with another key under the same id is invalid', () => {
    const thief = sealKeys(new Map([[keyId(key), generateKey()]]))
    expect(open(keys, 'event', seal(thief, 'event', header, payload))).toEqual({
      failure: 'forged',
    })
  })

  it('is not a token, and a token is not a seal, although they share the key', () => {
    const sealed = seal(keys, 'event', header, payload)
    const body = Buffer.from(sealed.subarray(HEADER_BYTES)).toString('base64url')
    const clear = sealed.subarray(0, HEADER_BYTES)
    expect(decryptInto(key, body, clear, EMPTY)).toBeLessThan(0)
    wipePlaintext()
    const token = Buffer.from(sealText(key, 'text', clear, EMPTY), 'base64url')
    expect(open(keys, 'event', Buffer.concat([clear, token]))).toEqual({ failure: 'forged' })
  })

  it('never throws, and opens only what was sealed', () => {
    const sealed = seal(keys, 'event', header, payload)
    const mutated = fc
      .array(fc.tuple(fc.nat({ max: sealed.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 })
      .map((changes) => {
        const copy = sealed.slice()
        for (const [at, byte] of changes) copy[at] = byte
        return copy
      })
      .filter((copy) => Buffer.compare(copy, sealed) !== 0)
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated),
        fc.constantFrom(...TYPES),
        (bytes, type) => {
          expect(failureOfSeal(open(keys, type, bytes))).not.toBe('none')
          expect(claimsPlace({ seq: 1, bytes }, 'nowhere', header.link)).toBe(false)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('the seal of a head', () => {
  it('is valid for the position that it was made for', () => {
    const head = sealHead(keys, header)
    expect(head).toMatchObject({ floor: header.first, beaconAt: header.at })
    expect(openHead(keys, head)).toEqual({ ...header, payload: EMPTY })
  })

  it.each([
    ['epoch', { epoch: 'B'.repeat(22) }],
    ['seq', { seq: 7 }],
    ['link', { link: new Uint8Array(16) }],
    ['length of the link', { link: new Uint8Array(15).fill(3) }],
  ])('is invalid for another %s', (_, change) => {
    expect(openHead(keys, { ...sealHead(keys, header), ...change })).toEqual({ failure: 'forged' })
  })

  it('is not valid for an event or a chunk', () => {
    for (const type of ['event', 'chunk'] as const) {
      const head = { ...sealHead(keys, header), bytes: seal(keys, type, header) }
      expect(openHead(keys, head)).toEqual({ failure: 'forged' })
    }
  })
})

describe('the header of an event', () => {
  it('names a position in one epoch, after one link', () => {
    const event = { seq: header.seq, bytes: seal(keys, 'event', header, payload) }
    const { epoch, link } = header
    expect(claimsPlace(event, epoch, link)).toBe(true)
    expect(claimsPlace({ ...event, seq: 1 }, epoch, link)).toBe(false)
    expect(claimsPlace(event, 'A'.repeat(22), link)).toBe(false)
    expect(claimsPlace(event, epoch, new Uint8Array(16))).toBe(false)
    expect(claimsPlace({ ...event, bytes: event.bytes.subarray(0, 120) }, epoch, link)).toBe(false)
    const long = new Uint8Array(MAX_EVENT_BYTES + 1)
    long.set(event.bytes)
    expect(claimsPlace({ ...event, bytes: long }, epoch, link)).toBe(false)
  })
})

describe('a derived key', () => {
  it('is the same each time, and different for each purpose and each key', () => {
    const made = [deriveKey(key, 'one'), deriveKey(key, 'two'), deriveKey(generateKey(), 'one')]
    const keysOf = (derived: LocalKey) => sealKeys(new Map([[keyId(key), derived]]))
    const sealed = seal(keysOf(deriveKey(key, 'one')), 'event', header, payload)
    const results = made.map((derived) => failureOfSeal(open(keysOf(derived), 'event', sealed)))
    expect(results).toEqual(['none', 'forged', 'forged'])
    const original = sealKeys(new Map([[keyId(key), key]]))
    expect(failureOfSeal(open(original, 'event', sealed))).toBe('forged')
  })

  it('cannot be exported, and cannot destroy the key it comes from', async () => {
    const derived = deriveKey(key, 'one')
    expect(await failureOf(() => exportKey(derived))).toMatchObject({ code: 'ERR_INVALID_KEY' })
    destroyKey(derived)
    expect(exportKey(key)).toMatch(/^k4\.local\./)
    expect(await failureOf(() => deriveKey(derived, 'two'))).toMatchObject({
      code: 'ERR_INVALID_KEY',
    })
  })
})
