/**
 * What the project wants to reach: a bar that must hold, and a goal beyond it.
 *
 * @module
 */
import type { CaseResult } from './results.js'

/** One line of the table of targets. */
export interface Target {
  readonly case: string
  readonly what: string
  readonly unit: '×' | 'ns' | 'MB' | 'B' | '/s'
  readonly better: 'more' | 'less'
  readonly bar: number
  readonly goal?: number
  readonly read: (result: CaseResult) => number
}

/** How a target came out. */
export interface Outcome {
  readonly case: string
  readonly what: string
  readonly unit: Target['unit']
  readonly better: Target['better']
  readonly value: number
  readonly bar: number
  readonly barMet: boolean
  readonly goal: number | null
  readonly goalMet: boolean | null
}

const ratio =
  (ours: string, other: string) =>
  ({ ratios }: CaseResult): number =>
    known(ratios[ours]?.[other], `${ours} to ${other}`)

const time =
  (name: string) =>
  ({ timings }: CaseResult): number =>
    known(timings.find((timing) => timing.name === name)?.median, name)

const figure =
  (name: string) =>
  ({ figures }: CaseResult): number =>
    known(figures.find((one) => one.name === name)?.value, name)

function known(value: number | undefined, name: string): number {
  if (value === undefined) throw new Error(`no result for ${name}`)
  return value
}

const HOT = 'watchword, compiled'
const perSecond = (result: CaseResult) => 1e9 / time('watchword, one by one')(result)

const NOT_OBSERVED = 'not observed'
const overhead = (name: string) => (result: CaseResult) => 1 / ratio(name, NOT_OBSERVED)(result)

const COUNTED = 'with usage and scopes'

const times = { unit: '×', better: 'more' } as const

const TARGETS: readonly Target[] = [
  {
    case: 'hot',
    what: 'fast-jwt, cached / ours',
    ...times,
    bar: 2.5,
    goal: 5,
    read: ratio(HOT, 'fast-jwt, cached'),
  },
  { case: 'hot', what: 'ours', unit: 'ns', better: 'less', bar: 1000, read: time(HOT) },
  {
    case: 'observe',
    what: 'listener / none',
    unit: '×',
    better: 'less',
    bar: 1.3,
    goal: 1.15,
    read: overhead('with a listener'),
  },
  {
    case: 'observe',
    what: 'OpenTelemetry / none',
    unit: '×',
    better: 'less',
    bar: 1.3,
    goal: 1.15,
    read: overhead('with OpenTelemetry'),
  },
  {
    case: 'usage',
    what: 'counted / not counted',
    unit: '×',
    better: 'less',
    bar: 1.05,
    goal: 1.02,
    read: (result) => 1 / ratio(COUNTED, 'without usage')(result),
  },
  {
    case: 'usage',
    what: 'for a cached token',
    unit: 'B',
    better: 'less',
    bar: 96,
    goal: 48,
    read: figure('usage of a cached token'),
  },
  {
    case: 'usage',
    what: 'more with a caller',
    unit: 'B',
    better: 'less',
    bar: 64,
    read: figure('its first caller'),
  },
  {
    case: 'watch',
    what: 'for a watched connection',
    unit: 'B',
    better: 'less',
    bar: 300,
    goal: 200,
    read: figure('a watch'),
  },
  {
    case: 'cold',
    what: 'fast-jwt / ours',
    ...times,
    bar: 0.9,
    goal: 1.5,
    read: ratio('watchword', 'fast-jwt HS256'),
  },
  {
    case: 'cold',
    what: 'paseto-ts / ours',
    ...times,
    bar: 6,
    goal: 10,
    read: ratio('watchword', 'paseto-ts'),
  },
  {
    case: 'open',
    what: 'paseto + libsodium / ours',
    ...times,
    bar: 5,
    goal: 8,
    read: ratio('open', 'paseto + libsodium'),
  },
  {
    case: 'reject',
    what: 'malformed, mixed',
    unit: 'ns',
    better: 'less',
    bar: 500,
    goal: 200,
    read: time('malformed, mixed'),
  },
  {
    case: 'reject',
    what: 'cold verify / forged',
    ...times,
    bar: 1,
    read: ratio('forged', 'cold verify of a good token'),
  },
  {
    case: 'issue',
    what: 'jose / ours',
    ...times,
    bar: 2,
    goal: 5,
    read: ratio('watchword, one by one', 'jose HS256'),
  },
  {
    case: 'issue',
    what: 'ours, tokens a second',
    unit: '/s',
    better: 'more',
    bar: 0,
    goal: 100_000,
    read: perSecond,
  },
  {
    case: 'memory',
    what: '100,000 tokens',
    unit: 'MB',
    better: 'less',
    bar: 100,
    goal: 60,
    read: figure('watchword'),
  },
]

/** How the targets of these cases came out. */
export function judge(results: readonly CaseResult[]): Outcome[] {
  return TARGETS.flatMap(({ read, goal = null, ...target }) => {
    const result = results.find(({ name }) => name === target.case)
    if (result === undefined) return []
    const value = read(result)
    const met = (limit: number) => (target.better === 'more' ? value >= limit : value <= limit)
    const goalMet = goal === null ? null : met(goal)
    return [{ ...target, value, barMet: met(target.bar), goal, goalMet }]
  })
}
