/**
 * Hot verify while it is observed: with a listener to decisions, and with metrics and spans of the OpenTelemetry SDK.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import type { Decision } from 'watchword'
import { instrument } from 'watchword/otel'
import { accepts, demand } from '../expect.js'
import { createFixture, type Fixture, SCOPE } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { cutter } from '../pool.js'
import type { Case } from '../results.js'

// The differences are a few nanoseconds, so they need more rounds than other cases.
const ROUNDS = 61

export const observe: Case = {
  name: 'observe',
  async run(settings) {
    const fixture = await createFixture()
    const { contenders, finish } = observed(fixture)
    const rounds = settings.quick ? settings.rounds : ROUNDS
    const outcome = await compete(contenders, { ...settings, rounds })
    await finish()
    await fixture.close()
    return {
      name: 'observe',
      title: 'Hot verify, observed',
      about: [`${fixture.tokens.length} tokens in turn; the same authority in each line.`],
      figures: [],
      ...outcome,
    }
  },
}

function observed({ cached, issued, tokens }: Fixture) {
  const meters = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new InMemoryMetricExporter(AggregationTemporality.DELTA),
      }),
    ],
  })
  const meter = meters.getMeter('bench')
  const tracer = new BasicTracerProvider().getTracer('bench')
  const needs = cached.require({ scopes: [SCOPE] })
  let heard = 0
  const listener = (message: unknown) => {
    if ((message as Decision).outcome === 'ok') heard++
  }
  let stop = () => {}
  const contender = (name: string, observe: () => () => void): Contender => {
    const next = cutter(tokens)
    return {
      name,
      kind: 'ours',
      prepare: async () => {
        stop()
        stop = observe()
      },
      call: () => (cached.verify(next(), needs).ok ? 1 : 0),
    }
  }
  const listen = () => {
    subscribe('watchword:decision', listener)
    return () => void unsubscribe('watchword:decision', listener)
  }
  stop = listen()
  issued.forEach((one, i) => {
    demand('watchword', accepts(cached.verify(tokens[i], needs), one))
  })
  demand('listener', heard === issued.length)
  const contenders = [
    contender('not observed', () => () => {}),
    contender('with a listener', listen),
    contender('with OpenTelemetry', () => instrument(cached, { meter, tracer })),
  ]
  const finish = async () => {
    stop()
    await meters.shutdown()
  }
  return { contenders, finish }
}
