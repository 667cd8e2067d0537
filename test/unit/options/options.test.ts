/**
 * Every option is checked at construction: a bad value is rejected with the name of its field, and no secret is shown.
 *
 * @module
 */
import { inspect } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createWatchword, memoryFeed, memoryStore, WatchwordError } from 'watchword'
import { exportKey, generateKey, ready } from '../../../src/paseto.js'
import { closeAll, failureOf, rig } from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const POLICY = { ttl: '30d', scopes: ['orders:*'] }
const GOOD = { issuer: 'https://auth.acme.example', audience: 'api', policies: { job: POLICY } }

const NEVER_A_NUMBER = [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e308, 1.5, null, '5', true, {}]
const NEVER_TEXT = [0, null, true, {}, [], Symbol.iterator, '', 'a\nb', '\ud800', 'x'.repeat(2000)]
const NEVER_AN_OBJECT = [0, 1, 'yes', true, null, Symbol.iterator, () => ({})]
const durations = (...more: unknown[]): unknown[] => [
  ...NEVER_A_NUMBER,
  Number.NEGATIVE_INFINITY,
  '5 m',
  '-5m',
  '5M',
  '5m ',
  '٥m',
  'PT5M',
  '1e3ms',
  '999999999999999d',
  [],
  5n,
  new Date(0),
  ...more,
]

const poll = (suggestedPollMs: unknown) => ({ name: 'x', durability: 'process', suggestedPollMs })

/** The field that the message must name, its place in the options, and a value that it rejects. */
const TABLE: ReadonlyArray<readonly [field: string, bad: readonly unknown[]]> = [
  ['issuer', [...NEVER_TEXT, undefined, ['a']]],
  [
    'audience',
    [...NEVER_TEXT, undefined, ['a', 'a'], ['a', ''], [1], new Array(65).fill('a'), ['a', null]],
  ],
  ['rootKey', [0, null, true, {}, [], '', 'secret', new Uint8Array(32), { id: 'x' }]],
  [
    'rootKey',
    [
      { id: '', wrap() {}, unwrap() {} },
      { id: 'x', wrap() {}, unwrap: 'no' },
    ],
  ],
  ['previousRootKeys', [0, null, 'k4.local.x', {}, [0], [null], ['k4.local.x'], [{ id: 'x' }]]],
  ['store', [...NEVER_AN_OBJECT, {}, { ...memoryStore(), succeed: undefined }]],
  [
    'store',
    [
      { ...memoryStore(), supports: undefined },
      { ...memoryStore(), name: 1 },
    ],
  ],
  ['feed', [...NEVER_AN_OBJECT, {}, { ...memoryFeed(), head: 'no' }]],
  [
    'feed',
    [
      { ...memoryFeed(), info: undefined },
      { ...memoryFeed(), watch: 1 },
    ],
  ],
  ['feed', [Number.NaN, 0, '5'].map((ms) => ({ ...memoryFeed(), info: poll(ms) }))],
  ['policies', [...NEVER_AN_OBJECT, undefined, []]],
  ['policies.job', [...NEVER_AN_OBJECT, undefined, {}, []]],
  ['policies.job.ttl', [...durations(0, 999, '999ms', '3651d'), undefined]],
  [
    'policies.job.scopes',
    [0, null, 'orders:*', {}, undefined, [''], ['orders:'], [':read'], ['or*'], ['*:read']],
  ],
  [
    'policies.job.scopes',
    [['a b'], ['a::b'], ['**'], [1], ['a'.repeat(129)], new Array(65).fill('a'), ['a:b*']],
  ],
  ['policies.job.rotateAfter', durations(0, '0%', '100%', '101%', '70 %', '-1%', '%')],
  ['policies.job.grace', durations('61m')],
  ['policies.job.maxLifetime', durations(0, '29d', '3651d')],
  ['policies.job.maxActivePerSubject', [...NEVER_A_NUMBER, 0, 1_000_001, '1']],
  [
    'policies.job.require',
    [0, null, 'owner', {}, [], undefined, ['id'], ['owner', 'owner'], [undefined], [1]],
  ],
  ['policies.job.version', [...NEVER_A_NUMBER, 0, '1']],
  ['policies.job.minVersion', [...NEVER_A_NUMBER, 0, 2]],
  ['policies.job.reuse', [0, null, '', 'revoke', 'OBSERVE', true]],
  ['policies.job.retireOn', [0, null, '', 'grace ', 'firstUse', true]],
  ['claims', [...NEVER_AN_OBJECT.filter((bad) => typeof bad !== 'function'), {}, { parse() {} }]],
  ['prefix', [...NEVER_TEXT, 'a', 'Acme', 'acme_', '_acme', 'a__b', 'acme-live', '1ab', 'é_x']],
  ['cache', [0, 1, 'no', true, null, { max: 0 }, { max: '5' }, { max: Number.NaN }]],
  ['cache', [{ max: Number.POSITIVE_INFINITY }, { max: -1 }, { maxBytes: 1 }, { size: 5 }]],
  ['maxStaleness', durations(0, 9, '61m')],
  ['onStale', [0, null, '', 'ignore', 'Accept', true]],
  ['onStart', [0, null, '', 'go', true]],
  ['clockTolerance', durations('61s', 60_001)],
  ['maxTokenLength', [...NEVER_A_NUMBER, 0, 511, 16_385]],
  ['keys', [...NEVER_AN_OBJECT, []]],
  ['keys.rotateEvery', durations(0, '59m', '731d')],
  ['keys.publishAhead', durations(0, '999ms', '8d', '1m', '59s')],
  ['keys.refreshEvery', durations(0, 99, '25h')],
  ['timeout', durations(0, 9, '11m')],
  ['clock', [...NEVER_AN_OBJECT, {}, { now: 5 }, { now: null }]],
  [
    'clock',
    [
      { now: Date.now, monotonic: 5 },
      { now: Date.now, setTimer: null },
    ],
  ],
]

function put(path: string, value: unknown): unknown {
  const options: Record<string, unknown> = structuredClone(GOOD)
  const steps = path.split('.')
  const last = steps.pop() as string
  let at = options
  for (const step of steps) {
    at[step] ??= {}
    at = at[step] as Record<string, unknown>
  }
  at[last] = value
  return options
}

const start = (options: unknown): Promise<unknown> =>
  createWatchword(options as Parameters<typeof createWatchword>[0])

/** The error for these options; fails if there is none or if it is of another kind. */
async function refusalOf(options: unknown): Promise<WatchwordError> {
  const error = await failureOf(async () => {
    const watchword = (await start(options)) as AsyncDisposable
    await watchword[Symbol.asyncDispose]()
  })
  if (!(error instanceof WatchwordError)) throw error
  return error
}

describe('construction rejects', () => {
  it.each(TABLE.map(([field, bad], i) => ({ field, bad, i })))('$field (row $i)', async (row) => {
    for (const value of row.bad) {
      const shown = inspect(value)
      const error = await refusalOf(put(row.field, value)).catch((cause: unknown) => {
        throw new Error(`${row.field} = ${shown} was not refused as it should`, { cause })
      })
      expect(error.code, shown).toBe('ERR_INVALID_OPTION')
      expect(error.message.startsWith(`${row.field}`), `${shown}: ${error.message}`).toBe(true)
    }
  })

  it('an unknown field, at any place', async () => {
    const paths = ['ttl', 'policies.job.tll', 'keys.rotateAfter', 'policies.job.expiresIn']
    for (const path of paths) {
      const error = await refusalOf(put(path, '5m'))
      expect(error.code).toBe('ERR_INVALID_OPTION')
      expect(error.message).toContain(`'${path.split('.').at(-1)}'`)
    }
  })

  it('options that are not an object', async () => {
    for (const value of [undefined, null, 0, '', 'x', [], () => GOOD, Symbol.iterator]) {
      expect((await refusalOf(value)).code).toBe('ERR_INVALID_OPTION')
    }
  })

  it('a policy without a lifetime, since no token is valid indefinitely', async () => {
    const error = await refusalOf({ ...GOOD, policies: { job: { scopes: ['orders:*'] } } })
    expect(error.code).toBe('ERR_INVALID_OPTION')
    expect(error.message).toContain('policies.job.ttl')
  })

  it('a violated rule between fields', async () => {
    const policy = (change: object) => ({ ...GOOD, policies: { job: { ...POLICY, ...change } } })
    const cases: ReadonlyArray<readonly [string, unknown]> = [
      ['policies.job.minVersion', policy({ version: 2, minVersion: 3 })],
      ['policies.job.maxLifetime', policy({ ttl: '2d', maxLifetime: '1d' })],
      ['keys.publishAhead', { ...GOOD, keys: { publishAhead: '5m', refreshEvery: '5m' } }],
      ['keys.publishAhead', { ...GOOD, keys: { refreshEvery: '1h' } }],
      ['keys.rotateEvery', { ...GOOD, keys: { rotateEvery: '1h', publishAhead: '15m' } }],
    ]
    for (const [field, options] of cases) {
      const error = await refusalOf(options)
      expect(error.code).toBe('ERR_INVALID_OPTION')
      expect(error.message).toContain(field)
    }
  })

  it('a store that outlives the process without a root key', async () => {
    const durable = { ...memoryStore(), supports: { durable: true } }
    const error = await refusalOf({ ...GOOD, store: durable })
    expect(error.code).toBe('ERR_INVALID_OPTION')
    expect(error.message).toContain('rootKey')
  })
})

describe('a root key', () => {
  const local = (bytes: Uint8Array) => `k4.local.${Buffer.from(bytes).toString('base64url')}`
  const vector = Uint8Array.from({ length: 32 }, (_, i) => 0x70 + i)

  it('is rejected when the test vectors publish it (C54)', async () => {
    for (const bytes of [vector, new Uint8Array(32), new Uint8Array(32).fill(255)]) {
      const error = await refusalOf({ ...GOOD, rootKey: local(bytes) })
      expect(error.code).toBe('ERR_INVALID_OPTION')
      expect(error.message).toContain('rootKey')
    }
    const previous = await refusalOf({ ...GOOD, previousRootKeys: [local(vector)] })
    expect(previous.code).toBe('ERR_INVALID_OPTION')
  })

  it('is never shown by its error, in any misspelling (C52, G96)', async () => {
    const secret = exportKey(generateKey()).slice(9)
    const garbage = [
      secret,
      `k4.local.${secret}=`,
      ` k4.local.${secret}`,
      `k4.local.${secret.slice(1)}`,
      `k4.local.${secret}AA`,
      `k3.local.${secret}`,
      `k4.secret.${secret}${secret}`,
      `K4.LOCAL.${secret}`,
      Buffer.from(secret, 'base64url'),
      { [secret]: true },
      { id: '', wrap: () => secret, unwrap: () => secret, secret },
    ]
    for (const rootKey of garbage) {
      for (const options of [
        { ...GOOD, rootKey },
        { ...GOOD, previousRootKeys: [rootKey] },
      ]) {
        const error = await refusalOf(options)
        expect(error.code).toBe('ERR_INVALID_OPTION')
        const shown = [
          inspect(error, { showHidden: true, depth: 9, maxStringLength: null }),
          String(error.stack),
          JSON.stringify(error),
        ].join('\n')
        expect(shown).not.toContain(secret.slice(4, 20))
        expect(shown).not.toContain([...Buffer.from(secret, 'base64url')].slice(2, 9).join(', '))
      }
    }
  })
})

describe('good options', () => {
  it('that are minimal start an authority', async () => {
    const watchword = await createWatchword(GOOD)
    expect(watchword.health().status).toBe('live')
    await watchword.close()
  })

  it('may have the values of their bounds', async () => {
    const { watchword } = await rig({
      audience: ['a', 'b'],
      prefix: 'a1_b2_c3',
      policies: {
        least: { ttl: '1s', scopes: [], grace: 0, rotateAfter: '1%', maxLifetime: '1s' },
        most: { ttl: '3650d', scopes: ['*'], grace: '1h', rotateAfter: '99%', version: 1_000_000 },
      },
      cache: { max: 1, maxBytes: 10_000 },
      maxStaleness: 10,
      clockTolerance: 0,
      maxTokenLength: 512,
      keys: { rotateEvery: '1h', publishAhead: '1s', refreshEvery: 100 },
      timeout: 10,
    })
    expect(watchword.health().keys).toHaveLength(2)
  })

  it('cannot be changed after the authority was created', async () => {
    const scopes = ['orders:read']
    const policies = { job: { ttl: '1h', scopes } }
    const { watchword } = await rig({ policies })
    scopes.push('*')
    policies.job.ttl = '3650d'
    const issue = watchword.issue({ policy: 'job', subject: 's', actor: 'a', scopes: ['admin'] })
    await expect(issue).rejects.toMatchObject({ code: 'ERR_SCOPE_NOT_GRANTABLE' })
  })
})
