/**
 * Issuing: a rejected call writes nothing, an issued token shows nothing, and any PASETO library can read it.
 *
 * @module
 */
import { format, inspect } from 'node:util'
import { decodeTime } from 'ulid'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { IssuedToken, IssueInput, WatchwordErrorCode } from 'watchword'
import { manualClock } from 'watchword/testkit'
import * as z from 'zod'
import { ready } from '../../../src/paseto.js'
import {
  AUDIENCE,
  activeKey,
  assertionOf,
  closeAll,
  codeOf,
  DAY,
  failureOf,
  HOUR,
  ISSUER,
  isDeepFrozen,
  type RigOptions,
  rig,
  START,
} from '../../support/harness.js'
import { protocol } from '../../support/paseto-protocol.js'
import { runs } from '../../support/runs.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'deploy-bot' } as const
const RESERVED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope', 'pol', 'ver', 'fam']
const ALL_RESERVED = [...RESERVED, 'gen', '__proto__']

/** Issues with `input`, and requires this code and an unchanged store. */
async function expectRefusal(
  code: WatchwordErrorCode,
  input: Readonly<Record<string, unknown>>,
  options: RigOptions = {},
): Promise<void> {
  const { watchword } = await rig(options)
  const label = inspect(input, { depth: 2, maxArrayLength: 3, maxStringLength: 80 })
  expect(await codeOf(() => watchword.issue(input as unknown as IssueInput)), label).toBe(code)
  expect((await watchword.tokens.list()).items, label).toEqual([])
  await watchword.close()
}

const withClaims = (claims: unknown) => ({ ...INPUT, claims })

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = { a: value }
  return value
}

const manyKeys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))

describe('issue', () => {
  it('rejects every reserved claim name, and writes nothing (B35)', async () => {
    expect(ALL_RESERVED).toHaveLength(13)
    for (const name of ALL_RESERVED) {
      const claims = JSON.parse(`{"tenant":"t","${name}":"2999-01-01T00:00:00Z"}`) as unknown
      await expectRefusal('ERR_RESERVED_CLAIM', withClaims(claims))
    }
  })

  it('rejects a reserved claim name that only appears once the claims are serialized (B35)', async () => {
    for (const name of ALL_RESERVED.slice(0, -1)) {
      // Neither is run: a function is not a valid claim, and proxies are not read.
      await expectRefusal('ERR_CLAIMS_INVALID', withClaims({ toJSON: () => ({ [name]: 'x' }) }))
    }
    const hidden = new Proxy({ exp: 'x' }, { ownKeys: () => (asked++ === 0 ? [] : ['exp']) })
    let asked = 0
    await expectRefusal('ERR_CLAIMS_INVALID', withClaims(hidden))
  })

  it('accepts reserved names below the top level', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(
      withClaims({ order: { exp: 1, jti: 'x' } }) as IssueInput,
    )
    expect(watchword.verify(token)).toMatchObject({ claims: { order: { exp: 1, jti: 'x' } } })
  })

  it('rejects an unknown policy', async () => {
    for (const policy of ['jobs', 'Service', 'service ', 'constructor', '__proto__', 'toString']) {
      await expectRefusal('ERR_UNKNOWN_POLICY', { ...INPUT, policy })
    }
  })

  it('rejects an unknown audience, or one that is not named among several', async () => {
    await expectRefusal('ERR_UNKNOWN_AUDIENCE', { ...INPUT, audience: 'other' })
    await expectRefusal('ERR_INVALID_ARGUMENT', INPUT, { audience: ['a', 'b'] })
  })

  it('rejects a scope that the policy does not grant', async () => {
    for (const scope of ['*', 'orders', 'stock:*', 'stock:write', 'Orders:read', 'ordersx:read']) {
      await expectRefusal('ERR_SCOPE_NOT_GRANTABLE', { ...INPUT, scopes: ['orders:read', scope] })
    }
  })

  it('rejects a lifetime longer than that of the policy', async () => {
    await expectRefusal('ERR_TTL_TOO_LONG', { ...INPUT, ttl: 30 * DAY + 1 })
    await expectRefusal('ERR_TTL_TOO_LONG', { ...INPUT, policy: 'short', ttl: '61m' })
  })

  it('rejects input of the wrong type', async () => {
    const bad: ReadonlyArray<Readonly<Record<string, unknown>>> = [
      ...['policy', 'subject', 'actor'].flatMap((field) =>
        ['', 1, null, undefined, {}, ['a'], 'a\0b', '\ud800', 'x'.repeat(1025)].map((value) => ({
          ...INPUT,
          [field]: value,
        })),
      ),
      ...['orders:read', [''], ['a b'], ['or*'], [1], {}, null, new Array(65).fill('orders:a')].map(
        (scopes) => ({ ...INPUT, scopes }),
      ),
      ...[0, 999, -1, Number.NaN, 1e308, null, '5', '1 h', 1000.5, {}].map((ttl) => ({
        ...INPUT,
        ttl,
      })),
      ...[-1, Number.NaN, Number.POSITIVE_INFINITY, '2026', null, 0.5, new Date(0)].map(
        (notBefore) => ({ ...INPUT, notBefore }),
      ),
      ...['', 1, null, 'a\n', 'x'.repeat(1025)].map((binding) => ({ ...INPUT, binding })),
      ...[null, 1, 'x', [], ['a'], () => ({})].map((claims) => ({ ...INPUT, claims })),
      { ...INPUT, scope: ['orders:read'] },
      { ...INPUT, expiresAt: START },
      { ...INPUT, id: '01KDVDM4000000000000000000' },
    ]
    for (const input of bad) await expectRefusal('ERR_INVALID_ARGUMENT', input)
    const { watchword } = await rig()
    for (const input of [undefined, null, 1, 'service', []]) {
      expect(await codeOf(() => watchword.issue(input as unknown as IssueInput))).toBe(
        'ERR_INVALID_ARGUMENT',
      )
    }
  })

  it('rejects a start of validity at or after the expiry', async () => {
    await expectRefusal('ERR_INVALID_ARGUMENT', { ...INPUT, ttl: '1h', notBefore: START + HOUR })
  })

  it('rejects claims that JSON cannot hold, or that could not be read back (B23, B25, B26, B34)', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const bad = [
      { a: 1n },
      cyclic,
      { a: Number.NaN },
      { a: [{ b: Number.POSITIVE_INFINITY }], c: null },
      { a: 2 ** 53 },
      { a: Number.MAX_VALUE },
      { a: -1e21 },
      manyKeys(53),
      { a: manyKeys(52) },
      nested(17),
      { a: '\ud800' },
      { '\udc00': 1 },
      { a: JSON.parse('{"__proto__":1}') as unknown },
      { toJSON: () => undefined },
      { toJSON: () => 'text' },
      { toJSON: () => [1] },
      {
        get a() {
          throw new Error('no')
        },
      },
      new Date(START),
    ]
    for (const claims of bad) await expectRefusal('ERR_CLAIMS_INVALID', withClaims(claims))
  })

  it('rejects claims that the schema rejects or validates asynchronously', async () => {
    const input = withClaims({ tenant: 5 })
    const good = withClaims({ tenant: 'acme' })
    await expectRefusal('ERR_CLAIMS_INVALID', input, { claims: z.object({ tenant: z.string() }) })
    await expectRefusal('ERR_CLAIMS_INVALID', INPUT, { claims: z.object({ tenant: z.string() }) })
    const slow = z.object({ tenant: z.string().refine(async () => true) })
    await expectRefusal('ERR_CLAIMS_INVALID', good, { claims: slow })
    const schema = (validate: () => unknown) =>
      ({ '~standard': { version: 1, vendor: 'test', validate } }) as unknown as typeof slow
    const broken = [
      () => Promise.resolve({ value: {} }),
      () => Promise.reject(new Error('late')),
      () =>
        Object.fromEntries([['then', (done: (result: unknown) => void) => done({ value: {} })]]),
      () => ({ value: undefined }),
      () => undefined,
      () => {
        throw new Error('broken schema')
      },
    ]
    for (const validate of broken) {
      await expectRefusal('ERR_CLAIMS_INVALID', good, { claims: schema(validate) })
    }
  })

  it('rejects claims whose schema output cannot be frozen (D57)', async () => {
    const make = (value: unknown) => z.object({ tenant: z.string() }).transform(() => value)
    const outputs = [new Date(0), new Map(), new Set(), new Uint8Array(1), new ArrayBuffer(1)]
    for (const value of outputs) {
      const claims = make({ deep: [value] })
      await expectRefusal('ERR_CLAIMS_INVALID', withClaims({ tenant: 'acme' }), { claims })
    }
  })

  it('rejects a token longer than the limit, for any reason (A7)', async () => {
    const long = 'x'.repeat(4096)
    await expectRefusal('ERR_TOKEN_TOO_LONG', withClaims({ long }))
    await expectRefusal(
      'ERR_TOKEN_TOO_LONG',
      { ...INPUT, subject: 's'.repeat(1024) },
      {
        maxTokenLength: 1024,
      },
    )
    await expectRefusal('ERR_TOKEN_TOO_LONG', withClaims({ long }), { prefix: 'acme_live' })
  })

  it('rejects another token where the limit is reached', async () => {
    const policies = { one: { ttl: '1h', scopes: [], maxActivePerSubject: 2 } }
    const { watchword, clock } = await rig({ policies })
    const input = { policy: 'one', subject: 's', actor: 'a' }
    await watchword.issue(input)
    await watchword.issue(input)
    expect(await codeOf(() => watchword.issue(input))).toBe('ERR_LIMIT_REACHED')
    expect((await watchword.tokens.list()).items).toHaveLength(2)
    await watchword.issue({ ...input, subject: 'other' })
    await clock.advance(HOUR)
    await watchword.issue(input)
    expect((await watchword.tokens.list({ live: true })).items).toHaveLength(1)
  })

  it('rejects any call after close', async () => {
    const { watchword } = await rig()
    await watchword.close()
    expect(await codeOf(() => watchword.issue(INPUT))).toBe('ERR_CLOSED')
  })
})

describe('the limit of length', () => {
  it('is the length of the longest token that is issued, for any length of its claims (A7)', async () => {
    for (const prefix of [{}, { prefix: 'acme_live' }]) {
      const roomy = await rig(prefix)
      for (const size of [900, 901, 902]) {
        const input = { ...INPUT, claims: { pad: 'x'.repeat(size) } }
        const { token } = await roomy.watchword.issue(input)
        const exact = await rig({ ...prefix, maxTokenLength: token.length })
        expect((await exact.watchword.issue(input)).token).toHaveLength(token.length)
        const tight = await rig({ ...prefix, maxTokenLength: token.length - 1 })
        expect(await codeOf(() => tight.watchword.issue(input))).toBe('ERR_TOKEN_TOO_LONG')
      }
    }
  })

  it('is exact: a token of exactly that length is issued and verified (A7)', async () => {
    for (const prefix of [undefined, 'acme_live']) {
      const { watchword } = await rig({
        maxTokenLength: 1000,
        ...(prefix === undefined ? {} : { prefix }),
      })
      const lengths = new Set<number>()
      let refused = 0
      for (let size = 200; size < 500; size++) {
        const input = { ...INPUT, claims: { pad: 'x'.repeat(size) } }
        const issued = await watchword.issue(input).catch(() => undefined)
        if (issued === undefined) refused++
        else {
          lengths.add(issued.token.length)
          expect(watchword.verify(issued.token).ok).toBe(true)
        }
      }
      expect(refused).toBeGreaterThan(0)
      expect(Math.max(...lengths)).toBeLessThanOrEqual(1000)
      expect(Math.max(...lengths)).toBeGreaterThanOrEqual(999)
    }
  })
})

describe('an issued token', () => {
  it('verifies with the values that it was issued with', async () => {
    const { watchword } = await rig()
    const issued = await watchword.issue({
      ...INPUT,
      scopes: ['orders:write', 'orders:read', 'orders:read'],
      ttl: '2h',
      claims: { tenant: 'acme', limits: { rate: 1.5, tags: ['a', null, true] } },
    })
    expect(watchword.verify(issued.token, { scopes: ['orders:read'] })).toEqual({
      ok: true,
      id: issued.id,
      subject: 'svc_billing',
      audience: AUDIENCE,
      scopes: ['orders:read', 'orders:write'],
      policy: 'service',
      family: issued.id,
      generation: 0,
      issuedAt: START,
      expiresAt: START + 2 * HOUR,
      rotateAt: START + 1.4 * HOUR,
      keyId: activeKey(watchword),
      claims: { tenant: 'acme', limits: { rate: 1.5, tags: ['a', null, true] } },
    })
    expect((await watchword.tokens.get(issued.id))?.issuedBy).toBe('deploy-bot')
  })

  it('carries its scopes sorted, without duplicates and without scopes that another one covers', async () => {
    const { watchword } = await rig()
    const scopes = ['stock:read', 'orders:z:read', 'orders:*', 'orders:a', 'stock:read']
    const issued = await watchword.issue({ ...INPUT, scopes })
    expect(issued.scopes).toEqual(['orders:*', 'stock:read'])
    expect((await watchword.tokens.get(issued.id))?.scopes).toEqual(['orders:*', 'stock:read'])
  })

  it('without scopes has no rights', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const refused = { ok: false, code: 'insufficient_scope', missing: ['orders:read'] }
    expect(watchword.verify(token, { scopes: ['orders:read'] })).toEqual(refused)
  })

  it('may start in the future, and is not valid before that except for the tolerance', async () => {
    const { watchword, clock } = await rig({ clockTolerance: '5s' })
    const { token } = await watchword.issue({ ...INPUT, notBefore: START + HOUR })
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'not_yet_valid' })
    await clock.advance(HOUR - 5001)
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'not_yet_valid' })
    await clock.advance(1)
    expect(watchword.verify(token).ok).toBe(true)
  })

  it('takes as many keys and as much depth as can be read back, and no more (B25, B26)', async () => {
    const { watchword } = await rig()
    for (const claims of [manyKeys(52), nested(16)] as Record<string, unknown>[]) {
      const { token } = await watchword.issue({ ...INPUT, claims })
      expect(watchword.verify(token)).toMatchObject({ ok: true, claims })
    }
  })

  it('is not affected by claims named like methods (B23, B24)', async () => {
    const { watchword } = await rig()
    const names = ['hasOwnProperty', 'toString', 'then', 'toJSON', 'constructor', 'valueOf']
    const claims = Object.fromEntries(names.map((name) => [name, 'x']))
    const { token } = await watchword.issue({ ...INPUT, claims })
    expect(watchword.verify(token)).toMatchObject({ ok: true, claims })
    expect(await watchword.authenticate(token)).toMatchObject({ ok: true, claims })
  })

  it('keeps its values when the input is changed later', async () => {
    const { watchword } = await rig()
    const claims = { tags: ['a'] }
    const scopes = ['orders:read']
    const issued = await watchword.issue({ ...INPUT, claims, scopes })
    claims.tags.push('b')
    scopes.push('stock:read')
    expect(watchword.verify(issued.token)).toMatchObject({ claims: { tags: ['a'] } })
    expect(issued.scopes).toEqual(['orders:read'])
    expect((await watchword.tokens.get(issued.id))?.scopes).toEqual(['orders:read'])
  })

  it('runs the schema each time it is opened, and shares a frozen result (D57)', async () => {
    const claims = z
      .object({ tenant: z.string(), tags: z.array(z.string()).default([]) })
      .readonly()
    const { watchword } = await rig({ claims })
    const { token } = await watchword.issue({ ...INPUT, claims: { tenant: 'acme' } })
    const result = watchword.verify(token)
    expect(result).toMatchObject({ ok: true, claims: { tenant: 'acme', tags: [] } })
    expect(isDeepFrozen(result)).toBe(true)
    expect(watchword.verify(token)).toBe(result)
  })

  it('shows its text only when read explicitly (G96)', async () => {
    const { watchword } = await rig()
    const issued = await watchword.issue({ ...INPUT, claims: { tenant: 'acme' } })
    const body = issued.token.slice(9, 60)
    const shown = [
      inspect(issued, { showHidden: true, depth: 9, getters: true }),
      inspect(issued, { customInspect: false, showHidden: true }),
      inspect({ deep: [issued] }, { depth: 9 }),
      JSON.stringify(issued),
      JSON.stringify({ ...issued }),
      `${issued}`,
      String(issued),
      `${[issued].join()}`,
      format('%s %o %O %j', issued, issued, issued, issued),
      JSON.stringify(Object.entries(issued)),
      JSON.stringify(structuredClone({ ...issued })),
    ]
    for (const text of shown) expect(text).not.toContain(body)
    expect(shown[3]).toContain(issued.id)
    expect(shown[5]).toContain(issued.id)
    expect(issued.token).toContain(body)
    expect(Object.isFrozen(issued)).toBe(true)
  })
})

describe('ids', () => {
  it('are unique, ascend within a millisecond, and never carry a later time than their token', async () => {
    const { watchword, clock } = await rig()
    const issued: IssuedToken[] = []
    for (const step of [0, 0, 1, -HOUR, 0, 1, 30 * DAY, 0, -30 * DAY, 0, HOUR, -1, -1, 0, 5]) {
      clock.step(step)
      issued.push(await watchword.issue(INPUT))
    }
    expect(new Set(issued.map(({ id }) => id)).size).toBe(issued.length)
    for (const [i, { id, issuedAt }] of issued.entries()) {
      expect(decodeTime(id)).toBe(issuedAt)
      const before = issued[i - 1]
      if (before?.issuedAt === issuedAt) expect(id > before.id).toBe(true)
    }
  })

  it('increase strictly, for up to a hundred thousand of them in one millisecond (J115)', async () => {
    const { watchword } = await rig()
    const input = { ...INPUT, policy: 'short' }
    let last = ''
    const batch = Array.from({ length: 1000 }, () => input)
    for (let i = 0; i < runs(100); i++) {
      for (const { id } of await watchword.issueMany(batch)) {
        if (id <= last) expect.fail(`${id} follows ${last}`)
        last = id
      }
    }
    expect(last.slice(0, 10)).toBe((await watchword.issue(input)).id.slice(0, 10))
  }, 300_000)
})

describe('any PASETO library', () => {
  const NAMES = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'pol', 'ver', 'fam', 'gen']

  it('reads a token with its key, and finds exactly the documented claims (A36)', async () => {
    const { watchword, root } = await rig()
    const issued = await watchword.issue({ ...INPUT, scopes: ['stock:read', 'orders:read'] })
    const { claims, footer } = await protocol.Decrypt(root.key(issued.keyId), issued.token, {
      implicitAssertion: assertionOf(ISSUER, AUDIENCE),
      now: new Date(START),
    })
    expect(claims).toEqual({
      iss: ISSUER,
      sub: 'svc_billing',
      aud: AUDIENCE,
      exp: '2026-01-31T00:00:00.000Z',
      iat: '2026-01-01T00:00:00.000Z',
      jti: issued.id,
      scope: 'orders:read stock:read',
      pol: 'service',
      ver: 1,
      fam: issued.id,
      gen: 0,
    })
    expect(Buffer.from(footer).toString()).toBe(`{"kid":"${issued.keyId}"}`)
  })

  it('finds the optional claims only when they were requested (A36)', async () => {
    const { watchword, root } = await rig()
    const read = async (input: IssueInput, binding = '') => {
      const { token, keyId } = await watchword.issue(input)
      const { claims } = await protocol.Decrypt(root.key(keyId), token, {
        implicitAssertion: assertionOf(ISSUER, AUDIENCE, binding),
        now: new Date(START),
      })
      return Object.keys(claims).sort()
    }
    expect(await read(INPUT)).toEqual([...NAMES].sort())
    expect(await read({ ...INPUT, notBefore: START })).toEqual([...NAMES, 'nbf'].sort())
    const bound = { ...INPUT, binding: 'thumbprint', claims: { tenant: 'acme' } }
    expect(await read(bound, 'thumbprint')).toEqual([...NAMES, 'tenant'].sort())
  })

  it('rejects a token by its assertion when the audience, the issuer or the binding differs', async () => {
    const { watchword, root } = await rig()
    const { token, keyId } = await watchword.issue(INPUT)
    const others = [
      assertionOf(ISSUER, 'other'),
      assertionOf('other', AUDIENCE),
      assertionOf(ISSUER, AUDIENCE, 'x'),
      new Uint8Array(0),
    ]
    for (const implicitAssertion of others) {
      const error = await failureOf(() =>
        protocol.Decrypt(root.key(keyId), token, { implicitAssertion, now: new Date(START) }),
      )
      expect(error).toMatchObject({ code: 'ERR_PASETO_INVALID_TOKEN' })
    }
  })
})

describe('an authority of several audiences', () => {
  it('issues for each audience under a separate key', async () => {
    const audience = ['orders-api', 'stock-api', 'admin-api']
    const { watchword } = await rig({ audience }, { clock: manualClock(START) })
    const keys = new Set<string>()
    for (const each of audience) {
      const issued = await watchword.issue({ ...INPUT, audience: each })
      expect(issued.audience).toBe(each)
      expect(watchword.verify(issued.token)).toMatchObject({ ok: true, audience: each })
      keys.add(issued.keyId)
    }
    expect(keys.size).toBe(3)
  })
})
