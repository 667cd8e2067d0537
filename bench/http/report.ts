/**
 * Results as text.
 *
 * @module
 */
import type { Machine } from '../machine.js'
import { FRAMEWORKS, type Framework } from './kit.js'
import type { Tally } from './load.js'
import type { Bar, FrameworkResult, Line, Results } from './results.js'

const NAME = 28
const WHAT = 54

/** One framework as a table. */
export function describeFramework(framework: Framework, result: FrameworkResult): string {
  const { version, lines, soak } = result
  return [
    '',
    `${framework} ${version}`,
    '',
    `  ${''.padEnd(NAME)}${row('requests/s', '× bare', '±', 'µs of CPU', 'busy')}`,
    ...lines.map(
      ({ name, perSecond, toBare, toBareMad, cpu, busy }) =>
        `  ${name.padEnd(NAME)}${row(count(perSecond), toBare.toFixed(3), toBareMad.toFixed(3), cpu.toFixed(1), busy.toFixed(2))}`,
    ),
    '',
    `  soak: ${count(soak.passed)} of ${count(soak.good)} valid ones got 200, ${count(soak.refused)} of ${count(soak.forged)} forged ones 401, ${soak.errors} errors`,
  ].join('\n')
}

/** All bars, and whether they were met. */
export function describeBars(bars: readonly Bar[]): string {
  const lines = bars.map(({ what, value, bar, better, met }) => {
    const wanted = `${better === 'more' ? '≥' : '≤'} ${bar}`
    const measured = better === 'more' ? value.toFixed(3) : count(value)
    return `  ${what.padEnd(WHAT)}${measured.padStart(8)}  ${wanted.padEnd(8)}${met ? 'met' : 'MISSED'}`
  })
  return ['', 'Bars', '', ...lines].join('\n')
}

const TITLES: Readonly<Record<Framework, string>> = {
  express: 'Express',
  koa: 'Koa',
  fastify: 'Fastify',
}

/** The part of bench/README.md that a whole run replaces. */
export function describeForReadme(results: Results, { cpu, cores, node }: Machine): string {
  const found = FRAMEWORKS.flatMap((framework) => {
    const result = results[framework]
    return result === undefined ? [] : [[TITLES[framework], result] as const]
  })
  const soaks = found.map(([, { soak }]) => soak)
  const sum = (of: (soak: Tally) => number) => count(soaks.reduce((all, one) => all + of(one), 0))
  return [
    '`npm run bench:http`: requests a second of a server that responds with a few bytes of JSON, with 10,000 tokens in turn, and in brackets the share of the',
    `bare server's rate that is. One run on ${cpu}, ${cores} cores for server and client together, Node ${node.slice(1)}: the ratios count.`,
    '',
    '| framework | bare | watchword | its cache off | others, HS256 |',
    '| --- | --- | --- | --- | --- |',
    ...found.map(([title, result]) => readmeRow(title, result)),
    '',
    `${sum(({ good, forged }) => good + forged)} requests, one in ten of them with a forged token: ${sum(({ passed }) => passed)} of ${sum(({ good }) => good)} valid ones got 200, ${sum(({ refused }) => refused)} of ${sum(({ forged }) => forged)} forged ones 401.`,
  ].join('\n')
}

function readmeRow(title: string, { version, lines }: FrameworkResult): string {
  const rate = ({ perSecond, toBare }: Line) => `${count(perSecond)} (${toBare.toFixed(2)})`
  const cells = lines.map((line) => {
    if (line.kind === 'bare') return count(line.perSecond)
    return line.kind === 'ours' ? rate(line) : `${line.name} ${rate(line)}`
  })
  const others = cells.slice(3).join(', ')
  return `| ${title} ${version} | ${cells.slice(0, 3).join(' | ')} | ${others} |`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function row(...cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(13)).join('')
}
