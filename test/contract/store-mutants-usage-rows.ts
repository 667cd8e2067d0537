/**
 * Stores that are wrong about rows of usage.
 *
 * @module
 */
import type { UsageRow } from '../../src/store/usage.js'
import type { Mutant } from './store-mutants-runner.js'
import { type Entry, GOOD_USAGE, total, type UsageRules } from './store-mutants-usage-base.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Lets other calls run between two steps. */
export const pausingAt = (where: Parameters<UsageRules['pause']>[0]): Partial<UsageRules> => ({
  pause: (here) => (here === where ? tick() : undefined),
})

export type Methods = NonNullable<Mutant['usage']>

/** Stores rows in another form. */
export const keeping =
  (change: (row: UsageRow) => UsageRow): Methods =>
  (_, good) => ({ mergeRows: (rows) => good.mergeRows(rows.map(change)) })

export const placeOf = ({ id, from, life }: UsageRow) => JSON.stringify([id, from, life])

export const usageRowMutants: readonly Mutant[] = [
  {
    rule: 'counters.exact',
    fault: 'a zero is none',
    usage: keeping((row) => ({ ...row, firstUsedAt: row.firstUsedAt || null })),
  },
  {
    rule: 'counters.exact',
    fault: 'drops the codes with a count of zero',
    usage: keeping((row) => ({
      ...row,
      refused: Object.fromEntries(Object.entries(row.refused).filter(([, count]) => count > 0)),
    })),
  },
  {
    rule: 'counters.exact',
    fault: 'sorts the scopes',
    usage: keeping((row) => ({
      ...row,
      scopes: [...row.scopes].sort((a, b) => (a.scope < b.scope ? -1 : 1)),
    })),
  },
  {
    rule: 'counters.exact',
    fault: 'assigns a code to an object',
    usage: keeping((row) => {
      const refused: Record<string, number> = {}
      for (const [code, count] of Object.entries(row.refused)) refused[code] = count
      return { ...row, refused }
    }),
  },
  {
    rule: 'counters.exact',
    fault: 'rounds large counts',
    usage: keeping((row) => ({ ...row, others: Number(row.others.toPrecision(14)) })),
  },
  { rule: 'counters.copies', fault: 'keeps what it was given', usageRules: { copy: (row) => row } },
  {
    rule: 'counters.copies',
    fault: 'returns its own rows',
    usage: ({ entries }, good) => ({
      listRows: async (query, page) =>
        (await good.listRows(query, page)).map((row) => entries[0]?.row ?? row),
    }),
  },
  { rule: 'counters.larger', fault: 'the last write wins', usageRules: { replaces: () => true } },
  {
    rule: 'counters.larger',
    fault: 'keeps the first of two with as many requests',
    usageRules: { replaces: (next, stored) => total(next) > total(stored) },
  },
  {
    rule: 'counters.larger',
    fault: 'compares accepted requests only',
    usageRules: { replaces: (next, stored) => next.requests >= stored.requests },
  },
  {
    rule: 'counters.larger',
    fault: 'compares counts as text',
    usageRules: { replaces: (next, stored) => String(total(next)) >= String(total(stored)) },
  },
  {
    rule: 'counters.larger',
    fault: 'the larger of each count wins',
    usage: ({ entries }, good) => ({
      async mergeRows(rows) {
        const merged = rows.map((row) => {
          const stored = entries.find((entry) => GOOD_USAGE.isSame(entry.row, row))?.row
          return { ...row, requests: Math.max(row.requests, stored?.requests ?? 0) }
        })
        return await good.mergeRows(merged)
      },
    }),
  },
  {
    rule: 'counters.retry',
    fault: 'adds a repeated write',
    usage: ({ entries }, good) => ({
      async mergeRows(rows) {
        const summed = rows.map((row) => {
          const stored = entries.find((entry) => GOOD_USAGE.isSame(entry.row, row))?.row
          return { ...row, requests: row.requests + (stored?.requests ?? 0) }
        })
        return await good.mergeRows(summed)
      },
    }),
  },
  {
    rule: 'counters.retry',
    fault: 'inserts another row',
    usageRules: { isSame: () => false },
  },
  {
    rule: 'counters.order',
    fault: 'keeps the first write',
    usageRules: { replaces: () => false },
  },
  {
    rule: 'counters.batch',
    fault: 'takes no more than five hundred',
    usage: (_, good) => ({ mergeRows: (rows) => good.mergeRows(rows.slice(0, 500)) }),
  },
  {
    rule: 'counters.batch',
    fault: 'rejects two rows for one key',
    usage: (_, good) => ({
      async mergeRows(rows) {
        if (new Set(rows.map(placeOf)).size < rows.length)
          throw new Error('cannot affect row twice')
        return await good.mergeRows(rows)
      },
    }),
  },
  {
    rule: 'counters.batch',
    fault: 'the last row of a call counts for its key',
    usage: (_, good) => ({
      mergeRows: (rows) =>
        good.mergeRows([...new Map(rows.map((row) => [placeOf(row), row])).values()]),
    }),
  },
  {
    rule: 'counters.keys',
    fault: 'forgets the life',
    usageRules: { isSame: (a, b) => a.id === b.id && a.from === b.from },
  },
  {
    rule: 'counters.keys',
    fault: 'forgets the token',
    usageRules: { isSame: (a, b) => a.life === b.life && a.from === b.from },
  },
  {
    rule: 'counters.keys',
    fault: 'forgets the day',
    usageRules: {
      isSame: (a, b) =>
        a.id === b.id && a.life === b.life && a.from % 86_400_000 === b.from % 86_400_000,
    },
  },
  {
    rule: 'counters.separate',
    fault: 'the purge of records takes the usage along',
    methods: ({ usage }, good) => ({
      async purge(before) {
        const purged = await good.purge(before)
        if (purged.tokens > 0) usage.entries.length = 0
        return purged
      },
    }),
  },
  {
    rule: 'counters.separate',
    fault: 'skips rows of a token without a record',
    methods: ({ tokens }, good) => ({
      ...(good.usage && {
        usage: {
          ...good.usage,
          listRows: async (query, page) =>
            ((await good.usage?.listRows(query, page)) ?? []).filter(({ id }) => tokens.has(id)),
        },
      }),
    }),
  },
  {
    rule: 'counters.durable',
    fault: 'keeps usage in the process',
    methods: ({ usage }, good) => ({
      supports: { durable: true },
      async close() {
        await good.close()
        usage.entries.length = 0
      },
    }),
  },
  {
    rule: 'counters.durable',
    fault: 'forgets what it folded',
    methods: ({ usage }, good) => ({
      supports: { durable: true },
      async close() {
        await good.close()
        usage.closedUntil = 0
      },
    }),
  },
  {
    rule: 'counters.closed',
    fault: 'lists after close',
    usage: (t) => ({ listLives: async () => [...t.lives.values()] }),
  },
  {
    rule: 'counters.closed',
    fault: 'throws',
    usage: (_, good) => ({
      purge(until) {
        if (until.removeUntil === 0) throw new Error('nothing to remove')
        return good.purge(until)
      },
    }),
  },
  {
    rule: 'counters.closed',
    fault: 'is not asynchronous',
    usage: (_, good) => ({
      mergeLife(life) {
        void good.mergeLife(life).catch(() => undefined)
        return undefined as never
      },
    }),
  },
  { rule: 'counters.races', fault: 'looks, then inserts', usageRules: pausingAt('row') },
  {
    rule: 'counters.races',
    fault: 'loses a merge: compares, then writes',
    usage: (t, good) => ({
      async mergeRows(rows) {
        const fresh = rows.filter((row) => {
          const stored = t.entries.find((entry) => GOOD_USAGE.isSame(entry.row, row))?.row
          return stored === undefined || GOOD_USAGE.replaces(row, stored)
        })
        await tick()
        const isReplaced = (entry: Entry) => fresh.some((row) => GOOD_USAGE.isSame(entry.row, row))
        t.entries = t.entries.filter((entry) => !isReplaced(entry))
        return await good.mergeRows(fresh)
      },
    }),
  },
  { rule: 'counters.whole', fault: 'merges row by row', usageRules: pausingAt('rows') },
]
