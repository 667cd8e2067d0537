/**
 * Concurrent and interrupted writes of usage.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import type { UsageRow } from '../../store/usage.js'
import { atOnce } from './at-once.js'
import { holds, type StoreCase, same } from './case.js'
import { CUTS, cutOff, turn } from './crashes.js'
import { HOUR, NOW } from './fixtures.js'
import { DAY, livesOf, requestsOf, rowsOf, usageLife, usageOf, usageRow } from './usage-fixtures.js'

const needs = 'usage'

type Call = (store: Store) => Promise<unknown>

export const usageRaceCases: readonly StoreCase[] = [
  {
    rule: 'counters.races',
    title: 'keeps the largest of concurrent writes of the same rows',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = make.id()
      // From the largest on, a store that compares before it writes loses the largest.
      for (const order of [make.shuffled<UsageRow[]>, (batches: UsageRow[][]) => batches]) {
        const ids = Array.from({ length: 20 }, () => make.id())
        const batches = Array.from({ length: 24 }, (_, step) =>
          make.shuffled(ids.map((id) => usageRow(id, life, { requests: 23 - step }))),
        )
        await atOnce([store, other], order(batches), (one, rows) => usageOf(one).mergeRows(rows))
        const expected = ids.map((id) => usageRow(id, life, { requests: 23 }))
        same(await rowsOf(store, ids), expected, 'the rows')
      }
    },
  },
  {
    rule: 'counters.whole',
    title: 'merges an interrupted batch as a whole or not at all',
    across: 'also',
    needs,
    async run({ make, ...stores }) {
      for (const turns of CUTS) {
        const life = make.id()
        const ids = Array.from({ length: 30 }, () => make.id())
        const rows = (requests: number) => ids.map((id) => usageRow(id, life, { requests }))
        await usageOf(stores.store).mergeRows(rows(1))
        await cutOff(stores, turns, {
          write: (store) => usageOf(store).mergeRows(rows(2)),
          async look(store) {
            const found = await rowsOf(store, ids)
            const replaced = found.filter(({ requests }) => requests === 2).length
            holds(replaced === 0 || replaced === 30, `${replaced} of 30 rows were replaced`)
          },
        })
      }
    },
  },
  {
    rule: 'folds.races',
    title: 'counts every request once in concurrent purges and late writes',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      for (let round = 0; round < 4; round++) {
        const life = make.id()
        const ids = Array.from({ length: 15 }, () => make.id())
        const day = NOW + round * DAY
        const rows = ids.flatMap((id) =>
          [0, 1, 2, 3].map((at) => usageRow(id, life, { from: day + at * HOUR })),
        )
        await usageOf(store).mergeRows(rows)
        const calls: Call[] = [
          ...[2, 4, 4, 4, 3].map(
            (hours): Call =>
              (one) =>
                usageOf(one).purge({ foldUntil: day + hours * HOUR, removeUntil: 0 }),
          ),
          ...CUTS.map(
            (turns): Call =>
              async (one) => {
                for (let i = 0; i < turns; i++) await turn()
                await usageOf(one).mergeRows(rows)
              },
          ),
        ]
        await atOnce([store, other], make.shuffled(calls), (one, call) => call(one))
        const found = await rowsOf(store, ids)
        same(found.length, ids.length, `the number of rows of round ${round}`)
        same(requestsOf(found), requestsOf(rows), `the number of requests of round ${round}`)
      }
    },
  },
  {
    rule: 'folds.interrupted',
    title: 'loses and repeats no request of an interrupted purge, and continues with the next',
    across: 'also',
    needs,
    async run({ make, ...stores }) {
      for (const [round, turns] of CUTS.entries()) {
        const life = make.id()
        const ids = Array.from({ length: 12 }, () => make.id())
        const day = NOW + round * DAY
        const rows = ids.flatMap((id) =>
          [0, 1, 2].map((at) => usageRow(id, life, { from: day + at * HOUR })),
        )
        await usageOf(stores.store).mergeRows(rows)
        const expectAll = (found: readonly UsageRow[]) =>
          same(requestsOf(found), requestsOf(rows), 'the number of requests')
        const until = { foldUntil: day + 3 * HOUR, removeUntil: 0 }
        await cutOff(stores, turns, {
          write: (store) => usageOf(store).purge(until),
          look: async (store) => expectAll(await rowsOf(store, ids)),
        })
        await usageOf(stores.store).mergeRows(rows)
        await usageOf(stores.store).purge(until)
        const found = await rowsOf(stores.store, ids)
        same(found.length, ids.length, 'the number of rows')
        expectAll(found)
      }
    },
  },
  {
    rule: 'lives.races',
    title: 'loses nothing of concurrent reports of one life',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      for (let round = 0; round < 3; round++) {
        const life = usageLife(make.id())
        const reports = Array.from({ length: 16 }, (_, step) => ({
          ...life,
          to: NOW + step,
          endedAt: step === 7 ? NOW + HOUR : null,
          gaps: [{ from: NOW + step * 10, to: NOW + step * 10 + 1 }],
        }))
        await atOnce([store, other], make.shuffled(reports), (one, report) =>
          usageOf(one).mergeLife(report),
        )
        const gaps = reports.flatMap((report) => report.gaps)
        const expected = { ...life, to: NOW + 15, endedAt: NOW + HOUR, gaps }
        same((await livesOf(store))[round], expected, `the life of round ${round}`)
      }
    },
  },
]
