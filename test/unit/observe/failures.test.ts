/** What `health()` reports about a failing adapter, about incidents, and about the clock. */
import { afterEach, describe, expect, it } from 'vitest'
import type { FailureReason, Watchword } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { chaosLog } from 'watchword/testkit'
import { reasonOf, withReason } from '../../../src/lib/failure-reason.js'
import { failure } from '../../../src/lib/failure-text.js'
import { Failures } from '../../../src/observe/failures.js'
import {
  ACTOR,
  around,
  drive,
  type Fleet,
  feedOver,
  issueOn,
  MINUTE,
  newFleet,
  SECOND,
} from '../../support/fleet.js'

const coded = (fields: object, message = 'failed') => Object.assign(new Error(message), fields)
const named = (name: string, message = 'failed') => coded({ name }, message)

const ERRORS: Readonly<Record<FailureReason, readonly Error[]>> = {
  unreachable: [
    coded({ code: 'ECONNREFUSED' }),
    coded({ code: 'EPIPE' }),
    coded({ code: '57P01' }),
    coded({ code: '08006' }),
    coded({ code: 'ER_CON_COUNT_ERROR', errno: 1040, sqlState: '08004' }),
    coded({ code: 10008 }),
    new Error('LOADING Redis is loading the dataset in memory'),
    new Error('Connection is closed.'),
    named('ClientClosedError'),
  ],
  timeout: [
    coded({ code: 'ETIMEDOUT' }),
    coded({ code: '57014' }),
    coded({ code: 'SQLITE_BUSY' }),
    coded({ code: 'ERR_SQLITE_ERROR', errcode: 261 }),
    named('TimeoutError'),
  ],
  denied: [
    coded({ code: '42501' }),
    coded({ code: '28P01' }),
    coded({ code: 'ER_TABLEACCESS_DENIED_ERROR', errno: 1142, sqlState: '42000' }),
    coded({ code: 'ER_ACCESS_DENIED_ERROR', errno: 1045, sqlState: '28000' }),
    new Error("NOPERM this user has no permissions to run the 'evalsha' command"),
    new Error('NOAUTH Authentication required.'),
    new Error('WRONGPASS invalid username-password pair or user is disabled.'),
    named('PermissionViolationError'),
    coded({ code: 'SQLITE_AUTH' }),
  ],
  read_only: [
    coded({ code: '25006' }),
    coded({ code: 'ER_OPTION_PREVENTS_STATEMENT', errno: 1290, sqlState: 'HY000' }),
    new Error("READONLY You can't write against a read only replica."),
    coded({ code: 10109 }),
    coded({ code: 'SQLITE_READONLY_DBMOVED' }),
    coded({ code: 'ERR_SQLITE_ERROR', errcode: 8 }),
  ],
  full: [
    coded({ code: '53100' }),
    coded({ code: 'ER_RECORD_FILE_FULL', errno: 1114, sqlState: 'HY000' }),
    coded({ code: 'ER_DISK_FULL', errno: 1021, sqlState: 'HY000' }),
    new Error("OOM command not allowed when used memory > 'maxmemory'."),
    new Error('MISCONF Redis is configured to save RDB snapshots'),
    coded({ code: 10047 }),
    coded({ code: 10077 }, 'maximum bytes exceeded'),
    coded({ code: 'SQLITE_FULL' }),
    coded({ code: 'ENOSPC' }),
  ],
  too_large: [
    coded({ code: '54000' }),
    coded({ code: 'ER_NET_PACKET_TOO_LARGE', errno: 1153, sqlState: '08S01' }),
    coded({ code: 10054 }),
    coded({ code: 'SQLITE_TOOBIG' }),
  ],
  missing: [
    coded({ code: '42P01' }),
    coded({ code: 'ER_NO_SUCH_TABLE', errno: 1146, sqlState: '42S02' }),
    coded({ code: 10059 }),
    coded({ code: 'SQLITE_CANTOPEN' }),
    coded({ code: 'SQLITE_ERROR' }, 'no such table: watchword_tokens'),
  ],
  corrupt: [
    coded({ code: 'XX001' }),
    coded({ code: 'SQLITE_NOTADB' }),
    new Error('WRONGTYPE Operation against a key holding the wrong kind of value'),
  ],
  unknown: [
    new Error('failed'),
    new Error('NOSUCHCODE of a server to come'),
    coded({ code: 'ERR_OF_A_CUSTOM_STORE' }),
    coded({ code: 1_000_000 }),
    coded({ code: 'ER_OF_TOMORROW', errno: 9999, sqlState: '42501' }),
    named('constructor'),
  ],
}

describe('the reason of a failure', () => {
  for (const [reason, errors] of Object.entries(ERRORS))
    for (const error of errors) {
      const { code, name, message } = error as Error & { code?: unknown }
      it(`is ${reason} for ${String(code ?? name)}: ${message}`, () => {
        expect(reasonOf(error)).toBe(reason)
        expect(reasonOf(new Error('outer', { cause: error }))).toBe(reason)
      })
    }

  it('is unknown for a value that is not an error, and for circular causes', () => {
    const circle = new Error('a')
    circle.cause = new Error('b', { cause: circle })
    for (const value of [undefined, null, 'ECONNREFUSED', { code: 'ECONNREFUSED' }, circle])
      expect(reasonOf(value)).toBe('unknown')
  })

  it('is that of the library for its own errors, even when the cause has another code', () => {
    const cause = coded({ code: 'ECONNREFUSED' })
    expect(reasonOf(withReason(new Error('outer', { cause }), 'read_only'))).toBe('read_only')
  })
})

describe('the failures of an adapter', () => {
  const clock = { reading: () => 7 } as ConstructorParameters<typeof Failures>[0]
  const messageOf = (text: string) => {
    const failures = new Failures(clock)
    failures.note(new Error(text))
    return failures.last?.message
  }

  it.each([
    'connect to postgres://app:hun/ter2@db.example/app failed',
    'connect to redis://:hunter2@cache@10.0.0.1:6379 failed',
    'ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `app` `hunter2` ',
    'invalid option password=hunter2',
    '{"user":"app","password": "hunter2"}',
    'PGPASSWORD=hunter2',
    'invalid option db_password=hunter2',
    '{"dbPassword":"hunter2"}',
    "sslpassword='two hunter2'",
    'client_secret: "two hunter2"',
    'nats://127.0.0.1:4222?auth_token=hunter2',
    'access_key=hunter2',
    'Authorization: Bearer hunter2',
    'value too long: v4.local.hunter2.hunter2',
    'value too long: k4.local-wrap.pie.hunter2',
  ])('show no password, token or key from: %s', (text) => {
    expect(messageOf(text)).not.toMatch(/hun|ter2/)
  })

  it('keep text that contains no secret unchanged', () => {
    for (const text of ['ERR bypass failed', 'token 01ARZ3NDEKTSV4RRFFQ69G5FAV', 'key k4.lid.AAAA'])
      expect(messageOf(text)).toBe(text)
  })

  it('do not block the process on an arbitrarily long text from a server', () => {
    for (const piece of ['//', 'password ', 'password=', ' ', 'with args beginning with:'])
      expect(messageOf(piece.repeat(200_000))?.length).toBeLessThanOrEqual(300)
  })

  it('show the code of an error without a message, and at most 300 characters', () => {
    const failures = new Failures(clock)
    failures.note(new Error('store failed', { cause: coded({ code: 'ECONNREFUSED' }, '') }))
    expect(failures.last?.message).toBe('store failed: ECONNREFUSED')
    expect(messageOf('x'.repeat(1000))).toHaveLength(300)
  })

  it('give the reason of an outage once, in the words of the client', () => {
    const failures = new Failures(clock)
    const cause = coded({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED 10.0.0.1:5432')
    failures.note(failure('ERR_STORE_UNAVAILABLE', 'store "postgres"', cause))
    expect(failures.last).toMatchObject({
      reason: 'unreachable',
      message: 'store "postgres" failed: connect ECONNREFUSED 10.0.0.1:5432',
    })
  })

  it('keep a write failure while reads succeed, and show a read failure first', () => {
    const failures = new Failures(clock)
    failures.note(coded({ code: 'ENOSPC' }), 'insertTokens')
    failures.clear('read')
    failures.clear('purge')
    expect(failures.last).toMatchObject({ reason: 'full', since: 7 })
    failures.note(coded({ code: 'ECONNREFUSED' }), 'read')
    expect(failures.last?.reason).toBe('unreachable')
    failures.clear('read')
    failures.clear('insertTokens')
    expect(failures.last).toBeUndefined()
  })
})

describe('a failure of the connection', () => {
  it.each(['ECONNREFUSED', 'ETIMEDOUT'])('%s ends as soon as any call succeeds', (code) => {
    const failures = new Failures({ reading: () => 7 } as never)
    failures.note(coded({ code }), 'insertTokens')
    failures.note(coded({ code: '42501' }), 'purge')
    failures.clear('read')
    expect(failures.last?.reason).toBe('denied')
    failures.clear('purge')
    expect(failures.last).toBeUndefined()
  })
})

describe('health()', () => {
  let fleet: Fleet
  afterEach(() => drive(fleet.clock, fleet.close()))

  async function setUp(parts: { feed?: RevocationFeed; store?: Store } = {}) {
    const node = await drive(fleet.clock, fleet.start({ maxStaleness: SECOND, ...parts }))
    return { node, pass: (ms: number) => fleet.clock.advance(ms) }
  }
  const failing = (code: string) => async () => Promise.reject(coded({ code }))

  it('reports why the feed cannot be read, since when, and its recovery', async () => {
    fleet = await newFleet()
    const log = chaosLog()
    let fault: string | undefined
    const inner = log.feed()
    const feed = feedOver(inner, {
      head: (options) => (fault === undefined ? inner.head(options) : failing(fault)()),
    })
    const { node, pass } = await setUp({ feed })
    expect(node.health().feedFailure).toBeNull()
    fault = 'ECONNREFUSED'
    await pass(2 * SECOND)
    const first = node.health()
    expect(first.status).toBe('stale')
    expect(first.feedFailure).toMatchObject({ reason: 'unreachable' })
    expect(first.feedFailure?.since).toBeGreaterThan(fleet.clock.now() - 2 * SECOND)
    fault = '42501'
    await pass(10 * SECOND)
    const { since } = first.feedFailure ?? {}
    expect(node.health().feedFailure).toMatchObject({ reason: 'denied', since })
    fault = undefined
    await pass(5 * SECOND)
    expect(node.health()).toMatchObject({ status: 'live', feedFailure: null })
  })

  it('reports that the feed rejects writes although it can be read', async () => {
    fleet = await newFleet()
    const inner = chaosLog().feed()
    let fault: string | undefined
    const feed = feedOver(inner, {
      append: (...args) => (fault === undefined ? inner.append(...args) : failing(fault)()),
    })
    const { node } = await setUp({ feed })
    fault = 'ENOSPC'
    const revoked = node.revoke({ subject: 'a' }, ACTOR).catch(() => undefined)
    await drive(fleet.clock, revoked)
    expect(node.health()).toMatchObject({ feedFailure: { reason: 'full' }, pendingRevocations: 1 })
    fault = undefined
    await fleet.clock.advance(10 * SECOND)
    expect(node.health()).toMatchObject({ feedFailure: null, pendingRevocations: 0 })
  })

  it('reports why the store fails, and its recovery', async () => {
    fleet = await newFleet()
    let fault: string | undefined
    const store = around(fleet.store, (method, call) =>
      fault !== undefined && method === 'insertTokens' ? failing(fault)() : call(),
    )
    const { node } = await setUp({ store })
    fault = '53100'
    await drive(
      fleet.clock,
      issueOn(node).catch(() => undefined),
    )
    await fleet.clock.advance(MINUTE)
    await node.tokens.list({})
    expect(node.health().storeFailure).toMatchObject({ reason: 'full' })
    fault = undefined
    await drive(fleet.clock, issueOn(node))
    expect(node.health().storeFailure).toBeNull()
  })

  it('reports when each kind of incident was last noticed', async () => {
    fleet = await newFleet()
    const log = chaosLog()
    const inner = log.feed()
    let tell: Parameters<NonNullable<RevocationFeed['observe']>>[0] = () => undefined
    const feed = feedOver(inner, {
      observe: (listener) => {
        tell = listener
        return () => undefined
      },
    })
    const { node } = await setUp({ feed })
    expect(node.health().incidentTimes).toEqual({})
    tell('junk', 2)
    const first = fleet.clock.now()
    await fleet.clock.advance(MINUTE)
    tell('damaged', 1)
    const { incidents, incidentTimes } = node.health()
    expect(incidents).toEqual({ junk: 2, damaged: 1 })
    expect(incidentTimes).toEqual({ junk: first, damaged: first + MINUTE })
    tell('junk', 1)
    expect(node.health().incidentTimes.junk).toBe(fleet.clock.now())
  })

  it.each([3 * MINUTE, -3 * MINUTE, 0])(
    'reports that the clock is %d ms ahead of that of the store',
    async (ahead) => {
      fleet = await newFleet()
      const { clock } = fleet
      let offset = 0
      const own = {
        now: () => clock.now() + offset,
        monotonic: clock.monotonic,
        setTimer: clock.setTimer,
      }
      const store: Store = { ...around(fleet.store), supports: { durable: true } }
      const start = (): Promise<Watchword> =>
        fleet.start({
          feed: chaosLog().feed(),
          store: { ...store, now: async () => clock.now() },
          clock: own,
        })
      const node = await drive(clock, start())
      expect(node.health().clockAheadMs).toBeCloseTo(0, -2)
      offset = ahead
      await clock.advance(2 * MINUTE)
      expect(node.health().clockAheadMs).toBeCloseTo(ahead, -2)
    },
  )
})
