/**
 * What the project wants to reach.
 *
 * @module
 */
import type { Framework } from './kit.js'
import type { Bar, FrameworkResult, Results } from './results.js'
import { OURS } from './run.js'

const LEAST_OF_BARE_EXPRESS = 0.95

/** Holds the results against the bars. */
export function judge(results: Results): Bar[] {
  return Object.entries(results).flatMap(([framework, result]) => [
    ...rateBars(framework as Framework, result),
    ...soakBars(framework as Framework, result),
  ])
}

function rateBars(framework: Framework, { lines, toPeers }: FrameworkResult): Bar[] {
  const bars = Object.entries(toPeers).map(([peer, value]) =>
    atLeast(`${framework}: rate of ours by ${peer}`, value, 1),
  )
  if (framework !== 'express') return bars
  const kept = lines.find(({ name }) => name === OURS)?.toBare ?? Number.NaN
  return [atLeast('express: rate of ours by bare', kept, LEAST_OF_BARE_EXPRESS), ...bars]
}

function soakBars(framework: Framework, { soak }: FrameworkResult): Bar[] {
  const { good, passed, forged, refused } = soak
  return [
    none(`${framework}: good requests lost of ${thousands(good)}`, good - passed),
    none(`${framework}: forged ones not refused of ${thousands(forged)}`, forged - refused),
  ]
}

const atLeast = (what: string, value: number, bar: number): Bar => ({
  what,
  value,
  bar,
  better: 'more',
  met: value >= bar,
})

const none = (what: string, value: number): Bar => ({
  what,
  value,
  bar: 0,
  better: 'less',
  met: value === 0,
})

const thousands = (count: number): string => count.toLocaleString('en-US')
