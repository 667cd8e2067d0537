/**
 * Ours against the `paseto` package with the same primitives: on every input, good or bad, both
 * accept with equal bytes or both refuse. The package wants a JSON object inside, so every payload
 * here is one.
 *
 * @module
 */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { LocalKey } from '../../../src/paseto.js'
import {
  exportKey,
  generateKey,
  keyId,
  open,
  ready,
  seal,
  unwrapKey,
  wrapKey,
} from '../../../src/paseto.js'
import { importKey as importForProtocol } from '../../../src/token/paserk.js'
import { protocol } from '../../support/paseto-protocol.js'
import { runs } from '../../support/runs.js'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const EMPTY = new Uint8Array(0)

let key: LocalKey
beforeAll(async () => {
  await ready
  key = generateKey()
})

const arbitraryBytes = fc.uint8Array({ maxLength: 200 })
const registered = ['aud', 'exp', 'iat', 'iss', 'jti', 'nbf', 'sub']
const arbitraryClaims = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 })
  .map((claims) => Object.entries(claims).filter(([name]) => !registered.includes(name)))
  .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as object)

interface Opened {
  readonly claims: unknown
  readonly footer: Uint8Array
}

/**
 * The package's result; any rejection is `undefined`, and any other error is passed on.
 */
async function theirs(token: string, implicitAssertion: Uint8Array): Promise<Opened | undefined> {
  try {
    return await protocol.Decrypt(key, token, { implicitAssertion, allowNonExpiring: true })
  } catch (error) {
    const { code } = error as { readonly code?: string }
    if (code === 'ERR_PASETO_INVALID_TOKEN') return undefined
    throw error
  }
}

function ours(token: string, implicitAssertion: Uint8Array): Opened | undefined {
  const opened = open(key, token, { implicitAssertion })
  if (opened === undefined) return undefined
  return { claims: JSON.parse(Buffer.from(opened.payload).toString()), footer: opened.footer }
}

/** Calls both, requires equal results, and returns whether they accepted. */
async function agreed(token: string, implicitAssertion: Uint8Array): Promise<boolean> {
  const [mine, other] = [ours(token, implicitAssertion), await theirs(token, implicitAssertion)]
  expect(mine, token).toEqual(other)
  return mine !== undefined
}

function sample(): { readonly token: string; readonly implicitAssertion: Uint8Array } {
  const implicitAssertion = Buffer.from('assertion')
  const footer = Buffer.from('{"kid":1}')
  const payload = Buffer.from('{"a":"0123456789","b":[1,2]}')
  return { token: seal(key, payload, { footer, implicitAssertion }), implicitAssertion }
}

describe('tokens', () => {
  it('from this library are read by the package, and those of the package by this library', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryClaims,
        arbitraryBytes,
        arbitraryBytes,
        async (claims, footer, implicitAssertion) => {
          const options = { footer, implicitAssertion }
          const mine = seal(key, Buffer.from(JSON.stringify(claims)), options)
          const other = await protocol.Encrypt(key, claims as Record<string, never>, {
            ...options,
            addIssuedAt: false,
            nonExpiring: true,
          })
          for (const token of [mine, other]) {
            expect(ours(token, implicitAssertion)).toEqual({ claims, footer })
            expect(await agreed(token, implicitAssertion)).toBe(true)
          }
          expect(mine.length).toBe(other.length)
        },
      ),
      { numRuns: runs(300) },
    )
  })

  it('with one flipped bit, in any character, are judged alike', async () => {
    const { token, implicitAssertion } = sample()
    const bytes = Buffer.from(token)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(await agreed(bytes.toString('latin1'), implicitAssertion), `bit ${bit}`).toBe(false)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    }
    expect(await agreed(token, implicitAssertion)).toBe(true)
  })

  it('with one flipped bit, in any decoded byte, are judged alike', async () => {
    const { token, implicitAssertion } = sample()
    const segments = token.split('.').slice(2)
    const pieces = segments.map((segment) => Buffer.from(segment, 'base64url'))
    for (const piece of [...pieces, Buffer.from(implicitAssertion)]) {
      const assertion = pieces.includes(piece) ? implicitAssertion : piece
      for (let bit = 0; bit < piece.length * 8; bit++) {
        piece[bit >> 3] = (piece[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const changed = pieces.map((each) => each.toString('base64url'))
        expect(await agreed(`v4.local.${changed.join('.')}`, assertion)).toBe(false)
        piece[bit >> 3] = (piece[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      }
    }
  })

  it('in every respelling of base64url are judged alike', async () => {
    for (const size of [0, 1, 2]) {
      const payload = Buffer.from(`{"a":${'1'.repeat(size + 1)}}`)
      const token = seal(key, payload, { footer: new Uint8Array(size + 1) })
      const [, , body = '', tail = ''] = token.split('.')
      const standard = (text: string): string => text.replaceAll('-', '+').replaceAll('_', '/')
      const spellings = [`${standard(body)}.${tail}`, `${body}.${standard(tail)}`]
      for (const end of ['=', '==', '===', ' ', '\n', 'A']) {
        spellings.push(`${body}${end}.${tail}`, `${body}.${tail}${end}`)
      }
      for (const last of ALPHABET) {
        spellings.push(`${body.slice(0, -1)}${last}.${tail}`, `${body}.${tail.slice(0, -1)}${last}`)
      }
      const others = spellings.filter((spelling) => spelling !== `${body}.${tail}`)
      expect(others.length).toBeGreaterThan(130)
      for (const spelling of others) {
        expect(await agreed(`v4.local.${spelling}`, EMPTY), spelling).toBe(false)
      }
    }
  })

  it('that are truncated or extended are judged alike', async () => {
    const { token, implicitAssertion } = sample()
    for (let length = 0; length < token.length; length++) {
      expect(await agreed(token.slice(0, length), implicitAssertion)).toBe(false)
      expect(await agreed(token.slice(length + 1), implicitAssertion)).toBe(false)
    }
    for (const more of ['.', '..', '.A', 'A', 'AA', 'AAAA', '=', ' ', token]) {
      expect(await agreed(`${token}${more}`, implicitAssertion)).toBe(false)
      expect(await agreed(`${more}${token}`, implicitAssertion)).toBe(false)
    }
  })

  it('that are edited in one or two places are judged alike', async () => {
    const sign = fc.constantFrom(...ALPHABET, '.', '=', '+', '/', ' ', '\0', '\u0141', '\uFEFF')
    const edit = fc.record({ kind: fc.constantFrom(0, 1, 2), at: fc.nat(), sign })
    const { token, implicitAssertion } = sample()
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 2 }), async (edits) => {
        const changed = edits.reduce((text, { kind, at, sign: character }) => {
          const place = at % (text.length + 1)
          const skipped = kind === 0 ? 0 : 1
          const inserted = kind === 1 ? '' : character
          return text.slice(0, place) + inserted + text.slice(place + skipped)
        }, token)
        expect(await agreed(changed, implicitAssertion)).toBe(changed === token)
      }),
      { numRuns: runs(3000) },
    )
  })

  it('made of random text and random segments are judged alike', async () => {
    const segment = fc.oneof(
      arbitraryBytes.map((bytes) => Buffer.from(bytes).toString('base64url')),
      fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 120 }),
      fc.string({ unit: 'binary' }),
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(segment, { maxLength: 3 }).map((segments) => `v4.local.${segments.join('.')}`),
    )
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect(await agreed(token, EMPTY)).toBe(false)
      }),
      { numRuns: runs(3000) },
    )
  })
})

describe('PASERK', () => {
  it('from this library is read by the package, and that of the package by this library', async () => {
    for (let round = 0; round < 50; round++) {
      const [root, inner] = [generateKey(), generateKey()]
      const text = exportKey(inner)
      expect(await protocol.KeyID(text)).toBe(keyId(inner))
      const wrapped = await protocol.WrapKey(inner, root)
      expect(exportKey(unwrapKey(root, wrapped))).toBe(text)
      const opened = await protocol.UnwrapKey(wrapKey(root, inner), root, { extractable: true })
      expect(await protocol.ExportKey(opened)).toBe(text)
      const imported = await protocol.ImportKey(text, { extractable: true })
      expect(await protocol.ExportKey(imported)).toBe(text)
    }
  })

  it('keeps a key inside the package unless it was made extractable', async () => {
    const invalid = { code: 'ERR_INVALID_KEY' }
    const made = await protocol.GenerateKey()
    await expect(protocol.ExportKey(made)).rejects.toMatchObject(invalid)
    await expect(protocol.WrapKey(made, key)).rejects.toMatchObject(invalid)
    const imported = await protocol.ImportKey(exportKey(key) as `k4.local.${string}`)
    await expect(protocol.ExportKey(imported)).rejects.toMatchObject(invalid)
    expect(keyId(importForProtocol(exportKey(key), false))).toBe(keyId(imported))
    const wrapped = wrapKey(key, key)
    await expect(protocol.KeyID(wrapped)).rejects.toMatchObject({ code: 'ERR_PASERK_INVALID' })
  })
})
