/**
 * A correct part that keeps restrictions over the plain store, and stores that are wrong about it.
 *
 * @module
 */
import {
  compareTargets,
  type RestrictionRecord,
  type RestrictionStore,
  sameRestriction,
} from '../../src/store/restrictions.js'
import type { Changes, Store } from '../../src/store/store.js'
import type { Tables } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

const keyOf = ({ kind, value }: Pick<RestrictionRecord, 'kind' | 'value'>) => `${kind}:${value}`

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** The store with registers, which are among its changes. */
export function withRestrictions(good: Store, tables: Tables): Store {
  const { registers, arrivals, audit } = tables
  return {
    ...good,
    async changes(after, limit) {
      const page = await good.changes(after, limit)
      const from = after === null ? arrivals.length : Number(after)
      const keys = arrivals.slice(from, Number(page.cursor))
      return { ...page, restrictions: keys.flatMap((key) => copyOf(registers.get(key)) ?? []) }
    },
    restrictions: {
      async read(target) {
        await good.open()
        return copyOf(registers.get(keyOf(target)))
      },
      async write(next, rows = []) {
        await good.open()
        const current = copyOf(registers.get(keyOf(next)))
        if (current !== undefined && sameRestriction(current, next)) return { outcome: 'written' }
        if ((current?.revision ?? 0) !== next.revision - 1) return { outcome: 'changed', current }
        registers.set(keyOf(next), { ...next })
        arrivals.push(keyOf(next))
        audit.write(rows)
        return { outcome: 'written' }
      },
      async list({ after, limit }) {
        await good.open()
        const rest = [...registers.values()].filter(
          (row) => after === undefined || compareTargets(row, after) > 0,
        )
        return rest.sort(compareTargets).slice(0, limit)
      },
      async purge(until) {
        await good.open()
        const past = [...registers.values()].filter(({ expiresAt }) => expiresAt <= until)
        for (const row of past) registers.delete(keyOf(row))
        return past.length
      },
    },
  }
}

function copyOf(row: RestrictionRecord | undefined): RestrictionRecord | undefined {
  return row === undefined ? undefined : { ...row }
}

type Change = (
  good: RestrictionStore,
  tables: Tables,
) => Partial<{ [Method in keyof RestrictionStore]: RestrictionStore[Method] }>

const part =
  (change: Change): NonNullable<Mutant['methods']> =>
  (tables, store) => {
    const good = store.restrictions as RestrictionStore
    return { restrictions: { ...good, ...change(good, tables) } }
  }

const changing =
  (
    change: (page: Changes, after: string | null) => Partial<Changes>,
  ): NonNullable<Mutant['methods']> =>
  (_, good) => ({
    async changes(after, limit) {
      const page = await good.changes(after, limit)
      return { ...page, ...change(page, after) }
    },
  })

/** Overwrites the stored row unconditionally. */
const force = async (good: RestrictionStore, next: RestrictionRecord) => {
  const stored = await good.read(next)
  return good.write({ ...next, revision: (stored?.revision ?? 0) + 1 })
}

export const restrictionMutants: readonly Mutant[] = [
  {
    rule: 'registers.write',
    fault: 'loses the generation',
    methods: part((good) => ({
      write: (next, rows) => good.write({ ...next, generation: null }, rows),
    })),
  },
  {
    rule: 'registers.write',
    fault: 'takes registers of two kinds for one',
    methods: part((good) => ({
      read: async ({ kind, value }) =>
        (await good.read({ kind, value })) ?? (await good.read({ kind: 'family', value })),
    })),
  },
  {
    rule: 'registers.compare',
    fault: 'lost compare: writes any revision',
    methods: part((_, { registers, arrivals }) => ({
      async write(next) {
        registers.set(keyOf(next), { ...next })
        arrivals.push(keyOf(next))
        return { outcome: 'written' }
      },
    })),
  },
  {
    rule: 'registers.compare',
    fault: 'compares that the revision is higher, not the next',
    methods: part((good, { registers }) => ({
      async write(next, rows) {
        const stored = registers.get(keyOf(next))
        if (stored === undefined || next.revision <= stored.revision) return good.write(next, rows)
        registers.set(keyOf(next), { ...next })
        return { outcome: 'written' }
      },
    })),
  },
  {
    rule: 'registers.compare',
    fault: 'does not return the current state',
    methods: part((good) => ({
      async write(next, rows) {
        const result = await good.write(next, rows)
        return result.outcome === 'written' ? result : { outcome: 'changed', current: undefined }
      },
    })),
  },
  {
    rule: 'registers.retry',
    fault: 'refuses a repetition',
    methods: part((good, { registers }) => ({
      async write(next, rows) {
        const current = copyOf(registers.get(keyOf(next)))
        return current?.revision === next.revision
          ? { outcome: 'changed', current }
          : good.write(next, rows)
      },
    })),
  },
  {
    rule: 'registers.retry',
    fault: 'takes every write of the same state for a repetition',
    methods: part((good, { registers }) => ({
      async write(next, rows) {
        const current = registers.get(keyOf(next))
        const isSame = current?.revision === next.revision && current.state === next.state
        return isSame ? { outcome: 'written' } : good.write(next, rows)
      },
    })),
  },
  {
    rule: 'registers.audit-with',
    fault: 'a change without its row',
    methods: part((good) => ({ write: (next) => good.write(next) })),
  },
  {
    rule: 'registers.audit-only',
    fault: 'a row without a change',
    methods: part((good, { audit }) => ({
      write: (next, rows) => {
        audit.write(rows)
        return good.write(next)
      },
    })),
  },
  {
    rule: 'registers.audit-only',
    fault: 'writes the rows of a repetition again',
    methods: part((good, { audit }) => ({
      async write(next, rows) {
        const result = await good.write(next, rows)
        if (result.outcome === 'written') audit.write(rows)
        return result
      },
    })),
  },
  {
    rule: 'registers.races',
    fault: 'lost update: compares before it waits',
    methods: part((good) => ({
      async write(next, rows) {
        const stored = await good.read(next)
        if ((stored?.revision ?? 0) !== next.revision - 1) return good.write(next, rows)
        await tick()
        return force(good, next)
      },
    })),
  },
  {
    rule: 'registers.race-retry',
    fault: 'refuses a repetition that is still being written',
    methods: part((good, { registers }) => ({
      async write(next, rows) {
        const first = registers.get(keyOf(next))
        await tick()
        const current = copyOf(registers.get(keyOf(next)))
        if (current?.revision !== first?.revision) return { outcome: 'changed', current }
        return good.write(next, rows)
      },
    })),
  },
  {
    rule: 'registers.text',
    fault: 'folds case',
    methods: part((good) => ({
      write: (next, rows) => good.write({ ...next, value: next.value.toLowerCase() }, rows),
    })),
  },
  {
    rule: 'registers.text',
    fault: 'trims reasons',
    methods: part((good) => ({
      write: (next, rows) => good.write({ ...next, reason: next.reason?.trim() ?? null }, rows),
    })),
  },
  {
    rule: 'registers.state',
    fault: 'cuts a long state',
    methods: part((good) => ({
      write: (next, rows) => good.write({ ...next, state: next.state.slice(0, 16_383) }, rows),
    })),
  },
  {
    rule: 'registers.list',
    fault: 'list out of order: by code units',
    methods: part((_, { registers }) => ({
      async list({ after, limit }) {
        const rows = [...registers.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
        const rest = rows.filter((row) => after === undefined || keyOf(row) > keyOf(after))
        return rest.slice(0, limit)
      },
    })),
  },
  {
    rule: 'registers.list',
    fault: 'compares the first 300 characters alone',
    methods: part((good) => ({
      list: ({ after, limit }) =>
        good.list(
          after === undefined
            ? { limit }
            : { limit, after: { ...after, value: `${after.value.slice(0, 300)}` } },
        ),
    })),
  },
  {
    rule: 'registers.list',
    fault: 'leaves out lifted registers',
    methods: part((good) => ({
      list: async (page) => (await good.list(page)).filter(({ state }) => state !== '{}'),
    })),
  },
  {
    rule: 'registers.purge',
    fault: 'purge removing too much',
    methods: part((good) => ({ purge: (until) => good.purge(until + 1) })),
  },
  {
    rule: 'registers.purge',
    fault: 'goes by the expiry of the first revision',
    methods: part((good, { registers }) => ({
      async write(next, rows) {
        const expiresAt = registers.get(keyOf(next))?.expiresAt ?? next.expiresAt
        return await good.write({ ...next, expiresAt }, rows)
      },
    })),
  },
  {
    rule: 'registers.purge-apart',
    fault: 'removes revocations with registers',
    methods: part((good, { revocations }) => ({
      purge: (until) => {
        revocations.clear()
        return good.purge(until)
      },
    })),
  },
  {
    rule: 'registers.purge-apart',
    fault: 'removes registers with revocations',
    methods: (_, good) => ({
      async purge(before) {
        await good.restrictions?.purge(before.revocations)
        return good.purge(before)
      },
    }),
  },
  {
    rule: 'registers.changes',
    fault: 'change not in changes: only the first revision',
    methods: part((good, { arrivals }) => ({
      async write(next, rows) {
        const result = await good.write(next, rows)
        if (next.revision > 1 && arrivals.at(-1) === keyOf(next)) arrivals.pop()
        return result
      },
    })),
  },
  {
    rule: 'registers.changes',
    fault: 'takes a repetition for a change',
    methods: part((good, { arrivals }) => ({
      async write(next, rows) {
        arrivals.push(keyOf(next))
        return await good.write(next, rows)
      },
    })),
  },
  {
    rule: 'registers.changes-pages',
    fault: 'does not count registers against the limit',
    methods: (_, good) => ({
      async changes(after, limit) {
        const page = await good.changes(after, limit)
        const { restrictions = [] } = await good.changes(after, 1000)
        return { ...page, restrictions }
      },
    }),
  },
  {
    rule: 'registers.changes-pages',
    fault: 'returns no register of a page with other items',
    methods: changing(({ revocations, restrictions = [] }) => ({
      restrictions: revocations.length > 0 ? [] : restrictions,
    })),
  },
  {
    rule: 'registers.changes-purge',
    fault: 'returns what was purged',
    methods: part((good, { registers }) => ({
      async purge(until) {
        const past = [...registers.values()].filter(({ expiresAt }) => expiresAt <= until)
        await good.purge(until)
        for (const row of past) registers.set(keyOf(row), { ...row, state: '{}' })
        return past.length
      },
    })),
  },
  {
    rule: 'registers.changes-races',
    fault: 'numbers a change when it begins, and not when it is committed',
    methods: part((good, { arrivals }) => ({
      async write(next, rows) {
        const place = arrivals.push('') - 1
        await tick()
        await tick()
        const result = await good.write(next, rows)
        arrivals[place] = arrivals.pop() ?? ''
        return result
      },
    })),
  },
]
