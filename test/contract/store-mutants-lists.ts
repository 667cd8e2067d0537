/**
 * Stores that are wrong about lists and limits.
 *
 * @module
 */
import type { TokenRecord } from '../../src/store/store.js'
import { GOOD, type Rules } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

/** Counts as a correct store does, except for one omitted condition. */
const countsBut = (over: Partial<TokenRecord>): Partial<Rules> => ({
  counts: (row, like, now) => GOOD.counts({ ...row, ...over }, like, now),
})

export const listMutants: readonly Mutant[] = [
  {
    rule: 'lists.filter',
    fault: 'only the first field counts',
    methods: (_, good) => ({
      listTokens: ({ liveAt: _, ...fields }, page) =>
        good.listTokens(Object.fromEntries(Object.entries(fields).slice(0, 1)), page),
    }),
  },
  {
    rule: 'lists.filter',
    fault: 'an empty text is no filter',
    methods: (_, good) => ({
      listTokens: ({ subject, ...rest }, page) =>
        good.listTokens(subject ? { subject, ...rest } : rest, page),
    }),
  },
  {
    rule: 'lists.live-at',
    fault: 'live at its expiry',
    rules: { isLive: (row, at) => GOOD.isLive({ ...row, expiresAt: row.expiresAt + 1 }, at) },
  },
  {
    rule: 'lists.live-at',
    fault: 'live when it is superseded',
    rules: {
      isLive: (row, at) =>
        GOOD.isLive({ ...row, supersededAt: row.supersededAt && row.supersededAt + 1 }, at),
    },
  },
  {
    rule: 'lists.live-at',
    fault: 'dead as soon as it has a successor',
    rules: { isLive: (row, at) => row.successor === null && GOOD.isLive(row, at) },
  },
  {
    rule: 'lists.superseded',
    fault: 'only those whose grace is over',
    rules: {
      isEnding: (row, at) => GOOD.isEnding(row, at) && (row.supersededAt ?? Infinity) <= at,
    },
  },
  {
    rule: 'lists.superseded',
    fault: 'those that expire now as well',
    rules: { isEnding: (row, at) => GOOD.isEnding(row, at - 1) },
  },
  { rule: 'lists.order', fault: 'in the order of insertion', rules: { compare: () => 0 } },
  {
    rule: 'lists.pages',
    fault: 'begins with the last of the page before',
    rules: { isAfter: (id, after) => id >= after },
  },
  {
    rule: 'lists.pages',
    fault: 'cuts the page before it filters',
    methods: (_, good) => ({
      async listTokens(filter, page) {
        const rows = await good.listTokens({}, page)
        const wanted = await good.listTokens(filter, { limit: 1000 })
        return rows.filter(({ id }) => wanted.some((row) => row.id === id))
      },
    }),
  },
  {
    rule: 'lists.after',
    fault: "in the locale's order",
    rules: { isAfter: (id, after) => id.localeCompare(after) > 0 },
  },
  {
    rule: 'lists.after',
    fault: 'looks for the row to go on from',
    methods: ({ tokens }, good) => ({
      listTokens: async (filter, { after, limit }) =>
        after === undefined || tokens.has(after)
          ? await good.listTokens(filter, { limit, ...(after === undefined ? {} : { after }) })
          : [],
    }),
  },
  {
    rule: 'lists.insertion',
    fault: 'pages by offset',
    methods: (_, good) => {
      let seen = 0
      return {
        async listTokens(filter, { after, limit }) {
          if (after === undefined) seen = 0
          const rows = await good.listTokens(filter, { limit: seen + limit })
          const page = rows.slice(seen)
          seen += page.length
          return page
        },
      }
    },
  },
]

export const limitMutants: readonly Mutant[] = [
  {
    rule: 'limits.exact',
    fault: 'one too many',
    rules: { isFull: (live, fresh, max) => live + fresh > max + 1 },
  },
  {
    rule: 'limits.exact',
    fault: 'one too few',
    rules: { isFull: (live, fresh, max) => live + fresh >= max },
  },
  {
    rule: 'limits.batch',
    fault: 'a batch counts as one',
    rules: { isFull: (live, _, max) => live + 1 > max },
  },
  {
    rule: 'limits.scope',
    fault: 'counts by subject alone',
    rules: { counts: (row, like, now) => GOOD.counts(row, { ...like, policy: row.policy }, now) },
  },
  {
    rule: 'limits.scope',
    fault: 'joins subject and policy to one text',
    rules: {
      counts: (row, like, now) =>
        row.subject + row.policy === like.subject + like.policy && GOOD.counts(row, row, now),
    },
  },
  {
    rule: 'limits.scope',
    fault: 'counts by audience too',
    rules: {
      counts: (row, like, now) => row.audience === like.audience && GOOD.counts(row, like, now),
    },
  },
  { rule: 'limits.expired', fault: 'counts expired', rules: countsBut({ expiresAt: Infinity }) },
  {
    rule: 'limits.expired',
    fault: 'counts a token that expires now',
    rules: { counts: (row, like, now) => GOOD.counts(row, like, now - 1) },
  },
  { rule: 'limits.revoked', fault: 'counts revoked', rules: countsBut({ revokedAt: null }) },
  { rule: 'limits.rotated', fault: 'counts rotated', rules: countsBut({ successor: null }) },
  {
    rule: 'limits.rotated',
    fault: 'counts no successors',
    rules: {
      counts: (row, like, now) => row.generation === 0 && GOOD.counts(row, like, now),
    },
  },
  {
    rule: 'limits.superseded',
    fault: 'does not count superseded',
    rules: {
      counts: (row, like, now) => row.supersededAt === null && GOOD.counts(row, like, now),
    },
  },
  {
    rule: 'limits.retry',
    fault: 'counts a retry as new',
    methods: ({ tokens }, good) => ({
      async insertTokens(records, limit) {
        const isFull = limit !== undefined && tokens.size + records.length > limit.max
        return isFull ? 'limit' : await good.insertTokens(records, limit)
      },
    }),
  },
]
