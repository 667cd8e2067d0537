/**
 * The real OpenTelemetry SDK with exporters in memory.
 *
 * @module
 */
import type { Attributes, Meter, Tracer } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/** One SDK for metrics and spans, and what it exported. */
export interface Sdk {
  readonly meter: Meter
  readonly tracer: Tracer
  /** Collects and exports once. Returns the metrics of this export. */
  metrics(): Promise<readonly MetricData[]>
  /** The finished spans so far. */
  spans(): readonly ReadableSpan[]
  shutdown(): Promise<void>
}

export function sdk(temporality = AggregationTemporality.CUMULATIVE): Sdk {
  const metricExporter = new InMemoryMetricExporter(temporality)
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter })
  const meters = new MeterProvider({ readers: [reader] })
  const spanExporter = new InMemorySpanExporter()
  const tracers = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(spanExporter)],
  })
  return {
    meter: meters.getMeter('watchword'),
    tracer: tracers.getTracer('watchword'),
    async metrics() {
      metricExporter.reset()
      await reader.forceFlush()
      const [exported] = metricExporter.getMetrics()
      return exported?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? []
    },
    spans: () => spanExporter.getFinishedSpans(),
    async shutdown() {
      await Promise.all([meters.shutdown(), tracers.shutdown()])
    },
  }
}

/** The points of one metric: attributes and value. */
export function pointsOf(
  metrics: readonly MetricData[],
  name: string,
): readonly (readonly [Attributes, number])[] {
  const points = metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []
  return points.map(({ attributes, value }) => [attributes, value as number] as const)
}

/** The one histogram of this name. */
export function histogramOf(metrics: readonly MetricData[], name: string): Histogram | undefined {
  return metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value as
    | Histogram
    | undefined
}
