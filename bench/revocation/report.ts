/**
 * Results as text.
 *
 * @module
 */
import type { Machine } from '../machine.js'
import { type Bar, meets, type Results } from './bars.js'

/** All bars, and whether they were met. */
export function describeBars(bars: readonly Bar[]): string {
  const lines = bars.map((bar) => {
    const verdict = (wanted: number) =>
      Number.isFinite(wanted) ? `${digits(wanted)} ${meets(bar, wanted) ? 'met' : 'MISSED'}` : ''
    const value = `${digits(bar.value)} ${bar.unit}`
    return `  ${bar.what.padEnd(62)}${value.padStart(16)}${verdict(bar.bar).padStart(16)}${verdict(bar.goal).padStart(16)}`
  })
  return ['', `  ${''.padEnd(62)}${row('measured', 'bar', 'goal')}`, ...lines].join('\n')
}

const row = (...cells: readonly string[]): string => cells.map((cell) => cell.padStart(16)).join('')

/** The table of bench/README.md. */
export function describeForReadme(machine: Machine, results: Results): string {
  const { propagation, startUp, apply, hot, memory } = results
  const feeds = Object.entries(propagation).map(([name, { ours, raw, ratio }]) => {
    const cells = [ours.p50, ours.p99, ours.lastOfAll, raw.p50, raw.p99].map(digits)
    return `| ${name} | ${cells.join(' | ')} | ${digits(ratio)} |`
  })
  const starts = Object.entries(startUp).map(
    ([name, { events, snapshot }]) => `${name} ${seconds(events)} and ${seconds(snapshot)}`,
  )
  const rest = [
    memory && `${digits(memory.bytesPerToken)} bytes each with ${digits(memory.tokens)} held`,
    memory &&
      `a look-up takes ${digits(Math.max(memory.hitNs, memory.missNs))} ns, where one read at random in as much memory takes ${digits(memory.readNs)}`,
    apply && `${digits(apply.entriesPerSecond)} applied a second`,
    apply && `no pause of the event loop over ${digits(apply.longestStallMs)} ms`,
    hot && `verifying takes ${digits(hot.ratio)} times what it takes with none`,
  ].filter((line) => line !== undefined)
  return [
    `Milliseconds of one run on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node.slice(1)}, over loopback, eight other processes on the same two cores.`,
    '',
    '| feed | revoke → rejected, p50 | p99 | the last of 8, p50 | broker alone, p50 | p99 | times that |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...feeds,
    '',
    `A start with a million revocations in the log, a thousand to an event, and from a snapshot: ${starts.join(', ')}.`,
    `Revocations in memory: ${rest.join('; ')}.`,
  ].join('\n')
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** Three significant digits, and no fraction from a hundred on. */
function digits(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)))
}
