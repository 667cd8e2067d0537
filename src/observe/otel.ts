/**
 * Metrics and spans of OpenTelemetry: `watchword/otel`.
 *
 * Of `@opentelemetry/api` only the types are imported: the meter and the tracer are the caller's. No metric has an id, a
 * subject or a claim as an attribute, and no span has a subject, a claim, a token or a key.
 *
 * @module
 */
import type { Meter, Tracer } from '@opentelemetry/api'
import { fieldsOf, isPlainObject, readField } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { allowedNames, describe, quote } from '../lib/quote.js'
import type { VerifyResult } from '../types.js'
import { reportMetrics } from './otel/metrics.js'
import { reportSpans } from './otel/spans.js'
import { telemetryOf } from './telemetry.js'

/** The methods of an authority by which `instrument` recognizes it. The result of `createWatchword` has them. */
export interface InstrumentedAuthority {
  authenticate(token: unknown): Promise<VerifyResult<unknown>>
  health(): { readonly status: 'live' | 'stale' | 'closed' }
}

/** Options of {@link instrument}. At least one is required. */
export interface InstrumentOptions {
  /** Creates the metrics: `metrics.getMeter('watchword')`. Default: no metrics. */
  readonly meter?: Meter
  /** Creates the spans: `trace.getTracer('watchword')`. Default: no spans. */
  readonly tracer?: Tracer
}

/**
 * Reports metrics and spans of an authority, until the returned function is called. An authority has one
 * instrumentation: another call replaces it. Throws `ERR_INVALID_ARGUMENT`.
 *
 * Metrics: `watchword.decisions`, `watchword.verify.duration`, `watchword.cache.lookups`, `watchword.tokens.cached`,
 * `watchword.tokens.live`, `watchword.feed.staleness`, `watchword.feed.lag`, `watchword.feed.incidents`,
 * `watchword.revocations`, `watchword.connections.watched` and `watchword.audit.pending`. Policies and audiences that are not configured are reported as
 * `other`. One check in 128 is timed. Spans: `watchword.issue`, `watchword.rotate`, `watchword.revoke` and
 * `watchword.authenticate`, as children of the active span.
 *
 * After `close()` of the authority, the counters keep their last values, so that a last export has them.
 *
 * @example
 * ```ts
 * import { metrics, trace } from '@opentelemetry/api'
 * import { instrument } from 'watchword/otel'
 *
 * const stop = instrument(watchword, {
 *   meter: metrics.getMeter('watchword'),
 *   tracer: trace.getTracer('watchword'),
 * })
 * stop()
 * ```
 */
export function instrument(
  authority: InstrumentedAuthority,
  options: InstrumentOptions,
): () => void {
  const telemetry = telemetryOf(
    typeof authority === 'object' && authority !== null ? authority.authenticate : undefined,
  )
  if (telemetry === undefined) {
    throw invalidArgument(
      'authority',
      `expected the result of createWatchword, got ${describe(authority)}`,
    )
  }
  const { meter, tracer } = resolved(options)
  telemetry.stop()
  const running: (() => void)[] = []
  const stop = () => {
    for (const end of running.splice(0)) end()
  }
  telemetry.stop = stop
  try {
    if (meter !== undefined) running.push(reportMetrics(meter, telemetry))
    if (tracer !== undefined) running.push(reportSpans(tracer, telemetry))
  } catch (error) {
    stop()
    throw error
  }
  return stop
}

/** The method of each option that is called, by which a wrong value is recognized. */
const METHODS = { meter: 'addBatchObservableCallback', tracer: 'startSpan' } as const

function resolved(options: unknown): InstrumentOptions {
  if (typeof options !== 'object' || options === null || !isPlainObject(options)) {
    throw invalidArgument(
      'options',
      `expected an object with meter, tracer or both, got ${describe(options)}`,
    )
  }
  const fields = fieldsOf(options, [])
  for (const [name, value] of Object.entries(fields)) checkOption(name, value)
  if (Object.keys(fields).length === 0)
    throw invalidArgument('options', 'expected meter, tracer or both, got none')
  return fields as InstrumentOptions
}

function checkOption(name: string, value: unknown): void {
  if (!Object.hasOwn(METHODS, name)) {
    const allowed = allowedNames(name, Object.keys(METHODS))
    throw invalidArgument('options', `unknown option ${quote(name)}${allowed}`)
  }
  const method = METHODS[name as keyof typeof METHODS]
  const isUsable =
    typeof value === 'object' && value !== null && typeof readField(value, method) === 'function'
  if (isUsable) return
  const example = EXAMPLES[name as keyof typeof METHODS]
  throw invalidArgument(
    name,
    `expected a ${name} of @opentelemetry/api, such as ${example}, got ${describe(value)}${hintAtProvider(name, value)}`,
  )
}

function hintAtProvider(name: string, value: unknown): string {
  const getter = GETTERS[name as keyof typeof METHODS]
  const isProvider =
    typeof value === 'object' && value !== null && typeof readField(value, getter) === 'function'
  return isProvider ? ` that has ${getter}: pass what it returns` : ''
}

const GETTERS = { meter: 'getMeter', tracer: 'getTracer' } as const

const EXAMPLES = {
  meter: "metrics.getMeter('watchword')",
  tracer: "trace.getTracer('watchword')",
} as const
