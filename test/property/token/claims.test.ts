/**
 * JSON, times and claims as tokens may carry them: the attacks one by one, and the laws for everything else.
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/paseto.js'
import { parseJsonObject } from '../../../src/token/json.js'
import { formatTime, parseTime } from '../../../src/token/time.js'
import { sealBytes } from '../../../src/token/v4local.js'
import { footerOf, writeStandard } from '../../../src/token/wire.js'
import {
  AUDIENCE,
  activeKey,
  assertionOf,
  claimsText,
  closeAll,
  HOUR,
  ISSUER,
  isDeepFrozen,
  type Rig,
  rig,
  START,
  sealed,
  verdict,
} from '../../support/harness.js'
import { runs } from '../../support/runs.js'

let setup: Rig
beforeAll(async () => {
  await ready
  setup = await rig()
})
afterAll(closeAll)

const LIMITS = { maxDepth: 16, maxKeys: 64 }
const parse = (text: string) => parseJsonObject(text, LIMITS)

/** The outcome of an authentic token with this payload, which may be text or invalid bytes. */
function verdictOn(payload: string | Uint8Array): string {
  if (typeof payload === 'string') return verdict(setup.watchword.verify(sealed(setup, payload)))
  const kid = activeKey(setup.watchword)
  const footer = footerOf(kid)
  const body = sealBytes(setup.root.key(kid), payload, footer, assertionOf(ISSUER, AUDIENCE))
  const token = writeStandard(body, Buffer.from(footer).toString('base64url'))
  return verdict(setup.watchword.verify(token))
}

const arrays = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const objects = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`
const keys = (count: number, colon = ':') =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}"${colon}${i}`).join(',')}}`

describe('a JSON object is rejected', () => {
  const BAD: Readonly<Record<string, readonly string[]>> = {
    'when it is something else (B19)': [
      ...['', 'null', '"x"', '1', '[]', ' ["x"]', 'true', '[{}]', 'undefined', 'NaN', '{', '}'],
      ...['{}{}', '{},{}', '{}[]{}', "{'a':1}", '{a:1}', '{"a":1,}', '{"a"}', '{"a":}', '{,}'],
      ...['{"a":01}', '{"a":+1}', '{"a":.5}', '{"a":1.}', '{"a":0x1}', '{"a":NaN}', '{"a":1e}'],
      ...['{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\u12"}', '{"a":1 /* */}', '{"a"::1}', '{"a":1:2}'],
    ],
    'with white space around it, or a byte order mark (A3, B21)': [
      ...[' {}', '{} ', '{}\n', '\t{}', '\uFEFF{}', '{}\uFEFF', '{}\0', '\u00a0{}'],
    ],
    'with a key that comes twice, however it is spelled or deep (B20)': [
      '{"a":1,"a":1}',
      '{"sub":1,"\\u0073ub":2}',
      '{"\\u0073ub":1,"sub":2}',
      '{"s\\u0075b":1,"su\\u0062":2}',
      '{"a":{"b":1,"b":2}}',
      '{"a":[{"b":1},{"c":1,"c":1}]}',
      '{"a":{},"a":{"b":1}}',
      '{"":1,"":2}',
      '{"a":1,"b":2,"a":3}',
      '{"1":1,"1":2}',
      '{"a\\/":1,"a/":2}',
      '{"\\u00e9":1,"é":2}',
    ],
    'with a key `__proto__` (B23)': [
      '{"__proto__":{"admin":true}}',
      '{"\\u005f_proto__":1}',
      '{"a":{"__proto__":null}}',
      '{"a":[{"__proto__":[]}]}',
      '{"__proto__":1,"__proto__":2}',
    ],
    'with numbers that are not exact (B34)': [
      ...['9007199254740992', '-9007199254740992', '9007199254740993', '1e16', '1e400', '-1e400'],
      ...['123456789012345678901234567890', '1e308', '9007199254740992.0'],
    ].map((number) => `{"a":[${number}]}`),
    'with a lone surrogate, in a key or a value (B22)': [
      ...['{"a":"\\ud800"}', '{"a":"\\udc00\\ud800"}', '{"\\ud800":1}', '{"a":[{"b":"x\\uDFFF"}]}'],
      ...['{"a":"\\ud800\\u0041"}', '{"a":"\\uD83D\\\\uDE00"}'],
    ],
    'when it is too deep, also where the depth hides behind an escape (B25, B26)': [
      `{"a":${arrays(16)}}`,
      objects(17),
      `{"a":${arrays(100_000)}}`,
      `{"\\\\":${arrays(16)}}`,
      `{"\\\\\\"":${arrays(16)}}`,
      `{"a":"\\"","b":${arrays(16)}}`,
      `{"a":"\\\\","b":${arrays(16)}}`,
      `{"a":"]]]]","b":${arrays(16)},"c":"]]]]"}`,
    ],
    'with too many keys, however they are spaced or spread (B26)': [
      keys(65),
      keys(1000),
      keys(65, ' :'),
      keys(65, ' \n:\t'),
      `{"a":${keys(64)}}`,
      `{"a":[${keys(32)},${keys(32)}]}`,
    ],
  }
  for (const [why, texts] of Object.entries(BAD)) {
    it(why, () => {
      for (const text of texts) expect(parse(text), text.slice(0, 80)).toBeUndefined()
      for (const text of texts.filter(({ length }) => length < 2000)) {
        // The same property in the payload of an authentic token, beside all required claims.
        if (text.startsWith('{"') && text.endsWith('}')) {
          const payload = `${claimsText().slice(0, -1)},${text.slice(1)}`
          expect(verdictOn(payload), text.slice(0, 80)).toBe('claims_invalid')
        } else expect(verdictOn(text), text).toBe('claims_invalid')
      }
    })
  }

  it('without lasting effects (B23)', () => {
    expect(parse('{"__proto__":{"admin":true}}')).toBeUndefined()
    expect(verdictOn(`${claimsText().slice(0, -1)},"__proto__":{"admin":true}}`)).toBe(
      'claims_invalid',
    )
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })
})

describe('a JSON object is accepted', () => {
  it('at its limits, and with harmless content that looks dangerous', () => {
    const good = [
      '{}',
      '{"a":{}}',
      objects(16),
      `{"a":${arrays(15)}}`,
      keys(64),
      keys(64, ' : '),
      `{"a":${keys(63)}}`,
      '{"a":"::::{{{{[[[["}',
      '{"a:b{":"\\":{"}',
      '{"\\\\":"\\\\"}',
      '{"a":"\\ud83d\\ude00"}',
      '{"a":"\\\\ud800"}',
      '{"a":-0,"b":0.1,"c":1e-400,"d":9007199254740991,"e":-9007199254740991,"f":1.5e3}',
      '{"constructor":{"prototype":{"admin":true}},"hasOwnProperty":1,"then":1}',
      '{"proto":1,"__proto":2,"_proto__":3}',
      '{"e\u0301":1,"\u00e9":2}',
      '{"a":1,"A":2}',
      '{ "a" : [ 1 , 2 ] }',
    ]
    for (const text of good) expect(parse(text), text.slice(0, 60)).toEqual(JSON.parse(text))
  })

  it('exactly when JSON.parse accepts it, and as the same value, except for the properties above (B20)', () => {
    const value = fc.json({
      depthSize: 'small',
      noUnicodeString: false,
    } as fc.JsonSharedConstraints)
    let accepted = 0
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), value, { maxKeys: 8 }),
        (parts) => {
          const text = `{${Object.entries(parts)
            .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
            .join(',')}}`
          const parsed = JSON.parse(text) as object
          if (!isPlain(parsed, 1)) return
          if (countKeys(parsed) > LIMITS.maxKeys) return
          accepted++
          expect(parse(text)).toEqual(parsed)
          const [key] = Object.keys(parts)
          if (key !== undefined) {
            expect(parse(`${text.slice(0, -1)},${JSON.stringify(key)}:1}`)).toBeUndefined()
          }
        },
      ),
      { numRuns: runs(5000, 5000) },
    )
    expect(accepted).toBeGreaterThan(1000)
  })

  it('never when JSON.parse rejects it, and never throws, for any text', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc
        .array(fc.constantFrom(...'{}[]:,"\\u0019 ae.-+'), { maxLength: 60 })
        .map((a) => a.join('')),
    )
    fc.assert(
      fc.property(noise, fc.boolean(), (text, wrap) => {
        const whole = wrap ? `{"a":${text}}` : text
        const parsed = parse(whole)
        if (parsed !== undefined) expect(parsed).toEqual(JSON.parse(whole))
      }),
      { numRuns: runs(20_000) },
    )
  })
})

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) || !Number.isInteger(value)
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (depth > LIMITS.maxDepth || Object.hasOwn(value, '__proto__')) return false
  return (
    Object.keys(value).every((key) => key.isWellFormed()) &&
    Object.values(value).every((item) => isPlain(item, depth + 1))
  )
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce((sum: number, item) => sum + countKeys(item), own)
}

describe('bytes that are not UTF-8 are rejected (B21)', () => {
  it('overlong, surrogates, truncated, UTF-16, a byte order mark', () => {
    const wrap = (...bytes: number[]) =>
      Buffer.concat([
        Buffer.from(`${claimsText().slice(0, -1)},"x":"`),
        Buffer.from(bytes),
        Buffer.from('"}'),
      ])
    expect(verdictOn(wrap(0xc3, 0xa9))).toBe('ok')
    expect(verdictOn(wrap(0xf0, 0x9f, 0x98, 0x80))).toBe('ok')
    const bad = [
      [0xff],
      [0xc0, 0xaf],
      [0xc1, 0x81],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf0, 0x80, 0x80, 0xaf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0x80],
      [0xe2, 0x82],
      [0xc3],
    ]
    for (const bytes of bad) expect(verdictOn(wrap(...bytes)), bytes.join()).toBe('claims_invalid')
    const mark = Buffer.from([0xef, 0xbb, 0xbf])
    expect(verdictOn(Buffer.concat([mark, Buffer.from(claimsText())]))).toBe('claims_invalid')
    expect(verdictOn(Buffer.from(claimsText(), 'utf16le'))).toBe('claims_invalid')
    expect(verdictOn(new Uint8Array(0))).toBe('claims_invalid')
    expect(verdictOn(new Uint8Array(10))).toBe('claims_invalid')
  })

  it('while text is never normalised: two spellings are two subjects (B22)', () => {
    const subjects = ['\u00e9', 'e\u0301', 'E\u0301', '\u212b', '\u00c5'].map((sub) => {
      const result = setup.watchword.verify(sealed(setup, claimsText({ sub })))
      return result.ok ? result.subject : verdict(result)
    })
    expect(new Set(subjects).size).toBe(5)
  })
})

describe('an authentic payload from another implementation', () => {
  it('is accepted like our own, and the result is frozen', () => {
    const token = sealed(setup, claimsText({ order: { n: 1 } }))
    const result = setup.watchword.verify(token)
    expect(result).toMatchObject({ ok: true, claims: { order: { n: 1 } } })
    expect(isDeepFrozen(result)).toBe(true)
  })

  it('is rejected for any claim that is missing, of the wrong type or out of range (B31, B33)', () => {
    const text: readonly unknown[] = [
      ...[undefined, null, '', 0, 1, true, [], {}],
      ...[['x'], { toString: 1 }],
    ]
    const id = [...text, 'x', '01KDVDM400000000000000000', '01kdvdm4000000000000000000']
    const time = [...text, '1 hour', '2039-02-31T00:00:00Z', '2039-01-01', START + HOUR, '+1h']
    const count = [undefined, null, '', '1', -1, 0.5, true, [], {}, [1]]
    const changes: Readonly<Record<string, readonly unknown[]>> = {
      iss: text,
      sub: text,
      aud: [...text, [AUDIENCE]],
      exp: time,
      iat: time,
      nbf: time.filter((value) => value !== undefined),
      jti: [...id, '81KDVDM4000000000000000000', '01KDVDM400000000000000000U'],
      fam: id,
      pol: text,
      ver: count,
      gen: count,
      scope: [
        ...text.filter((value) => value !== undefined),
        ...[
          ['orders:read'],
          'orders:read ',
          ' orders:read',
          'orders:read  a',
          'a\tb',
          'a,b',
          'or*',
        ],
        new Array(65).fill('a').join(' '),
      ],
    }
    let tried = 0
    for (const [name, values] of Object.entries(changes)) {
      for (const value of values) {
        if (name === 'iss' && typeof value === 'string' && value !== '') continue
        tried++
        const payload = claimsText({ [name]: value })
        expect(verdictOn(payload), payload).toBe('claims_invalid')
      }
    }
    expect(tried).toBeGreaterThan(130)
  })

  it('is rejected for claims in another letter case, which are different claims (B31)', () => {
    const { exp, ...rest } = JSON.parse(claimsText()) as Record<string, unknown>
    for (const name of ['Exp', 'EXP', 'exp ', 'expires', 'ехр']) {
      expect(verdictOn(JSON.stringify({ ...rest, [name]: exp }))).toBe('claims_invalid')
    }
  })

  it('is rejected for an issuer or an audience that only resembles ours (B33)', () => {
    for (const iss of [`${ISSUER}/`, ISSUER.toUpperCase(), ISSUER.slice(0, -1), ` ${ISSUER}`]) {
      expect(verdictOn(claimsText({ iss }))).toBe('wrong_issuer')
    }
    for (const aud of [`${AUDIENCE}x`, 'orders', AUDIENCE.toUpperCase(), `${AUDIENCE} `, '*']) {
      expect(verdictOn(claimsText({ aud }))).toBe('wrong_audience')
    }
  })

  it('grants exactly the scopes that it names, where the policy grants them all (B33)', async () => {
    const wide = await rig({ policies: { service: { ttl: '30d', scopes: ['*'] } } })
    const granted = (scope: string) => {
      const result = wide.watchword.verify(sealed(wide, claimsText({ scope })), {
        scopes: ['admin'],
      })
      return verdict(result)
    }
    expect(granted('admin')).toBe('ok')
    expect(granted('a admin b')).toBe('ok')
    expect(granted('*')).toBe('ok')
    for (const scope of ['adminx', 'ADMIN', 'admin:*', 'xadmin', 'admin.x', 'a:admin']) {
      expect(granted(scope)).toBe('insufficient_scope')
    }
  })

  it('is not valid for longer by a misread date (B29)', () => {
    const never = ['9999-12-31T23:59:60Z', '10000-01-01T00:00:00Z', '+010000-01-01T00:00:00Z']
    for (const exp of never) expect(verdictOn(claimsText({ exp }))).toBe('claims_invalid')
    expect(verdictOn(claimsText({ exp: '2026-01-01T00:00:00Z' }))).toBe('expired')
    expect(verdictOn(claimsText({ exp: '2026-01-01T00:30:00+00:31' }))).toBe('expired')
    expect(verdictOn(claimsText({ exp: '2025-12-31T23:30:00-00:31' }))).toBe('ok')
  })
})

describe('a time', () => {
  const BAD = [
    ...['', ' ', '1', 'now', '1 hour', '+1 hour', 'Infinity', 'null', '1767225600', '0'],
    ...['2039-02-31T00:00:00Z', '2039-02-29T00:00:00Z', '2100-02-29T00:00:00Z'],
    ...['2039-04-31T00:00:00Z', '2039-13-01T00:00:00Z', '2039-00-01T00:00:00Z'],
    ...['2039-01-00T00:00:00Z', '2039-01-32T00:00:00Z', '2039-1-1T00:00:00Z'],
    ...['2039-01-01', '2039-01-01T00:00Z', '2039-01-01T00Z', '2039T00:00:00Z', '00:00:00Z'],
    ...['2039-01-01T24:00:00Z', '2039-01-01T23:60:00Z', '2039-01-01T23:59:60Z'],
    ...['2038-12-31T23:59:60.000Z', '2039-01-01T24:00:00.000Z', '2039-02-31T00:00:00.000Z'],
    ...['2039-01-01t00:00:00Z', '2039-01-01T00:00:00z', '2039-01-01 00:00:00Z'],
    ...['2039-01-01t00:00:00.000Z', '2039-01-01T00:00:00.000z', '2039-01-01 00:00:00.000Z'],
    ...['2039-01-01T00:00:00', '2039-01-01T00:00:00.000', '2039-01-01T00:00:00.000 '],
    ...['2039-01-01T00:00:00+24:00', '2039-01-01T00:00:00+23:60', '2039-01-01T00:00:00+0000'],
    ...['2039-01-01T00:00:00+00', '2039-01-01T00:00:00+0:00', '2039-01-01T00:00:00 +00:00'],
    ...['2039-01-01T00:00:00Z+00:00', '2039-01-01T00:00:00UTC', '2039-01-01T00:00:00−01:00'],
    ...[
      '2039-01-01T00:00:00.Z',
      `2039-01-01T00:00:00.${'1'.repeat(41)}Z`,
      '2039-01-01T00:00:00,5Z',
    ],
    ...['10000-01-01T00:00:00Z', '+010000-01-01T00:00:00Z', '-000001-01-01T00:00:00Z'],
    ...['999-01-01T00:00:00Z', '20390101T000000Z', '2039-W01-1T00:00:00Z', '2039-001T00:00:00Z'],
    ...[' 2039-01-01T00:00:00Z', '2039-01-01T00:00:00Z ', '2039-01-01T00:00:00Z\n', '\n'],
    ...['2039-01-01T00:00:00Z\0', '２039-01-01T00:00:00Z', '2039-01-01T00:00:0٠Z'],
    ...['2039-01-01T-1:00:00Z', '2039-01-01T 1:00:00Z', '2039-01-01T+1:00:00.000Z'],
    ...['2039-01-01T00:00:00.0 0Z', '2039-01-01T00:00:00.-10Z', '2039/01/01T00:00:00Z'],
    ...['2039-01-01T00.00.00.000Z', '2039:01:01T00:00:00.000Z', '2039-01-01T00:00:00:000Z'],
    `2039-01-01T00:00:00.${'0'.repeat(100)}Z`,
  ]

  it('that does not exist, or does not follow RFC 3339, is rejected (B29)', () => {
    expect(BAD.length).toBeGreaterThan(65)
    for (const text of BAD) expect(parseTime(text), text).toBeUndefined()
    const kinds = [undefined, null, 0, 1e15, Number.NaN, true, [], {}, new Date(0), 1n]
    for (const value of [...kinds, ['2039-01-01T00:00:00Z'], new String('2039-01-01T00:00:00Z')]) {
      expect(parseTime(value)).toBeUndefined()
    }
  })

  it('is rejected in the payload of a token as well, for each of its three claims (B29)', () => {
    for (const text of BAD) {
      for (const name of ['exp', 'iat', 'nbf']) {
        expect(verdictOn(claimsText({ [name]: text })), `${name} ${text}`).toBe('claims_invalid')
      }
    }
  })

  it('in each valid form is read to the millisecond', () => {
    const good: ReadonlyArray<readonly [string, number]> = [
      ['1970-01-01T00:00:00Z', 0],
      ['1969-12-31T23:59:59.999Z', -1],
      ['2039-01-01T00:00:00.1Z', 2177452800100],
      ['2039-01-01T00:00:00.12Z', 2177452800120],
      ['2039-01-01T00:00:00.1239Z', 2177452800123],
      [`2039-01-01T00:00:00.${'9'.repeat(40)}Z`, 2177452800999],
      ['2039-01-01T00:00:00+00:00', 2177452800000],
      ['2039-01-01T00:00:00-00:00', 2177452800000],
      ['2039-01-01T23:59:00+23:59', 2177452800000],
      ['2038-12-31T00:01:00-23:59', 2177452800000],
      ['2000-02-29T00:00:00Z', 951782400000],
      ['0000-02-29T00:00:00Z', -62162121600000],
      ['9999-12-31T23:59:59.999Z', 253402300799999],
    ]
    for (const [text, ms] of good) expect(parseTime(text), text).toBe(ms)
  })

  const FIRST = -62167219200000
  const LAST = 253402300799999
  const instant = fc.oneof(
    fc.integer({ min: FIRST, max: LAST }),
    fc.integer({ min: 0, max: 4102444800000 }),
  )

  it('that is written is read back, from year 0 to 9999', () => {
    fc.assert(
      fc.property(instant, (ms) => parseTime(new Date(ms).toISOString()) === ms),
      { numRuns: runs(10_000) },
    )
    fc.assert(
      fc.property(instant, (ms) => parseTime(formatTime(ms)) === ms),
      { numRuns: runs(1000) },
    )
  })

  it('with any offset and up to forty digits of fraction is the same time, cut to milliseconds', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 37 })
    const offset = fc.integer({ min: -1439, max: 1439 })
    const moment = fc.integer({ min: FIRST + 86_400_000, max: LAST - 86_400_000 })
    const two = (value: number) => String(value).padStart(2, '0')
    fc.assert(
      fc.property(moment, digits, offset, (ms, more, minutes) => {
        const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1)
        const size = Math.abs(minutes)
        const zone = `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
        return parseTime(`${local}${more.join('')}${zone}`) === ms
      }),
      { numRuns: runs(5000) },
    )
  })

  it('is never read from a text that the calendar does not have', () => {
    const part = fc.integer({ min: 0, max: 99 })
    const two = (value: number) => String(value).padStart(2, '0')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), part, part, part, part, part, (y, ...rest) => {
        const [mo, d, h, mi, s] = rest.map(two)
        for (const fraction of ['', '.000']) {
          const text = `${String(y).padStart(4, '0')}-${mo}-${d}T${h}:${mi}:${s}${fraction}Z`
          const ms = parseTime(text)
          if (ms !== undefined)
            expect(new Date(ms).toISOString().slice(0, 19)).toBe(text.slice(0, 19))
          else expect(isReal(text)).toBe(false)
        }
      }),
      { numRuns: runs(20_000) },
    )
  })

  /** Whether the date is one that comes back as it was written. */
  function isReal(text: string): boolean {
    const ms = Date.parse(text)
    return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19)
  }
})
