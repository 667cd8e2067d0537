import { beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { VerifiedCache } from '../../../src/cache/verified-cache.js'
import { Ring } from '../../../src/keys/ring.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { resolveOptions } from '../../../src/options/options.js'
import { ready } from '../../../src/paseto.js'
import { fixtures } from '../../../src/testkit/store/fixtures.js'
import { fingerprint, words } from '../../../src/token/fingerprint.js'
import { generateKey, keyId } from '../../../src/token/paserk.js'
import { plaintextWindow, sealBytes, sealText } from '../../../src/token/v4local.js'
import {
  FOOTER_TEXT_LENGTH,
  footerOf,
  HEADER,
  writeBranded,
  writeStandard,
} from '../../../src/token/wire.js'
import type { Entry } from '../../../src/verbs/entry.js'
import { Opener, type OpenerOptions } from '../../../src/verbs/opener.js'
import {
  AUDIENCE,
  assertionOf,
  claimsText,
  HOUR,
  ISSUER,
  isDeepFrozen,
  START,
} from '../../support/harness.js'

beforeAll(() => ready)

const make = fixtures('opener')
const LIMITS = { max: 100, maxBytes: 1_000_000 }
const OTHER_KEY = `k4.lid.${'A'.repeat(44)}`

interface Change extends Partial<OpenerOptions> {
  readonly keyExpiresAt?: number
  readonly prefixes?: readonly string[]
}

/** An opener with one key, and what it is made of. */
function setup({ keyExpiresAt = START + HOUR, prefixes = [], ...change }: Change = {}) {
  const key = generateKey()
  const kid = keyId(key)
  const assertion = (audience: string, binding = '') => assertionOf(ISSUER, audience, binding)
  const ring = new Ring(assertion)
  ring.add(make.key({ id: kid, audience: AUDIENCE, expiresAt: keyExpiresAt }), key)
  const hinted: string[] = []
  const policies = prefixes.map((prefix, i) => [`p${i}`, { ttl: '1h', scopes: [], prefix }])
  const { maxTokenLength } = resolveOptions({
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: { service: { ttl: '1h', scopes: [] } },
  })
  const cache = new VerifiedCache<Entry>(LIMITS)
  const opener = new Opener({
    issuer: ISSUER,
    policies: resolveOptions({
      issuer: ISSUER,
      audience: AUDIENCE,
      policies: { plain: { ttl: '1h', scopes: [] }, ...Object.fromEntries(policies) },
    }).policies,
    claims: undefined,
    maxTokenLength,
    clockToleranceMs: 0,
    clock: resolveClock({ now: () => START }),
    keyring: {
      get: (id) => ring.get(id),
      endingOf: ring.endingOf,
      hint: (id) => void hinted.push(id),
    },
    cache,
    assertionOf: assertion,
    ...change,
  })
  const footer = footerOf(kid)
  const footerText = Buffer.from(footer).toString('base64url')
  const body = (payload: string, binding = '') =>
    sealText(key, payload, footer, assertion(AUDIENCE, binding))
  const token = (payload = claimsText(), binding = '') =>
    writeStandard(body(payload, binding), footerText)
  /** The code of a rejected token, or `ok`. */
  const verdict = (text: unknown, binding = '') => {
    const found = opener.find(text, binding)
    return found.ok ? 'ok' : found.code
  }
  return { opener, cache, key, kid, footer, footerText, hinted, body, token, verdict }
}

/** The entry of a token that is authentic. */
function entryOf(opener: Opener, token: string): Entry {
  const found = opener.find(token, '')
  if (!found.ok) throw new Error(found.code)
  return found
}

describe('an authentic token', () => {
  it('is opened once and then returned from the cache', () => {
    const { opener, cache, token } = setup()
    const text = token()
    const entry = entryOf(opener, text)
    expect(entry.principal).toMatchObject({ subject: 'svc_billing', audience: AUDIENCE })
    expect(opener.find(text, '')).toBe(entry)
    expect(cache.size).toBe(1)
  })

  it('is cached under all four words of its fingerprint', () => {
    const { opener, token } = setup()
    const text = token()
    const { print0, print1, print2, print3 } = entryOf(opener, text)
    expect(fingerprint(text)).toBe(true)
    expect([print0, print1, print2, print3]).toEqual(words)
  })

  it('is opened on each call without a cache', () => {
    const { opener, token } = setup({ cache: new VerifiedCache<Entry>(undefined) })
    const text = token()
    const entry = entryOf(opener, text)
    expect(opener.find(text, '')).not.toBe(entry)
    expect(opener.find(text, '')).toEqual(entry)
  })

  it.each([
    ['a', new VerifiedCache<Entry>(LIMITS)],
    ['no', new VerifiedCache<Entry>(undefined)],
  ])('with a character outside ASCII is malformed with %s cache', (_, cache) => {
    const { token, verdict } = setup({ cache })
    const text = token()
    for (const at of [0, 20, text.length - 1])
      expect(verdict(`${text.slice(0, at)}é${text.slice(at + 1)}`), `${at}`).toBe('malformed')
  })

  it('is accepted with its binding only, from the cache or not', () => {
    const { token, verdict } = setup()
    const text = token(claimsText(), 'thumbprint')
    for (let i = 0; i < 2; i++) {
      expect(verdict(text, '')).toBe('invalid')
      expect(verdict(text, 'other')).toBe('invalid')
      expect(verdict(text, 'thumbprint')).toBe('ok')
    }
  })

  it('is read in every form of JSON that PASETO allows', () => {
    const { token, verdict } = setup()
    expect(verdict(token(JSON.stringify(JSON.parse(claimsText()), undefined, 2)))).toBe('ok')
    expect(verdict(token(claimsText({ tenant: 'acmé "x" \u{1f600}' })))).toBe('ok')
  })

  it('is read with any spelling of the footer of its key', () => {
    const { key, kid, verdict } = setup()
    const footer = Buffer.from(`{ "kid": "${kid}" }`)
    const body = sealText(key, claimsText(), footer, assertionOf(ISSUER, AUDIENCE))
    expect(verdict(writeStandard(body, footer.toString('base64url')))).toBe('ok')
  })

  it('leaves nothing of its text in memory', () => {
    const { token, verdict } = setup()
    expect(verdict(token())).toBe('ok')
    expect(
      plaintextWindow()
        .subarray(0, 100)
        .every((byte) => byte === 0),
    ).toBe(true)
  })

  it('has frozen custom claims, also if a schema gets to see them', () => {
    const copied = z.pipe(
      z.unknown(),
      z.transform((value) => ({ ...(value as object) })),
    )
    for (const claims of [undefined, z.unknown(), copied]) {
      const { opener, token } = setup({ claims })
      const { custom, principal } = entryOf(opener, token(claimsText({ tenant: { id: 't' } })))
      expect(principal.claims).toEqual({ tenant: { id: 't' } })
      expect([custom, principal].map(isDeepFrozen)).toEqual([true, true])
    }
  })

  it('takes 390 bytes and its claims in the cache, and its claims twice if a schema returns others', () => {
    const sizes = (change: Change) => {
      const { opener, cache, token } = setup(change)
      const payload = claimsText({ tenant: 'acme' })
      entryOf(opener, token(payload))
      return [cache.bytes, Buffer.byteLength(payload)] as const
    }
    const [same, length] = sizes({})
    expect(same).toBe(390 + length)
    const copied = z.pipe(
      z.unknown(),
      z.transform((value) => ({ ...(value as object) })),
    )
    expect(sizes({ claims: copied })[0]).toBe(390 + 2 * length)
  })
})

describe('a token is rejected as', () => {
  it('claims_invalid if its payload is empty, is not UTF-8, is not JSON or fails the schema', () => {
    const { key, footer, footerText, token, verdict } = setup()
    expect(verdict(token(''))).toBe('claims_invalid')
    expect(verdict(token('x'))).toBe('claims_invalid')
    expect(verdict(token('{}'))).toBe('claims_invalid')
    const bytes = Buffer.from(claimsText({ tenant: 'x' }).replace('"x"', '"\xff"'), 'latin1')
    const body = sealBytes(key, bytes, footer, assertionOf(ISSUER, AUDIENCE))
    expect(verdict(writeStandard(body, footerText))).toBe('claims_invalid')
    const strict = setup({ claims: z.object({ tenant: z.string() }) })
    expect(strict.verdict(strict.token())).toBe('claims_invalid')
    expect(strict.verdict(strict.token(claimsText({ tenant: 'acme' })))).toBe('ok')
  })

  it('malformed if it is not text, or names no key in a footer of the usual length', () => {
    const { body, token, verdict } = setup()
    const text = token()
    for (const other of [undefined, null, 7, {}, [text], new String(text)])
      expect(verdict(other)).toBe('malformed')
    const footer = 'A'.repeat(FOOTER_TEXT_LENGTH)
    expect(verdict(writeStandard(body(claimsText()), footer))).toBe('malformed')
  })

  it('wrong_issuer or wrong_audience if its claims name others than its key', () => {
    const { token, verdict } = setup()
    expect(verdict(token(claimsText({ iss: 'https://other.example' })))).toBe('wrong_issuer')
    expect(verdict(token(claimsText({ aud: 'other-api' })))).toBe('wrong_audience')
  })

  it('unknown_key from the millisecond on in which its key expires', () => {
    const last = setup({ keyExpiresAt: START + 1 })
    expect(last.verdict(last.token())).toBe('ok')
    const ended = setup({ keyExpiresAt: START })
    expect(ended.verdict(ended.token())).toBe('unknown_key')
    expect(ended.hinted).toEqual([])
  })

  it('unknown_key if its key is not loaded, and the keyring is told which one', () => {
    const { hinted, body, verdict } = setup()
    const footers = [footerOf(OTHER_KEY), Buffer.from(`{ "kid": "${OTHER_KEY}" }`)]
    for (const footer of footers) {
      const text = Buffer.from(footer).toString('base64url')
      expect(verdict(writeStandard(body(claimsText()), text))).toBe('unknown_key')
    }
    expect(verdict(writeBranded('acme_', OTHER_KEY, body(claimsText())))).toBe('unknown_key')
    expect(hinted).toEqual([OTHER_KEY, OTHER_KEY, OTHER_KEY])
  })

  it('too_long above the longest length only', () => {
    const { token } = setup()
    const { length } = token()
    const exact = setup({ maxTokenLength: length })
    expect(exact.verdict(exact.token())).toBe('ok')
    const tight = setup({ maxTokenLength: length - 1 })
    expect(tight.verdict(tight.token())).toBe('too_long')
  })
})

describe('after close', () => {
  it('a token is rejected as closed, whether it was cached, has a known key or is authentic', () => {
    const { opener, cache, kid, body, token, verdict } = setup()
    const hot = token()
    expect(verdict(hot)).toBe('ok')
    opener.close()
    expect(cache.size).toBe(0)
    const cold = token()
    const forged = `${cold.slice(0, 60)}${cold[60] === 'A' ? 'B' : 'A'}${cold.slice(61)}`
    const unknown = writeBranded('acme_', OTHER_KEY, body(claimsText()))
    const branded = writeBranded('acme_', kid, body(claimsText()))
    for (const text of [hot, cold, forged, unknown, branded]) expect(verdict(text)).toBe('closed')
  })

  it('text that is not a token is still rejected as malformed', () => {
    const { opener, body, verdict } = setup()
    opener.close()
    const sealed = body(claimsText())
    const texts = [
      '',
      'abc',
      'x'.repeat(FOOTER_TEXT_LENGTH),
      'X'.repeat(200),
      `${HEADER}${sealed}`,
      HEADER + 'x'.repeat(FOOTER_TEXT_LENGTH - HEADER.length),
    ]
    for (const length of [0, 1, -2, -1, 1, 2].map((change) => FOOTER_TEXT_LENGTH + change))
      if (length !== FOOTER_TEXT_LENGTH) texts.push(writeStandard(sealed, 'A'.repeat(length)))
    for (const text of texts) expect(verdict(text), text).toBe('malformed')
  })

  it('a token is rejected as closed if its own verification closes the authority', () => {
    const closing: { opener?: Opener } = {}
    const clock = resolveClock({
      now: () => {
        closing.opener?.close()
        return START
      },
    })
    const byClock = setup({ clock })
    closing.opener = byClock.opener
    const unknown = writeBranded('acme_', OTHER_KEY, byClock.body(claimsText()))
    expect(byClock.verdict(unknown)).toBe('closed')
    expect(byClock.hinted).toEqual([])
    const claims = z.pipe(
      z.unknown(),
      z.transform((value) => {
        closing.opener?.close()
        return value
      }),
    )
    const bySchema = setup({ claims })
    closing.opener = bySchema.opener
    expect(bySchema.verdict(bySchema.token())).toBe('closed')
    expect(bySchema.cache.size).toBe(0)
  })
})

describe('the key that a token names', () => {
  it('is found in every form of a token up to the longest length', () => {
    const { opener, kid, body, token } = setup()
    expect(opener.keyIdOf(token())).toBe(kid)
    expect(opener.keyIdOf(writeBranded('acme_', kid, body(claimsText())))).toBe(kid)
    const text = token()
    const exact = setup({ maxTokenLength: text.length })
    expect(exact.opener.keyIdOf(exact.token())).toBe(exact.kid)
    const tight = setup({ maxTokenLength: text.length - 1 })
    expect(tight.opener.keyIdOf(tight.token())).toBeUndefined()
  })

  it('is undefined for anything that is not a token', () => {
    const { opener } = setup()
    for (const other of [undefined, null, 7, {}, [], 'abc', HEADER])
      expect(opener.keyIdOf(other)).toBeUndefined()
  })

  it('follows the longest prefix of this authority that the token begins with', () => {
    for (const prefixes of [
      ['acme', 'acme_live', 'other'],
      ['other', 'acme_live', 'acme'],
    ]) {
      const { opener, body } = setup({ prefixes })
      // Key ids may contain underscores, so this token could have a longer prefix.
      const id = `k4.lid.a_${'A'.repeat(42)}`
      for (const brand of ['acme_live_', 'acme_'])
        expect(opener.keyIdOf(writeBranded(brand, id, body(claimsText())))).toBe(id)
    }
  })
})
