/**
 * `verify` is total: it returns a frozen rejection for any invalid value of any type; and one token is one string.
 *
 * @module
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/paseto.js'
import {
  AUDIENCE,
  activeKey,
  assertionOf,
  claimsText,
  closeAll,
  failureOf,
  ISSUER,
  isDeepFrozen,
  type Rig,
  rig,
  START,
  sealed,
  verdict,
} from '../../support/harness.js'
import { protocol } from '../../support/paseto-protocol.js'
import { runs } from '../../support/runs.js'

const INPUT = { policy: 'service', subject: 'svc', actor: 'a', scopes: ['orders:*'] }

let plain: Rig
let branded: Rig
let token: string
let brandedToken: string
beforeAll(async () => {
  await ready
  plain = await rig()
  branded = await rig({ prefix: 'acme_live' })
  token = (await plain.watchword.issue(INPUT)).token
  brandedToken = (await branded.watchword.issue(INPUT)).token
  expect(plain.watchword.verify(token).ok).toBe(true)
  expect(branded.watchword.verify(brandedToken).ok).toBe(true)
})
afterAll(closeAll)

const CODES = new Set(['malformed', 'too_long', 'unknown_key', 'invalid'])

/** Requires a rejection of the right shape from every authority. */
function expectRefused(value: unknown): void {
  for (const { watchword } of [plain, branded]) {
    const result = watchword.verify(value)
    if (result.ok) expect.fail('accepted')
    if (!CODES.has(result.code)) expect.fail(`refused as ${result.code}`)
    if (!isDeepFrozen(result) || Object.keys(result).join() !== 'ok,code') expect.fail('misshapen')
  }
}

const boom = (): never => {
  throw new Error('boom')
}
const traps: ProxyHandler<object> = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((name) => [name, boom]),
)

describe('verify never throws', () => {
  it('for any value of any type', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    } as fc.ObjectConstraints)
    fc.assert(fc.property(anything, expectRefused), { numRuns: runs(10_000) })
  })

  it('for hostile objects', () => {
    const primitive = { [Symbol.toPrimitive]: boom, toString: boom, valueOf: boom }
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const hostile: unknown[] = [
      new Proxy({}, traps),
      new Proxy(() => undefined, traps),
      new Proxy([], traps),
      new Proxy(new String(token), {}),
      revoked.proxy,
      primitive,
      { toString: () => token },
      { [Symbol.toPrimitive]: () => token },
      { length: token.length, startsWith: () => true, charCodeAt: () => 65 },
      new String(token),
      [token],
      [[token]],
      Buffer.from(token),
      new TextEncoder().encode(token),
      Symbol(token),
      Symbol.iterator,
      10n ** 40n,
      Object.create(null),
      Object.create(String.prototype),
      async () => token,
      Promise.resolve(token),
      new Error(token),
      globalThis,
      arguments_(),
      new (class {
        get length() {
          return boom()
        }
      })(),
    ]
    for (const value of hostile) expectRefused(value)
  })

  it('for strings of any length and any content', () => {
    const long = [
      'x'.repeat(10_000_000),
      '.'.repeat(10_000_000),
      token.repeat(20_000),
      `v4.local.${'A'.repeat(10_000_000)}`,
      'é'.repeat(4096),
      '\ud800'.repeat(4096),
      `v4.local.${'\udfff'.repeat(4087)}`,
      `v4.local.${'é'.repeat(2000)}.${'é'.repeat(100)}`,
      '\0'.repeat(100),
      `acme_live_${'\u{1f600}'.repeat(500)}`,
    ]
    for (const value of long) expectRefused(value)
    const unit = fc.constantFrom('binary' as const, 'grapheme' as const, 'binary-ascii' as const)
    const text = unit.chain((each) => fc.string({ unit: each, maxLength: 300 }))
    const affix = fc.constantFrom('', 'v4.local.', 'acme_live_', 'v4.local', token.slice(0, 60))
    fc.assert(
      fc.property(affix, text, affix, (head, body, tail) => expectRefused(head + body + tail)),
      { numRuns: runs(10_000) },
    )
  })

  it('and authenticate never rejects for them, nor reads the store', async () => {
    for (const value of [undefined, null, 5, new Proxy({}, traps), 'x', '\ud800', 10n]) {
      expect(verdict(await plain.watchword.authenticate(value))).toBe('malformed')
    }
  })
})

function arguments_(...rest: unknown[]): unknown {
  return { ...rest, length: 1 }
}

interface Edit {
  readonly kind: string
  readonly at: number
  readonly sign: string
}

describe('one token is one string (A4)', () => {
  it('and no character stands for another with the same low byte (D55)', () => {
    for (const good of [token, brandedToken]) {
      for (let at = 0; at < good.length; at++) {
        for (const high of [0x100, 0x1000, 0xff00]) {
          const other = String.fromCharCode(good.charCodeAt(at) + high)
          expectRefused(good.slice(0, at) + other + good.slice(at + 1))
        }
      }
      const shifted = [...good].map((each) => String.fromCharCode(each.charCodeAt(0) + 0x100))
      expectRefused(shifted.join(''))
      expectRefused(
        [...good].map((each) => String.fromCharCode(each.charCodeAt(0) | 0x80)).join(''),
      )
      expectRefused(Buffer.from(good, 'latin1').toString('utf16le'))
    }
  })

  it('no change of one or two characters is accepted, with the original hot', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sign = fc.constantFrom(
      ...alphabet,
      '.',
      '=',
      '+',
      '/',
      ' ',
      '\n',
      '\0',
      '%',
      '\u0141',
      'é',
    )
    const edit = fc.record({
      kind: fc.constantFrom('insert', 'remove', 'replace', 'swap'),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      sign,
    })
    const apply = (text: string, { kind, at, sign: other }: Edit): string => {
      const place = Math.floor(at * text.length)
      const [head, tail] = [text.slice(0, place), text.slice(place)]
      if (kind === 'insert') return head + other + tail
      if (kind === 'remove') return head + tail.slice(1)
      if (kind === 'replace') return head + other + tail.slice(1)
      return head + tail.slice(1, 2) + tail.slice(0, 1) + tail.slice(2)
    }
    let refused = 0
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), fc.boolean(), (edits, brand) => {
        const good = brand ? brandedToken : token
        const changed = edits.reduce(apply, good)
        if (changed === good) return
        refused++
        expectRefused(changed)
      }),
      { numRuns: runs(60_000, 60_000) },
    )
    expect(refused).toBeGreaterThan(50_000)
    expect(plain.watchword.verify(token).ok).toBe(true)
    expect(branded.watchword.verify(brandedToken).ok).toBe(true)
  })

  it('each single edit at each place is rejected', () => {
    for (let at = 0; at <= token.length; at++) {
      for (const sign of ['A', 'B', '_', '.', '=', ' ', '\0']) {
        const [head, tail] = [token.slice(0, at), token.slice(at)]
        const changed = [head + sign + tail, head + sign + tail.slice(1), head + tail.slice(1)]
        for (const text of changed) if (text !== token) expectRefused(text)
      }
    }
  })
})

describe('what verify accepts', () => {
  it('the paseto package accepts as well, with the same claims (A4)', async () => {
    const { watchword, root } = plain
    const key = root.key(activeKey(watchword))
    const theirs = async (text: string): Promise<unknown> => {
      const { claims } = await protocol.Decrypt(key, text, {
        implicitAssertion: assertionOf(ISSUER, AUDIENCE),
        now: new Date(START),
      })
      return claims
    }
    const kid = activeKey(watchword)
    const footer = fc.constantFrom(
      `{"kid":"${kid}"}`,
      `{ "kid" : "${kid}" }`,
      `{"kid":"${kid}","a":1}`,
      `{"a":"b","kid":"${kid}"}`,
      '{}',
      'x',
    )
    const claims = fc.record(
      { sub: fc.string({ minLength: 1 }), tenant: fc.jsonValue({ maxDepth: 2 }), gen: fc.nat() },
      { requiredKeys: [] },
    )
    const cut = fc.option(fc.nat({ max: 500 }), { nil: undefined, freq: 1 })
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(claims, footer, cut, async (change, text, at) => {
        const whole = sealed(plain, claimsText(change), { footer: Buffer.from(text) })
        const presented = at === undefined ? whole : whole.slice(0, at) + whole.slice(at + 1)
        const ours = watchword.verify(presented)
        if (!ours.ok) return
        accepted++
        expect(await theirs(presented)).toEqual(JSON.parse(claimsText(change)))
      }),
      { numRuns: runs(1500, 1500) },
    )
    expect(accepted).toBeGreaterThan(200)
    expect(await failureOf(() => theirs(token.slice(0, -1)))).toMatchObject({
      code: 'ERR_PASETO_INVALID_TOKEN',
    })
  })
})
