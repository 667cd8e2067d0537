/**
 * Results as text.
 *
 * @module
 */
import { IN_FLIGHT } from './operations.js'
import type { Bar, ClientResult, Figure, PlaceResult } from './results.js'

const NAME = 18

/** A table for each client of a place. */
export function describePlace(place: PlaceResult): string {
  const { title, large, note, rowsPerSecond, clients } = place
  const size = `${count(large)} tokens${note === '' ? '' : ` (${note})`}`
  return Object.entries(clients)
    .flatMap(([name, client]) => [
      '',
      `${title}, ${name}: ${size}, filled in at ${count(rowsPerSecond)} a second`,
      '',
      ...operationTable(client),
      '',
      ...pageTable(client, place),
      '',
      ...bulkLines(client),
    ])
    .join('\n')
}

function operationTable({ operations }: ClientResult): string[] {
  const lines = Object.entries(operations).map(([name, { single, flight }]) =>
    line(name, [...cells(single), ...cells(flight)]),
  )
  return [
    line('', ['one at a time', '', '', `${IN_FLIGHT} in flight`, '', '']),
    line('µs a call', ['median', 'p95', '× raw', 'median', 'p95', '× raw']),
    ...lines,
  ]
}

function pageTable({ pages }: ClientResult, place: PlaceResult): string[] {
  const lines = Object.entries(pages).map(([name, { small, large, growth }]) =>
    line(name, [...cells(small), ...cells(large), digits(growth)]),
  )
  return [
    line('', [`of ${count(place.small)}`, '', '', `of ${count(place.large)}`, '', '', '']),
    line('µs a page of 100', ['median', 'p95', '× raw', 'median', 'p95', '× raw', 'growth']),
    ...lines,
  ]
}

function bulkLines({ bulk: { many, single, gain } }: ClientResult): string[] {
  const figures = `${digits(many)} µs a token, ${digits(single)} one at a time`
  return [`  issueMany of 1,000: ${figures}: ${digits(gain)} times the rate`]
}

function cells({ median, p95, ratio }: Figure): string[] {
  return [digits(median), digits(p95), digits(ratio)]
}

function line(name: string, values: readonly string[]): string {
  return `  ${name.padEnd(NAME)}${values.map((cell) => cell.padStart(13)).join('')}`.trimEnd()
}

/** All bars, and whether they were met. */
export function describeBars(bars: readonly Bar[]): string {
  const lines = bars.map(({ what, value, bar, better, met }) => {
    const wanted = `${better === 'more' ? '≥' : '≤'} ${bar}`
    return `  ${what.padEnd(78)}${digits(value).padStart(8)}  ${wanted.padEnd(6)}${met ? 'met' : 'MISSED'}`
  })
  return ['', 'Bars', '', ...lines].join('\n')
}

/** Three significant digits, and no fraction from a hundred on. */
function digits(value: number): string {
  return value >= 100 ? count(value) : String(Number(value.toPrecision(3)))
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
