// Which metrics and spans does an authority report? Prints those of the real OpenTelemetry SDK.
import assert from 'node:assert/strict'
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  ConsoleSpanExporter,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { createWatchword } from 'watchword'
import { instrument } from 'watchword/otel'

// A service replaces the console by an OTLP exporter, and gets both from `metrics` and `trace` of @opentelemetry/api.
const meters = new MeterProvider({
  readers: [new PeriodicExportingMetricReader({ exporter: new ConsoleMetricExporter() })],
})
const finished = new InMemorySpanExporter()
const tracers = new BasicTracerProvider({
  spanProcessors: [
    new SimpleSpanProcessor(new ConsoleSpanExporter()),
    new SimpleSpanProcessor(finished),
  ],
})

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})
const stop = instrument(watchword, {
  meter: meters.getMeter('watchword'),
  tracer: tracers.getTracer('watchword'),
})

const actor = 'ops@acme.example'
const scopes = ['orders:read']
const { token } = await watchword.issue({ policy: 'service', subject: 'svc_mail', scopes, actor })
for (let i = 0; i < 1000; i++) watchword.verify(token, { scopes })
watchword.verify(token, { scopes: ['orders:write'] })
watchword.verify('not a token')
await watchword.authenticate(token)
const successor = await watchword.rotate(token, { actor })
await watchword.revoke({ token: successor.token }, { actor, reason: 'leaked' })
await watchword.authenticate(successor.token)

const names = finished.getFinishedSpans().map(({ name }) => name)
assert.deepEqual(names, [
  'watchword.issue',
  'watchword.authenticate',
  'watchword.rotate',
  'watchword.revoke',
  'watchword.authenticate',
])

// Before `close`: a closed authority has no gauges any more, such as the staleness and the number of live tokens.
await meters.forceFlush()
// Its counters remain until the instrumentation stops, so the last export has them.
await watchword.close()
await meters.shutdown()
await tracers.shutdown()
stop()
