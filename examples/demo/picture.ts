/**
 * The picture of the demo: one column for each slice of time.
 *
 * @module
 */
import type { Sample } from './clients.js'

const BARS = '▁▂▃▄▅▆▇█'

/** The value below which this share of the numbers lies; 0.5 is the median. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The latency of one request in milliseconds. */
export const latency = ({ sentAt, endedAt }: Sample): number => endedAt - sentAt

/** The slices of time of the picture. */
export interface Slices {
  readonly from: number
  readonly width: number
  readonly count: number
}

function split(samples: readonly Sample[], { from, width, count }: Slices): Sample[][] {
  const slices: Sample[][] = Array.from({ length: count }, () => [])
  for (const sample of samples) slices[Math.floor((sample.endedAt - from) / width)]?.push(sample)
  return slices
}

/** The median latency of each slice as a bar. A full bar is the highest of them, which is returned as well. */
export function latencyRow(samples: readonly Sample[], slices: Slices) {
  const medians = split(samples, slices).map((slice) => quantile(slice.map(latency), 0.5))
  const max = Math.max(...medians.filter((median) => !Number.isNaN(median)))
  const bars = medians.map((median) => {
    if (Number.isNaN(median)) return ' '
    return BARS[Math.min(BARS.length - 1, Math.floor((median / max) * BARS.length))]
  })
  return { max, row: bars.join('') }
}

/** Whether the requests of each slice were accepted (`·`), rejected (`x`) or both (`+`). */
export function statusRow(samples: readonly Sample[], slices: Slices): string {
  const marks = split(samples, slices).map((slice) => {
    const accepted = slice.filter(({ status }) => status === 200).length
    if (slice.length === 0) return ' '
    if (accepted === 0) return 'x'
    return accepted === slice.length ? '·' : '+'
  })
  return marks.join('')
}
