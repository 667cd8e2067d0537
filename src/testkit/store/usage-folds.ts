/**
 * Folding hours into days, and removing rows.
 *
 * @module
 */
import type { CallerUse, UsageRow } from '../../store/usage.js'
import { type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import { DAY, FOREVER, requestsOf, rowsOf, usageOf, usageRow } from './usage-fixtures.js'

const needs = 'usage'

const fold = (foldUntil: number) => ({ foldUntil, removeUntil: 0 })

const caller = (address: string, requests: number, over: Partial<CallerUse> = {}): CallerUse => ({
  address,
  route: '/orders',
  userAgent: 'curl/8',
  requests,
  ...over,
})

/** The row with its lists in one order: the contract of a fold defines none. */
function sorted<T extends UsageRow>(row: T): T {
  const text = (value: unknown) => JSON.stringify(value)
  const inOrder = <U>(list: readonly U[]) => [...list].sort((a, b) => (text(a) < text(b) ? -1 : 1))
  return { ...row, scopes: inOrder(row.scopes), callers: inOrder(row.callers) }
}

export const usageFoldCases: readonly StoreCase[] = [
  {
    rule: 'folds.sums',
    title: 'sums the hours of a day into one row, with the first and the last times',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      await usageOf(store).mergeRows([
        usageRow(id, life, {
          from: NOW + 5 * HOUR,
          refused: { expired: 2, revoked: 1, ['__proto__']: 1 },
          firstUsedAt: NOW + 5 * HOUR,
          lastUsedAt: NOW + 5 * HOUR + 9,
          scopes: [
            { scope: 'a', uses: 3, lastUsedAt: NOW + 5 * HOUR + 9 },
            { scope: 'A', uses: 1, lastUsedAt: NOW + 5 * HOUR },
          ],
        }),
        usageRow(id, life, {
          from: NOW + 23 * HOUR,
          requests: 40,
          refused: { expired: 5, ['__proto__']: 2 },
          firstUsedAt: NOW + 23 * HOUR + 1,
          lastUsedAt: NOW + 23 * HOUR + 2,
          scopes: [
            { scope: 'a', uses: 20, lastUsedAt: NOW + 23 * HOUR + 2 },
            { scope: 'b', uses: 20, lastUsedAt: NOW + 23 * HOUR + 1 },
          ],
          callers: [caller('192.0.2.1', 30), caller('192.0.2.1', 1, { route: '/b' })],
          others: 9,
        }),
        usageRow(id, life, {
          from: NOW + HOUR,
          requests: 0,
          refused: { wrong_audience: 1 },
          firstUsedAt: null,
          lastUsedAt: null,
          scopes: [],
          callers: [],
          others: 0,
        }),
      ])
      await usageOf(other).purge(fold(NOW + DAY))
      const day: UsageRow = {
        id,
        from: NOW,
        life,
        requests: 43,
        refused: { expired: 7, revoked: 1, wrong_audience: 1, ['__proto__']: 3 },
        firstUsedAt: NOW + 5 * HOUR,
        lastUsedAt: NOW + 23 * HOUR + 2,
        scopes: [
          { scope: 'a', uses: 23, lastUsedAt: NOW + 23 * HOUR + 2 },
          { scope: 'A', uses: 1, lastUsedAt: NOW + 5 * HOUR },
          { scope: 'b', uses: 20, lastUsedAt: NOW + 23 * HOUR + 1 },
        ],
        callers: [caller('192.0.2.1', 32), caller('192.0.2.1', 1, { route: '/b' })],
        others: 10,
      }
      same((await rowsOf(store, [id])).map(sorted), [sorted(day)], 'the rows')
    },
  },
  {
    rule: 'folds.callers',
    title: 'keeps the eight callers with the most requests, and counts the rest as others',
    needs,
    async run({ store, make }) {
      const [id, life] = [make.id(), make.id()]
      const hour = (at: number, callers: readonly CallerUse[]) =>
        usageRow(id, life, { from: NOW + at * HOUR, callers, others: 1 })
      // The ninth caller of the first hours is the first of all once everything is summed.
      await usageOf(store).mergeRows([
        hour(
          0,
          [1, 2, 3, 4, 5, 6, 7, 8].map((n) => caller(`192.0.2.${n}`, n * 10)),
        ),
        hour(1, [caller('198.51.100.1', 5), caller('192.0.2.1', 2), caller('192.0.2.9', 6)]),
        hour(2, [caller('192.0.2.9', 6), caller('192.0.2.1', 1)]),
        hour(3, [caller('192.0.2.9', 70)]),
      ])
      await usageOf(store).purge(fold(NOW + DAY))
      const [row] = await rowsOf(store, [id])
      const expected = [2, 3, 4, 5, 6, 7, 8].map((n) => caller(`192.0.2.${n}`, n * 10))
      const callers = [caller('192.0.2.9', 82), ...expected]
      same(
        row && sorted(row),
        row && sorted({ ...row, callers, others: 4 + 13 + 5 }),
        'the row of the day',
      )
    },
  },
  {
    rule: 'folds.keys',
    title: 'keeps tokens, lives and UTC days apart',
    needs,
    async run({ store, make }) {
      const [one, two, life, next] = [make.id(), make.id(), make.id(), make.id()]
      const rows = [one, two].flatMap((id) =>
        [NOW - HOUR, NOW, NOW + 23 * HOUR, NOW + DAY].flatMap((from) => [
          usageRow(id, life, { from, requests: 1 }),
          usageRow(id, next, { from, requests: 100 }),
        ]),
      )
      await usageOf(store).mergeRows(make.shuffled(rows))
      await usageOf(store).purge(fold(FOREVER))
      const found = await rowsOf(store, [one, two])
      const days = [NOW - DAY, NOW, NOW + DAY]
      const expected = [one, two].flatMap((id) =>
        days.flatMap((from) => [
          { id, from, life, requests: from === NOW ? 2 : 1 },
          { id, from, life: next, requests: from === NOW ? 200 : 100 },
        ]),
      )
      const keys = found.map(({ id, from, life: of, requests }) => ({
        id,
        from,
        life: of,
        requests,
      }))
      same(keys, expected, 'the rows')
    },
  },
  {
    rule: 'folds.boundary',
    title: 'folds an hour that ends at the time, and none that ends later',
    needs,
    async run({ store, make }) {
      const [id, life] = [make.id(), make.id()]
      const hours = [10, 11, 12].map((at) => usageRow(id, life, { from: NOW + at * HOUR }))
      await usageOf(store).mergeRows(hours)
      await usageOf(store).purge(fold(NOW + 11 * HOUR - 1))
      same(await rowsOf(store, [id]), hours, 'the rows before the first hour has ended')
      await usageOf(store).purge(fold(NOW + 12 * HOUR - 1))
      const day = { ...hours[0], from: NOW }
      same(await rowsOf(store, [id]), [day, ...hours.slice(1)], 'the rows after the first')
      await usageOf(store).purge(fold(NOW + 12 * HOUR))
      const requests = (await rowsOf(store, [id])).map((row) => [row.from, row.requests])
      same(
        requests,
        [
          [NOW, 6],
          [NOW + 12 * HOUR, 3],
        ],
        'the rows after the second',
      )
    },
  },
  {
    rule: 'folds.midnight',
    title: 'turns the first hour of a day into the row of the day, and adds later hours to it',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      const first = usageRow(id, life)
      await usageOf(store).mergeRows([first])
      await usageOf(store).purge(fold(NOW + HOUR))
      same(await rowsOf(store, [id]), [first], 'the row of the day')
      same(
        await rowsOf(store, [id], NOW + HOUR),
        [first],
        'the row of the day, which has not ended',
      )
      const late = usageRow(id, life, { from: NOW + 7 * HOUR, requests: 4 })
      await usageOf(other).mergeRows([late])
      for (const one of [store, other]) {
        await usageOf(one).purge(fold(NOW + 8 * HOUR))
        const rows = (await rowsOf(store, [id])).map(({ from, requests }) => [from, requests])
        same(rows, [[NOW, 7]], 'the row of the day after a later hour')
      }
    },
  },
  {
    rule: 'folds.retry',
    title: 'changes nothing when repeated, also for an earlier time',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      const hours = [0, 1, 2, 3].map((at) => usageRow(id, life, { from: NOW + at * HOUR }))
      await usageOf(store).mergeRows(hours)
      await usageOf(store).purge(fold(NOW + 3 * HOUR))
      const rows = await rowsOf(store, [id])
      same(requestsOf(rows), requestsOf(hours), 'the number of requests')
      for (const until of [NOW + 3 * HOUR, NOW + 2 * HOUR, 0, NOW + 3 * HOUR]) {
        await usageOf(other).purge(fold(until))
        same(await rowsOf(store, [id]), rows, `the rows after another fold until ${until}`)
      }
    },
  },
  {
    rule: 'folds.late',
    title: 'skips a row whose hour was folded, merges the others, and returns the latest time',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      const hour = (at: number, requests = 3) =>
        usageRow(id, life, { from: NOW + at * HOUR, requests })
      await usageOf(store).mergeRows([hour(0), hour(1)])
      await usageOf(store).purge(fold(NOW + 2 * HOUR))
      const rows = await rowsOf(store, [id])
      for (const late of [hour(0), hour(1), hour(0, 99), hour(1, 99), hour(-5)])
        same(await usageOf(other).mergeRows([late]), NOW + 2 * HOUR, 'the latest time')
      same(await rowsOf(store, [id]), rows, 'the rows after late ones')
      await usageOf(other).mergeRows([hour(1, 99), hour(2)])
      same(await rowsOf(store, [id]), [...rows, hour(2)], 'the rows after a late one and another')
      await usageOf(store).purge(fold(NOW + HOUR))
      same(
        await usageOf(store).mergeRows([hour(1)]),
        NOW + 2 * HOUR,
        'the time after an earlier one',
      )
      await usageOf(store).purge({ foldUntil: 0, removeUntil: NOW + 2 * HOUR + 1 })
      same(await usageOf(store).mergeRows([]), NOW + 2 * HOUR + 1, 'the time after a removal')
      await usageOf(store).purge(fold(NOW + DAY))
      same(requestsOf(await rowsOf(store, [id])), 3 * 4, 'the number of requests')
    },
  },
  {
    rule: 'folds.many',
    title: 'folds and removes all rows, however many there are',
    needs,
    async run({ store, make }) {
      const [life, id] = [make.id(), make.id()]
      const lives = [life, make.id(), make.id()]
      const ids = [id, ...Array.from({ length: 400 }, () => make.id())]
      const rows = ids.flatMap((id) => lives.map((life) => usageRow(id, life)))
      const more = rows.map((row) => ({ ...row, from: NOW + 9 * HOUR }))
      const all = make.shuffled([...rows, ...more])
      while (all.length > 0) await usageOf(store).mergeRows(all.splice(0, 1000))
      await usageOf(store).purge(fold(NOW + DAY))
      const days = await rowsOf(store, ids)
      same(days.length, rows.length, 'the number of rows')
      same(requestsOf(days), 2 * requestsOf(rows), 'the number of requests')
      const kept = usageRow(id, life, { from: NOW + 30 * HOUR })
      await usageOf(store).mergeRows([kept])
      await usageOf(store).purge({ foldUntil: NOW + DAY, removeUntil: NOW + DAY })
      same(await rowsOf(store, ids), [kept], 'the rows after they were removed')
    },
  },
  {
    rule: 'folds.remove',
    title: 'removes days and hours that end at the time, and none that end later',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const [id, life] = [make.id(), make.id()]
      const at = (hours: number) => usageRow(id, life, { from: NOW + hours * HOUR })
      const froms = async () => (await rowsOf(store, [id])).map(({ from }) => (from - NOW) / HOUR)
      await usageOf(store).mergeRows([at(-2), at(1), at(2), at(25), at(26), at(27)])
      await usageOf(store).purge(fold(NOW + 3 * HOUR))
      same(await froms(), [-24, 0, 25, 26, 27], 'days and hours')
      await usageOf(other).purge({ foldUntil: 0, removeUntil: NOW - 1 })
      same(await froms(), [-24, 0, 25, 26, 27], 'before the first has ended')
      await usageOf(other).purge({ foldUntil: 0, removeUntil: NOW })
      same(await froms(), [0, 25, 26, 27], 'after the first day')
      await usageOf(other).purge({ foldUntil: 0, removeUntil: NOW + DAY - 1 })
      same(await froms(), [0, 25, 26, 27], 'before the second day has ended')
      await usageOf(other).purge({ foldUntil: 0, removeUntil: NOW + 27 * HOUR })
      same(await froms(), [27], 'after an hour that was never folded')
      same(await usageOf(store).mergeRows([at(26)]), NOW + 27 * HOUR, 'the latest time')
      same(await froms(), [27], 'after a late row of a removed hour')
      await usageOf(store).purge({ foldUntil: NOW + 28 * HOUR, removeUntil: NOW + 28 * HOUR })
      same(await froms(), [24], 'after a purge that folds first, into a day that has not ended')
    },
  },
]
