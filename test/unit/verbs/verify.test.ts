/**
 * Verifying: each rejection by a realistic token, the order of rejections, and equal results hot and cold.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CompiledRequirement, Requirement, Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { ready } from '../../../src/paseto.js'
import { footerOf } from '../../../src/token/wire.js'
import {
  AUDIENCE,
  activeKey,
  claimsText,
  closeAll,
  codeOf,
  cuttableFeed,
  DAY,
  HOUR,
  ISSUER,
  isDeepFrozen,
  MINUTE,
  type Rig,
  rig,
  SECOND,
  START,
  sealed,
  sharedStore,
  verdict,
} from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const ACTOR = { actor: 'ops' } as const
const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'deploy-bot',
  scopes: ['orders:read'],
} as const

/** A token whose first character after `at` is replaced by another one of the alphabet. */
function tampered(token: string, at: number): string {
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

const iso = (ms: number): string => new Date(ms).toISOString()

/** Verifies twice, so that the second call may be a hit, and requires equal results. */
function both(watchword: Watchword, token: unknown, needs: Requirement = {}): string {
  const first = verdict(watchword.verify(token, needs))
  expect(verdict(watchword.verify(token, needs))).toBe(first)
  return first
}

describe('verify rejects with', () => {
  it('malformed for text that is not a token of this form', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const [, , body = '', footer = ''] = token.split('.')
    const bad: unknown[] = [
      undefined,
      null,
      0,
      {},
      [token],
      new String(token),
      '',
      'v4.local.',
      `v4.local.${body}`,
      `v4.local.${body}.`,
      `v4.local.${body}.${footer}.`,
      `v4.local..${footer}`,
      `v4.local.${body.slice(0, 85)}.${footer}`,
      `V4.local.${body}.${footer}`,
      `v4.Local.${body}.${footer}`,
      `v4.public.${body}.${footer}`,
      `v3.local.${body}.${footer}`,
      `v4c.local.${body}.${footer}`,
      `ｖ4.local.${body}.${footer}`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token}=`,
      `\uFEFF${token}`,
      `Bearer ${token}`,
      token.replace('.', '%2e'),
      `v4.local.${body}.${Buffer.from('{}').toString('base64url')}`,
      `v4.local.${body}.${Buffer.from('{"kid":1}').toString('base64url')}`,
      `v4.local.${body}.${Buffer.from('{"kid":"constructor"}').toString('base64url')}`,
      `v4.local.${body}.${Buffer.from('{"kid":"__proto__"}').toString('base64url')}`,
      `acme_live_${body}`,
      '.'.repeat(4096),
      `v4.local.${'.'.repeat(4000)}`,
    ]
    for (const token of bad) expect(both(watchword, token), String(token)).toBe('malformed')
  })

  it('malformed for a footer with extra keys, or one that is too deep or too long (C39, C41)', async () => {
    const setup = await rig()
    const kid = activeKey(setup.watchword)
    const footers = [
      { kid, wpk: `k4.local-wrap.pie.${'A'.repeat(128)}` },
      { kid, a: { b: 1 } },
      { kid: [kid] },
      { kid, ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, i])) },
      { kid, pad: 'x'.repeat(512) },
    ].map((footer) => JSON.stringify(footer))
    footers.push(`{"kid":"${kid}","kid":"${kid}"}`, `{"kid":"${kid}","\\u006bid":"${kid}"}`)
    footers.push(` {"kid":"${kid}"}`, `["${kid}"]`, kid, 'null', '"kid"', '{"kid":"é"}')
    for (const footer of footers) {
      const token = sealed(setup, claimsText(), { footer: Buffer.from(footer) })
      expect(both(setup.watchword, token), footer).toBe('malformed')
    }
    const spaced = Buffer.from(`{ "kid" : "${kid}" }`)
    expect(both(setup.watchword, sealed(setup, claimsText(), { footer: spaced }))).toBe('ok')
  })

  it('too_long by length alone, before any other check (A6, A7)', async () => {
    const { watchword } = await rig({ maxTokenLength: 512 })
    expect(both(watchword, 'x'.repeat(512))).toBe('malformed')
    expect(both(watchword, 'x'.repeat(513))).toBe('too_long')
    expect(both(watchword, '.'.repeat(1_000_000))).toBe('too_long')
  })

  it('unknown_key for a key that this node does not have', async () => {
    const ours = await rig()
    const theirs = await rig()
    expect(both(ours.watchword, (await theirs.watchword.issue(INPUT)).token)).toBe('unknown_key')
  })

  it('invalid for an inauthentic token, wherever it was changed (A9, A14)', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    expect(both(watchword, token)).toBe('ok')
    const end = token.lastIndexOf('.') - 1
    for (const at of [9, 10, 51, 60, 200, end - 42, end - 1]) {
      expect(both(watchword, tampered(token, at)), `at ${at}`).toBe('invalid')
    }
    expect(both(watchword, `${token.slice(0, end - 8)}${token.slice(end - 4)}`)).toBe('invalid')
  })

  it('claims_invalid, wrong_issuer or wrong_audience for an authentic token with other claims', async () => {
    const setup = await rig()
    const { watchword } = setup
    expect(both(watchword, sealed(setup, claimsText()))).toBe('ok')
    expect(both(watchword, sealed(setup, claimsText({ exp: undefined })))).toBe('claims_invalid')
    expect(both(watchword, sealed(setup, claimsText({ iss: 'other' })))).toBe('wrong_issuer')
    expect(both(watchword, sealed(setup, claimsText({ aud: 'other' })))).toBe('wrong_audience')
  })

  it('expired and not_yet_valid', async () => {
    const { watchword, clock } = await rig()
    const { token } = await watchword.issue({ ...INPUT, ttl: '1h' })
    const later = await watchword.issue({ ...INPUT, notBefore: START + 2 * HOUR })
    expect(both(watchword, later.token)).toBe('not_yet_valid')
    await clock.advance(HOUR)
    expect(both(watchword, token)).toBe('expired')
  })

  it('outdated when its policy has a later version (another authority, the same store)', async () => {
    const policies = { service: { ttl: '30d', scopes: ['orders:*'] } }
    const setup = await rig({ policies })
    const { token } = await setup.watchword.issue(INPUT)
    const moved = { service: { ...policies.service, version: 3, minVersion: 2 } }
    const next = await rig({ policies: moved }, setup)
    expect(both(next.watchword, token)).toBe('outdated')
    expect(both(setup.watchword, token)).toBe('ok')
    const fresh = await next.watchword.issue(INPUT)
    expect(both(next.watchword, fresh.token)).toBe('ok')
    expect(both(setup.watchword, fresh.token)).toBe('ok')
    await next.watchword.revoke({ token }, { actor: 'ops' })
    expect(both(next.watchword, token)).toBe('revoked')
  })

  it('revoked for each kind of target, hot and cold, on this node and on the next', async () => {
    const targets = [
      (issued: { id: string }) => ({ id: issued.id }),
      (issued: { token: string }) => ({ token: issued.token }),
      (issued: { family: string }) => ({ family: issued.family }),
      (issued: { keyId: string }) => ({ key: issued.keyId }),
      () => ({ subject: 'svc_billing' }),
      () => ({ audience: AUDIENCE }),
      () => ({ all: true as const }),
    ]
    for (const aim of targets) {
      const setup = await rig()
      const cold = await rig({ cache: false }, setup)
      const issued = await setup.watchword.issue(INPUT)
      expect(both(setup.watchword, issued.token)).toBe('ok')
      expect(both(cold.watchword, issued.token)).toBe('ok')
      await setup.watchword.revoke(aim(issued), { actor: 'ops' })
      expect(both(setup.watchword, issued.token)).toBe('revoked')
      expect(both(cold.watchword, issued.token)).toBe('revoked')
    }
  })

  it('superseded after a rotation whose grace is over', async () => {
    const { watchword, clock } = await rig()
    const { token } = await watchword.issue(INPUT)
    const next = await watchword.rotate(token, { actor: 'deploy-bot' })
    expect(both(watchword, token)).toBe('ok')
    await clock.advance(MINUTE)
    expect(both(watchword, token)).toBe('superseded')
    expect(both(watchword, next.token)).toBe('ok')
  })

  it('insufficient_scope, and lists the missing scopes', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ ...INPUT, scopes: ['orders:read', 'stock:read'] })
    const missing = (scopes: NonNullable<Requirement['scopes']>) => {
      const result = watchword.verify(token, { scopes })
      return result.ok || result.code !== 'insufficient_scope' ? verdict(result) : result.missing
    }
    expect(missing(['orders:read', 'stock:read'])).toBe('ok')
    expect(missing(['orders:read', 'orders:write', 'a'])).toEqual(['orders:write', 'a'])
    expect(missing({ allOf: ['orders:read'], anyOf: ['a', 'b'] })).toEqual(['a', 'b'])
    expect(missing({ allOf: ['c'], anyOf: ['a', 'b'] })).toEqual(['c', 'a', 'b'])
    expect(missing({ allOf: ['orders:read'], anyOf: ['a', 'stock:read'] })).toBe('ok')
    expect(missing(['orders:*'])).toEqual(['orders:*'])
    // A list that demands nothing is a mistake, and rejects every token.
    expect(missing([])).toEqual([])
    expect(missing({})).toEqual([])
    expect(isDeepFrozen(watchword.verify(token, { scopes: ['a'] }))).toBe(true)
  })

  it('stale when only the revocation status is unknown', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({}, { feed })
    const { token } = await watchword.issue(INPUT)
    feed.cut = true
    await clock.advance(6 * SECOND)
    expect(both(watchword, token)).toBe('stale')
  })
})

describe('the order of rejections', () => {
  it('is: form, key, authenticity, claims, lifetime, version, audience, scopes, freshness', async () => {
    const feed = cuttableFeed()
    const setup = await rig({}, { feed })
    const { watchword, clock } = setup
    const needs = { audience: 'other', scopes: ['admin'] }
    const good = await watchword.issue(INPUT)
    const dead = await watchword.issue(INPUT)
    await watchword.revoke({ id: dead.id }, { actor: 'ops' })
    feed.cut = true
    await clock.advance(MINUTE)
    const old = { iat: iso(START - 2 * HOUR), exp: iso(START - HOUR) }
    const expect2 = (token: unknown, needs: Requirement, code: string) =>
      expect(both(watchword, token, needs)).toBe(code)
    expect2('nonsense', needs, 'malformed')
    expect2(`v4.local.${'A'.repeat(5000)}`, needs, 'too_long')
    const strange = `k4.lid.${'A'.repeat(44)}`
    const tail = Buffer.from(footerOf(strange)).toString('base64url')
    expect2(`v4.local.${'A'.repeat(120)}.${tail}`, needs, 'unknown_key')
    expect2(tampered(good.token, 60), needs, 'invalid')
    const bad = claimsText({ ...old, iss: 'x', aud: 'y', gen: -1 })
    expect2(sealed(setup, bad), needs, 'claims_invalid')
    expect2(sealed(setup, claimsText({ ...old, iss: 'x', aud: 'y' })), needs, 'wrong_issuer')
    expect2(sealed(setup, claimsText({ ...old, aud: 'y' })), needs, 'wrong_audience')
    expect2(sealed(setup, claimsText({ ...old, jti: dead.id })), needs, 'expired')
    const life = { jti: dead.id, exp: iso(dead.expiresAt) }
    expect2(sealed(setup, claimsText({ ...life, ver: 0 })), needs, 'revoked')
    const future = { iat: iso(START + HOUR), exp: iso(START + 2 * HOUR) }
    expect2(sealed(setup, claimsText({ ...future, ver: 0 })), needs, 'not_yet_valid')
    expect2(sealed(setup, claimsText({ ver: 0 })), needs, 'outdated')
    expect2(good.token, needs, 'wrong_audience')
    expect2(good.token, { scopes: ['admin'] }, 'insufficient_scope')
    expect2(good.token, { scopes: ['orders:read'] }, 'stale')
  })
})

describe('a binding (A16, A17)', () => {
  it('must match, on a miss and on a hit', async () => {
    const setup = await rig()
    const issued = await setup.watchword.issue({ ...INPUT, binding: 'thumb-1' })
    const plain = await setup.watchword.issue(INPUT)
    const cases: ReadonlyArray<readonly [string, string | undefined, string]> = [
      [issued.token, 'thumb-2', 'invalid'],
      [issued.token, undefined, 'invalid'],
      [issued.token, 'thumb-1', 'ok'],
      [issued.token, 'thumb-2', 'invalid'],
      [issued.token, 'Thumb-1', 'invalid'],
      [issued.token, undefined, 'invalid'],
      [issued.token, 'thumb-1', 'ok'],
      [plain.token, 'thumb-1', 'invalid'],
      [plain.token, undefined, 'ok'],
      [plain.token, 'thumb-1', 'invalid'],
      [plain.token, undefined, 'ok'],
    ]
    const { watchword: cold } = await rig({ cache: false }, setup)
    for (const [token, binding, expected] of cases) {
      const needs = binding === undefined ? {} : { binding }
      expect(both(setup.watchword, token, needs)).toBe(expected)
      expect(both(cold, token, needs)).toBe(expected)
    }
  })

  it('cannot be shifted into its neighbours', async () => {
    const feed = cuttableFeed()
    const base = { store: sharedStore(), feed }
    const one = await rig({ issuer: 'a', audience: 'bc' }, base)
    const { token } = await one.watchword.issue({ ...INPUT, binding: 'd' })
    const two = await rig({ issuer: 'ab', audience: 'bc' }, { ...one })
    for (const binding of ['d', 'bcd', 'cd', '']) {
      const needs = binding === '' ? {} : { binding }
      expect(verdict(two.watchword.verify(token, needs))).toBe('invalid')
    }
  })

  it('is required by rotate and revoke as well', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ ...INPUT, binding: 'thumb' })
    expect(await codeOf(() => watchword.rotate(token, { actor: 'a' }))).toBe('ERR_TOKEN_REJECTED')
    expect(await codeOf(() => watchword.revoke({ token }, { actor: 'a' }))).toBe(
      'ERR_TOKEN_REJECTED',
    )
    const next = await watchword.rotate(token, { actor: 'a', binding: 'thumb' })
    expect(both(watchword, next.token)).toBe('invalid')
    expect(both(watchword, next.token, { binding: 'thumb' })).toBe('ok')
  })
})

describe('tokens of another purpose (A16)', () => {
  it('are not authentic, or have an unknown key, although they share the store and the keys', async () => {
    const ISSUERS = [ISSUER, 'https://other.example']
    const AUDIENCES = ['orders-api', 'stock-api']
    const BINDINGS = [undefined, 'tenant-1', 'tenant-2']
    const first = await rig({ audience: AUDIENCES })
    const authorities = await Promise.all(
      ISSUERS.flatMap((issuer) =>
        AUDIENCES.map(async (audience) => ({
          issuer,
          audience,
          watchword: (await rig({ issuer, audience }, first)).watchword,
        })),
      ),
    )
    let accepted = 0
    for (const from of authorities) {
      for (const issuedTo of BINDINGS) {
        const bound = issuedTo === undefined ? {} : { binding: issuedTo }
        const { token } = await from.watchword.issue({ ...INPUT, ...bound })
        for (const at of authorities) {
          for (const binding of BINDINGS) {
            const got = both(at.watchword, token, binding === undefined ? {} : { binding })
            const same = at === from && binding === issuedTo
            if (same) accepted++
            if (same) expect(got).toBe('ok')
            else if (at.audience !== from.audience) expect(got).toBe('unknown_key')
            else expect(got).toBe('invalid')
          }
        }
      }
    }
    expect(accepted).toBe(12)
  })
})

describe('an authority of several audiences', () => {
  it('accepts a token for each, and restricts a route to the audience it names (D56)', async () => {
    const audience = ['a', 'b', 'c']
    const { watchword } = await rig({ audience })
    for (const each of audience) {
      const { token } = await watchword.issue({ ...INPUT, audience: each })
      expect(both(watchword, token)).toBe('ok')
      for (const asked of [...audience, 'A', 'a ']) {
        const expected = asked === each ? 'ok' : 'wrong_audience'
        expect(both(watchword, token, { audience: asked })).toBe(expected)
        expect(both(watchword, token, { audience: asked, scopes: ['orders:read'] })).toBe(expected)
      }
      expect(both(watchword, token)).toBe('ok')
    }
  })

  it('does not accept the key of one audience for a token of another', async () => {
    const setup = await rig({ audience: ['a', 'b'] })
    const asA = sealed(setup, claimsText({ aud: 'a' }), { audience: 'a' })
    const asB = sealed(setup, claimsText({ aud: 'b' }), { audience: 'a' })
    expect(both(setup.watchword, asA)).toBe('ok')
    expect(both(setup.watchword, asB)).toBe('wrong_audience')
  })
})

describe('the branded form', () => {
  const branded = () => rig({ prefix: 'acme_live' })

  it('and the standard form of one token are both accepted, and no other form is', async () => {
    const setup = await branded()
    const { watchword } = setup
    const { token, keyId, id } = await watchword.issue(INPUT)
    expect(token).toMatch(/^acme_live_[A-Za-z0-9_-]+$/)
    const body = token.slice('acme_live_'.length + 44, -6)
    const footer = Buffer.from(`{"kid":"${keyId}"}`).toString('base64url')
    const standard = `v4.local.${body}.${footer}`
    expect(watchword.verify(token)).toMatchObject({ ok: true, id })
    expect(watchword.verify(standard)).toMatchObject({ ok: true, id })
    expect(token.length).toBeLessThan(standard.length)
    const plain = await rig({}, setup)
    expect(both(plain.watchword, standard)).toBe('ok')
    // The brand may be changed or dropped: only the key counts.
    expect(both(plain.watchword, token)).toBe('ok')
    const other = await rig({ prefix: 'acme_test' }, setup)
    expect(both(other.watchword, token)).toBe('ok')
  })

  it('is issued with the prefix of its policy, and kept by rotation', async () => {
    const policies = {
      service: { ttl: '30d', scopes: ['orders:*'] },
      trial: { ttl: '30d', scopes: ['orders:*'], prefix: 'acme_test' },
    } as const
    const setup = await rig({ prefix: 'acme_live', policies })
    const { watchword } = setup
    const live = await watchword.issue(INPUT)
    const trial = await watchword.issue({ ...INPUT, policy: 'trial' })
    expect(live.token).toMatch(/^acme_live_/)
    expect(trial.token).toMatch(/^acme_test_/)
    const renamed = await rig(
      { policies: { ...policies, trial: { ...policies.trial, prefix: 'try' } } },
      setup,
    )
    expect(both(renamed.watchword, trial.token)).toBe('ok')
    const next = await renamed.watchword.rotate(trial.token, { actor: 'a' })
    expect(next.token).toMatch(/^try_/)
    expect(both(watchword, next.token)).toBe('ok')
    const plain = await renamed.watchword.rotate(live.token, { actor: 'a' })
    expect(plain.token).toMatch(/^v4\.local\./)
    await watchword.revoke({ token: next.token }, { actor: 'a' })
    expect(both(watchword, next.token)).toBe('revoked')
  })

  it('is read with every brand that has underscores at the positions of a key id', async () => {
    let setup = await rig()
    // An underscore of the key id would end a longer brand, which is a valid one.
    while (setup.watchword.keys.list().some(({ id }) => id.includes('_'))) setup = await rig()
    const { watchword } = setup
    for (const brand of ['ab_', 'a_b_c_', 'acme_live_', 'x1_2_3_', `${'a'.repeat(32)}_`]) {
      const token = sealed(setup, claimsText(), { brand })
      expect(both(watchword, token), brand).toBe('ok')
      const other = tampered(token, brand.length + 60)
      expect(both(watchword, other), brand).toBe('malformed')
    }
    for (const brand of ['a_', '_ab_', 'Ab_', 'a__b_', '1ab_', `${'a'.repeat(33)}_`, 'ab-c_'])
      expect(both(watchword, sealed(setup, claimsText(), { brand })), brand).toBe('malformed')
  })

  it('is rejected for any mistyped character before any cryptography (A4)', async () => {
    const { watchword } = await branded()
    const { token } = await watchword.issue(INPUT)
    expect(both(watchword, token)).toBe('ok')
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'z', '0', '_', '-', '.', ' ', '\0']) {
        if (token[at] === other) continue
        const typo = token.slice(0, at) + other + token.slice(at + 1)
        expect(verdict(watchword.verify(typo)), `${at}`).toBe('malformed')
      }
    }
    for (const cut of [1, 2, 5, 6, 7, 44]) {
      expect(verdict(watchword.verify(token.slice(0, -cut)))).toBe('malformed')
      expect(verdict(watchword.verify(token + token.slice(-cut)))).toBe('malformed')
    }
  })

  it('is rejected with a correct checksum over a wrong body', async () => {
    const setup = await branded()
    const { watchword, root } = setup
    const good = sealed(setup, claimsText(), { brand: 'acme_live_' })
    expect(both(watchword, good)).toBe('ok')
    const { writeBranded } = await import('../../../src/token/wire.js')
    const kid = activeKey(watchword)
    const body = good.slice('acme_live_'.length + 44, -6)
    expect(root.seen).toHaveLength(1)
    expect(both(watchword, writeBranded('acme_live_', kid, tampered(body, 60)))).toBe('invalid')
    expect(both(watchword, writeBranded('acme_live_', kid, body.slice(0, 85)))).toBe('malformed')
    const strange = `k4.lid.${'A'.repeat(44)}`
    expect(both(watchword, writeBranded('acme_live_', strange, body))).toBe('unknown_key')
    const spelled = `k4.lid.${'='.repeat(44)}`
    expect(both(watchword, writeBranded('acme_live_', spelled, body))).toBe('malformed')
  })

  it('is one to one with the standard form: no second spelling of body or checksum (A2)', async () => {
    const { watchword } = await branded()
    const { writeBranded } = await import('../../../src/token/wire.js')
    const kid = activeKey(watchword)
    let respelled = 0
    for (let pad = 0; pad < 3; pad++) {
      const { token } = await watchword.issue({ ...INPUT, claims: { pad: 'x'.repeat(pad) } })
      const body = token.slice('acme_live_'.length + 44, -6)
      for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
        const other = writeBranded('acme_live_', kid, body.slice(0, -1) + last)
        if (other === token) continue
        respelled++
        expect(verdict(watchword.verify(other))).toBe('invalid')
      }
    }
    expect(respelled).toBe(3 * 63)
  })
})

describe('the limits of a token’s lifetime', () => {
  it('are the same hot and cold, to the millisecond (B32, D58)', async () => {
    const setup = await rig({ clockTolerance: 0 })
    const cold = await rig({ cache: false, clockTolerance: 0 }, setup)
    const { watchword, clock } = setup
    const times = fc.record({
      iat: fc.integer({ min: 0, max: 10 * DAY }),
      life: fc.integer({ min: 1, max: 5 * DAY }),
      nbf: fc.option(fc.integer({ min: 0, max: 10 * DAY }), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(times, async ({ iat, life, nbf }) => {
        const [issuedAt, expiresAt] = [START + iat, START + iat + life]
        const begins = Math.max(issuedAt, nbf === undefined ? 0 : START + nbf)
        const claims = { iat: iso(issuedAt), exp: iso(expiresAt) }
        const token = sealed(
          setup,
          claimsText(nbf === undefined ? claims : { ...claims, nbf: iso(START + nbf) }),
        )
        const edges = [begins, expiresAt].flatMap((at) => [at - 1, at, at + 1])
        for (const at of [...edges, ...edges.sort((a, b) => a - b)]) {
          // A step back of more than an hour is believed, so each time is approached from far below.
          clock.step(START - 2 * DAY - clock.now())
          watchword.verify(token)
          cold.watchword.verify(token)
          clock.step(at - clock.now())
          const expected = at >= expiresAt ? 'expired' : at < begins ? 'not_yet_valid' : 'ok'
          expect(both(watchword, token)).toBe(expected)
          expect(both(cold.watchword, token)).toBe(expected)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('tolerate a clock that is ahead at the start of a token, and never at its end', async () => {
    const setup = await rig({ clockTolerance: '5s' })
    const { watchword } = setup
    const issuedIn = (ms: number, life = HOUR) =>
      sealed(setup, claimsText({ iat: iso(START + ms), exp: iso(START + ms + life) }))
    expect(both(watchword, issuedIn(5 * SECOND))).toBe('ok')
    expect(both(watchword, issuedIn(5 * SECOND + 1))).toBe('not_yet_valid')
    expect(both(watchword, issuedIn(-HOUR, HOUR + 1))).toBe('ok')
    expect(both(watchword, issuedIn(-HOUR, HOUR))).toBe('expired')
  })

  it('hold when the clock steps back: an expired token stays expired (J114)', async () => {
    const { watchword, clock } = await rig()
    const { token } = await watchword.issue({ ...INPUT, ttl: '10m' })
    expect(both(watchword, token)).toBe('ok')
    await clock.advance(10 * MINUTE)
    expect(both(watchword, token)).toBe('expired')
    for (const step of [-SECOND, -SECOND, -10 * MINUTE, -30 * MINUTE]) {
      clock.step(step)
      expect(both(watchword, token)).toBe('expired')
    }
  })

  it('recover from a mistaken jump forward (J114)', async () => {
    const setup = await rig()
    const cold = await rig({ cache: false }, setup)
    const { watchword, clock } = setup
    const { token } = await watchword.issue({ ...INPUT, ttl: '1d' })
    expect(both(watchword, token)).toBe('ok')
    clock.step(2 * DAY)
    expect(both(watchword, token)).toBe('expired')
    expect(both(cold.watchword, token)).toBe('expired')
    clock.step(-2 * DAY)
    expect(both(watchword, token)).toBe('ok')
    expect(both(cold.watchword, token)).toBe('ok')
  })
})

describe('the result of verify', () => {
  it('is deeply frozen, and the same object for each hit (D57)', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({
      ...INPUT,
      claims: { tenant: { id: 't', tags: ['a', { b: [1] }] } },
    })
    const cold = watchword.verify(token)
    expect(isDeepFrozen(cold)).toBe(true)
    expect(watchword.verify(token)).toBe(cold)
    expect(watchword.verify(token, { scopes: ['orders:read'] })).toBe(cold)
    expect(() => Object.assign(cold, { subject: 'root' })).toThrow(TypeError)
    expect(watchword.verify(token)).toMatchObject({ subject: 'svc_billing' })
    for (const bad of ['', tampered(token, 60), 'x'.repeat(9999), undefined]) {
      const refusal = watchword.verify(bad)
      expect(isDeepFrozen(refusal)).toBe(true)
      expect(refusal).not.toBeInstanceOf(Error)
      expect(Object.keys(refusal)).toEqual(['ok', 'code'])
    }
  })

  it('changes for a hot token when its key is revoked (C51)', async () => {
    const setup = await rig()
    const { watchword } = setup
    const hot = await Promise.all(Array.from({ length: 50 }, () => watchword.issue(INPUT)))
    for (const { token } of hot) expect(both(watchword, token)).toBe('ok')
    await watchword.keys.revoke(hot[0]?.keyId as string, { actor: 'ops', reason: 'leaked' })
    for (const { token } of hot) expect(verdict(watchword.verify(token))).toBe('revoked')
    const next = await watchword.issue(INPUT)
    expect(next.keyId).not.toBe(hot[0]?.keyId)
    expect(both(watchword, next.token)).toBe('ok')
    const restarted = await rig({}, { ...setup, feed: cuttableFeed() })
    expect(both(restarted.watchword, hot[0]?.token)).toBe('revoked')
  })

  it('is closed for every token after close', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    expect(both(watchword, token)).toBe('ok')
    await watchword.close()
    expect(both(watchword, token)).toBe('closed')
    expect(verdict(await watchword.authenticate(token))).toBe('closed')
  })
})

describe('freshness', () => {
  it('lasts exactly as long as maxStaleness, and authenticate restores it', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({ maxStaleness: '5s' }, { feed })
    const { token } = await watchword.issue(INPUT)
    feed.cut = true
    await clock.advance(5 * SECOND)
    expect(both(watchword, token)).toBe('ok')
    await clock.advance(1)
    expect(both(watchword, token)).toBe('stale')
    expect(watchword.health().status).toBe('stale')
    expect(verdict(await watchword.authenticate(token))).toBe('stale')
    feed.cut = false
    expect(verdict(await watchword.authenticate(token))).toBe('ok')
    expect(both(watchword, token)).toBe('ok')
    expect(watchword.health().status).toBe('live')
  })

  it('is renewed by each round of the follower', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({}, { feed })
    const { token } = await watchword.issue(INPUT)
    for (let i = 0; i < 100; i++) {
      await clock.advance(SECOND)
      expect(both(watchword, token)).toBe('ok')
    }
  })

  it('is lost when the wall clock jumps without the steady clock, and the reverse', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({}, { feed })
    const { token } = await watchword.issue(INPUT)
    feed.cut = true
    clock.step(5 * SECOND + 1)
    expect(both(watchword, token)).toBe('stale')
    clock.step(-5 * SECOND - 1)
    await clock.advance(6 * SECOND)
    clock.step(-6 * SECOND)
    expect(both(watchword, token)).toBe('stale')
  })

  it('may be required more strictly', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({}, { feed })
    const { token } = await watchword.issue(INPUT)
    feed.cut = true
    await clock.advance(SECOND)
    expect(both(watchword, token, { maxStaleness: 999 })).toBe('stale')
    expect(both(watchword, token, { maxStaleness: '1s' })).toBe('ok')
    expect(both(watchword, token, { maxStaleness: 0 })).toBe('stale')
    feed.cut = false
    expect(verdict(await watchword.authenticate(token, { maxStaleness: 0 }))).toBe('ok')
  })

  it('never ends with a feed in the same process, so that no token is stale', async () => {
    const { watchword, clock } = await rig()
    const { token } = await watchword.issue(INPUT)
    clock.step(10 * DAY)
    expect(both(watchword, token, { maxStaleness: 0 })).toBe('ok')
  })

  it('is not claimed by a node whose index rejected a revocation, under any `onStale`', async () => {
    const { watchword } = await rig({ onStale: 'accept', maxRevocations: 1000 })
    const { token } = await watchword.issue(INPUT)
    for (let i = 0; i < 1000; i++) await watchword.revoke({ subject: `subject ${i}` }, ACTOR)
    expect(watchword.health()).toMatchObject({ revocationsFull: false, maxRevocations: 1000 })
    expect(both(watchword, token)).toBe('ok')
    await watchword.revoke({ subject: 'one more' }, ACTOR)
    expect(watchword.health()).toMatchObject({ revocationsFull: true, revocations: 1000 })
    expect(both(watchword, token)).toBe('stale')
    expect(verdict(await watchword.authenticate(token))).toBe('stale')
    expect(verdict(await watchword.authenticate(token, { freshness: 'store' }))).toBe('ok')
  })

  it('is flagged once lost where the policy accepts it, without changing shared results', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({ onStale: 'accept' }, { feed })
    const { token } = await watchword.issue(INPUT)
    const fresh = watchword.verify(token)
    expect(fresh).not.toHaveProperty('stale')
    feed.cut = true
    await clock.advance(5 * SECOND + 1)
    const flagged = watchword.verify(token)
    expect(flagged).toEqual({ ...fresh, stale: true })
    expect(isDeepFrozen(flagged)).toBe(true)
    expect(verdict(watchword.verify(token, { scopes: ['admin'] }))).toBe('insufficient_scope')
    expect(verdict(watchword.verify(token, { freshness: 'store' }))).toBe('stale')
    feed.cut = false
    expect(await watchword.authenticate(token)).toMatchObject({ ok: true })
    await clock.advance(2 * SECOND)
    expect(watchword.verify(token)).not.toHaveProperty('stale')
  })

  it('does not matter for a revoked token, which is revoked on a stale node as well', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({ onStale: 'accept' }, { feed })
    const { token } = await watchword.issue(INPUT)
    await watchword.revoke({ token }, { actor: 'ops' })
    feed.cut = true
    await clock.advance(MINUTE)
    expect(both(watchword, token)).toBe('revoked')
  })
})

describe('a start while the feed is cut off', () => {
  async function issuedBefore(): Promise<{
    token: string
    setup: Rig & { feed: ReturnType<typeof cuttableFeed> }
  }> {
    const feed = cuttableFeed()
    const setup = await rig({}, { feed })
    const { token } = await setup.watchword.issue(INPUT)
    return { token, setup: { ...setup, feed } }
  }

  it('rejects with `wait`', async () => {
    const { setup } = await issuedBefore()
    setup.feed.cut = true
    expect(await codeOf(() => rig({ onStart: 'wait' }, setup))).toBe('ERR_FEED_UNAVAILABLE')
  })

  it('rejects tokens with `reject`, until authenticate or the follower reaches the feed', async () => {
    const { token, setup } = await issuedBefore()
    setup.feed.cut = true
    const { watchword } = await rig({ onStart: 'reject' }, setup)
    expect(both(watchword, token)).toBe('stale')
    expect(verdict(await watchword.authenticate(token))).toBe('stale')
    setup.feed.cut = false
    expect(verdict(await watchword.authenticate(token))).toBe('ok')
    expect(both(watchword, token)).toBe('ok')
  })

  it('follows the feed later on its own, even when it could not be opened', async () => {
    const { token, setup } = await issuedBefore()
    setup.feed.cut = true
    const { watchword, clock } = await rig({ onStart: 'reject' }, setup)
    await clock.advance(10 * SECOND)
    expect(both(watchword, token)).toBe('stale')
    setup.feed.cut = false
    await clock.advance(3 * SECOND)
    expect(both(watchword, token)).toBe('ok')
    const { watchword: another } = setup
    await another.revoke({ token }, { actor: 'ops' })
    expect(both(watchword, token)).toBe('revoked')
  })

  it('survives a push channel that ends', async () => {
    const { token, setup } = await issuedBefore()
    const watch = () => Promise.reject(new Error('the channel broke off'))
    const { watchword, clock } = await rig({}, { ...setup, feed: { ...setup.feed, watch } })
    await setup.watchword.revoke({ token }, { actor: 'ops' })
    await clock.advance(2 * SECOND)
    expect(both(watchword, token)).toBe('revoked')
  })

  it('accepts and flags tokens with `accept`, but only until the feed was read once', async () => {
    const { token, setup } = await issuedBefore()
    setup.feed.cut = true
    const { watchword, clock } = await rig({ onStart: 'accept' }, setup)
    expect(watchword.verify(token)).toMatchObject({ ok: true, stale: true })
    setup.feed.cut = false
    await clock.advance(3 * SECOND)
    expect(both(watchword, token)).toBe('ok')
    setup.feed.cut = true
    await clock.advance(MINUTE)
    expect(both(watchword, token)).toBe('stale')
  })
})

describe('authenticate', () => {
  it('reads the store when the requirement demands it', async () => {
    const setup = await rig()
    const { watchword, store } = setup
    const { token, id } = await watchword.issue(INPUT)
    const needs = watchword.require({ freshness: 'store' })
    expect(verdict(watchword.verify(token, needs))).toBe('stale')
    expect(verdict(await watchword.authenticate(token, needs))).toBe('ok')
    await store.revoke({
      id: '01KDVDM400000000000000000Z',
      kind: 'token',
      value: id,
      before: START,
      at: START,
      actor: 'another operator',
      reason: null,
      expiresAt: START + DAY,
      family: null,
      generation: null,
      tag: '',
    })
    expect(verdict(await watchword.authenticate(token))).toBe('ok')
    expect(verdict(await watchword.authenticate(token, needs))).toBe('revoked')
  })

  it('rejects a token that the store does not have or has as rotated', async () => {
    const setup = await rig()
    const needs = { freshness: 'store' } as const
    const unknown = sealed(setup, claimsText())
    expect(both(setup.watchword, unknown)).toBe('ok')
    expect(verdict(await setup.watchword.authenticate(unknown, needs))).toBe('revoked')
    const { token, id } = await setup.watchword.issue(INPUT)
    await setup.store.supersede(id, START)
    expect(verdict(await setup.watchword.authenticate(token))).toBe('ok')
    expect(verdict(await setup.watchword.authenticate(token, needs))).toBe('superseded')
    const scoped = { ...needs, scopes: ['admin'] }
    expect(verdict(await setup.watchword.authenticate(token, scoped))).toBe('insufficient_scope')
  })

  it('reports a failure of the store, and never that the token is invalid (D62)', async () => {
    let down = false
    const inner = sharedStore()
    const store: Store = {
      ...inner,
      getToken: async (id) => {
        if (down) throw new Error('connection refused')
        return inner.getToken(id)
      },
    }
    const { watchword } = await rig({}, { store })
    const { token } = await watchword.issue(INPUT)
    const ask = () => watchword.authenticate(token, { freshness: 'store' })
    down = true
    expect(await codeOf(ask)).toBe('ERR_STORE_UNAVAILABLE')
    expect(both(watchword, token)).toBe('ok')
    down = false
    expect(verdict(await ask())).toBe('ok')
  })

  it('finds a key that another authority has made since', async () => {
    const setup = await rig()
    const other = await rig({}, setup)
    await setup.watchword.keys.revoke(activeKey(setup.watchword), { actor: 'ops' })
    const { token } = await setup.watchword.issue(INPUT)
    expect(verdict(other.watchword.verify('v4.local.x'))).toBe('malformed')
    expect(verdict(await other.watchword.authenticate(token))).toBe('ok')
    expect(both(other.watchword, token)).toBe('ok')
  })
})

describe('a flood of made-up key ids (C40)', () => {
  it('costs two store reads per second, and no memory', async () => {
    const inner = sharedStore()
    let reads = 0
    const store: Store = {
      ...inner,
      listKeys: () => {
        reads++
        return inner.listKeys()
      },
    }
    const { watchword, clock } = await rig({}, { store })
    const { token } = await watchword.issue(INPUT)
    const good = watchword.verify(token)
    const before = watchword.health()
    const flood = async (count: number) => {
      reads = 0
      for (let i = 0; i < count; i++) {
        const kid = `k4.lid.${randomBytes(33).toString('base64url')}`
        const tail = Buffer.from(footerOf(kid)).toString('base64url')
        const forged = `v4.local.${'A'.repeat(88)}.${tail}`
        if (verdict(watchword.verify(forged)) !== 'unknown_key') expect.fail('not unknown')
        if (i % 1000 === 0) await new Promise(setImmediate)
      }
      return reads
    }
    expect(await flood(2000)).toBeGreaterThanOrEqual(1)
    globalThis.gc?.()
    const heap = process.memoryUsage().heapUsed
    const since = performance.now()
    const many = await flood(100_000)
    expect(many).toBeLessThanOrEqual((performance.now() - since) / 500 + 1)
    globalThis.gc?.()
    // A hundred thousand kept ids would be ten times this.
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(5 * 1024 * 1024)
    reads = 0
    await clock.advance(500)
    expect(reads).toBeGreaterThanOrEqual(1)
    expect(watchword.health().cache).toEqual(before.cache)
    expect(watchword.verify(token)).toBe(good)
  })

  it('reads nothing for a malformed key id (C39)', async () => {
    const inner = sharedStore()
    let reads = 0
    const store: Store = {
      ...inner,
      listKeys: () => {
        reads++
        return inner.listKeys()
      },
    }
    const { watchword } = await rig({}, { store })
    reads = 0
    const ids = [
      '',
      'constructor',
      '__proto__',
      `k4.lid.${'A'.repeat(43)}`,
      `k3.lid.${'A'.repeat(44)}`,
    ]
    for (const kid of [...ids, `k4.lid.${'A'.repeat(45)}`, `k4.pid.${'A'.repeat(44)}`]) {
      const tail = Buffer.from(footerOf(kid)).toString('base64url')
      const forged = `v4.local.${'A'.repeat(88)}.${tail}`
      expect(verdict(await watchword.authenticate(forged)), kid).toBe('malformed')
    }
    expect(reads).toBe(0)
  })
})

describe('a requirement', () => {
  const BAD: readonly unknown[] = [
    null,
    0,
    'orders:read',
    true,
    [],
    Symbol.iterator,
    { scope: ['orders:read'] },
    { scopes: ['orders:read'], audiense: 'x' },
    { scopes: 'orders:read' },
    { scopes: [''] },
    { scopes: ['orders'.repeat(50)] },
    { scopes: [1] },
    { scopes: null },
    { scopes: undefined },
    { scopes: [] },
    { scopes: {} },
    { scopes: { allOf: [] } },
    { scopes: { allOf: undefined } },
    { scopes: { allOf: ['orders:read'], anyOf: undefined } },
    { scopes: { allOf: ['orders:read'], anyOf: [] } },
    { audience: undefined },
    { binding: undefined },
    { maxStaleness: undefined },
    { minPosition: undefined },
    { freshness: undefined },
    { scopes: ['orders:read'], binding: undefined },
    Object.create({ scopes: undefined }),
    undefined,
    { scopes: new Array(1) },
    { scopes: { anyOf: [] } },
    { scopes: { anyOf: new Array(1) } },
    { scopes: { any: ['orders:read'] } },
    { scopes: { allOf: 'orders:read' } },
    { audience: '' },
    { audience: ['orders-api'] },
    { audience: null },
    { binding: '' },
    { binding: 5 },
    { binding: null },
    { maxStaleness: Number.NaN },
    { maxStaleness: Number.POSITIVE_INFINITY },
    { maxStaleness: -1 },
    { maxStaleness: '5' },
    { maxStaleness: null },
    { freshness: 'feed' },
    { freshness: true },
  ]
  const boom = (): never => {
    throw new Error('boom')
  }
  const traps = new Proxy(
    {},
    {
      get: () => boom,
    },
  )
  const HOSTILE: readonly unknown[] = [
    new Proxy({}, { ownKeys: boom }),
    new Proxy({}, { get: boom }),
    new Proxy({}, { getPrototypeOf: boom, get: boom }),
    new Proxy({}, traps),
    Object.defineProperty({}, 'scopes', { enumerable: true, get: boom }),
    Object.defineProperty({}, 'audience', { enumerable: true, get: boom }),
    { scopes: Object.defineProperty(['orders:read'], 0, { get: boom }) },
    { scopes: new Proxy(['orders:read'], { get: boom }) },
  ]

  it('rejects every token when it is malformed or hostile (fails closed)', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ ...INPUT, scopes: ['orders:*'] })
    expect(both(watchword, token)).toBe('ok')
    for (const needs of [...BAD, ...HOSTILE]) {
      const result = watchword.verify(token, needs as Requirement)
      expect(result).toEqual({ ok: false, code: 'insufficient_scope', missing: [] })
      expect(isDeepFrozen(result)).toBe(true)
      await expect(watchword.authenticate(token, needs as Requirement)).rejects.toThrow()
    }
  })

  it('is rejected by `require` when it is malformed, naming the field', async () => {
    const { watchword } = await rig()
    for (const needs of BAD) {
      expect(await codeOf(() => watchword.require(needs as Requirement))).toBe(
        'ERR_INVALID_ARGUMENT',
      )
    }
  })

  it('is not taken for a compiled one that it only resembles', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const compiled = watchword.require({ scopes: ['admin'] })
    expect(Object.isFrozen(compiled)).toBe(true)
    const proto = Object.getPrototypeOf(compiled) as object
    const fakes = [
      Object.create(proto) as object,
      Object.assign(Object.create(proto) as object, { allOf: [], anyOf: [], binding: '' }),
      new Proxy(compiled, {
        get: (target, name) => (name === 'allOf' ? [] : Reflect.get(target, name)),
      }),
    ]
    for (const fake of fakes) {
      expect(watchword.verify(token, fake as CompiledRequirement).ok).toBe(false)
    }
    expect(both(watchword, token)).toBe('ok')
  })

  it('counts with all its fields, also inherited or hidden ones', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    class Needs {
      scopes = ['orders:read']
      get audience() {
        return 'other'
      }
    }
    const hidden = Object.defineProperty({ scopes: ['orders:read'] }, 'audience', {
      value: 'other',
    })
    const inherited = Object.create({ audience: 'other' }, { scopes: { value: ['orders:read'] } })
    for (const needs of [new Needs(), hidden, inherited as Requirement]) {
      expect(verdict(watchword.verify(token, needs))).toBe('wrong_audience')
    }
  })

  it('has the same result compiled or inline, for every token', async () => {
    const { watchword } = await rig()
    const tokens = await Promise.all(
      [[], ['orders:read'], ['orders:*'], ['stock:read']].map(
        async (scopes) => (await watchword.issue({ ...INPUT, scopes })).token,
      ),
    )
    const all: Requirement[] = [
      {},
      { scopes: ['orders:read'] },
      { scopes: ['orders:read', 'stock:read'] },
      { scopes: { anyOf: ['orders:read', 'stock:read'] } },
      { audience: AUDIENCE },
      { audience: AUDIENCE, scopes: ['orders:*'] },
      { maxStaleness: '1s', scopes: ['orders:a:b'] },
      { binding: 'x' },
    ]
    for (const needs of all) {
      const compiled = watchword.require(needs)
      for (const token of tokens) {
        expect(watchword.verify(token, needs)).toEqual(watchword.verify(token, compiled))
      }
    }
  })
})

describe('two authorities on different clocks', () => {
  it('agree on a token as far as their clocks do', async () => {
    const ahead = await rig({ clockTolerance: '5s' })
    const behind = await rig(
      { clockTolerance: '5s' },
      { ...ahead, clock: manualClock(START - 4 * SECOND) },
    )
    const late = await rig(
      { clockTolerance: '5s' },
      { ...ahead, clock: manualClock(START - 6 * SECOND) },
    )
    const { token } = await ahead.watchword.issue(INPUT)
    expect(both(behind.watchword, token)).toBe('ok')
    expect(both(late.watchword, token)).toBe('not_yet_valid')
    await late.clock.advance(SECOND)
    expect(both(late.watchword, token)).toBe('ok')
  })
})

describe('scopes', () => {
  it('are limited by what the policy grants now, at once and on every node that has the policy', async () => {
    const wide = { service: { ttl: '30d', scopes: ['orders:*', 'stock:read'] } } as const
    const narrow = { service: { ttl: '30d', scopes: ['orders:read'] } } as const
    const setup = await rig({ policies: wide })
    const issued = await setup.watchword.issue({ ...INPUT, scopes: ['orders:*', 'stock:read'] })
    const { watchword } = await rig({ policies: narrow }, setup)
    expect(watchword.verify(issued.token)).toMatchObject({ ok: true, scopes: ['orders:read'] })
    expect(both(watchword, issued.token, { scopes: ['orders:read'] })).toBe('ok')
    for (const scopes of [['orders:write'], ['stock:read'], ['orders:*']])
      expect(both(watchword, issued.token, { scopes })).toBe('insufficient_scope')
    const none = await rig({ policies: { service: { ttl: '30d', scopes: [] } } }, setup)
    expect(none.watchword.verify(issued.token)).toMatchObject({ ok: true, scopes: [] })
    // A policy that this authority does not have sets no limits: the token states its scopes.
    const other = await rig({ policies: { other: { ttl: '1h', scopes: [] } } }, setup)
    expect(other.watchword.verify(issued.token)).toMatchObject({
      scopes: ['orders:*', 'stock:read'],
    })
  })
})
