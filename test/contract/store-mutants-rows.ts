/**
 * Stores that are wrong about keys, use and purging.
 *
 * @module
 */
import type { TokenRecord } from '../../src/store/store.js'
import type { Row } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

export const keyMutants: readonly Mutant[] = [
  {
    rule: 'keys.round-trip',
    fault: 'lists only keys that are not revoked',
    methods: (_, good) => ({
      listKeys: async () => (await good.listKeys()).filter(({ revokedAt }) => revokedAt === null),
    }),
  },
  {
    rule: 'keys.copies',
    fault: 'lists its own rows',
    methods: ({ keys }, good) => ({
      listKeys: async () => ((await good.listKeys()).length > 0 ? [...keys.values()] : []),
    }),
  },
  {
    rule: 'keys.unique',
    fault: 'the last writer wins a generation',
    methods: ({ keys }, good) => ({
      async insertKey(record) {
        const { audience, generation } = record
        for (const row of keys.values()) {
          if (row.audience === audience && row.generation === generation) keys.delete(row.id)
        }
        return await good.insertKey(record)
      },
    }),
  },
  {
    rule: 'keys.unique',
    fault: 'generations count across audiences',
    rules: { text: () => '' },
  },
  {
    rule: 'keys.unique-id',
    fault: 'the last writer wins an id',
    methods: ({ keys }, good) => ({
      insertKey(record) {
        keys.delete(record.id)
        return good.insertKey(record)
      },
    }),
  },
  {
    rule: 'keys.rewrap',
    fault: 'does not compare',
    methods: ({ keys }, good) => ({
      rewrapKey: (id, _, next) => good.rewrapKey(id, keys.get(id)?.wrapped ?? '', next),
    }),
  },
  {
    rule: 'keys.rewrap',
    fault: 'keeps the id of the old root key',
    methods: ({ keys }, good) => ({
      rewrapKey: (id, expected, { wrapped }) =>
        good.rewrapKey(id, expected, { wrapped, wrappedBy: keys.get(id)?.wrappedBy ?? '' }),
    }),
  },
  {
    rule: 'keys.rewrap-missing',
    fault: 'a rewrap brings a revoked key back',
    methods: ({ keys }, good) => ({
      async rewrapKey(id, expected, next) {
        const key = keys.get(id)
        if (key?.wrapped === expected) key.revokedAt = null
        return await good.rewrapKey(id, expected, next)
      },
    }),
  },
]

export const usageMutants: readonly Mutant[] = [
  { rule: 'usage.forward', fault: 'moves back', rules: { later: (_, at) => at } },
  { rule: 'usage.forward', fault: 'keeps the first', rules: { later: (is, at) => is ?? at } },
  {
    rule: 'usage.missing',
    fault: 'one missing row fails the call',
    methods: ({ tokens }, good) => ({
      async recordUsage(usages) {
        if (usages.some(({ id }) => !tokens.has(id))) throw new Error('no such row')
        await good.recordUsage(usages)
      },
    }),
  },
  {
    rule: 'usage.missing',
    fault: 'writes a row that is not there',
    methods: ({ tokens }, good) => ({
      async recordUsage(usages) {
        for (const { id } of usages) if (!tokens.has(id)) tokens.set(id, { id } as Row)
        await good.recordUsage(usages)
      },
    }),
  },
  {
    rule: 'usage.many',
    fault: 'writes one time for the whole call',
    methods: (_, good) => ({
      async recordUsage(usages) {
        const at = Math.max(...usages.map((report) => report.at))
        await good.recordUsage(usages.map(({ id }) => ({ id, at })))
      },
    }),
  },
  {
    rule: 'usage.repeated',
    fault: 'the last report of a call counts',
    methods: (_, good) => ({
      async recordUsage(usages) {
        const last = new Map(usages.map(({ id, at }) => [id, at]))
        await good.recordUsage([...last].map(([id, at]) => ({ id, at })))
      },
    }),
  },
]

export const purgeMutants: readonly Mutant[] = [
  {
    rule: 'purge.boundary',
    fault: 'keeps what expires at the very time',
    rules: { isPast: (expiresAt, upTo) => expiresAt < upTo },
  },
  {
    rule: 'purge.boundary',
    fault: 'drops what expires a millisecond later',
    rules: { isPast: (expiresAt, upTo) => expiresAt <= upTo + 1 },
  },
  {
    rule: 'purge.boundary',
    fault: 'one time for every kind',
    methods: (_, good) => ({
      purge: ({ tokens }) => good.purge({ tokens, keys: tokens, revocations: tokens }),
    }),
  },
  {
    rule: 'purge.boundary',
    fault: 'counts what is left',
    methods: ({ tokens }, good) => ({
      purge: async (before) => ({ ...(await good.purge(before)), tokens: tokens.size }),
    }),
  },
  {
    rule: 'purge.tokens',
    fault: 'a list still knows purged tokens',
    methods: ({ tokens }, good) => {
      const gone: TokenRecord[] = []
      return {
        async purge(before) {
          for (const row of tokens.values()) if (row.expiresAt <= before.tokens) gone.push(row)
          return await good.purge(before)
        },
        async listTokens(filter, page) {
          return [...gone, ...(await good.listTokens(filter, page))]
        },
      }
    },
  },
  {
    rule: 'purge.tokens',
    fault: 'a late report of use brings a purged token back',
    methods: ({ tokens }, good) => ({
      async recordUsage(usages) {
        for (const { id } of usages) if (!tokens.has(id)) tokens.set(id, { id } as Row)
        await good.recordUsage(usages)
      },
    }),
  },
  {
    rule: 'purge.revocations',
    fault: 'what a purged revocation marked lives again',
    methods: ({ tokens }, good) => ({
      async purge(before) {
        const purged = await good.purge(before)
        const mark = { revokedAt: null, revokedBy: null, revokedReason: null }
        if (purged.revocations > 0) for (const row of tokens.values()) Object.assign(row, mark)
        return purged
      },
    }),
  },
  {
    rule: 'purge.revocations',
    fault: 'a purged revocation goes on covering',
    methods: ({ revocations }, good) => {
      const subjects = new Set<string>()
      return {
        async purge(before) {
          for (const { value } of revocations.values()) subjects.add(value)
          return await good.purge(before)
        },
        succeed: async (id, successor, at) =>
          subjects.has(successor.subject)
            ? { outcome: 'revoked' }
            : await good.succeed(id, successor, at),
      }
    },
  },
  {
    rule: 'purge.keys',
    fault: 'a purged key keeps its generation',
    methods: (_, good) => {
      const taken = new Set<string>()
      return {
        async insertKey(record) {
          const pair = `${record.generation}:${record.audience}`
          if (taken.has(pair)) return false
          taken.add(pair)
          return await good.insertKey(record)
        },
      }
    },
  },
  {
    rule: 'purge.keys',
    fault: 'takes the tokens of a purged key along',
    methods: ({ tokens }, good) => ({
      async purge(before) {
        const purged = await good.purge(before)
        if (purged.keys > 0) tokens.clear()
        return purged
      },
    }),
  },
]
