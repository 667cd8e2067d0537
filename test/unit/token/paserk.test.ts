import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { ready } from '../../../src/paseto.js'
import {
  authenticationState,
  destroyKey,
  exportKey,
  generateKey,
  importKey,
  keyAddress,
  keyId,
  LocalKey,
  unwrapKey,
  wrapKey,
} from '../../../src/token/paserk.js'
import { libsodium, type Sodium } from '../../../src/token/sodium.js'
import { decryptInto, sealBytes } from '../../../src/token/v4local.js'

const NONE = new Uint8Array(0)
const invalidKey = expect.objectContaining({ code: 'ERR_INVALID_KEY' })

beforeAll(() => ready)

const DOMAIN_LENGTH = 'paseto-auth-key-for-aead'.length

/** The bytes that libsodium's BLAKE2b state has not compressed yet, of its `buflen`. */
const bufferedIn = ({ view }: Pick<Sodium, 'view'>, state: number): number =>
  view.getUint32(state + 352, true)

/** Every text that differs from a valid one in one respect. */
function spoilt(text: string): string[] {
  const header = text.slice(0, text.lastIndexOf('.') + 1)
  const body = text.slice(header.length)
  return [
    '',
    header,
    body,
    ` ${text}`,
    `${text} `,
    `${text}\n`,
    `${text}.`,
    `${text}=`,
    `${text}A`,
    `\uFEFF${text}`,
    text.slice(0, -1),
    text.slice(1),
    text.toUpperCase(),
    text.replace('k4', 'k3'),
    text.replace('k4', 'K4'),
    text.replace('local', 'secret'),
    text.replace('k4', '\uFF4B\uFF14'),
    `${header}.${body.slice(1)}`,
    `${header}${body.slice(0, -1)} `,
    `${header}${body.slice(0, -1)}=`,
    `${header}${body.slice(0, -1)}+`,
    `${header}${body.slice(0, -1)}/`,
    `${header}${body.slice(0, -1)}\0`,
    `${header}${body.slice(0, -1)}\u0141`,
    text.repeat(2),
  ]
}

describe('the initialization', () => {
  type Factory = () => Promise<Record<string, unknown>>

  /** The library on another libsodium. */
  async function startOn(libsodium: unknown): Promise<typeof import('../../../src/paseto.js')> {
    vi.resetModules()
    vi.doMock('libsodium-sumo', () => ({ default: libsodium }))
    try {
      return await import('../../../src/paseto.js')
    } finally {
      vi.doUnmock('libsodium-sumo')
    }
  }

  const real = async (): Promise<Record<string, unknown>> => {
    const actual = await vi.importActual<{ default: Factory }>('libsodium-sumo')
    return actual.default()
  }

  it('is required before any key is made', async () => {
    const { generateKey, importKey } = await startOn(() => new Promise(() => {}))
    const notReady = expect.objectContaining({ code: 'ERR_NOT_READY' })
    expect(() => generateKey()).toThrow(notReady)
    expect(() => importKey(`k4.local.${'A'.repeat(43)}`)).toThrow(notReady)
  })

  it('accepts the CommonJS shape of libsodium as well', async () => {
    const shape = createRequire(import.meta.url)('libsodium-sumo') as { _malloc?: unknown }
    expect(typeof shape).toBe('object')
    for (const libsodium of [shape, { default: shape }]) {
      const { exportKey, generateKey, importKey, open, ready, seal } = await startOn(libsodium)
      await ready
      const key = importKey(exportKey(generateKey()))
      expect(open(key, seal(key, Uint8Array.of(1, 2, 3)))?.payload).toEqual(Uint8Array.of(1, 2, 3))
    }
  })

  it.each(['xor', 'verify', 'hash'])('rejects a libsodium whose %s is broken', async (broken) => {
    const module = await real()
    const faults: Record<string, [string, () => number]> = {
      xor: ['_crypto_stream_xchacha20_xor', () => 0],
      verify: ['_crypto_verify_32', () => 0],
      hash: ['_crypto_generichash', () => 0],
    }
    const [name, wrong] = faults[broken] ?? ['', () => 0]
    const { generateKey, ready } = await startOn(async () => ({ ...module, [name]: wrong }))
    const failed = { code: 'ERR_SELF_TEST' }
    await expect(ready).rejects.toMatchObject(failed)
    expect(() => generateKey()).toThrow(expect.objectContaining(failed))
  })

  it('fails permanently when libsodium cannot be loaded', async () => {
    const { generateKey, ready } = await startOn(() => Promise.reject(new Error('no memory')))
    const failed = { code: 'ERR_SELF_TEST', message: 'libsodium could not be loaded.' }
    await expect(ready).rejects.toMatchObject({ ...failed, cause: new Error('no memory') })
    expect(() => generateKey()).toThrow(expect.objectContaining(failed))
  })

  it('works without compressed states when libsodium lays them out differently', async () => {
    const module = await real()
    const update = module['_crypto_generichash_update'] as (...args: number[]) => number
    const swallow = async (): Promise<Record<string, unknown>> => ({
      ...module,
      // Feeding 129 bytes is how the block of the key is compressed, which has no effect here.
      _crypto_generichash_update: (state: number, input: number, low: number, high: number) =>
        low === 129 ? 0 : update(state, input, low, high),
    })
    const { generateKey, open, ready, seal } = await startOn(swallow)
    await ready
    const key = generateKey()
    const fresh = await import('../../../src/token/paserk.js')
    const sodium = await import('../../../src/token/sodium.js')
    expect(bufferedIn(sodium.libsodium(), fresh.authenticationState(fresh.keyAddress(key)))).toBe(
      128 + DOMAIN_LENGTH,
    )
    expect(open(key, seal(key, Uint8Array.of(7)))?.payload).toEqual(Uint8Array.of(7))
  })
})

describe('keys', () => {
  it('are random, and survive export and import', () => {
    const keys = Array.from({ length: 200 }, () => generateKey())
    expect(new Set(keys.map((key) => exportKey(key))).size).toBe(200)
    for (const key of keys) {
      const same = importKey(exportKey(key))
      expect(keyId(same)).toBe(keyId(key))
      const body = sealBytes(key, Buffer.from('hello'), NONE, NONE)
      expect(decryptInto(same, body, NONE, NONE)).toBe(5)
    }
  })

  it('have an identifier that fits a footer', () => {
    expect(keyId(generateKey())).toMatch(/^k4\.lid\.[A-Za-z0-9_-]{44}$/)
  })

  it('show only their identifier when printed', () => {
    const key = generateKey()
    const shown = `[k4.local lid=${keyId(key)}]`
    expect(String(key)).toBe(shown)
    expect(`${key}`).toBe(shown)
    expect(inspect(key)).toBe(shown)
    expect(inspect(key, { showHidden: true, depth: 9 })).toBe(shown)
    expect(inspect({ key }, { showHidden: true })).toContain(shown)
    expect(JSON.stringify({ key })).toBe(`{"key":"${shown}"}`)
    const secret = exportKey(key).slice('k4.local.'.length)
    const raw = inspect(key, { showHidden: true, customInspect: false, getters: true, depth: 9 })
    expect(raw).not.toContain(secret)
    expect(Object.isFrozen(key)).toBe(true)
  })

  it('can only be made by this module', () => {
    const key = generateKey()
    const Class = key.constructor as new (...args: unknown[]) => LocalKey
    expect(() => new Class(Symbol('make'), 64, true)).toThrow(invalidKey)
    const copies = [structuredClone({ ...key }), Object.create(key), new Proxy(key, {})]
    for (const copy of copies) expect(() => exportKey(copy)).toThrow(invalidKey)
    expect(() => exportKey(Object.create(LocalKey.prototype))).toThrow(invalidKey)
  })

  it('are rejected once destroyed, and wiped', () => {
    const key = generateKey()
    const id = keyId(key)
    const at = keyAddress(key)
    const bytes = libsodium().heap.slice(at, at + 832)
    expect(bytes.some((byte) => byte !== 0)).toBe(true)
    destroyKey(key)
    const left = libsodium().heap.slice(at, at + 832)
    // The allocator may write its own words at the edges, but no run of the key remains.
    expect(Buffer.from(left).includes(Buffer.from(bytes.subarray(4, 28)))).toBe(false)
    expect(left.filter((byte) => byte !== 0).length).toBeLessThan(64)
    destroyKey(key)
    expect(String(key)).toBe(`[k4.local lid=${id}]`)
    for (const use of [exportKey, keyId, (dead: LocalKey) => wrapKey(generateKey(), dead)]) {
      expect(() => use(key)).toThrow(invalidKey)
    }
    expect(() => decryptInto(key, 'A'.repeat(86), NONE, NONE)).toThrow(invalidKey)
  })

  it('stay at their place in the heap', () => {
    const key = generateKey(false)
    expect(() => exportKey(key)).toThrow(invalidKey)
    expect(() => wrapKey(generateKey(), key)).toThrow(invalidKey)
    expect(keyId(unwrapKey(key, wrapKey(key, generateKey())))).toMatch(/^k4\.lid\./)
  })

  it('use the compressed states, which were verified at load', () => {
    const state = authenticationState(keyAddress(generateKey()))
    expect(bufferedIn(libsodium(), state)).toBe(DOMAIN_LENGTH)
  })

  it('do not fill the heap', () => {
    const before = libsodium().heap.length
    for (let made = 0; made < 20_000; made++) destroyKey(generateKey())
    expect(libsodium().heap.length).toBe(before)
  })
})

describe('a forgotten key', () => {
  it('is wiped when it is collected', async () => {
    const { gc } = globalThis
    // A fixed slot of the heap, which does not keep the key alive.
    const at = ((key) => keyAddress(key))(generateKey())
    const secret = libsodium().buffer.toString('hex', at + 4, at + 28)
    const now = (): string => libsodium().buffer.toString('hex', at + 4, at + 28)
    for (let round = 0; round < 50 && gc && now() === secret; round++) {
      gc()
      await new Promise((done) => setImmediate(done))
    }
    expect(now() === secret).toBe(gc === undefined)
  })
})

describe('importKey', () => {
  it('accepts one spelling', () => {
    const text = exportKey(generateKey())
    expect(exportKey(importKey(text))).toBe(text)
    for (const bad of spoilt(text)) expect(() => importKey(bad), bad).toThrow(invalidKey)
  })

  it('rejects bits that no byte uses', () => {
    // 43 characters hold 258 bits, of which the last two have to be zero.
    const zero = `k4.local.${'A'.repeat(43)}`
    expect(exportKey(importKey(zero))).toBe(zero)
    for (const last of 'BCD') {
      expect(() => importKey(zero.slice(0, -1) + last)).toThrow(invalidKey)
    }
  })
})

describe('unwrapKey', () => {
  it('opens what wrapKey closed, and nothing that differs', () => {
    const [root, key] = [generateKey(), generateKey()]
    const text = wrapKey(root, key)
    expect(text).toMatch(/^k4\.local-wrap\.pie\.[A-Za-z0-9_-]{128}$/)
    expect(exportKey(unwrapKey(root, text))).toBe(exportKey(key))
    expect(wrapKey(root, key)).not.toBe(text)
    expect(() => unwrapKey(generateKey(), text)).toThrow(invalidKey)
    for (const bad of spoilt(text)) expect(() => unwrapKey(root, bad), bad).toThrow(invalidKey)
  })

  it('rejects every flipped bit', () => {
    const root = generateKey()
    const text = wrapKey(root, generateKey())
    const header = 'k4.local-wrap.pie.'
    const bytes = Buffer.from(text.slice(header.length), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => unwrapKey(root, header + bytes.toString('base64url')), `${bit}`).toThrow(
        invalidKey,
      )
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    }
    expect(header + bytes.toString('base64url')).toBe(text)
  })

  it('rejects another length, even when the tag would match', () => {
    const root = generateKey()
    const payload = Buffer.from(wrapKey(root, generateKey()).slice(18), 'base64url')
    for (const length of [0, 64, 95, 97, 128]) {
      const other = Buffer.concat([payload, payload]).subarray(0, length)
      const text = `k4.local-wrap.pie.${other.toString('base64url')}`
      expect(() => unwrapKey(root, text)).toThrow(invalidKey)
    }
  })
})
