/**
 * What the project wants to reach.
 *
 * @module
 */
import type { Bar, PlaceResult } from './results.js'

const MOST_GROWTH = 3
const LEAST_GAIN = 10

/** Holds the results against the bars. A page is judged by the one that grows most. */
export function judge(places: Readonly<Record<string, PlaceResult>>): Bar[] {
  const bars: Bar[] = []
  for (const [name, place] of Object.entries(places)) {
    for (const [client, { pages, bulk }] of Object.entries(place.clients)) {
      const value = Math.max(...Object.values(pages).map(({ growth }) => growth))
      const sizes = `a page of ${thousands(place.large)} by one of ${thousands(place.small)}`
      bars.push({
        what: `${place.title}, ${client}: ${sizes}`,
        value,
        bar: MOST_GROWTH,
        better: 'less',
        met: value <= MOST_GROWTH,
      })
      if (name !== 'postgres') continue
      bars.push({
        what: `${place.title}: rate of issueMany by that of single issues`,
        value: bulk.gain,
        bar: LEAST_GAIN,
        better: 'more',
        met: bulk.gain >= LEAST_GAIN,
      })
    }
  }
  return bars
}

const thousands = (count: number): string => count.toLocaleString('en-US')
