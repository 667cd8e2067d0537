/**
 * Stores that are wrong about the details of tokens, and about the filters, the order and the count of the inventory.
 *
 * @module
 */
import type { Store, TokenFilter } from '../../src/store/store.js'
import { GOOD } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

/** Applies another filter than the given one. */
const filtersBy =
  (change: (filter: TokenFilter) => TokenFilter) =>
  (_: unknown, good: Store): Partial<Store> => ({
    listTokens: (filter, page) => good.listTokens(change(filter), page),
    countTokens: (filter) => good.countTokens(change(filter)),
  })

export const inventoryMutants: readonly Mutant[] = [
  {
    rule: 'lists.owner',
    fault: 'ignores the owner',
    methods: filtersBy(({ owner: _, ...rest }) => rest),
  },
  {
    rule: 'lists.owner',
    fault: 'folds the case of the owner',
    rules: { text: (text) => text.toLowerCase() },
  },
  {
    rule: 'lists.owner',
    fault: 'an empty owner finds the tokens without one',
    methods: ({ tokens }, good) => ({
      listTokens: async (filter, page) =>
        filter.owner === ''
          ? [...tokens.values()].filter(({ owner }) => owner === null)
          : good.listTokens(filter, page),
    }),
  },
  {
    rule: 'lists.issuer',
    fault: 'ignores the issuer',
    methods: filtersBy(({ issuedBy: _, ...rest }) => rest),
  },
  {
    rule: 'lists.issuer',
    fault: 'compares the issuer with the owner',
    methods: filtersBy(({ issuedBy, ...rest }) =>
      issuedBy === undefined ? rest : { ...rest, owner: issuedBy },
    ),
  },
  {
    rule: 'lists.revoked',
    fault: 'ignores the filter for revoked tokens',
    methods: filtersBy(({ revoked: _, ...rest }) => rest),
  },
  {
    rule: 'lists.revoked',
    fault: 'takes false for no filter',
    methods: filtersBy(({ revoked, ...rest }) => (revoked ? { ...rest, revoked } : rest)),
  },
  {
    rule: 'lists.revoked',
    fault: 'a time of 0 is no revocation',
    rules: { isMarked: ({ revokedAt }) => Boolean(revokedAt) },
  },
  {
    rule: 'lists.expires-before',
    fault: 'ignores the expiry',
    methods: filtersBy(({ expiresBefore: _, ...rest }) => rest),
  },
  {
    rule: 'lists.expires-before',
    fault: 'includes those that expire at that time',
    rules: { expiresBefore: ({ expiresAt }, at) => expiresAt <= at },
  },
  {
    rule: 'lists.unused',
    fault: 'ignores the filter for unused tokens',
    methods: filtersBy(({ unusedBefore: _, ...rest }) => rest),
  },
  {
    rule: 'lists.unused',
    fault: 'finds only tokens that were never used',
    rules: { isUnused: (row, before) => row.lastUsedAt === null && GOOD.isUnused(row, before) },
  },
  {
    rule: 'lists.unused',
    fault: 'finds no token that was never used',
    rules: { isUnused: (row, before) => row.lastUsedAt !== null && GOOD.isUnused(row, before) },
  },
  {
    rule: 'lists.unused',
    fault: 'finds tokens that were issued later',
    rules: { isUnused: ({ lastUsedAt }, before) => (lastUsedAt ?? 0) < before },
  },
  {
    rule: 'lists.unused',
    fault: 'finds tokens that were used at the very time',
    rules: {
      isUnused: ({ issuedAt, lastUsedAt }, before) =>
        issuedAt < before && (lastUsedAt ?? 0) <= before,
    },
  },
  {
    rule: 'lists.unused',
    fault: 'finds tokens that were issued at the very time',
    rules: {
      isUnused: ({ issuedAt, lastUsedAt }, before) =>
        issuedAt <= before && (lastUsedAt ?? 0) < before,
    },
  },
  {
    rule: 'lists.newest',
    fault: 'ignores the order',
    methods: (_, good) => ({
      listTokens: (filter, { order: _, ...page }) => good.listTokens(filter, page),
    }),
  },
  {
    rule: 'lists.newest',
    fault: 'reverses the first page in place of the list',
    methods: (_, good) => ({
      async listTokens(filter, { order, ...page }) {
        const rows = [...(await good.listTokens(filter, page))]
        return order === 'newest' ? rows.reverse() : rows
      },
    }),
  },
  {
    rule: 'lists.newest-after',
    fault: 'continues to newer tokens',
    methods: (_, good) => ({
      async listTokens(filter, { after, ...page }) {
        const rows = await good.listTokens(filter, page)
        return after === undefined ? rows : rows.filter(({ id }) => id > after)
      },
    }),
  },
  {
    rule: 'lists.newest-after',
    fault: 'begins with the last of the page before',
    rules: { isAfter: (id, after) => id >= after },
  },
  {
    rule: 'lists.count',
    fault: 'counts one too many',
    methods: (_, good) => ({ countTokens: async (filter) => (await good.countTokens(filter)) + 1 }),
  },
  {
    rule: 'lists.count',
    fault: 'counts the first thousand',
    methods: (_, good) => ({
      countTokens: async (filter) => (await good.listTokens(filter, { limit: 1000 })).length,
    }),
  },
  {
    rule: 'lists.count',
    fault: 'counts every token and ignores the filter',
    methods: (_, good) => ({ countTokens: () => good.countTokens({}) }),
  },
]

export const detailMutants: readonly Mutant[] = [
  {
    rule: 'details.round-trip',
    fault: 'stores an empty hint for none',
    rules: { give: (row) => ({ ...structuredClone(row), hint: 'hint' in (row as object) && '' }) },
  },
  {
    rule: 'details.round-trip',
    fault: 'cuts the purpose',
    rules: {
      take: (row) => {
        const copy = structuredClone(row) as { purpose?: string | null }
        if (typeof copy.purpose === 'string') copy.purpose = copy.purpose.slice(0, 255)
        return copy as typeof row
      },
    },
  },
  {
    rule: 'details.update',
    fault: 'does not compare',
    rules: { expects: () => true },
  },
  {
    rule: 'details.update',
    fault: 'loses the update',
    methods: ({ tokens }) => ({
      updateDetails: async (id, expected) => tokens.get(id)?.detailsTag === expected,
    }),
  },
  {
    rule: 'details.update',
    fault: 'keeps the old tag',
    methods: ({ tokens }, good) => ({
      updateDetails: (id, expected, next) =>
        good.updateDetails(id, expected, {
          ...next,
          detailsTag: tokens.get(id)?.detailsTag ?? '',
        }),
    }),
  },
  {
    rule: 'details.update',
    fault: 'null leaves a detail as it is',
    methods: ({ tokens }, good) => ({
      updateDetails: (id, expected, next) =>
        good.updateDetails(id, expected, {
          ...next,
          purpose: next.purpose ?? tokens.get(id)?.purpose ?? null,
        }),
    }),
  },
  {
    rule: 'details.update',
    fault: 'updates the family',
    methods: ({ tokens }, good) => ({
      async updateDetails(id, expected, next) {
        const isDone = await good.updateDetails(id, expected, next)
        if (isDone) for (const row of tokens.values()) Object.assign(row, next)
        return isDone
      },
    }),
  },
  {
    rule: 'details.update-other',
    fault: 'replaces the tag of the immutable fields',
    methods: ({ tokens }, good) => ({
      async updateDetails(id, expected, next) {
        const isDone = await good.updateDetails(id, expected, next)
        if (isDone) Object.assign(tokens.get(id) ?? {}, { tag: next.detailsTag })
        return isDone
      },
    }),
  },
  {
    rule: 'details.update-other',
    fault: 'refuses a revoked token',
    rules: {
      expects: (row, expected) => row.revokedAt === null && GOOD.expects(row, expected),
    },
  },
  {
    rule: 'details.update-missing',
    fault: 'reports an update of a missing row',
    methods: ({ tokens }, good) => ({
      updateDetails: async (id, expected, next) =>
        !tokens.has(id) || (await good.updateDetails(id, expected, next)),
    }),
  },
  {
    rule: 'details.lists',
    fault: 'lists by the owner at issue',
    methods: ({ tokens }, good) => {
      const owners = new Map<string, string | null>()
      return {
        async insertTokens(records, limit) {
          for (const { id, owner } of records) owners.set(id, owner)
          return good.insertTokens(records, limit)
        },
        listTokens: async (filter, page) =>
          filter.owner === undefined
            ? good.listTokens(filter, page)
            : [...tokens.values()].filter(({ id }) => owners.get(id) === filter.owner),
      }
    },
  },
  {
    rule: 'details.succession',
    fault: 'links a successor with other details',
    rules: { inherits: () => true },
  },
  {
    rule: 'details.succession',
    fault: 'does not compare the hint',
    rules: { inherits: (a, b) => GOOD.inherits(a, { ...b, hint: a.hint }) },
  },
  {
    rule: 'details.succession',
    fault: 'reports changed details before a successor',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const row = tokens.get(id)
        return row !== undefined && !GOOD.inherits(row, successor)
          ? { outcome: 'changed', predecessor: structuredClone(row) }
          : good.succeed(id, successor, at)
      },
    }),
  },
  {
    rule: 'races.details',
    fault: 'compares and sets in two steps',
    rules: { gap: (where) => (where === 'details' ? Promise.resolve() : undefined) },
  },
]
