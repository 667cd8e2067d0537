import { describe, expect, it } from 'vitest'
import { runSteps, type Sql, type SqlResult } from '../../../../src/clients/sql/statement.js'
import { readChanges, STRIPES } from '../../../../src/store/sql/arrivals.js'
import { sqliteDialect } from '../../../../src/store/sql/sqlite-dialect.js'

const RANGE = 2 ** 48
const LIMIT = 10

/** Reads changes from a database whose stripes are at these numbers and which has no changed rows. */
function reading(numbers: readonly number[], cursor: string | null) {
  const read: Sql[] = []
  const arrivals = numbers.map((number, id) => ({ id, n: id * RANGE + number }))
  const run = (statement: Sql): SqlResult => {
    if (statement.text.includes('_arrivals')) return { rows: arrivals, changes: 0 }
    read.push(statement)
    return { rows: [], changes: 0 }
  }
  const page = runSteps(readChanges(sqliteDialect('w_'), cursor, LIMIT), run)
  return { page, starts: read.map(({ values }) => values.slice(0, -1)) }
}

const stripes = (number: number): number[] => Array(STRIPES).fill(number)
/** The bounds of all changes in the first `count` stripes. */
const everything = (count: number) =>
  Array.from({ length: count }, (_, stripe) => [stripe * RANGE, (stripe + 1) * RANGE]).flat()

describe('the changes of an SQL store', () => {
  it('start at the current numbers without a cursor', () => {
    const { page, starts } = reading(stripes(5), null)
    expect(page).toMatchObject({ revocations: [], superseded: [], more: false })
    expect(starts).toEqual([])
    expect(reading(stripes(5), page.cursor).page.cursor).toBe(page.cursor)
  })

  it('read only the stripes that have changed since the cursor', () => {
    const { cursor } = reading(stripes(5), null).page
    const later = stripes(5).with(3, 6)
    const { page, starts } = reading(later, cursor)
    const bounds = [3 * RANGE + 5, 4 * RANGE]
    expect(starts).toEqual([bounds, bounds, bounds])
    expect(page.cursor).toBe(reading(later, null).page.cursor)
  })

  it('start from the beginning after a restore from a backup, whose numbers are lower', () => {
    const { cursor } = reading(stripes(5), null).page
    const { page, starts } = reading(stripes(5).with(0, 4), cursor)
    expect(starts).toEqual(Array(3).fill(everything(STRIPES)))
    expect(page.more).toBe(false)
  })

  it('start from the beginning for a cursor of another store', () => {
    const [own = ''] = reading(stripes(5), null).page.cursor.split('/')
    for (const cursor of ['', '7.12.member', `${own}/1.2`, `${own}/${own.replace('5', '!')}`, own])
      expect(reading(stripes(5), cursor).starts).toEqual(Array(3).fill(everything(STRIPES)))
  })

  it('have all registers after the cursor of an older version, which knew none', () => {
    const [own = ''] = reading(stripes(5), null).page.cursor.split('/')
    const { page, starts } = reading(stripes(5), `${own}/${own}`)
    expect(starts).toEqual([everything(STRIPES)])
    expect(page.cursor).toBe(`${own}/${own}/${own}`)
  })

  it('reject a table that lacks a stripe', () => {
    expect(() => reading(stripes(5).slice(1), null)).toThrow(
      'a row of the table of arrivals is missing',
    )
  })
})
