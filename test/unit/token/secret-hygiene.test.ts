/**
 * Wrong keys of every kind are passed to every function of `watchword/paseto`, and no error shows any of
 * them.
 *
 * @module
 */
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import * as paseto from '../../../src/paseto.js'
import { protocol } from '../../support/paseto-protocol.js'

const MATERIAL = Buffer.from('~secret material of 32 bytes !!~')
/** The secret in every spelling that a message could contain. */
const SPELLINGS = [
  MATERIAL.toString('latin1'),
  MATERIAL.toString('hex'),
  MATERIAL.toString('base64').slice(0, -2),
  MATERIAL.toString('base64url'),
  [...MATERIAL].join(','),
  [...MATERIAL].join(', '),
  [...MATERIAL].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
]
// Part of a secret counts as the whole, because error messages often truncate what they quote.
const PARTS = SPELLINGS.flatMap((text) => [text.slice(0, 12), text.slice(-12)])

beforeAll(() => paseto.ready)

function wrongKeys(): unknown[] {
  const text = MATERIAL.toString('base64url')
  const buffer = Buffer.from(MATERIAL)
  return [
    buffer,
    new Uint8Array(buffer),
    new Uint8Array(buffer).buffer,
    new DataView(new Uint8Array(buffer).buffer),
    [...buffer],
    MATERIAL.toString('latin1'),
    MATERIAL.toString('hex'),
    text,
    `k4.local.${text}`,
    `k4.local.${text}=`,
    ` k4.local.${text}`,
    `k3.local.${text}`,
    `k4.public.${text}`,
    `k4.secret.${text}${text}`,
    `k4.local-wrap.pie.${text}${text}${text}`,
    `k4.local-pw.${text}`,
    new String(`k4.local.${text}`),
    { key: text, type: 'secret', algorithm: { name: 'v4.local' }, extractable: true },
    { toString: () => text },
    { [`k4.local.${text}`]: true },
    new Map([[text, text]]),
    Symbol(text),
    new Error(text),
    () => text,
    undefined,
    null,
    '',
    0,
    1n,
    Object.create(paseto.generateKey()),
    new Proxy(paseto.generateKey(), {}),
  ]
}

/** Everything that an error, or any other value, can show. */
function shown(value: unknown): string {
  const error = value as Error & { detail?: unknown }
  return [
    String(error.message),
    String(error.stack),
    String(error.detail),
    inspect(error.cause, { showHidden: true, depth: 9 }),
    inspect(error, { showHidden: true, depth: 9, getters: true, maxStringLength: null }),
    inspect(error, { showHidden: true, depth: 9, customInspect: false }),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
  ].join('\n')
}

function failureOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

type Loose = (...args: unknown[]) => unknown
const api = paseto as unknown as Readonly<Record<string, Loose>>

/** Each use of a wrong key, by the purpose of the key. */
const USES: ReadonlyArray<readonly [string, (wrong: unknown) => unknown]> = [
  ['importKey(text)', (wrong) => api['importKey']?.(unlessValid(wrong))],
  ['exportKey(key)', (wrong) => api['exportKey']?.(wrong)],
  ['keyId(key)', (wrong) => api['keyId']?.(wrong)],
  ['wrapKey(root)', (wrong) => api['wrapKey']?.(wrong, paseto.generateKey())],
  ['wrapKey(key)', (wrong) => api['wrapKey']?.(paseto.generateKey(), wrong)],
  ['unwrapKey(root)', (wrong) => api['unwrapKey']?.(wrong, 'k4.local-wrap.pie.')],
  ['unwrapKey(text)', (wrong) => api['unwrapKey']?.(paseto.generateKey(), wrong)],
  ['seal(key)', (wrong) => api['seal']?.(wrong, new Uint8Array(1))],
  ['open(key)', (wrong) => api['open']?.(wrong, 'v4.local.')],
]

/** importKey rightly accepts one of the wrong keys: the text of a key. */
function unlessValid(wrong: unknown): unknown {
  return typeof wrong === 'string' && /^k4\.local\.[\w-]{43}$/.test(wrong) ? `${wrong}.` : wrong
}

function expectSilent(failure: unknown): void {
  const text = shown(failure)
  for (const part of PARTS) expect(text).not.toContain(part)
}

describe('no secret appears', () => {
  it('for any function that takes a key: the list of uses is complete', () => {
    const names = Object.keys(paseto).filter((name) => typeof api[name] === 'function')
    const covered = new Set(USES.map(([use]) => use.slice(0, use.indexOf('('))))
    expect(names.filter((name) => !covered.has(name))).toEqual(['generateKey'])
  })

  it.each(USES)('when %s is wrong', (_, use) => {
    for (const wrong of wrongKeys()) {
      const failure = failureOf(() => use(wrong))
      expect(failure).toMatchObject({ name: 'WatchwordError', code: 'ERR_INVALID_KEY' })
      expectSilent(failure)
    }
  })

  it('when a secret is given as payload, token or option', () => {
    const key = paseto.generateKey()
    for (const wrong of wrongKeys()) {
      if (wrong instanceof Uint8Array || wrong === undefined) continue
      const uses = [
        () => api['seal']?.(key, wrong),
        () => api['seal']?.(key, new Uint8Array(1), { footer: wrong }),
        () => api['open']?.(key, 'v4.local.', { implicitAssertion: wrong }),
      ]
      for (const use of uses) {
        const failure = failureOf(use)
        expect(failure).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
        expectSilent(failure)
      }
      expect(api['open']?.(key, wrong)).toBeUndefined()
      const failure = failureOf(() => api['open']?.(key, 'v4.local.', wrong))
      if (failure !== undefined) expectSilent(failure)
    }
  })

  it('when the protocol of the paseto package gets a wrong key', async () => {
    const key = paseto.generateKey()
    const loose = protocol as unknown as Readonly<Record<string, Loose>>
    for (const wrong of wrongKeys()) {
      const calls = [
        loose['ImportKey']?.(unlessValid(wrong)),
        loose['ExportKey']?.(wrong),
        loose['KeyID']?.(unlessValid(wrong)),
        loose['WrapKey']?.(wrong, key),
        loose['WrapKey']?.(key, wrong),
        loose['UnwrapKey']?.(wrong, key),
        loose['Encrypt']?.(wrong, {}),
        loose['Decrypt']?.(wrong, paseto.seal(key, new Uint8Array(2))),
      ]
      for (const result of await Promise.allSettled(calls)) {
        expect(result.status).toBe('rejected')
        if (result.status === 'rejected') expectSilent(result.reason)
      }
    }
  })

  it('when a key is printed', () => {
    const key = paseto.importKey(`k4.local.${MATERIAL.toString('base64url')}`)
    const nested = { key, list: [key], map: new Map([[key, key]]) }
    const texts = [
      String(key),
      `${key}`,
      JSON.stringify(nested),
      inspect(nested, { showHidden: true, depth: 9, getters: true }),
      inspect(nested, { showHidden: true, depth: 9, customInspect: false }),
      shown(new Error(`${key}`, { cause: key })),
    ]
    for (const text of texts) for (const part of PARTS) expect(text).not.toContain(part)
    expect(String(key)).toBe(`[k4.local lid=${paseto.keyId(key)}]`)
  })
})
