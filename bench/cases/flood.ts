/**
 * Flood: how long the event loop is held up while good, forged and malformed tokens pour in.
 *
 * @module
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { demand } from '../expect.js'
import { createFixture, type Fixture, SCOPE } from '../fixture.js'
import { MALFORMED } from '../malformed.js'
import { deniedIds, fastJwt, jwtKeys, permits, signAll } from '../peers.js'
import { cutter, tampered } from '../pool.js'
import type { Case, Figure } from '../results.js'
import { median, quantile } from '../statistics.js'

/** How many requests a busy server reads in one turn of the loop. */
const PER_TURN = 100
const FLOOD = 200_000

export const flood: Case = {
  name: 'flood',
  async run(settings) {
    const fixture = await createFixture()
    const count = settings.quick ? FLOOD / 4 : FLOOD
    const idle = await drown('nothing', 'baseline', count, () => 1)
    const ours = await floodOurs(fixture, count)
    const peer = await floodFastJwt(fixture, count)
    await fixture.close()
    return {
      name: 'flood',
      title: 'Event loop under a flood',
      about: [
        `${count} tokens, a third good, a third forged, a third malformed, ${PER_TURN} in each turn of the loop.`,
        'A turn is how long one such batch holds up everyone else.',
      ],
      timings: [],
      ratios: {},
      figures: [...idle, ...ours, ...peer],
    }
  },
}

async function floodOurs({ cached, tokens }: Fixture, count: number): Promise<Figure[]> {
  const needs = cached.require({ scopes: [SCOPE] })
  for (const token of tokens) demand('watchword', cached.verify(token, needs).ok)
  const next = cutter(mix(tokens))
  const verify = () => (cached.verify(next(), needs).ok ? 1 : 0)
  const before = cached.health().cache
  const figures = await drown('watchword', 'ours', count, verify)
  const after = cached.health().cache
  // Strangers must not push anyone out.
  demand('watchword', after.tokens === before.tokens, after.bytes === before.bytes)
  return figures
}

async function floodFastJwt({ issued, revoked }: Fixture, count: number): Promise<Figure[]> {
  const keys = await jwtKeys()
  const denied = deniedIds(revoked)
  const tokens = signAll(issued, keys)
  const verify = fastJwt(keys, { max: 50_000 })
  for (const token of tokens) demand('fast-jwt', permits(verify(token), denied))
  const next = cutter(mix(tokens))
  return drown('fast-jwt, cached', 'peer', count, () => {
    try {
      return permits(verify(next()), denied) ? 1 : 0
    } catch {
      return 0
    }
  })
}

function mix(tokens: readonly string[]): string[] {
  return tokens.flatMap((token, i) => {
    const kind = MALFORMED[i % MALFORMED.length] as (typeof MALFORMED)[number]
    return [token, tampered(token), kind.make(token)]
  })
}

async function drown(
  name: string,
  kind: Figure['kind'],
  count: number,
  verify: () => number,
): Promise<Figure[]> {
  const turns: number[] = []
  let good = 0
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  for (let done = 0; done < count; done += PER_TURN) {
    const turnStart = performance.now()
    for (let i = 0; i < PER_TURN; i++) good += verify()
    turns.push(performance.now() - turnStart)
    await setImmediate()
  }
  const perToken = ((performance.now() - start) / count) * 1e6
  delay.disable()
  const expected = kind === 'baseline' ? count : Math.ceil(count / 3)
  demand(name, Math.abs(good - expected) <= 1)
  return [
    { name: `${name}: turn, median`, kind, value: median(turns), unit: 'ms' },
    { name: `${name}: turn, p99`, kind, value: quantile(turns, 0.99), unit: 'ms' },
    { name: `${name}: turn, longest`, kind, value: Math.max(...turns), unit: 'ms' },
    { name: `${name}: loop delay, p99`, kind, value: delay.percentile(99) / 1e6, unit: 'ms' },
    { name: `${name}: loop delay, longest`, kind, value: delay.max / 1e6, unit: 'ms' },
    { name: `${name}: each token`, kind, value: perToken, unit: 'ns' },
  ]
}
