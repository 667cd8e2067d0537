/**
 * The spans of one authority, from its tracing channels.
 *
 * @module
 */
import type { Span, SpanStatusCode, Tracer } from '@opentelemetry/api'
import { ERROR_CODES, WatchwordError } from '../../errors.js'
import {
  type Operation,
  type OperationName,
  type OperationResult,
  operations,
} from '../operations.js'
import type { Telemetry } from '../telemetry.js'
import { type Bound, boundBy } from './names.js'

/** The attributes of the spans. Like a result, they contain no subject, claim, token or key. */
export interface SpanAttributes {
  /** For `authenticate`: `ok`, or why the token was rejected. For a failed operation: why it rejected the token. */
  readonly 'watchword.outcome'?: string | undefined
  /** The policy of the token, or `other` if it is not configured. */
  readonly 'watchword.policy'?: string | undefined
  /** The audience of the token, or `other` if it is not configured. */
  readonly 'watchword.audience'?: string | undefined
  /** The id of the token; for `rotate`, of the successor. Absent if the token is not authentic. */
  readonly 'watchword.token.id'?: string | undefined
  /** The id of the first token of the family. */
  readonly 'watchword.token.family'?: string | undefined
  /** 0 for the first token of its family, incremented by each rotation. */
  readonly 'watchword.token.generation'?: number | undefined
  /** For `issueMany`: the number of issued tokens. For `revoke`: the number of live tokens covered. */
  readonly 'watchword.tokens'?: number | undefined
  /** For `revoke`: the kind of the target. */
  readonly 'watchword.target'?: string | undefined
  /** For a failed operation: the code of the error, or `_OTHER` if it is not an error of the library. */
  readonly 'error.type'?: string | undefined
}

// Only the types of the API are imported, so that nothing else has to be installed.
const ERROR: SpanStatusCode.ERROR = 2

/** Creates a span for each operation until the returned function is called. */
export function reportSpans(tracer: Tracer, telemetry: Telemetry): () => void {
  const spans = new OpenSpans(tracer, telemetry)
  const names = Object.keys(operations) as OperationName[]
  const subscriptions = names.map((name) => {
    const subscriber = subscriberOf(spans, name)
    operations[name].subscribe(subscriber)
    return () => void operations[name].unsubscribe(subscriber)
  })
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe()
    spans.endAll()
  }
}

const ignore = () => {}

function subscriberOf(spans: OpenSpans, name: OperationName) {
  return {
    start: (message: Operation) => quietly(() => spans.start(name, message)),
    // Ends the span of a synchronous call; that of a promise ends when it is settled.
    end: (message: Operation) => {
      if (message.result !== undefined || message.error !== undefined)
        quietly(() => spans.end(message))
    },
    asyncStart: ignore,
    asyncEnd: (message: Operation) => quietly(() => spans.end(message)),
    error: ignore,
  }
}

// Node ends the process for an error of a subscriber, and telemetry must not do that.
function quietly(run: () => void): void {
  try {
    run()
  } catch {
    // The tracer failed: the operation goes on without a span.
  }
}

class OpenSpans {
  readonly #tracer: Tracer
  readonly #telemetry: Telemetry
  readonly #policy: Bound
  readonly #audience: Bound
  readonly #open = new Map<Operation, Span>()

  constructor(tracer: Tracer, telemetry: Telemetry) {
    this.#tracer = tracer
    this.#telemetry = telemetry
    this.#policy = boundBy(telemetry.policies)
    this.#audience = boundBy(telemetry.audiences)
  }

  start(name: OperationName, message: Operation): void {
    if (this.#telemetry.owns(message))
      this.#open.set(message, this.#tracer.startSpan(`watchword.${name}`))
  }

  end(message: Operation): void {
    const span = this.#open.get(message)
    if (span === undefined) return
    this.#open.delete(message)
    const { result, error } = message
    if (result === undefined) {
      span.setAttributes({ ...errorAttributes(error) })
      span.setStatus({ code: ERROR })
    } else span.setAttributes({ ...this.#attributesOf(result) })
    span.end()
  }

  #attributesOf({ policy, audience, ...rest }: OperationResult): SpanAttributes {
    return {
      'watchword.outcome': rest.outcome,
      'watchword.policy': policy === undefined ? undefined : this.#policy(policy),
      'watchword.audience': audience === undefined ? undefined : this.#audience(audience),
      'watchword.token.id': rest.id,
      'watchword.token.family': rest.family,
      'watchword.token.generation': rest.generation,
      'watchword.tokens': rest.count,
      'watchword.target': rest.target,
    }
  }

  /** Ends the spans of calls in flight: they would otherwise never be exported. */
  endAll(): void {
    for (const span of this.#open.values()) quietly(() => span.end())
    this.#open.clear()
  }
}

const REASON = /^[a-z_]{1,32}$/

/**
 * The code of an error, and the reason of a rejection. Never a message: the error of a driver may repeat what it was
 * sent. Unknown codes are not reported, because an adapter or a getter may throw anything.
 */
function errorAttributes(error: unknown): SpanAttributes {
  if (!(error instanceof WatchwordError) || !Object.hasOwn(ERROR_CODES, error.code))
    return { 'error.type': '_OTHER' }
  const { code, reason } = error
  const isRejection = code === 'ERR_TOKEN_REJECTED' && reason !== undefined && REASON.test(reason)
  return { 'error.type': code, ...(isRejection ? { 'watchword.outcome': reason } : {}) }
}
