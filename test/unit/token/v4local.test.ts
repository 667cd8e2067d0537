import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { LocalKey } from '../../../src/paseto.js'
import { generateKey, open, ready, seal } from '../../../src/paseto.js'
import { destroyKey, generateKey as makeKey } from '../../../src/token/paserk.js'
import { libsodium, reserve } from '../../../src/token/sodium.js'
import {
  decryptInto,
  MAX_LENGTH,
  plaintext,
  plaintextWindow,
  sealBytes,
  sealText,
  sealWithNonce,
  wipePlaintext,
} from '../../../src/token/v4local.js'

const NONE = new Uint8Array(0)
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const base64url = (data: Uint8Array): string => Buffer.from(data).toString('base64url')

let key: LocalKey

beforeAll(async () => {
  await ready
  key = generateKey()
})

/** Runs `refusals`, and requires that nothing was decrypted meanwhile. */
function withoutDecrypting(refusals: () => void): void {
  const xor = vi.spyOn(libsodium(), 'xor')
  refusals()
  const calls = xor.mock.calls.length
  xor.mockRestore()
  expect(calls).toBe(0)
}

describe('bytes of a subclass of Uint8Array', () => {
  it('are sealed by the length of their memory, not by the length they report', () => {
    class Liar extends Uint8Array {
      override get length(): number {
        return 3
      }
      override get byteLength(): number {
        return 3
      }
    }
    const key = generateKey()
    const payload = new Liar(20_000).fill(7)
    const footer = new Liar(600).fill(65)
    const opened = open(key, seal(key, payload, { footer }))
    expect(opened?.payload).toEqual(new Uint8Array(20_000).fill(7))
    expect(opened?.footer).toEqual(new Uint8Array(600).fill(65))
  })
})

describe('seal and open', () => {
  it.each([0, 1, 31, 63, 64, 65, 127, 128, 129, 1000, 16_000, 16_383, 16_384, 70_000, 700_000])(
    'carry %i bytes, with any footer and assertion',
    (length) => {
      const payload = Uint8Array.from({ length }, (_, index) => (index * 31) & 255)
      for (const footer of [NONE, bytes('f'), payload.subarray(0, 60_000)]) {
        for (const implicitAssertion of [NONE, bytes('i'), payload]) {
          const token = seal(key, payload, { footer, implicitAssertion })
          const opened = open(key, token, { implicitAssertion })
          expect(opened?.payload.length).toBe(length)
          expect(Buffer.compare(opened?.payload ?? NONE, payload)).toBe(0)
          expect(Buffer.compare(opened?.footer ?? NONE, footer)).toBe(0)
        }
      }
    },
  )

  it('return fresh arrays with their own memory', () => {
    const token = seal(key, bytes('payload'), { footer: bytes('footer') })
    const first = open(key, token)
    first?.payload.fill(0)
    first?.footer.fill(0)
    const second = open(key, token)
    expect(second).toEqual({ payload: bytes('payload'), footer: bytes('footer') })
    expect(second?.payload.buffer.byteLength).toBe(7)
    expect(second?.footer.buffer.byteLength).toBe(6)
    expect(second?.payload).not.toBeInstanceOf(Buffer)
  })

  it('accept up to 1 MiB', () => {
    const header = 'v4.local.'.length
    const longest = Math.floor(((MAX_LENGTH - header) * 3) / 4) - 64
    const token = seal(key, new Uint8Array(longest))
    expect(token.length).toBeLessThanOrEqual(MAX_LENGTH)
    expect(open(key, token)?.payload.length).toBe(longest)
    const tooLong = expect.objectContaining({ code: 'ERR_TOKEN_TOO_LONG' })
    expect(() => seal(key, new Uint8Array(longest + 1))).toThrow(tooLong)
    expect(() => seal(key, new Uint8Array(longest), { footer: bytes('f') })).toThrow(tooLong)
    expect(open(key, `v4.local.${'A'.repeat(MAX_LENGTH)}`)).toBeUndefined()
  })

  it('check their options', () => {
    const invalid = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' })
    const token = seal(key, NONE)
    const shared = new Uint8Array(new SharedArrayBuffer(4))
    const bad = ['', 'text', 1, null, [], {}, new ArrayBuffer(1), new Uint16Array(1), shared]
    for (const value of bad as unknown[]) {
      const footer = value as Uint8Array
      expect(() => seal(key, footer)).toThrow(invalid)
      expect(() => seal(key, NONE, { footer })).toThrow(invalid)
      expect(() => seal(key, NONE, { implicitAssertion: footer })).toThrow(invalid)
      expect(() => open(key, token, { implicitAssertion: footer })).toThrow(invalid)
    }
    for (const options of [null, 'x', 7, [], { implicit: NONE }] as unknown[]) {
      expect(() => seal(key, NONE, options as object)).toThrow(invalid)
      expect(() => open(key, token, options as object)).toThrow(invalid)
    }
    const huge = new Uint8Array(MAX_LENGTH + 1)
    expect(() => open(key, token, { implicitAssertion: huge })).toThrow(invalid)
    expect(() => seal(key, NONE, { implicitAssertion: huge })).toThrow(invalid)
    const missing = { implicitAssertion: undefined as unknown as Uint8Array }
    expect(() => open(key, token, missing)).toThrow(invalid)
    expect(open(key, token)).toBeDefined()
  })

  it('never use a nonce twice', () => {
    const nonces = new Set<string>()
    for (let made = 0; made < 5000; made++)
      nonces.add(sealBytes(key, NONE, NONE, NONE).slice(0, 42))
    expect(nonces.size).toBe(5000)
  })
})

describe('open rejects', () => {
  const implicitAssertion = bytes('implicit')
  const footer = bytes('{"kid":"one"}')
  const payload = bytes('{"sub":"someone","data":"'.padEnd(60, 'x'))
  const parts = (): [string, string] => {
    const token = seal(key, payload, { footer, implicitAssertion })
    const [, , body = '', tail = ''] = token.split('.')
    return [body, tail]
  }
  const refused = (token: unknown): void => {
    expect(open(key, token as string, { implicitAssertion })).toBeUndefined()
  }

  it('every flipped bit of a 200-byte token', () => {
    const [body, tail] = parts()
    const token = Buffer.from(`v4.local.${body}.${tail}`)
    expect(token.length).toBeGreaterThan(190)
    expect(open(key, token.toString(), { implicitAssertion })?.payload).toEqual(payload)
    withoutDecrypting(() => {
      for (let bit = 0; bit < token.length * 8; bit++) {
        token[bit >> 3] = (token[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        refused(token.toString('latin1'))
        token[bit >> 3] = (token[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      }
    })
  })

  it('every flipped bit of the decoded bytes, footer and assertion', () => {
    const [body, tail] = parts()
    const pieces = [Buffer.from(body, 'base64url'), Buffer.from(tail, 'base64url')]
    const assertion = Buffer.from(implicitAssertion)
    for (const piece of [...pieces, assertion]) {
      for (let bit = 0; bit < piece.length * 8; bit++) {
        piece[bit >> 3] = (piece[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const token = `v4.local.${pieces.map(base64url).join('.')}`
        expect(open(key, token, { implicitAssertion: assertion }), `bit ${bit}`).toBeUndefined()
        piece[bit >> 3] = (piece[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      }
    }
    const whole = `v4.local.${pieces.map(base64url).join('.')}`
    expect(open(key, whole, { implicitAssertion: assertion })).toBeDefined()
  })

  it('bodies too short for nonce and tag', () => {
    for (let length = 0; length < 64; length++)
      refused(`v4.local.${base64url(Buffer.alloc(length))}`)
    expect(decryptInto(key, base64url(Buffer.alloc(64)), NONE, NONE)).toBe(-1)
    expect(open(key, seal(key, NONE))?.payload.length).toBe(0)
  })

  it('foreign characters, in either segment', () => {
    const [body, tail] = parts()
    const foreign = ['=', '==', '+', '/', ' ', '\t', '\n', '\r\n', '\0', '%', '%2E', '.', '\u00A0']
    foreign.push('\uFEFF', '\u200B', '\u200D', '\u0141', '\uFF21', '\uD800', '\u{1F600}', '\x80')
    withoutDecrypting(() => {
      for (const sign of foreign) {
        for (const [left, right] of [
          [body, tail],
          [tail, body],
        ] as const) {
          const segment = (text: string): string =>
            left === body ? `v4.local.${text}.${right}` : `v4.local.${right}.${text}`
          refused(segment(`${left}${sign}`))
          refused(segment(`${sign}${left}`))
          refused(segment(`${left.slice(0, 9)}${sign}${left.slice(9)}`))
          refused(segment(`${left.slice(0, 9)}${sign}${left.slice(9 + sign.length)}`))
        }
      }
    })
  })

  it('other headers', () => {
    const [body, tail] = parts()
    const headers = ['V4.local.', 'v4.Local.', 'v4.LOCAL.', 'v3.local.', 'v4c.local.', 'v4.public.']
    headers.push('v\uFF14.local.', '\uFEFFv4.local.', ' v4.local.', 'v4.local', 'v4local.', 'v4..')
    headers.push('v4.local..', '.v4.local.', 'v4\0local.', 'v4.l\u00F6cal.', '', 'k4.local.')
    for (const header of headers) refused(`${header}${body}.${tail}`)
  })

  it('misplaced dots and segments', () => {
    const [body, tail] = parts()
    const bare = seal(key, payload, { implicitAssertion })
    expect(open(key, bare, { implicitAssertion })).toBeDefined()
    for (const end of ['.', '..', '.A', `.${tail}`, '.=']) refused(`${bare}${end}`)
    for (const end of ['', '.', '..', `..${tail}`, `.${tail}.`, `.${tail}.${tail}`]) {
      refused(`v4.local.${body}${end}`)
    }
    for (const token of [`v4.local.${body}${tail}`, `v4.local..${body}.${tail}`]) refused(token)
    refused(`v4.local.${tail}.${body}`)
  })

  it('a second spelling of the last character', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const extra of [0, 1, 2]) {
      const token = seal(key, new Uint8Array(3 + extra), { footer: new Uint8Array(1 + extra) })
      const [, , body = '', tail = ''] = token.split('.')
      const accepted = (spell: (last: string) => string): number =>
        [...alphabet].filter((last) => open(key, spell(last)) !== undefined).length
      expect(accepted((last) => `v4.local.${body.slice(0, -1)}${last}.${tail}`)).toBe(1)
      expect(accepted((last) => `v4.local.${body}.${tail.slice(0, -1)}${last}`)).toBe(1)
    }
  })

  it('bytes moved between footer and assertion', () => {
    const token = seal(key, payload, { footer: bytes('ab'), implicitAssertion: bytes('c') })
    const body = token.split('.')[2]
    const shifted = `v4.local.${body}.${base64url(bytes('a'))}`
    expect(open(key, shifted, { implicitAssertion: bytes('bc') })).toBeUndefined()
    expect(open(key, `v4.local.${body}`, { implicitAssertion: bytes('abc') })).toBeUndefined()
    expect(open(key, token, { implicitAssertion: bytes('c') })).toBeDefined()
  })

  it('a megabyte of any text, quickly', () => {
    const [body] = parts()
    const bombs = ['.'.repeat(1_000_000), `v4.local.${'.'.repeat(1_000_000)}`]
    bombs.push(`v4.local.${body}${'.'.repeat(1_000_000)}`, `v4.local.${'A'.repeat(2_000_000)}`)
    for (const bomb of bombs) {
      refused(bomb)
      const started = performance.now()
      for (let round = 0; round < 20; round++) open(key, bomb)
      // Far above the time it takes, and far below the time that splitting would take.
      expect((performance.now() - started) / 20).toBeLessThan(2)
    }
  })

  it('values of every other type', () => {
    const hostile = {
      toString: () => {
        throw new Error('asked')
      },
      get length(): number {
        throw new Error('asked')
      },
    }
    const values = [undefined, null, 0, 1n, true, Symbol('x'), {}, [], hostile, NONE, () => {}]
    for (const value of values) refused(value)
    refused(new String(seal(key, payload, { implicitAssertion })))
  })

  it('another key', () => {
    const token = seal(key, payload)
    expect(open(generateKey(), token)).toBeUndefined()
    expect(open(key, token)).toBeDefined()
  })
})

describe('the heap', () => {
  it('contains a plaintext until it is wiped', () => {
    const length = decryptInto(key, sealText(key, 'h\u00E9llo', NONE, NONE), NONE, NONE)
    expect(length).toBe(6)
    expect(plaintext(length).toString()).toBe('h\u00E9llo')
    expect(plaintextWindow().toString('utf8', 0, length)).toBe('h\u00E9llo')
    expect(plaintextWindow()).toBe(plaintextWindow())
    wipePlaintext()
    expect(plaintext(length)).toEqual(Buffer.alloc(6))
  })

  it('may grow at any time', () => {
    const body = sealBytes(key, bytes('before'), NONE, NONE)
    const before = libsodium().heap
    reserve(8 * 1024 * 1024)
    expect(before.length).toBe(0)
    const length = decryptInto(key, body, NONE, NONE)
    expect(plaintext(length).toString()).toBe('before')
    expect(plaintextWindow().toString('utf8', 0, length)).toBe('before')
  })

  it('keeps small and large messages apart', () => {
    const large = sealBytes(key, new Uint8Array(100_000).fill(7), NONE, NONE)
    const larger = sealBytes(key, new Uint8Array(400_000).fill(8), NONE, NONE)
    expect(decryptInto(key, large, NONE, NONE)).toBe(100_000)
    // Makes a new area; the plaintext in the old one must not be wiped a second time.
    expect(decryptInto(key, larger, NONE, NONE)).toBe(400_000)
    expect(plaintext(400_000).every((byte) => byte === 8)).toBe(true)
    const small = sealBytes(key, bytes('small'), NONE, NONE)
    expect(decryptInto(key, small, NONE, NONE)).toBe(5)
    expect(plaintext(5).toString()).toBe('small')
  })

  it('holds no pool of nonces for a nonce from outside', () => {
    const one = makeKey()
    const nonce = new Uint8Array(32).fill(9)
    const sealed = sealWithNonce(one, nonce, bytes('x'), NONE, NONE)
    expect(sealWithNonce(one, nonce, bytes('x'), NONE, NONE)).toBe(sealed)
    const invalid = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' })
    expect(() => sealWithNonce(one, nonce.subarray(1), NONE, NONE, NONE)).toThrow(invalid)
    destroyKey(one)
  })
})
