/**
 * Stores that are wrong about changes, about successors of a revoked token, and about counts of matched records.
 *
 * @module
 */
import { forKind } from './store-mutants-covers.js'
import { GOOD, type Rules } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

const arriving = (arrive: Rules['arrive']): Partial<Rules> => ({ arrive })

export const changeMutants: readonly Mutant[] = [
  {
    rule: 'changes.start',
    fault: 'returns everything when no cursor is given',
    methods: (_, good) => ({ changes: (after, limit) => good.changes(after ?? '0', limit) }),
  },
  {
    rule: 'changes.start',
    fault: 'starts from the beginning',
    methods: (_, good) => ({
      changes: async (after, limit) => ({
        ...(await good.changes(after, limit)),
        ...(after === null ? { cursor: '0' } : {}),
      }),
    }),
  },
  {
    rule: 'changes.kept',
    fault: 'leaves out a revocation that matched nothing',
    methods: ({ arrivals, matched }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        if (matched.get(revocation.id) === 0) arrivals.pop()
        return result
      },
    }),
  },
  {
    rule: 'changes.kept',
    fault: 'hands each change out once',
    methods: ({ arrivals }, good) => ({
      async changes(after, limit) {
        const page = await good.changes(after, limit)
        for (let i = Number(after ?? arrivals.length); i < Number(page.cursor); i++)
          arrivals[i] = ''
        return page
      },
    }),
  },
  {
    rule: 'changes.superseded',
    fault: 'knows revocations alone',
    methods: (_, good) => ({
      changes: async (after, limit) => ({ ...(await good.changes(after, limit)), superseded: [] }),
    }),
  },
  {
    rule: 'changes.superseded',
    fault: 'passes over a successor that sets no end',
    methods: ({ arrivals }, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        if (at === null) arrivals.pop()
        return result
      },
    }),
  },
  {
    rule: 'changes.superseded',
    fault: 'returns a record once, at its first change',
    rules: arriving((arrivals, id) => {
      if (!arrivals.includes(id)) arrivals.push(id)
    }),
  },
  {
    rule: 'changes.order',
    fault: 'goes by the id instead of the arrival',
    methods: ({ revocations, tokens }, good) => ({
      async changes(after, limit) {
        const page = await good.changes(after, limit)
        const newest = [...revocations.keys(), ...tokens.keys()].sort().at(-1) ?? ''
        if (after === null) return { ...page, cursor: newest }
        const later = [...revocations.values()].filter(({ id }) => id > after)
        const ended = [...tokens.values()].filter(
          (row) => row.id > after && row.supersededAt !== null,
        )
        return { revocations: later, superseded: ended, cursor: newest, more: false }
      },
    }),
  },
  {
    rule: 'changes.order',
    fault: 'goes by the time of the revocation',
    methods: ({ revocations }, good) => ({
      async changes(after, limit) {
        const page = await good.changes(after?.split(' ')[0] ?? null, limit)
        const since = Number(after?.split(' ')[1] ?? 0)
        const latest = Math.max(0, ...[...revocations.values()].map(({ at }) => at))
        const later = page.revocations.filter(({ at }) => at > since)
        return { ...page, revocations: later, cursor: `${page.cursor} ${latest}` }
      },
    }),
  },
  {
    rule: 'changes.pages',
    fault: 'never says that there is more',
    methods: (_, good) => ({
      changes: async (after, limit) => ({ ...(await good.changes(after, limit)), more: false }),
    }),
  },
  {
    rule: 'changes.pages',
    fault: 'ignores the limit',
    methods: (_, good) => ({ changes: (after) => good.changes(after, 1000) }),
  },
  {
    rule: 'changes.retry',
    fault: 'takes a repetition for a change',
    methods: ({ arrivals }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        arrivals.push(revocation.id)
        return result
      },
    }),
  },
  {
    rule: 'changes.purge',
    fault: 'forgets every change when it purges',
    methods: ({ arrivals }, good) => ({
      async purge(before) {
        arrivals.length = 0
        return await good.purge(before)
      },
    }),
  },
  {
    rule: 'changes.races',
    fault: 'numbers a change when it begins, and not when it is committed',
    methods: ({ arrivals }, good) => ({
      async revoke(revocation) {
        const place = arrivals.push('') - 1
        await tick()
        await tick()
        const result = await good.revoke(revocation)
        arrivals[place] = arrivals.pop() ?? ''
        return result
      },
    }),
  },
]

/** Reaches the generations from `first` on, by another rule. */
const from = (first: (generation: number) => number) =>
  forKind(
    'token',
    ({ value, family, generation }, row) =>
      row.id === value || (row.family === family && row.generation >= first(generation ?? 0)),
  )

export const successorMutants: readonly Mutant[] = [
  {
    rule: 'revocation.successors',
    fault: 'leaves the successors alive',
    rules: {
      covers: ({ family: _, ...revocation }, row) =>
        GOOD.covers({ ...revocation, family: null }, row),
    },
  },
  { rule: 'revocation.successors', fault: 'takes the whole family', rules: from(() => 0) },
  {
    rule: 'revocation.successors',
    fault: 'forgets the first of them',
    rules: from((generation) => generation + 1),
  },
  {
    rule: 'succession.kept-successors',
    fault: 'lets a token of an earlier generation be rotated into what is covered',
    rules: { bars: (revocation, predecessor) => GOOD.covers(revocation, predecessor) },
  },
  {
    rule: 'succession.kept-successors',
    fault: 'bars the generation before',
    rules: {
      bars: (revocation, predecessor, successor) =>
        GOOD.bars(revocation, predecessor, { ...successor, generation: successor.generation + 1 }),
    },
  },
  {
    rule: 'races.revoke-successors',
    fault: 'looks for a revocation before it waits, and then links',
    rules: { gap: (where) => (where === 'succeed' ? tick() : undefined) },
  },
  {
    rule: 'revocation.matched',
    fault: 'counts what is dead as well',
    rules: { isLive: ({ revokedAt }) => revokedAt === null },
  },
  {
    rule: 'revocation.matched',
    fault: 'counts none',
    methods: (_, good) => ({
      async revoke(revocation) {
        await good.revoke(revocation)
        return { matched: 0 }
      },
    }),
  },
  {
    rule: 'revocation.matched-retry',
    fault: 'counts anew in a repetition',
    methods: ({ matched, revocations }, good) => ({
      async revoke(revocation) {
        if (revocations.has(revocation.id)) matched.set(revocation.id, 0)
        return await good.revoke(revocation)
      },
    }),
  },
]
