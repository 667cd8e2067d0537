/**
 * The official PASETO and PASERK vectors: all of `v4.json` that is local or must fail, and every
 * kind of PASERK that the library writes or reads. The counts are asserted, so that a truncated
 * copy fails.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  exportKey,
  generateKey,
  importKey,
  keyId,
  open,
  ready,
  seal,
  unwrapKey,
  wrapKey,
} from '../../src/paseto.js'
import { sealWithNonce } from '../../src/token/v4local.js'

interface TokenVector {
  readonly name: string
  readonly 'expect-fail': boolean
  readonly key?: string
  readonly nonce?: string
  readonly token: string
  readonly payload: string | null
  readonly footer: string
  readonly 'implicit-assertion': string
}

interface KeyVector {
  readonly name: string
  readonly 'expect-fail': boolean
  readonly key?: string | null
  readonly paserk: string | null
}

interface WrapVector extends KeyVector {
  readonly paserk: string
  readonly unwrapped: string | null
  readonly 'wrapping-key': string
}

function load<T>(name: string): readonly T[] {
  const text = readFileSync(new URL(`official/${name}.json`, import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly tests: readonly T[] }).tests
}

const paserkOf = (hex: string): string =>
  `k4.local.${Buffer.from(hex, 'hex').toString('base64url')}`
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const invalidKey = expect.objectContaining({ code: 'ERR_INVALID_KEY' })

const tokens = load<TokenVector>('v4').filter(
  (vector) => vector['expect-fail'] || vector.token.startsWith('v4.local.'),
)
const local = tokens.filter((vector) => !vector['expect-fail'])
const failing = tokens.filter((vector) => vector['expect-fail'])

beforeAll(() => ready)

describe('PASETO v4', () => {
  it('is a whole copy', () => {
    expect(load('v4')).toHaveLength(17)
    expect([local.length, failing.length]).toEqual([9, 5])
  })

  it.each(local)('$name opens, and seals again to the same token', (vector) => {
    const key = importKey(paserkOf(vector.key ?? ''))
    const payload = utf8(vector.payload ?? '')
    const footer = utf8(vector.footer)
    const implicitAssertion = utf8(vector['implicit-assertion'])
    const opened = open(key, vector.token, { implicitAssertion })
    expect(opened).toEqual({ payload, footer })
    const nonce = Buffer.from(vector.nonce ?? '', 'hex')
    const body = sealWithNonce(key, nonce, payload, footer, implicitAssertion)
    expect(vector.token.split('.')[2]).toBe(body)
    const fresh = seal(key, payload, { footer, implicitAssertion })
    expect(fresh).not.toBe(vector.token)
    expect(open(key, fresh, { implicitAssertion })).toEqual(opened)
  })

  it.each(failing)('$name is refused', (vector) => {
    // 4-F-1 gives a token of another purpose the keys of v4.public, which are no keys here at all.
    const key = vector.key === undefined ? generateKey() : importKey(paserkOf(vector.key))
    const implicitAssertion = utf8(vector['implicit-assertion'])
    expect(open(key, vector.token, { implicitAssertion })).toBeUndefined()
  })

  it('4-F-1: neither raw bytes nor the text of another kind of key is a key', () => {
    const vector = failing.find(({ name }) => name === '4-F-1') as unknown as Record<string, string>
    const hex = vector['public-key'] ?? ''
    const raw = Buffer.from(hex, 'hex')
    expect(raw).toHaveLength(32)
    // @ts-expect-error Bytes are not a key.
    expect(() => open(raw, vector['token'] ?? '')).toThrow(invalidKey)
    const text = `k4.public.${raw.toString('base64url')}`
    expect(() => importKey(text)).toThrow(invalidKey)
  })

  it.each(['4-F-4', '4-F-5'])('%s fails for its spelling alone', (name) => {
    const vector = failing.find((each) => each.name === name) as TokenVector
    const canonical = name === '4-F-5' ? vector.token.replaceAll('=', '') : respell(vector.token)
    const key = importKey(paserkOf(vector.key ?? ''))
    const implicitAssertion = utf8(vector['implicit-assertion'])
    expect(canonical).not.toBe(vector.token)
    expect(open(key, canonical, { implicitAssertion })).toBeDefined()
  })
})

describe('PASERK k4.local', () => {
  const vectors = load<KeyVector>('k4.local')

  it('is a whole copy', () => {
    expect(vectors.map((vector) => vector['expect-fail'])).toEqual([
      false,
      false,
      false,
      true,
      true,
    ])
  })

  it.each(vectors)('$name', (vector) => {
    const paserk = vector.paserk ?? ''
    if (vector['expect-fail']) expect(() => importKey(paserk)).toThrow(invalidKey)
    else {
      expect(paserkOf(vector.key ?? '')).toBe(paserk)
      expect(exportKey(importKey(paserk))).toBe(paserk)
    }
  })
})

describe('PASERK k4.lid', () => {
  const vectors = load<KeyVector>('k4.lid')

  it('is a whole copy', () => {
    expect(vectors.map((vector) => vector['expect-fail'])).toEqual([false, false, false, true])
  })

  it.each(vectors)('$name', (vector) => {
    const identify = (): string => keyId(importKey(paserkOf(vector.key ?? '')))
    if (vector['expect-fail']) expect(identify).toThrow(invalidKey)
    else expect(identify()).toBe(vector.paserk)
  })
})

describe('PASERK k4.local-wrap.pie', () => {
  const vectors = load<WrapVector>('k4.local-wrap.pie')

  it('is a whole copy', () => {
    expect(vectors.map((vector) => vector['expect-fail'])).toEqual([false, false, true, true])
  })

  it.each(vectors)('$name', (vector) => {
    const wrappingKey = importKey(paserkOf(vector['wrapping-key']))
    if (vector['expect-fail']) {
      expect(() => unwrapKey(wrappingKey, vector.paserk)).toThrow(invalidKey)
      return
    }
    const key = unwrapKey(wrappingKey, vector.paserk)
    expect(exportKey(key)).toBe(paserkOf(vector.unwrapped ?? ''))
    const again = wrapKey(wrappingKey, key)
    expect(again).not.toBe(vector.paserk)
    expect(keyId(unwrapKey(wrappingKey, again))).toBe(keyId(key))
  })
})

/** The canonical spelling of each segment behind the header. */
function respell(token: string): string {
  const segments = token.split('.').map((segment, index) => {
    return index < 2 ? segment : Buffer.from(segment, 'base64url').toString('base64url')
  })
  return segments.join('.')
}
