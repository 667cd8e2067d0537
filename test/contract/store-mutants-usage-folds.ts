/**
 * Stores that are wrong about folding and removing usage.
 *
 * @module
 */
import type { Mutant } from './store-mutants-runner.js'
import { type Entry, GOOD_USAGE, type UsageRules } from './store-mutants-usage-base.js'
import { pausingAt } from './store-mutants-usage-rows.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Sums wrongly. */
const summing = (
  change: (
    row: ReturnType<UsageRules['sum']>,
    rows: Parameters<UsageRules['sum']>[0],
  ) => ReturnType<UsageRules['sum']>,
): Partial<UsageRules> => ({
  sum: (rows, day) => change(GOOD_USAGE.sum(rows, day), rows),
})

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

export const foldMutants: readonly Mutant[] = [
  { rule: 'folds.sums', fault: 'keeps the hours', usage: () => ({ purge: async () => undefined }) },
  {
    rule: 'folds.sums',
    fault: 'keeps the largest hour',
    usageRules: summing((row, rows) => ({
      ...row,
      requests: Math.max(...rows.map(({ requests }) => requests)),
    })),
  },
  {
    rule: 'folds.sums',
    fault: 'loses what was refused',
    usageRules: summing((row, rows) => ({ ...row, refused: rows[0]?.refused ?? {} })),
  },
  {
    rule: 'folds.sums',
    fault: 'takes the first use of the second row',
    usageRules: summing((row, rows) => ({ ...row, firstUsedAt: rows[1]?.firstUsedAt ?? null })),
  },
  {
    rule: 'folds.sums',
    fault: 'takes no use for the earliest',
    usageRules: summing((row, rows) => ({
      ...row,
      firstUsedAt: Math.min(...rows.map(({ firstUsedAt }) => firstUsedAt ?? 0)),
    })),
  },
  {
    rule: 'folds.sums',
    fault: 'takes the last use of the last row',
    usageRules: summing((row, rows) => ({ ...row, lastUsedAt: rows.at(-1)?.lastUsedAt ?? null })),
  },
  {
    rule: 'folds.sums',
    fault: 'loses a scope',
    usageRules: summing((row, rows) => ({
      ...row,
      scopes: row.scopes.filter(({ scope }) => rows[0]?.scopes.some((use) => use.scope === scope)),
    })),
  },
  {
    rule: 'folds.sums',
    fault: 'sums a scope in any case',
    usageRules: summing((row) => ({
      ...row,
      scopes: row.scopes.filter(({ scope }) => scope !== 'A'),
    })),
  },
  {
    rule: 'folds.sums',
    fault: 'takes the last use of a scope from the last row',
    usageRules: summing((row, rows) => ({
      ...row,
      scopes: row.scopes.map((use) => ({
        ...use,
        lastUsedAt: rows[0]?.scopes.find(({ scope }) => scope === use.scope)?.lastUsedAt ?? 0,
      })),
    })),
  },
  {
    rule: 'folds.sums',
    fault: 'sums the callers of an address',
    usageRules: summing((row) => ({ ...row, callers: row.callers.slice(0, 1) })),
  },
  {
    rule: 'folds.sums',
    fault: 'loses the other callers',
    usageRules: summing((row, rows) => ({ ...row, others: rows[0]?.others ?? 0 })),
  },
  {
    rule: 'folds.callers',
    fault: 'keeps the first eight callers',
    usageRules: summing((row, rows) => ({ ...row, callers: rows[0]?.callers ?? [] })),
  },
  {
    rule: 'folds.callers',
    fault: 'keeps seven callers',
    usageRules: summing((row) => ({
      ...row,
      callers: row.callers.slice(0, 7),
      others: row.others + (row.callers[7]?.requests ?? 0),
    })),
  },
  {
    rule: 'folds.callers',
    fault: 'forgets the requests of the callers that it drops',
    usageRules: summing((row, rows) => ({
      ...row,
      others: rows.reduce((sum, { others }) => sum + others, 0),
    })),
  },
  {
    rule: 'folds.keys',
    fault: 'sums the lives',
    usage: (t, good) => ({
      async purge(until) {
        await good.purge(until)
        for (const { row } of [...t.entries]) {
          const group = t.entries.filter(
            ({ row: { id, from } }) => id === row.id && from === row.from,
          )
          const [first, ...others] = group
          if (first !== undefined)
            first.row = GOOD_USAGE.sum(
              group.map((each) => each.row),
              row.from,
            )
          t.entries = t.entries.filter((entry) => !others.includes(entry))
        }
      },
    }),
  },
  {
    rule: 'folds.keys',
    fault: 'folds the days of a time zone',
    usageRules: { dayOf: (from) => Math.floor((from + HOUR) / DAY) * DAY - HOUR },
  },
  {
    rule: 'folds.keys',
    fault: 'folds into weeks',
    usageRules: { dayOf: (from) => Math.floor(from / (7 * DAY)) * 7 * DAY },
  },
  {
    rule: 'folds.boundary',
    fault: 'keeps the hour that ends at the very time',
    usageRules: { isDue: ({ row, span }, until) => span === HOUR && row.from + HOUR < until },
  },
  {
    rule: 'folds.boundary',
    fault: 'folds the hour that has begun',
    usageRules: { isDue: ({ row, span }, until) => span === HOUR && row.from < until },
  },
  {
    rule: 'folds.midnight',
    fault: 'replaces the day by the later hour',
    usageRules: { sum: (rows, from) => GOOD_USAGE.sum(rows.slice(-1), from) },
  },
  {
    rule: 'folds.midnight',
    fault: 'takes the day for the first hour',
    usageRules: { isSince: ({ row }, since) => row.from + HOUR > since },
  },
  {
    rule: 'folds.midnight',
    fault: 'folds a day twice',
    usageRules: {
      isDue: (entry, until) => GOOD_USAGE.isDue(entry, until),
      sum: (rows, from) =>
        GOOD_USAGE.sum(rows.length > 1 ? [...rows, ...rows.slice(0, 1)] : rows, from),
    },
  },
  {
    rule: 'folds.retry',
    fault: 'adds the day again when repeated',
    usage: (t, good) => ({
      async purge(until) {
        const days = t.entries.filter(({ span }) => span === DAY)
        await good.purge(until)
        for (const { row } of days) {
          const entry = t.entries.find((each) => GOOD_USAGE.isSame(each.row, row))
          if (entry !== undefined) entry.row = { ...row, requests: row.requests * 2 }
        }
      },
    }),
  },
  {
    rule: 'folds.late',
    fault: 'counts a late row',
    usageRules: { isClosed: () => false },
  },
  {
    rule: 'folds.late',
    fault: 'counts a late row of an hour that had none',
    usage: (t, good) => ({
      async mergeRows(rows) {
        const { closedUntil } = t
        const isKnown = t.entries.some(({ row }) =>
          rows.some((late) => GOOD_USAGE.dayOf(late.from) === row.from),
        )
        if (!isKnown) t.closedUntil = 0
        await good.mergeRows(rows)
        t.closedUntil = closedUntil
        return closedUntil
      },
    }),
  },
  {
    rule: 'folds.late',
    fault: 'one late row fails the call',
    usage: (t, good) => ({
      async mergeRows(rows) {
        if (rows.some(({ from }) => from + HOUR <= t.closedUntil)) return t.closedUntil
        return await good.mergeRows(rows)
      },
    }),
  },
  {
    rule: 'folds.late',
    fault: 'an earlier purge opens hours again',
    usage: (t, good) => ({
      async purge(until) {
        await good.purge(until)
        t.closedUntil = Math.max(until.foldUntil, until.removeUntil)
      },
    }),
  },
  {
    rule: 'folds.late',
    fault: 'does not say what it skipped',
    usage: (_, good) => ({ mergeRows: async (rows) => (await good.mergeRows(rows)) * 0 }),
  },
  {
    rule: 'folds.late',
    fault: 'forgets what was removed without being folded',
    usage: (t, good) => ({
      async purge(until) {
        const { closedUntil } = t
        await good.purge(until)
        t.closedUntil = Math.max(closedUntil, until.foldUntil)
      },
    }),
  },
  {
    rule: 'folds.many',
    fault: 'folds a thousand rows',
    usage: (t, good) => ({
      async purge(until) {
        const later = t.entries.splice(1000)
        await good.purge(until)
        t.entries.push(...later)
      },
    }),
  },
  {
    rule: 'folds.remove',
    fault: 'keeps what ends at the very time',
    usageRules: { isRemoved: ({ row, span }, until) => row.from + span < until },
  },
  {
    rule: 'folds.remove',
    fault: 'removes a day when its first hour has ended',
    usageRules: { isRemoved: ({ row }, until) => row.from + HOUR <= until },
  },
  {
    rule: 'folds.remove',
    fault: 'removes days only',
    usageRules: {
      isRemoved: (entry, until) => entry.span === DAY && GOOD_USAGE.isRemoved(entry, until),
    },
  },
  {
    rule: 'folds.remove',
    fault: 'removes first, then folds',
    usage: (_, good) => ({
      async purge({ foldUntil, removeUntil }) {
        await good.purge({ foldUntil: 0, removeUntil })
        await good.purge({ foldUntil, removeUntil: 0 })
      },
    }),
  },
  { rule: 'folds.races', fault: 'reads, then replaces the day', usageRules: pausingAt('fold') },
  {
    rule: 'folds.races',
    fault: 'folds, then closes the hours',
    usage: (t, good) => ({
      async purge(until) {
        const { closedUntil } = t
        await good.purge(until)
        const closed = t.closedUntil
        t.closedUntil = closedUntil
        await tick()
        t.closedUntil = closed
      },
    }),
  },
  {
    rule: 'folds.interrupted',
    fault: 'removes the hours, then adds the day',
    usageRules: pausingAt('folds'),
  },
  {
    rule: 'folds.interrupted',
    fault: 'adds the day, then removes the hours',
    usage: (t, good) => ({
      async purge(until) {
        const hours: Entry[] = t.entries.filter((entry) => GOOD_USAGE.isDue(entry, until.foldUntil))
        await good.purge(until)
        t.entries.push(...hours)
        await tick()
        t.entries = t.entries.filter((entry) => !hours.includes(entry))
      },
    }),
  },
]
