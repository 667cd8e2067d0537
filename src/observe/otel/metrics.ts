/**
 * The metrics of one authority. Their names and units follow the semantic conventions of OpenTelemetry.
 *
 * @module
 */
import type {
  BatchObservableCallback,
  Meter,
  Observable,
  ObservableCallback,
} from '@opentelemetry/api'
import { SYSTEM_CLOCK } from '../../lib/clock.js'
import type { Telemetry } from '../telemetry.js'
import { boundBy } from './names.js'
import { Tally } from './tally.js'

// From a quarter of a microsecond, a cache hit, to a millisecond, many times the slowest cache miss.
const BOUNDARIES = [2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3]

/** Reports the metrics until the returned function is called. */
export function reportMetrics(meter: Meter, telemetry: Telemetry): () => void {
  const instruments = instrumentsOf(meter)
  const { probe, policies, audiences } = telemetry
  const tally = new Tally(boundBy(policies), boundBy(audiences), (seconds) =>
    instruments.duration.record(seconds),
  )
  const observed = Object.values(instruments.observed)
  const report = reporter(instruments.observed, telemetry, tally)
  meter.addBatchObservableCallback(report, observed)
  const stopLive = reportLiveTokens(instruments.live, telemetry)
  probe.observer = tally
  return () => {
    probe.observer = undefined
    stopLive()
    meter.removeBatchObservableCallback(report, observed)
  }
}

/** The metrics with their descriptions. */
export const METRICS = {
  'watchword.decisions':
    'Decisions about presented tokens, by outcome (ok or the rejection code), policy and audience. The last two are absent if the token is not authentic.',
  'watchword.verify.duration':
    'Duration of a synchronous check in seconds: of the first one, and of one in 128.',
  'watchword.cache.lookups': 'Look-ups in the cache of verified tokens, by result (hit or miss).',
  'watchword.tokens.cached': 'Tokens in the cache of verified tokens.',
  'watchword.tokens.live':
    'Stored tokens that are not expired, revoked or superseded. All nodes report the same number; each counts at most once a minute.',
  'watchword.feed.staleness': 'Seconds since this node last proved that it knows every revocation.',
  'watchword.feed.lag': 'Events between this node and the last known head of the feed.',
  'watchword.feed.incidents': 'Incidents of the feed since this node started, by kind.',
  'watchword.revocations': 'Revocations by this node, by the kind of the target.',
  'watchword.connections.watched': 'Connections that end with their token, on this node.',
  'watchword.restrictions':
    'Suspensions, restrictions, freezes and their ends by this node, by action and kind of the target.',
  'watchword.audit.pending':
    'Audit rows of this node that are waiting to be written. Absent if the audit is not kept.',
} as const

type MetricName = keyof typeof METRICS
type Observed = Readonly<
  Record<Exclude<MetricName, 'watchword.verify.duration' | 'watchword.tokens.live'>, Observable>
>

function instrumentsOf(meter: Meter) {
  const options = (name: MetricName, unit: string) => ({ unit, description: METRICS[name] })
  const counter = (name: keyof Observed, unit: string) =>
    meter.createObservableCounter(name, options(name, unit))
  const gauge = (name: keyof Observed, unit: string) =>
    meter.createObservableGauge(name, options(name, unit))
  const observed: Observed = {
    'watchword.decisions': counter('watchword.decisions', '{decision}'),
    'watchword.cache.lookups': counter('watchword.cache.lookups', '{lookup}'),
    'watchword.tokens.cached': gauge('watchword.tokens.cached', '{token}'),
    'watchword.feed.staleness': gauge('watchword.feed.staleness', 's'),
    'watchword.feed.lag': gauge('watchword.feed.lag', '{event}'),
    'watchword.feed.incidents': counter('watchword.feed.incidents', '{incident}'),
    'watchword.revocations': counter('watchword.revocations', '{revocation}'),
    'watchword.connections.watched': gauge('watchword.connections.watched', '{connection}'),
    'watchword.restrictions': counter('watchword.restrictions', '{restriction}'),
    'watchword.audit.pending': gauge('watchword.audit.pending', '{row}'),
  }
  const live = meter.createObservableGauge(
    'watchword.tokens.live',
    options('watchword.tokens.live', '{token}'),
  )
  const duration = meter.createHistogram('watchword.verify.duration', {
    ...options('watchword.verify.duration', 's'),
    advice: { explicitBucketBoundaries: [...BOUNDARIES] },
  })
  return { observed, live, duration }
}

function reporter(observed: Observed, telemetry: Telemetry, tally: Tally): BatchObservableCallback {
  // Counters start when the instrumentation does; incidents start with the node, like those of `health()`.
  const { lookups: earlier } = telemetry.readings()
  return (result) => {
    for (const { outcome, labels, total } of tally.decisions())
      result.observe(observed['watchword.decisions'], total, { outcome, ...labels })
    for (const [target, total] of tally.revocations)
      result.observe(observed['watchword.revocations'], total, { target })
    for (const { action, target, total } of tally.restrictions)
      result.observe(observed['watchword.restrictions'], total, { action, target })
    const { status, freshnessMs, lag, incidents, cache, connections, lookups, audit } =
      telemetry.readings()
    result.observe(observed['watchword.cache.lookups'], lookups.hits - earlier.hits, {
      result: 'hit',
    })
    result.observe(observed['watchword.cache.lookups'], lookups.misses - earlier.misses, {
      result: 'miss',
    })
    for (const [kind, total] of Object.entries(incidents))
      result.observe(observed['watchword.feed.incidents'], total, { kind })
    // The counters of a closed authority are final. It has no state, and its staleness would only raise an alarm.
    if (status === 'closed') return
    result.observe(observed['watchword.tokens.cached'], cache.tokens)
    result.observe(observed['watchword.connections.watched'], connections.watched)
    result.observe(observed['watchword.feed.lag'], lag)
    if (audit.status === 'kept') result.observe(observed['watchword.audit.pending'], audit.waiting)
    if (Number.isFinite(freshnessMs))
      result.observe(observed['watchword.feed.staleness'], freshnessMs / 1000)
  }
}

const COUNTED_EVERY_MS = 60_000

/**
 * Reports the number of live tokens. It takes a query, so exporters that collect more often get the last number. If it
 * is not known, nothing is reported.
 */
function reportLiveTokens(live: Observable, { countLive, readings }: Telemetry): () => void {
  let countedAt = Number.NEGATIVE_INFINITY
  let count: Promise<number | undefined> = Promise.resolve(undefined)
  const report: ObservableCallback = async (result) => {
    if (readings().status === 'closed') return
    const now = SYSTEM_CLOCK.monotonic()
    if (now - countedAt >= COUNTED_EVERY_MS) {
      countedAt = now
      count = countLive().catch(() => undefined)
    }
    const counted = await count
    if (counted !== undefined) result.observe(counted)
  }
  live.addCallback(report)
  return () => live.removeCallback(report)
}
