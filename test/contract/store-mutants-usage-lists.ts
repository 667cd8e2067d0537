/**
 * Stores that are wrong about reading rows of usage.
 *
 * @module
 */
import type { Mutant } from './store-mutants-runner.js'
import { GOOD_USAGE } from './store-mutants-usage-base.js'
import { keeping, type Methods } from './store-mutants-usage-rows.js'

/** Stores every text of a row in another form. */
const keepingTexts = (change: (text: string) => string): Methods =>
  keeping(({ scopes, callers, refused, ...row }) => ({
    ...row,
    refused: Object.fromEntries(Object.entries(refused).map(([code, n]) => [change(code), n])),
    scopes: scopes.map((use) => ({ ...use, scope: change(use.scope) })),
    callers: callers.map((use) => ({ ...use, userAgent: change(use.userAgent) })),
  }))

export const usageListMutants: readonly Mutant[] = [
  { rule: 'counters.text', fault: 'trims', usage: keepingTexts((text) => text.trimEnd()) },
  { rule: 'counters.text', fault: 'normalises', usage: keepingTexts((text) => text.normalize()) },
  {
    rule: 'counters.text',
    fault: 'removes U+0000',
    usage: keepingTexts((text) => text.replaceAll('\0', '')),
  },
  {
    rule: 'counters.text',
    fault: 'replaces lone surrogates',
    usage: keepingTexts((text) => text.toWellFormed()),
  },
  {
    rule: 'counters.longest',
    fault: 'cuts user agents',
    usage: keepingTexts((text) => text.slice(0, 255)),
  },
  {
    rule: 'counters.longest',
    fault: 'rejects large rows',
    usage: (_, good) => ({
      async mergeRows(rows) {
        const largest = Math.max(...rows.map((row) => JSON.stringify(row.scopes).length))
        if (largest > 2 ** 14) throw new Error('data too long for column')
        return await good.mergeRows(rows)
      },
    }),
  },
  {
    rule: 'counters.ids',
    fault: 'takes a hundred ids',
    usage: (_, good) => ({
      listRows: ({ ids, since }, page) => good.listRows({ ids: ids.slice(0, 100), since }, page),
    }),
  },
  {
    rule: 'counters.ids',
    fault: 'an id in any case',
    usageRules: {
      isAsked: ({ id }, { ids }) => ids.some((asked) => asked.toUpperCase() === id),
    },
  },
  {
    rule: 'counters.ids',
    fault: 'rejects U+0000',
    usage: (_, good) => ({
      async listRows(query, page) {
        if (query.ids.some((id) => id.includes('\0'))) throw new Error('invalid byte sequence')
        return await good.listRows(query, page)
      },
    }),
  },
  {
    rule: 'counters.ids',
    fault: 'one missing id empties the page',
    usage: ({ entries }, good) => ({
      listRows: async (query, page) =>
        query.ids.every((id) => entries.some(({ row }) => row.id === id))
          ? await good.listRows(query, page)
          : [],
    }),
  },
  {
    rule: 'counters.ids',
    fault: 'returns the rows of an id given twice, twice',
    usage: (_, good) => ({
      async listRows(query, page) {
        const pages = query.ids.map((id) => good.listRows({ ...query, ids: [id] }, page))
        return (await Promise.all(pages)).flat().sort(GOOD_USAGE.compare)
      },
    }),
  },
  {
    rule: 'counters.since',
    fault: 'goes by the start of the hour',
    usageRules: { isSince: ({ row }, since) => row.from >= since },
  },
  {
    rule: 'counters.since',
    fault: 'returns what ends at the very time',
    usageRules: { isSince: ({ row, span }, since) => row.from + span >= since },
  },
  {
    rule: 'counters.since',
    fault: 'takes a day for an hour',
    usageRules: { isSince: ({ row }, since) => row.from + 3_600_000 > since },
  },
  {
    rule: 'counters.pages',
    fault: 'skips a row at the border of a page',
    usage: (_, good) => ({
      async listRows(query, page) {
        if (page.after === undefined) return await good.listRows(query, page)
        return (await good.listRows(query, { ...page, limit: page.limit + 1 })).slice(1)
      },
    }),
  },
  {
    rule: 'counters.pages',
    fault: 'goes on after the token',
    usageRules: { isAfter: (row, after) => row.id > after.id },
  },
  {
    rule: 'counters.pages',
    fault: 'forgets the life at the border of a page',
    usageRules: {
      isAfter: (row, after) => row.id > after.id || (row.id === after.id && row.from > after.from),
    },
  },
  {
    rule: 'counters.pages',
    fault: 'repeats the last row of a page',
    usageRules: {
      isAfter: (row, after) => !GOOD_USAGE.isAfter(after, row),
    },
  },
  {
    rule: 'counters.pages',
    fault: 'in the order of the times',
    usageRules: { compare: (a, b) => a.from - b.from || (a.id < b.id ? -1 : 1) },
  },
  {
    rule: 'counters.pages',
    fault: 'cuts before it sorts',
    usage: ({ entries }) => ({
      listRows: async ({ ids }, { after, limit }) =>
        entries
          .map(({ row }) => row)
          .filter((row) => ids.includes(row.id))
          .filter((row) => after === undefined || GOOD_USAGE.isAfter(row, after))
          .slice(0, limit)
          .sort(GOOD_USAGE.compare),
    }),
  },
  {
    rule: 'counters.after',
    fault: 'starts again after a row that is not there',
    usage: ({ entries }, good) => ({
      listRows: (query, { after, limit }) => {
        const isThere = entries.some(({ row }) => after && GOOD_USAGE.isSame(row, after))
        return good.listRows(query, isThere && after !== undefined ? { limit, after } : { limit })
      },
    }),
  },
  {
    rule: 'counters.stable',
    fault: 'counts rows instead of places',
    usage: (_, good) => {
      let offset = 0
      return {
        async listRows(query, { after, limit }) {
          if (after === undefined) offset = 0
          const rows = (await good.listRows(query, { limit: 9999 })).slice(offset, offset + limit)
          offset += rows.length
          return rows
        },
      }
    },
  },
]
