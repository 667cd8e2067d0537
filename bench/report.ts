/**
 * Results as text.
 *
 * @module
 */
import type { CaseResult, Figure, Timing } from './results.js'
import type { Outcome } from './targets.js'

const NAME = 34

/** One case as a table. */
export function describeCase(result: CaseResult): string {
  const lines = ['', result.title, ...result.about.map((line) => `  ${line}`), '']
  if (result.timings.length > 0) lines.push(...timingTable(result))
  for (const { name, value, unit } of result.figures) {
    lines.push(`  ${name.padEnd(NAME)}${number(value).padStart(10)} ${unit}`)
  }
  return lines.join('\n')
}

function timingTable({ timings, ratios, reference = '' }: CaseResult): string[] {
  const share = ({ name, kind }: Timing): string => {
    if (name === reference) return '1×'
    if (kind === 'baseline') return ''
    const value = kind === 'peer' ? ratios[reference]?.[name] : 1 / (ratios[name]?.[reference] ?? 0)
    return value === undefined ? '' : `${number(value)}×`
  }
  const head = `  ${''.padEnd(NAME)}${row('median ns', 'p95', 'MAD', 'relative')}`
  return [
    head,
    ...timings.map((timing) => {
      const { name, median, p95, mad } = timing
      return `  ${name.padEnd(NAME)}${row(number(median), number(p95), number(mad), share(timing))}`
    }),
  ]
}

function row(...cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(13)).join('')
}

/** All targets, and whether they were met. */
export function describeTargets(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return ''
  const head = `  ${'case'.padEnd(9)}${'what'.padEnd(28)}${row('measured', 'bar', '', 'goal', '')}`
  const lines = outcomes.map((outcome) => {
    const { unit, better, value, bar, barMet, goal, goalMet } = outcome
    const sign = better === 'more' ? '≥ ' : '≤ '
    const measured = `${number(value)} ${unit}`
    // A bar of nought asks for nothing: the line has a goal only.
    const barCells = bar === 0 ? ['', ''] : [sign + number(bar), verdict(barMet)]
    const goalCells = goal === null ? ['', ''] : [sign + number(goal), verdict(goalMet === true)]
    const cells = row(measured, ...barCells, ...goalCells)
    return `  ${outcome.case.padEnd(9)}${outcome.what.padEnd(28)}${cells}`
  })
  return ['', 'Targets', '', head, ...lines].join('\n')
}

const verdict = (met: boolean): string => (met ? 'met' : 'MISSED')

/** Three significant digits, and no fraction from a hundred on. */
function number(value: Figure['value']): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
