/**
 * Metrics and spans, as the real OpenTelemetry SDK exports them.
 *
 * @module
 */

import { channel, tracingChannel } from 'node:diagnostics_channel'
import {
  createNoopMeter,
  metrics as globalMetrics,
  type Meter,
  type Tracer,
} from '@opentelemetry/api'
import { AggregationTemporality, DataPointType, MeterProvider } from '@opentelemetry/sdk-metrics'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type InstrumentOptions, instrument } from 'watchword/otel'
import type { Store } from 'watchword/store'
import { TIMED_EVERY } from '../../../src/observe/otel/tally.js'
import { ready } from '../../../src/paseto.js'
import {
  AUDIENCE,
  claimsText,
  closeAll,
  codeOf,
  cuttableFeed,
  failureOf,
  MINUTE,
  rig,
  SECOND,
  sealed,
  sharedStore,
} from '../../support/harness.js'
import { histogramOf, pointsOf, type Sdk, sdk } from '../../support/otel.js'

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'deploy-bot',
  scopes: ['orders:read'],
} as const
const VERBS = ['issue', 'rotate', 'revoke', 'authenticate'] as const
const LABELS = { policy: 'service', audience: AUDIENCE }

let exported: Sdk
const stops: (() => void)[] = []

beforeAll(() => ready)
beforeEach(() => {
  exported = sdk()
})
afterEach(async () => {
  for (const stop of stops.splice(0)) stop()
  await closeAll()
  await exported.shutdown()
})

/** Instruments an authority until the end of the test. */
function watch(
  authority: Parameters<typeof instrument>[0],
  options: InstrumentOptions = { meter: exported.meter, tracer: exported.tracer },
): () => void {
  const stop = instrument(authority, options)
  stops.push(stop)
  return stop
}

/** A meter without an SDK whose histograms are these. The meter of the API is shared, so it is not changed. */
const meterWith = (createHistogram: () => unknown): Meter =>
  Object.assign(Object.create(createNoopMeter()) as Meter, { createHistogram })

const fails = (message: string) => () => {
  throw new Error(message)
}

const points = async (name: string) => pointsOf(await exported.metrics(), name)

/** A store whose inserts wait. */
function waitingStore(): Store & { readonly waiting: number; proceed(): void } {
  const inner = sharedStore()
  const waiting: (() => void)[] = []
  return {
    ...inner,
    async insertTokens(...args) {
      await new Promise<void>((resolve) => void waiting.push(resolve))
      return inner.insertTokens(...args)
    },
    get waiting() {
      return waiting.length
    },
    proceed() {
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

describe('metrics', () => {
  it('count decisions by outcome, policy and audience, and those about unauthentic tokens by outcome alone', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const short = await watchword.issue({ ...INPUT, policy: 'short' })
    watch(watchword)
    watchword.verify(token)
    watchword.verify(token)
    watchword.verify(short.token)
    watchword.verify(token, { scopes: ['admin'] })
    watchword.verify('nonsense')
    watchword.verify(token, { scope: [] } as never)
    await watchword.authenticate(token)
    await watchword.revoke({ token }, { actor: 'ops' })
    await watchword.authenticate(token)
    expect(new Set(await points('watchword.decisions'))).toEqual(
      new Set([
        [{ outcome: 'malformed' }, 1],
        [{ outcome: 'insufficient_scope' }, 1],
        [{ outcome: 'ok', ...LABELS }, 3],
        [{ outcome: 'insufficient_scope', ...LABELS }, 1],
        [{ outcome: 'revoked', ...LABELS }, 1],
        [{ outcome: 'ok', ...LABELS, policy: 'short' }, 1],
      ]),
    )
  })

  it('follow the semantic conventions in kind and unit', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    watch(watchword)
    watchword.verify(token)
    await watchword.revoke({ token }, { actor: 'ops' })
    const all = await exported.metrics()
    const described = all.map(({ descriptor, dataPointType, ...rest }) => [
      descriptor.name,
      descriptor.unit,
      dataPointType === DataPointType.SUM && 'isMonotonic' in rest && rest.isMonotonic
        ? 'counter'
        : DataPointType[dataPointType],
    ])
    expect(new Set(described)).toEqual(
      new Set([
        ['watchword.decisions', '{decision}', 'counter'],
        ['watchword.verify.duration', 's', 'HISTOGRAM'],
        ['watchword.cache.lookups', '{lookup}', 'counter'],
        ['watchword.connections.watched', '{connection}', 'GAUGE'],
        ['watchword.tokens.cached', '{token}', 'GAUGE'],
        ['watchword.tokens.live', '{token}', 'GAUGE'],
        ['watchword.audit.pending', '{row}', 'GAUGE'],
        ['watchword.feed.staleness', 's', 'GAUGE'],
        ['watchword.feed.lag', '{event}', 'GAUGE'],
        ['watchword.revocations', '{revocation}', 'counter'],
      ]),
    )
    expect(all.every(({ descriptor }) => descriptor.description.endsWith('.'))).toBe(true)
  })

  it('time the first check and one in 128, with boundaries from a quarter of a microsecond to a millisecond', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    watch(watchword)
    watchword.verify(token)
    for (let i = 0; i < TIMED_EVERY - 1; i++) watchword.verify(token)
    const before = histogramOf(await exported.metrics(), 'watchword.verify.duration')
    expect(before?.count).toBe(1)
    await watchword.authenticate(token)
    const after = histogramOf(await exported.metrics(), 'watchword.verify.duration')
    expect(after?.count).toBe(2)
    expect(after?.sum).toBeGreaterThan(0)
    const { boundaries = [] } = after?.buckets ?? {}
    expect([boundaries.at(0), boundaries.at(-1), boundaries.length]).toEqual([2.5e-7, 1e-3, 12])
    expect([...boundaries].sort((a, b) => a - b)).toEqual(boundaries)
  })

  it('count cache look-ups since the instrumentation started, and the cached tokens', async () => {
    const { watchword } = await rig()
    const [first, second] = await watchword.issueMany([INPUT, INPUT])
    watchword.verify(first?.token)
    watch(watchword)
    watchword.verify(first?.token)
    watchword.verify(first?.token)
    watchword.verify(second?.token)
    expect(await points('watchword.cache.lookups')).toEqual([
      [{ result: 'hit' }, 2],
      [{ result: 'miss' }, 1],
    ])
    expect(await points('watchword.tokens.cached')).toEqual([[{}, 2]])
  })

  it('show the number of live tokens, counted at most once a minute', async () => {
    let counts = 0
    const inner = sharedStore()
    const store: Store = {
      ...inner,
      countTokens: (filter) => {
        counts++
        return inner.countTokens(filter)
      },
    }
    const { watchword } = await rig({}, { store })
    const [first] = await watchword.issueMany([INPUT, INPUT, INPUT])
    await watchword.revoke({ id: first?.id ?? '' }, { actor: 'ops' })
    watch(watchword)
    expect(await points('watchword.tokens.live')).toEqual([[{}, 2]])
    await watchword.issue(INPUT)
    expect(await points('watchword.tokens.live')).toEqual([[{}, 2]])
    expect(counts).toBe(1)
  })

  it('show no number of live tokens, and all other metrics, if the store cannot count', async () => {
    const store: Store = {
      ...sharedStore(),
      countTokens: () => Promise.reject(new Error('down')),
    }
    const { watchword } = await rig({}, { store })
    watch(watchword)
    expect(await points('watchword.tokens.live')).toEqual([])
    expect(await points('watchword.tokens.cached')).toEqual([[{}, 0]])
  })

  it('show the rows of the audit that are waiting, if the audit is kept', async () => {
    const inner = sharedStore()
    if (inner.audit === undefined) throw new Error('the memory store keeps the audit')
    const audit = { ...inner.audit, write: () => Promise.reject(new Error('full')) }
    const { watchword } = await rig({}, { store: { ...inner, audit } })
    watch(watchword)
    await codeOf(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    const { waiting } = watchword.health().audit
    expect(waiting).toBeGreaterThan(0)
    expect(await points('watchword.audit.pending')).toEqual([[{}, waiting]])
    const off = await rig({ audit: false })
    watch(off.watchword)
    const other = sdk()
    watch(off.watchword, { meter: other.meter })
    expect(pointsOf(await other.metrics(), 'watchword.audit.pending')).toEqual([])
    await other.shutdown()
  })

  it('show how stale the node is', async () => {
    const feed = cuttableFeed()
    const { watchword, clock } = await rig({}, { feed })
    watch(watchword)
    feed.cut = true
    await clock.advance(4 * SECOND)
    const [[, staleness = 0] = []] = await points('watchword.feed.staleness')
    expect(staleness).toBeGreaterThanOrEqual(2)
    expect(staleness).toBe(watchword.health().freshnessMs / 1000)
    expect(await points('watchword.feed.lag')).toEqual([[{}, 0]])
    feed.cut = false
  })

  it('show no staleness until the node has read the log once', async () => {
    const feed = cuttableFeed()
    feed.cut = true
    const { watchword, clock } = await rig({ onStart: 'reject' }, { feed })
    watch(watchword)
    expect(watchword.health().freshnessMs).toBe(Number.POSITIVE_INFINITY)
    expect(await points('watchword.feed.staleness')).toEqual([])
    expect(await points('watchword.feed.lag')).toEqual([[{}, 0]])
    feed.cut = false
    await clock.advance(10 * SECOND)
    expect(await points('watchword.feed.staleness')).toHaveLength(1)
  })

  it('show only the counters of a closed authority', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    watch(watchword)
    watchword.verify(token)
    await watchword.close()
    watchword.verify(token)
    const names = (await exported.metrics()).map(({ descriptor }) => descriptor.name)
    expect(new Set(names)).toEqual(
      new Set(['watchword.decisions', 'watchword.verify.duration', 'watchword.cache.lookups']),
    )
    expect(await points('watchword.decisions')).toEqual([
      [{ outcome: 'closed' }, 1],
      [{ outcome: 'ok', ...LABELS }, 1],
    ])
  })

  it('count the incidents of the feed by kind, with the totals of health()', async () => {
    const feed = cuttableFeed()
    let report: ((kind: 'junk', count: number) => void) | undefined
    const observed = {
      ...feed,
      observe: (listener: NonNullable<typeof report>) => {
        report = listener
        return () => {}
      },
    }
    const { watchword } = await rig({}, { feed: observed })
    watch(watchword)
    report?.('junk', 3)
    expect(watchword.health().incidents).toEqual({ junk: 3 })
    expect(await points('watchword.feed.incidents')).toEqual([[{ kind: 'junk' }, 3]])
  })

  it('count revocations by the kind of the target, also those that reuse causes', async () => {
    const { watchword, clock } = await rig()
    watch(watchword)
    const actor = 'ops'
    const { token } = await watchword.issue(INPUT)
    await watchword.rotate(token, { actor })
    await clock.advance(2 * MINUTE)
    expect(await codeOf(() => watchword.rotate(token, { actor }))).toBe('ERR_TOKEN_REUSED')
    await watchword.revoke({ subject: 'svc_mail' }, { actor })
    await watchword.revoke({ subject: 'svc_billing' }, { actor })
    expect(await points('watchword.revocations')).toEqual([
      [{ target: 'family' }, 1],
      [{ target: 'subject' }, 2],
    ])
  })

  it('report policies that are not configured as other, however many there are', async () => {
    const setup = await rig()
    watch(setup.watchword)
    for (let i = 0; i < 40; i++)
      setup.watchword.verify(sealed(setup, claimsText({ pol: `secret-policy-${i}` })))
    expect(await points('watchword.decisions')).toEqual([
      [{ outcome: 'ok', audience: AUDIENCE, policy: 'other' }, 40],
    ])
  })

  it('are of one authority, even beside another with the same issuer and node', async () => {
    const one = await rig({ node: 'api-1' })
    const other = await rig({ node: 'api-1' })
    const { token } = await other.watchword.issue(INPUT)
    watch(one.watchword)
    other.watchword.verify(token)
    await other.watchword.authenticate(token)
    await other.watchword.revoke({ token }, { actor: 'ops' })
    expect(await points('watchword.decisions')).toEqual([])
    expect(await points('watchword.revocations')).toEqual([])
    expect(exported.spans()).toEqual([])
  })

  it('start again at zero when the instrumentation does, also for delta temporality', async () => {
    const delta = sdk(AggregationTemporality.DELTA)
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const { meter } = delta
    const decisions = async () => pointsOf(await delta.metrics(), 'watchword.decisions')
    const stop = watch(watchword, { meter })
    for (let i = 0; i < 3; i++) watchword.verify(token)
    expect(await decisions()).toEqual([[{ outcome: 'ok', ...LABELS }, 3]])
    stop()
    watchword.verify(token)
    watch(watchword, { meter })
    watchword.verify(token)
    expect(await decisions()).toEqual([[{ outcome: 'ok', ...LABELS }, 1]])
    await delta.shutdown()
  })

  it('do not affect decisions when the meter fails', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const meter = meterWith(() => ({ record: fails('the meter failed') }))
    watch(watchword, { meter })
    expect(watchword.verify(token).ok).toBe(true)
    expect((await watchword.authenticate(token)).ok).toBe(true)
  })
})

describe('spans', () => {
  const spans = () => exported.spans().map(({ name, attributes }) => [name, attributes] as const)

  it('have the ids, the policy, the audience and the outcome of each operation', async () => {
    const { watchword } = await rig()
    watch(watchword)
    const { token, id } = await watchword.issue(INPUT)
    const next = await watchword.rotate(token, { actor: 'cron' })
    await watchword.authenticate(token)
    await watchword.authenticate(token, { scopes: ['admin'] })
    await watchword.authenticate('nonsense')
    await watchword.revoke({ id: next.id }, { actor: 'ops', reason: 'why' })
    await watchword.issueMany([INPUT, INPUT])
    const about = (token: string, generation: number) => ({
      'watchword.token.id': token,
      'watchword.token.family': id,
      'watchword.token.generation': generation,
      'watchword.policy': 'service',
      'watchword.audience': AUDIENCE,
    })
    expect(spans()).toEqual([
      ['watchword.issue', about(id, 0)],
      ['watchword.rotate', about(next.id, 1)],
      ['watchword.authenticate', { ...about(id, 0), 'watchword.outcome': 'ok' }],
      ['watchword.authenticate', { ...about(id, 0), 'watchword.outcome': 'insufficient_scope' }],
      ['watchword.authenticate', { 'watchword.outcome': 'malformed' }],
      ['watchword.revoke', { 'watchword.target': 'token', 'watchword.tokens': 1 }],
      ['watchword.issue', { 'watchword.tokens': 2 }],
    ])
  })

  it('have the code of an error, and the reason of a rejection', async () => {
    const { watchword } = await rig()
    watch(watchword)
    await failureOf(() => watchword.issue({ ...INPUT, policy: 'none' }))
    await failureOf(() => watchword.rotate('nonsense', { actor: 'cron' }))
    expect(spans()).toEqual([
      ['watchword.issue', { 'error.type': 'ERR_UNKNOWN_POLICY' }],
      [
        'watchword.rotate',
        { 'error.type': 'ERR_TOKEN_REJECTED', 'watchword.outcome': 'malformed' },
      ],
    ])
    expect(exported.spans().map(({ status }) => status)).toEqual([{ code: 2 }, { code: 2 }])
  })

  it('have no code for an error that is not the library’s, or that only looks like it', async () => {
    const { watchword } = await rig()
    watch(watchword)
    const { WatchwordError } = await import('watchword')
    const forged = new WatchwordError('secret-code' as 'ERR_CLOSED', 'secret message')
    for (const error of [new Error('secret message'), forged]) {
      const input = {
        ...INPUT,
        get subject(): string {
          throw error
        },
      }
      expect(await failureOf(() => watchword.issue(input))).toBe(error)
    }
    expect(spans()).toEqual([
      ['watchword.issue', { 'error.type': '_OTHER' }],
      ['watchword.issue', { 'error.type': '_OTHER' }],
    ])
  })

  it('end when the I/O of their calls ends', async () => {
    const store = waitingStore()
    const { watchword } = await rig({}, { store })
    watch(watchword)
    const issued = watchword.issue(INPUT)
    await expect.poll(() => store.waiting).toBe(1)
    expect(spans()).toEqual([])
    store.proceed()
    await issued
    expect(spans()).toHaveLength(1)
  })

  it('end when the instrumentation stops, if their calls are in flight', async () => {
    const store = waitingStore()
    const { watchword } = await rig({}, { store })
    const stop = watch(watchword)
    const issued = watchword.issue(INPUT)
    await expect.poll(() => store.waiting).toBe(1)
    stop()
    expect(spans()).toEqual([['watchword.issue', {}]])
    store.proceed()
    await issued
    expect(spans()).toHaveLength(1)
  })

  it('are not missed by the operation when the tracer fails', async () => {
    const { watchword } = await rig()
    const tracer = { startSpan: fails('the tracer failed') } as unknown as Tracer
    watch(watchword, { tracer })
    const { token } = await watchword.issue(INPUT)
    expect((await watchword.authenticate(token)).ok).toBe(true)
  })
})

describe('instrument', () => {
  const subscribed = () =>
    VERBS.filter((verb) => tracingChannel(`watchword:${verb}`).hasSubscribers)

  it('leaves no listener when it is stopped, more than once', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const stop = watch(watchword)
    expect(subscribed()).toEqual(VERBS)
    watchword.verify(token)
    stop()
    stop()
    expect(subscribed()).toEqual([])
    expect(channel('watchword:decision').hasSubscribers).toBe(false)
    expect(channel('watchword:audit').hasSubscribers).toBe(false)
    watchword.verify(token)
    await watchword.authenticate(token)
    const all = await exported.metrics()
    expect(
      all.flatMap(({ descriptor, dataPoints }) => dataPoints.map(() => descriptor.name)),
    ).toEqual(
      // The histogram keeps the one check that was timed.
      ['watchword.verify.duration'],
    )
    expect(exported.spans()).toEqual([])
  })

  it('replaces an earlier instrumentation, whose stop then does nothing', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const first = watch(watchword)
    const second = watch(watchword)
    first()
    watchword.verify(token)
    await watchword.authenticate(token)
    expect(await points('watchword.decisions')).toEqual([[{ outcome: 'ok', ...LABELS }, 2]])
    expect(exported.spans()).toHaveLength(1)
    second()
    expect(subscribed()).toEqual([])
  })

  it('reports metrics alone, or spans alone', async () => {
    const { watchword } = await rig()
    watch(watchword, { meter: exported.meter })
    expect(subscribed()).toEqual([])
    watch(watchword, { tracer: exported.tracer })
    await watchword.issue(INPUT)
    expect(await exported.metrics()).toEqual([])
    expect(exported.spans()).toHaveLength(1)
  })

  it('accepts the meter of an API without an SDK', async () => {
    const { watchword } = await rig()
    watch(watchword, { meter: globalMetrics.getMeter('watchword') })
    expect(watchword.verify('nonsense').ok).toBe(false)
  })

  it('leaves nothing running when the meter cannot create an instrument', async () => {
    const { watchword } = await rig()
    const meter = meterWith(fails('no histogram'))
    expect(() => watch(watchword, { tracer: exported.tracer, meter })).toThrow('no histogram')
    expect(subscribed()).toEqual([])
  })

  it.each<[string, (authority: never) => void, string]>([
    [
      'another object than an authority',
      () => instrument({} as never, {}),
      'authority: expected the result of createWatchword, got an object',
    ],
    [
      'no authority',
      () => instrument(undefined as never, {}),
      'authority: expected the result of createWatchword, got undefined',
    ],
    [
      'no options',
      (authority) => instrument(authority, undefined as never),
      'options: expected an object with meter, tracer or both, got undefined',
    ],
    [
      'empty options',
      (authority) => instrument(authority, {}),
      'options: expected meter, tracer or both, got none',
    ],
    [
      'an explicit undefined',
      (authority) => instrument(authority, { meter: undefined } as never),
      "meter: expected a meter of @opentelemetry/api, such as metrics.getMeter('watchword'), got undefined",
    ],
    [
      'a tracer in place of a meter',
      (authority) => instrument(authority, { meter: exported.tracer } as never),
      "meter: expected a meter of @opentelemetry/api, such as metrics.getMeter('watchword'), got a Tracer",
    ],
    [
      'a provider in place of a tracer',
      (authority) => instrument(authority, { tracer: { getTracer: () => {} } } as never),
      "tracer: expected a tracer of @opentelemetry/api, such as trace.getTracer('watchword'), got an object that has getTracer: pass what it returns",
    ],
    [
      'a MeterProvider in place of a meter',
      (authority) => instrument(authority, { meter: new MeterProvider() } as never),
      "meter: expected a meter of @opentelemetry/api, such as metrics.getMeter('watchword'), got a MeterProvider that has getMeter: pass what it returns",
    ],
    [
      'a misspelt option',
      (authority) => instrument(authority, { metter: exported.meter } as never),
      "options: unknown option 'metter' (did you mean 'meter'?)",
    ],
  ])('rejects %s', async (_name, run, message) => {
    const { watchword } = await rig()
    expect(() => run(watchword as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }),
    )
  })
})
