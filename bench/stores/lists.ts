/**
 * Pages of a hundred tokens, of few and of many.
 *
 * @module
 */
import type { TokenQuery, Watchword } from '../../src/index.js'
import { demand } from '../expect.js'
import { SHELVES, type Shelf } from './places/place.js'
import type { Contender } from './race.js'
import type { Records } from './records.js'

const LIMIT = 100

/** A store's authority, and what is in it. */
export interface Stock {
  readonly authority: Watchword
  readonly records: Records
}

interface Question {
  readonly query: TokenQuery
  readonly expected: readonly string[]
}

const QUESTIONS: Readonly<Record<string, (records: Records) => Question>> = {
  'first page': (records) => ({ query: {}, expected: records.ids(0, LIMIT) }),
  'middle page': (records) => {
    const middle = Math.floor(records.count / 2)
    return { query: { after: records.id(middle) }, expected: records.ids(middle + 1, LIMIT) }
  },
  'by subject': (records) => {
    const number = Math.floor(records.subjects / 2)
    const subject = records.subject(number)
    const expected = records.ids(0, LIMIT, (at) => at % records.subjects === number)
    return { query: { subject }, expected }
  },
  'live only': (records) => {
    const expected = records.ids(0, LIMIT, (at) => records.isLive(at))
    return { query: { live: true }, expected }
  },
  'live, middle': (records) => {
    const middle = Math.floor(records.count / 2)
    const expected = records.ids(middle + 1, LIMIT, (at) => records.isLive(at))
    return { query: { live: true, after: records.id(middle) }, expected }
  },
}

/** The pages that are asked for. */
export const PAGES: readonly string[] = Object.keys(QUESTIONS)

/** The name of a contender. */
export const pageOf = (page: string, shelf: Shelf): string => `${page}, ${shelf}`

/** The contenders. Rejects if a page is not what was put in. */
export async function lists(stocks: Readonly<Record<Shelf, Stock>>): Promise<Contender[]> {
  const contenders: Contender[] = []
  for (const [page, ask] of Object.entries(QUESTIONS)) {
    for (const shelf of SHELVES) {
      const { authority, records } = stocks[shelf]
      const { query, expected } = ask(records)
      const name = pageOf(page, shelf)
      const { items, corrupt } = await authority.tokens.list({ ...query, limit: LIMIT })
      const found = items.map(({ id }) => id)
      demand(
        name,
        expected.length === LIMIT,
        found.join() === expected.join(),
        corrupt === undefined,
      )
      contenders.push({ name, call: () => asExpected(authority, query, expected) })
    }
  }
  return contenders
}

async function asExpected(
  authority: Watchword,
  query: TokenQuery,
  expected: readonly string[],
): Promise<boolean> {
  const { items } = await authority.tokens.list({ ...query, limit: LIMIT })
  return (
    items.length === LIMIT && items[0]?.id === expected[0] && items.at(-1)?.id === expected.at(-1)
  )
}
