import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Watchword, WatchwordOptions } from 'watchword'
import { createWatchword, memoryFeed, memoryStore, WatchwordError } from 'watchword'
import { exportKey, generateKey, importKey, keyId, ready } from 'watchword/paseto'
import { isQuotable } from '../../../src/lib/quote.js'
import {
  ACTOR,
  around,
  errorOf,
  type Fleet,
  issueOn,
  newFleet,
  newRootKey,
} from '../../support/fleet.js'

let fleet: Fleet | undefined
afterEach(() => fleet?.close())

const BASE = {
  issuer: 'acme',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] }, session: { ttl: '1h', scopes: [] } },
} as const

const optionError = (options: object) =>
  errorOf(createWatchword({ ...BASE, ...options } as unknown as WatchwordOptions))

const MAKE = "node -e \"import('watchword/paseto')"
const kl = () => exportKey(generateKey())

describe('the message about an option', () => {
  it.each<[string, () => object, readonly string[]]>([
    [
      'an unset root key',
      () => ({ rootKey: '' }),
      ['rootKey', 'an empty string', 'environment variable', MAKE],
    ],
    [
      'a hexadecimal root key',
      () => ({ rootKey: 'ab'.repeat(32) }),
      ['64 hexadecimal digits', MAKE],
    ],
    [
      'a root key with a line break',
      () => ({ rootKey: `${kl()}\n` }),
      ['white space', 'text.trim()'],
    ],
    [
      'a root key of another kind',
      () => ({ rootKey: `k4.secret.${'A'.repeat(86)}` }),
      ["'k4.secret.…'", MAKE],
    ],
    [
      'a root key cut short',
      () => ({ rootKey: kl().slice(0, -3) }),
      ['49 instead of 52', 'cut short'],
    ],
    [
      'a root key that is a password',
      () => ({ rootKey: 'changeme' }),
      ['a string of 8 characters', MAKE],
    ],
    [
      'a duration with a word',
      () => ({ policies: { a: { ttl: '30 days', scopes: [] } } }),
      ['policies.a.ttl', "such as '30d'", 'from 1s to 3650d', "got '30 days'"],
    ],
    [
      'a misspelt option',
      () => ({ rootkey: kl() }),
      ["unknown option 'rootkey'", "did you mean 'rootKey'?"],
    ],
    [
      'a misspelt option of the keys',
      () => ({ keys: { rotateEvry: '1d' } }),
      ["keys: unknown option 'rotateEvry'", "did you mean 'rotateEvery'?"],
    ],
    [
      'a misspelt option of a policy that is required',
      () => ({ policies: { a: { tll: '1d', scopes: [] } } }),
      ["policies.a: unknown option 'tll'", "did you mean 'ttl'?"],
    ],
    [
      'a required option that is undefined',
      () => ({ policies: undefined }),
      ['policies: it is undefined', 'it is required'],
    ],
    [
      'a family lifetime below that of a token',
      () => ({ policies: { a: { ttl: '1d', scopes: [], maxLifetime: '60m' } } }),
      ['policies.a.maxLifetime', 'at least ttl, which is 1d', 'got 1h'],
    ],
    [
      'a client in place of a store',
      () => ({ store: new Map() }),
      ['store: expected a store such as memoryStore()', 'got a Map'],
    ],
    [
      'a store that was not awaited',
      () => ({ store: Promise.resolve() }),
      ['store: expected a store', 'got a promise', 'await it'],
    ],
    [
      'a feed that was not awaited',
      () => ({ feed: Promise.resolve() }),
      ['feed: expected a feed', 'got a promise', 'await it'],
    ],
    [
      'a store that was not called',
      () => ({ store: memoryStore }),
      ['store: expected a store', 'got a function', 'memoryStore()'],
    ],
    [
      'a feed that was not called',
      () => ({ feed: memoryFeed }),
      ['feed: expected a feed', 'got a function', 'memoryFeed()'],
    ],
    [
      'a singular in place of a plural',
      () => ({ policy: { ttl: '1d', scopes: [] } }),
      ["unknown option 'policy'", "did you mean 'policies'?"],
    ],
    [
      'a policy option far from any known one',
      () => ({ policies: { a: { ttl: '1d', scopes: [], colour: 'red' } } }),
      ["policies.a: unknown option 'colour'", 'allowed: ttl, scopes'],
    ],
    [
      'a wrong choice',
      () => ({ onStale: 'acept' }),
      ['onStale', "'reject', 'accept'", "got 'acept'"],
    ],
    [
      'an audit that is kept too briefly',
      () => ({ audit: { keep: '1h' } }),
      ['audit.keep: expected a duration', 'from 1d to 3650d', "got '1h'"],
    ],
    [
      'rare checkpoints of the audit',
      () => ({ audit: { checkpointEvery: '2d' } }),
      ['audit.checkpointEvery: expected a duration', 'from 1s to 1d', "got '2d'"],
    ],
    [
      'a path in place of a function of checkpoints',
      () => ({ audit: { onCheckpoint: 'checkpoints/' } }),
      ['audit.onCheckpoint: expected a function', "got 'checkpoints/'"],
    ],
    [
      'a misspelt option of the audit',
      () => ({ audit: { checkpointsEvery: '1m' } }),
      ["audit: unknown option 'checkpointsEvery'", "did you mean 'checkpointEvery'?"],
    ],
    [
      'an option of the audit that is undefined',
      () => ({ audit: { keep: undefined } }),
      ['audit.keep: it is undefined'],
    ],
    [
      'an audit that is switched on',
      () => ({ audit: true }),
      ['audit: expected false, or { checkpointEvery, onCheckpoint, keep }', 'got true'],
    ],
    [
      'an empty cache',
      () => ({ cache: { max: 0 } }),
      ['cache.max: expected a whole number', 'got 0'],
    ],
    [
      'usage that is kept too briefly',
      () => ({ usage: { keep: '1h' } }),
      ['usage.keep: expected a duration', 'from 7d to 3650d', "got '1h'"],
    ],
    [
      'one wrong audience of several',
      () => ({ audience: ['orders-api', ''] }),
      ['audience.1: expected 1 to 256 characters', 'got an empty string'],
    ],
    [
      'no audience of several',
      () => ({ audience: [] }),
      ['audience: expected a name, or a list of 1 to 64 names', 'got a list of 0'],
    ],
    [
      'a number out of range',
      () => ({ maxTokenLength: 10 }),
      ['maxTokenLength', '512', '16384', 'got 10'],
    ],
  ])('%s names the value, what is allowed and the fix', async (_name, options, parts) => {
    await ready
    const { code, message } = await optionError(options())
    expect(code).toBe('ERR_INVALID_OPTION')
    for (const part of parts) expect(message).toContain(part)
  })

  it('never shows a root key, in any message', async () => {
    await ready
    for (const spoil of [
      (key: string) => ` ${key}`,
      (key: string) => key.slice(2),
      (key: string) => key.slice(0, -1),
    ]) {
      const key = kl()
      const spoilt = spoil(key)
      for (const options of [
        { rootKey: spoilt },
        { previousRootKeys: [kl(), spoilt] },
        { [spoilt]: 1 },
        { policies: { [spoilt]: {} } },
      ]) {
        const { message, detail, cause } = await optionError(options)
        expect([message, detail, String(cause)].join(' ')).not.toContain(key.slice(20, 44))
      }
    }
  })
})

type Call = (watchword: Watchword) => unknown
const input = { policy: 'service', subject: 'svc', actor: 'ops' }

describe('the message about an argument', () => {
  it.each<[string, Call, string, readonly string[]]>([
    [
      'an unknown policy',
      (w) => w.issue({ ...input, policy: 'servce' }),
      'ERR_UNKNOWN_POLICY',
      ["'servce'", 'configured: service, session'],
    ],
    [
      'a scope that the policy does not grant',
      (w) => w.issue({ ...input, scopes: ['users:read'] }),
      'ERR_SCOPE_NOT_GRANTABLE',
      ["'users:read'", "policy 'service'", 'grants: orders:*'],
    ],
    [
      'a ttl that is too long',
      (w) => w.issue({ ...input, ttl: '90d' }),
      'ERR_TTL_TOO_LONG',
      ['90d', "policy 'service'", '30d'],
    ],
    [
      'an audience that is not served',
      (w) => w.issue({ ...input, audience: 'stock' }),
      'ERR_UNKNOWN_AUDIENCE',
      ["'stock'", 'served: orders-api'],
    ],
    [
      'an audience whose keys to rotate',
      (w) => w.keys.rotate('stock'),
      'ERR_UNKNOWN_AUDIENCE',
      ["'stock'", 'served: orders-api'],
    ],
    [
      'a misspelt field',
      (w) => w.issue({ ...input, scope: [] } as never),
      'ERR_INVALID_ARGUMENT',
      ["unknown field 'scope'", "did you mean 'scopes'?"],
    ],
    [
      'an empty actor',
      (w) => w.issue({ ...input, actor: '' }),
      'ERR_INVALID_ARGUMENT',
      ['actor', '1 to 256', 'got an empty string'],
    ],
    [
      'an id that is no ULID',
      (w) => w.revoke({ id: 'nope' }, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ['id', 'ULID', "got 'nope'"],
    ],
    [
      'a malformed key id',
      (w) => w.keys.revoke('nope', ACTOR),
      'ERR_INVALID_ARGUMENT',
      ['key', 'k4.lid.', 'keys.list()', "got 'nope'"],
    ],
    [
      'a target of two kinds',
      (w) => w.revoke({ id: 'a', all: true } as never, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ['target: expected exactly one of', 'got { id, all }'],
    ],
    [
      'a misspelt target',
      (w) => w.revoke({ ids: [] } as never, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ["target: unknown field 'ids'", "did you mean 'id'?"],
    ],
    [
      'an option in place of a target',
      (w) => w.revoke({ id: 'x', reason: 'x' } as never, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ["target: unknown field 'reason'", 'allowed: token, id, family'],
    ],
    [
      'a token in place of a target',
      (w) => w.revoke('v4.local.x' as never, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ['target: expected exactly one of', 'got a token of 10 characters'],
    ],
    [
      'missing options of a revocation',
      (w) => (w.revoke as (target: object) => unknown)({ all: true }),
      'ERR_INVALID_ARGUMENT',
      ['options: expected an object with at least actor', "{ actor: '", 'got undefined'],
    ],
    [
      'the whole issued token as a target',
      async (w) => w.revoke((await w.issue(input)) as never, ACTOR),
      'ERR_INVALID_ARGUMENT',
      [
        'target: expected one field, got the whole object of a token',
        '{ token: issued.token }',
        '{ id: issued.id }',
      ],
    ],
    [
      'the record of a token as a target',
      async (w) => {
        const { id } = await w.issue(input)
        return w.revoke((await w.tokens.get(id)) as never, ACTOR)
      },
      'ERR_INVALID_ARGUMENT',
      ['target: expected one field, got the whole object of a token', '{ id: record.id }'],
    ],
    [
      'a missing actor of an issue',
      (w) => w.issue({ policy: 'service', subject: 'svc' } as never),
      'ERR_INVALID_ARGUMENT',
      [
        'actor: expected 1 to 256 characters',
        'got undefined; the actor is the person or service that makes the change',
      ],
    ],
    [
      'a missing actor of a rotation',
      async (w) => w.rotate((await w.issue(input)).token, {} as never),
      'ERR_INVALID_ARGUMENT',
      [
        'actor: expected 1 to 256 characters',
        'the actor is the person or service that makes the change',
      ],
    ],
    [
      'a missing actor of a revocation',
      (w) => w.revoke({ all: true }, { reason: 'test' } as never),
      'ERR_INVALID_ARGUMENT',
      [
        'actor: expected 1 to 256 characters',
        'the actor is the person or service that makes the change',
      ],
    ],
    [
      'an actor that is undefined',
      (w) => w.issue({ ...input, actor: undefined } as never),
      'ERR_INVALID_ARGUMENT',
      ['actor: it is undefined', 'it is required; the actor is', "such as the operator's user id"],
    ],
    [
      'a ttl in an unknown unit',
      (w) => w.issue({ ...input, ttl: '1y' }),
      'ERR_INVALID_ARGUMENT',
      ['ttl', 'ms, s, m, h, d or w', "got '1y'"],
    ],
    [
      'a date in place of a time',
      (w) => w.issue({ ...input, notBefore: new Date() } as never),
      'ERR_INVALID_ARGUMENT',
      ['notBefore', 'Unix milliseconds', 'date.getTime()', 'got a Date'],
    ],
    [
      'a claim name in place of a field',
      (w) => w.issue({ policy: 'service', sub: 'svc', actor: 'ops' } as never),
      'ERR_INVALID_ARGUMENT',
      ["unknown field 'sub'", "did you mean 'subject'?"],
    ],
    [
      'an unknown policy among several inputs',
      (w) => w.issueMany([input, { ...input, policy: 'servce' }]),
      'ERR_UNKNOWN_POLICY',
      ["inputs.1: policy: 'servce' is not configured", 'configured: '],
    ],
    [
      'an unknown field among several inputs',
      (w) => w.issueMany([input, input, { ...input, scope: ['a'] }] as never),
      'ERR_INVALID_ARGUMENT',
      ["inputs.2: unknown field 'scope'", "did you mean 'scopes'?"],
    ],
    [
      'one input in place of a list',
      (w) => w.issueMany(input as never),
      'ERR_INVALID_ARGUMENT',
      ['inputs: expected a list of at most 1000', 'got an object'],
    ],
    [
      'a token with its scheme',
      (w) => w.rotate('Bearer v4.local.x', ACTOR),
      'ERR_TOKEN_REJECTED',
      ['malformed', "begins with 'Bearer '", 'pass the token alone'],
    ],
    [
      'a token with a line break',
      (w) => w.revoke({ token: 'v4.local.x\n' }, ACTOR),
      'ERR_TOKEN_REJECTED',
      ['malformed', 'white space', 'token.trim()'],
    ],
    [
      'the object of an issued token to rotate',
      async (w) => w.rotate((await w.issue(input)) as never, ACTOR),
      'ERR_TOKEN_REJECTED',
      ['malformed', 'pass its property `token`'],
    ],
    [
      'the object of an issued token to revoke',
      async (w) => w.revoke({ token: (await w.issue(input)) as never }, ACTOR),
      'ERR_INVALID_ARGUMENT',
      ['token: expected the text of a token, such as issued.token', 'got an IssuedToken'],
    ],
    [
      'a requirement of an audience that is not served',
      (w) => w.require({ audience: 'oders-api' }),
      'ERR_UNKNOWN_AUDIENCE',
      ["'oders-api'", 'served: orders-api'],
    ],
    [
      'a requirement with one scope in place of a list',
      (w) => w.require({ scopes: 'orders:read' } as never),
      'ERR_INVALID_ARGUMENT',
      ['scopes: expected a list', "got 'orders:read'"],
    ],
    [
      'a requirement with a malformed scope',
      (w) => w.require({ scopes: ['orders:read', 'orders write'] }),
      'ERR_INVALID_ARGUMENT',
      ['scopes.1', "such as 'orders:read'", "got 'orders write'"],
    ],
    [
      'a misspelt requirement',
      (w) => w.require({ scope: 'x' } as never),
      'ERR_INVALID_ARGUMENT',
      ["unknown field 'scope'", "did you mean 'scopes'?"],
    ],
    [
      'a scope in place of a requirement',
      (w) => w.require('orders:read' as never),
      'ERR_INVALID_ARGUMENT',
      ['{ scopes: […] }'],
    ],
  ])('%s names the value, what is allowed and the fix', async (_name, call, code, parts) => {
    const watchword = await createWatchword(BASE)
    const error = await errorOf(Promise.resolve().then(() => call(watchword)))
    expect(error.code).toBe(code)
    for (const part of parts) expect(error.message).toContain(part)
    await watchword.close()
  })

  it('shows no token, nor any part of one, that is passed in place of a name', async () => {
    const watchword = await createWatchword({ ...BASE, prefix: 'acme_live' })
    const plain = await createWatchword(BASE)
    for (const { token } of [await watchword.issue(input), await plain.issue(input)]) {
      for (const text of [
        token,
        token.slice(0, 60),
        token.slice(40, 104),
        token.slice(60, 92),
        token.slice(-40),
      ]) {
        const calls: readonly Call[] = [
          (w) => w.issue({ ...input, [text]: true } as never),
          (w) => w.issue({ ...input, policy: text }),
          (w) => w.issue({ ...input, audience: text }),
          (w) => w.issue({ ...input, scopes: [text] }),
          (w) => w.issue({ ...input, ttl: text }),
          (w) => w.issue({ ...input, claims: text as never }),
          (w) => w.issueMany([{ ...input, [text]: 1 }] as never),
          (w) => w.require({ [text]: 1 } as never),
          (w) => w.require({ scopes: { [text]: 1 } } as never),
          (w) => w.require({ scopes: [text] }),
          (w) => w.rotate(token, { actor: 'ops', [text]: 1 } as never),
          (w) => w.revoke({ [text]: 1 } as never, ACTOR),
          (w) => w.revoke({ id: text }, ACTOR),
          (w) => w.revoke({ family: text }, ACTOR),
          (w) => w.keys.revoke(text, ACTOR),
          (w) => w.keys.discard(text, ACTOR),
          (w) => w.keys.rotate(text),
          (w) => w.tokens.list({ [text]: 1 } as never),
          (w) => w.tokens.list({ after: text }),
        ]
        for (const call of calls) {
          const thrown = await Promise.resolve()
            .then(() => call(watchword))
            .then(
              () => undefined,
              (error: unknown) => error,
            )
          if (thrown === undefined) continue
          expect(thrown).toBeInstanceOf(WatchwordError)
          const { message, detail, cause } = thrown as WatchwordError
          const said = [message, detail, cause === undefined ? '' : String(cause)].join(' ')
          for (let at = 0; at + 16 <= text.length; at += 8)
            expect(said).not.toContain(text.slice(at, at + 16))
        }
      }
    }
    await Promise.all([watchword.close(), plain.close()])
  })
})

describe('a quoted name', () => {
  it.each([
    'service',
    'maxActivePerSubject',
    'orders:read',
    'https://api.acme.example',
    'Zoë',
    '30 days',
    'svc_billing-2',
    'k8s',
    'password:reset',
    'token:read',
    'secrets:*',
    'user:jane@acme.example',
  ])('is shown unchanged: %s', (name) => expect(isQuotable(name)).toBe(true))

  it.each([
    'redis://:hunter2@cache:6379',
    'nats://user:pw@mq',
    'https://token@host',
    'a://b@c@d',
    'db=postgres://app:p/w@db',
    'postgres://app:p?w#@db',
    'postgres://db/x?user=app&password=hunter2',
    'host=db user=app password=hunter2',
    'host=db user=app password = hunter2',
    'Server=db;Uid=app;Pwd=hunter2;',
    'app:hunter2@tcp(db:3306)/x',
    'app:hunter2@unix(/run/my.sock)/x',
    '{"password":"hunter2"}',
    '{ "api_key" : "hunter2" }',
    'PGPASSWORD=hunter2',
    'client_secret=hunter2',
  ])('is no address with a user or a password: %s', (text) => {
    expect(isQuotable(text)).toBe(false)
  })

  it('is no text whose capitals end its words, as in one of a million random texts', () => {
    expect(isQuotable('uoZrdqyvCsqpHgbG-chrwrSmcD_faHyL')).toBe(false)
  })

  it('is never part of random bytes as base64url, base64 or hexadecimal text', () => {
    let shown = 0
    for (let i = 0; i < 2000; i++) {
      const bytes = crypto.getRandomValues(Buffer.alloc(24))
      for (const encoding of ['base64url', 'base64', 'hex'] as const)
        if (isQuotable(bytes.toString(encoding))) shown++
    }
    expect(shown).toBe(0)
  })
})

describe('a warning', () => {
  /** Runs with a fresh copy of the library, so that no warning was emitted yet, and collects the warnings. */
  async function warned(
    run: (fresh: typeof import('watchword')) => Promise<void>,
    env: Record<string, string | undefined> = {},
  ): Promise<ReadonlyArray<readonly [code: string, message: string]>> {
    vi.resetModules()
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      await run(await import('watchword'))
      return spy.mock.calls.map(
        ([message, options]) =>
          [String((options as unknown as { code?: string }).code), String(message)] as const,
      )
    } finally {
      spy.mockRestore()
      vi.unstubAllEnvs()
    }
  }

  const SERVICE = {
    NODE_ENV: undefined,
    VITEST: undefined,
    VITEST_WORKER_ID: undefined,
    JEST_WORKER_ID: undefined,
    NODE_TEST_CONTEXT: undefined,
  }

  it('names each mistake in a token once, and the code stays malformed', async () => {
    const warnings = await warned(async (fresh) => {
      const watchword = await fresh.createWatchword(BASE)
      const issued = await watchword.issue(input)
      for (let i = 0; i < 3; i++) {
        for (const mistake of [
          `Bearer ${issued.token}`,
          `${issued.token}\n`,
          ` ${issued.token}`,
          Promise.resolve(issued.token),
          issued,
        ])
          expect(watchword.verify(mistake)).toMatchObject({ ok: false, code: 'malformed' })
        expect(watchword.verify('nonsense')).toMatchObject({ code: 'malformed' })
      }
      await watchword.close()
    })
    expect(warnings.map(([code]) => code).sort()).toEqual([
      'WATCHWORD_BEARER',
      'WATCHWORD_ISSUED',
      'WATCHWORD_PROMISE',
      'WATCHWORD_WHITESPACE',
    ])
    for (const [, message] of warnings) expect(message).not.toContain('v4.local')
  })

  it('names a mistake that is passed to authenticate, and none that a client sends to a guard', async () => {
    const check = async (mistake: (fresh: typeof import('watchword')) => Promise<unknown>) =>
      (await warned(async (fresh) => void (await mistake(fresh)))).map(([code]) => code)
    const guarded = await check(async (fresh) => {
      const { protect } = await import('watchword/web')
      const watchword = await fresh.createWatchword(BASE)
      const handle = protect(watchword, () => new Response('ok'))
      for (const authorization of ['Bearer Bearer x', 'Bearer  x', 'Bearer x ']) {
        const request = new Request('https://a.example/', { headers: { authorization } })
        expect([400, 401]).toContain((await handle(request)).status)
      }
      await watchword.close()
    })
    expect(guarded).toEqual([])
    const direct = await check(async (fresh) => {
      const watchword = await fresh.createWatchword(BASE)
      expect(await watchword.authenticate('Bearer x')).toMatchObject({ code: 'malformed' })
      await watchword.close()
    })
    expect(direct).toEqual(['WATCHWORD_BEARER'])
  })

  it('about tokens is not emitted in production', async () => {
    const warnings = await warned(
      async (fresh) => {
        const watchword = await fresh.createWatchword({
          ...BASE,
          feed: memoryFeed(),
          store: fresh.memoryStore(),
        })
        watchword.verify('Bearer x')
        await watchword.close()
      },
      { NODE_ENV: 'production' },
    )
    expect(warnings).toEqual([])
  })

  it('names each fault of inline requirements once', async () => {
    const warnings = await warned(async (fresh) => {
      const watchword = await fresh.createWatchword(BASE)
      const { token } = await watchword.issue(input)
      for (const needs of ['orders:read', { scope: 'x' }, { scope: 'y' }, { scopes: [] }, null])
        expect(watchword.verify(token, needs as never).ok).toBe(false)
      await watchword.close()
    })
    expect(warnings).toEqual([
      ['WATCHWORD_REQUIREMENT', expect.stringContaining('requirement: expected an object')],
      ['WATCHWORD_REQUIREMENT', expect.stringContaining("unknown field 'scope'")],
      ['WATCHWORD_REQUIREMENT', expect.stringContaining('scopes: expected at least one scope')],
    ])
  })

  it('names authenticate, once, if verify was called with a freshness that requires the store', async () => {
    const warnings = await warned(async (fresh) => {
      const watchword = await fresh.createWatchword(BASE)
      const { token } = await watchword.issue(input)
      const fromStore = { freshness: 'store' } as const
      for (let i = 0; i < 2; i++)
        expect(watchword.verify(token, fromStore)).toEqual({ ok: false, code: 'stale' })
      expect((await watchword.authenticate(token, fromStore)).ok).toBe(true)
      await watchword.close()
    })
    expect(warnings).toEqual([
      ['WATCHWORD_REQUIREMENT', expect.stringContaining('call await authenticate')],
    ])
  })

  it('names at most eight faults of inline requirements, whose fields may come from clients', async () => {
    const warnings = await warned(async (fresh) => {
      const watchword = await fresh.createWatchword(BASE)
      for (let i = 0; i < 100; i++) watchword.verify('x', { [`field${i}`]: 'x' } as never)
      await watchword.close()
    })
    expect(warnings).toHaveLength(8)
    expect(new Set(warnings.map(([, message]) => message)).size).toBe(8)
  })

  it('says that numbers are milliseconds, for a round number of seconds', async () => {
    const warnings = await warned(async (fresh) => {
      const policies = {
        a: { ttl: 3600, scopes: [] },
        b: { ttl: 86_400, scopes: [], grace: 3600 },
      }
      await (await fresh.createWatchword({ ...BASE, policies })).close()
    })
    expect(warnings).toEqual([
      ['WATCHWORD_MILLISECONDS', expect.stringContaining("'1h'")],
      ['WATCHWORD_MILLISECONDS', expect.stringContaining("'1d'")],
    ])
    const none = await warned(async (fresh) => {
      const policies = {
        a: { ttl: 3_600_000, scopes: [] },
        b: { ttl: '3600s', scopes: [], grace: 30_000 },
      }
      await (await fresh.createWatchword({ ...BASE, policies })).close()
    })
    expect(none).toEqual([])
  })

  it('names a root key that wraps no key yet, until the keys are rewrapped', async () => {
    fleet = await newFleet()
    const shared = fleet
    await (await fleet.start()).close()
    const [right, mistyped] = [fleet.rootKey, newRootKey()]
    const start = (roots: object, work: (one: Watchword) => unknown = () => undefined) =>
      warned(async (fresh) => {
        const { store, clock } = shared
        const parts = { ...BASE, store: around(store), feed: memoryFeed(), clock }
        const one = await fresh.createWatchword({ ...parts, ...roots } as never)
        await work(one as Watchword)
        await one.close()
      })
    const replaced = { rootKey: mistyped, previousRootKeys: [right] }
    const [warning, ...rest] = await start(replaced)
    expect(rest).toEqual([])
    expect(warning?.[0]).toBe('WATCHWORD_ROOT_KEY')
    for (const text of [mistyped, right]) {
      expect(warning?.[1]).toContain(keyId(importKey(text)))
      expect(warning?.[1]).not.toContain(text)
    }
    expect(await start({ rootKey: right, previousRootKeys: [mistyped] })).toEqual([])
    await start(replaced, (one) => one.keys.rewrap())
    expect(await start(replaced)).toEqual([])
    expect(await start({ rootKey: mistyped })).toEqual([])
  })

  it('names the feed when it alone is missing, in every environment except tests', async () => {
    fleet = await newFleet()
    const store = { ...around(fleet.store), supports: { durable: true } }
    const rootKey = newRootKey()
    const start = async (fresh: typeof import('watchword')) =>
      (await fresh.createWatchword({ ...BASE, store, rootKey })).close()
    const [warning, ...rest] = await warned(start, SERVICE)
    expect(rest).toEqual([])
    expect(warning?.[0]).toBe('WATCHWORD_MEMORY')
    expect(warning?.[1]).toContain('`feed`')
    expect(warning?.[1]).not.toContain('`store`')
    expect(await warned(start, { ...SERVICE, NODE_ENV: 'test' })).toEqual([])
    expect(await warned(start, { ...SERVICE, JEST_WORKER_ID: '1' })).toEqual([])
  })
})

describe('a closed authority', () => {
  it('is distinguished from a stale one by its code', async () => {
    fleet = await newFleet()
    const watchword = await fleet.start()
    const { token } = await issueOn(watchword)
    await watchword.close()
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'closed' })
    expect(await watchword.authenticate(token)).toEqual({ ok: false, code: 'closed' })
    const { code, message } = await errorOf(watchword.rotate(token, ACTOR))
    expect(code).toBe('ERR_CLOSED')
    expect(message).toContain('closed')
  })
})
