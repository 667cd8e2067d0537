/**
 * Stores that are wrong about the lives of processes that count.
 *
 * @module
 */
import type { Mutant } from './store-mutants-runner.js'
import { GOOD_USAGE, type UsageRules } from './store-mutants-usage-base.js'
import { pausingAt } from './store-mutants-usage-rows.js'

const reporting = (report: UsageRules['report']): Partial<UsageRules> => ({ report })

export const lifeMutants: readonly Mutant[] = [
  {
    rule: 'lives.exact',
    fault: 'folds the case of nodes',
    usage: (_, good) => ({
      mergeLife: (life) => good.mergeLife({ ...life, node: life.node.toLowerCase() }),
    }),
  },
  {
    rule: 'lives.exact',
    fault: 'does not keep gaps',
    usage: (_, good) => ({ mergeLife: (life) => good.mergeLife({ ...life, gaps: [] }) }),
  },
  {
    rule: 'lives.exact',
    fault: 'keeps 63 gaps',
    usage: (_, good) => ({
      mergeLife: (life) => good.mergeLife({ ...life, gaps: life.gaps.slice(0, 63) }),
    }),
  },
  {
    rule: 'lives.exact',
    fault: 'lists in the order of the reports',
    usage: (t) => ({ listLives: async () => [...t.lives.values()] }),
  },
  {
    rule: 'lives.first',
    fault: 'takes the node of the last report',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      node: next.node,
    })),
  },
  {
    rule: 'lives.first',
    fault: 'moves the start back',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      from: Math.min(stored.from, next.from),
    })),
  },
  {
    rule: 'lives.forward',
    fault: 'moves back what is covered',
    usageRules: reporting((stored, next) => ({ ...GOOD_USAGE.report(stored, next), to: next.to })),
  },
  {
    rule: 'lives.forward',
    fault: 'keeps the first end of what is covered',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      to: stored.to,
    })),
  },
  {
    rule: 'lives.ended',
    fault: 'brings an ended life back',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      endedAt: next.endedAt,
    })),
  },
  {
    rule: 'lives.ended',
    fault: 'ends again later',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      endedAt: next.endedAt ?? stored.endedAt,
    })),
  },
  {
    rule: 'lives.ended',
    fault: 'ignores reports of an ended life',
    usageRules: reporting((stored, next) =>
      stored.endedAt === null ? GOOD_USAGE.report(stored, next) : stored,
    ),
  },
  {
    rule: 'lives.gaps',
    fault: 'the last report replaces the gaps',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      gaps: next.gaps,
    })),
  },
  {
    rule: 'lives.gaps',
    fault: 'keeps each report of a gap',
    usageRules: { join: (gaps) => gaps },
  },
  {
    rule: 'lives.gaps',
    fault: 'does not join gaps that touch',
    usageRules: {
      join: (gaps) =>
        gaps.some(({ to }) => gaps.some(({ from }) => from === to)) ? gaps : GOOD_USAGE.join(gaps),
    },
  },
  {
    rule: 'lives.gaps',
    fault: 'ends a joined gap with the later one',
    usageRules: {
      join: (gaps) =>
        GOOD_USAGE.join(gaps).map((gap) => ({ ...gap, to: gaps.at(-1)?.to ?? gap.to })),
    },
  },
  {
    rule: 'lives.many-gaps',
    fault: 'keeps any number of gaps',
    usageRules: {
      join: (gaps) => [...GOOD_USAGE.join(gaps.slice(0, 64)), ...gaps.slice(64)],
    },
  },
  {
    rule: 'lives.many-gaps',
    fault: 'drops the oldest gap',
    usageRules: { join: (gaps) => GOOD_USAGE.join(gaps.slice(-64)) },
  },
  {
    rule: 'lives.many-gaps',
    fault: 'joins all gaps',
    usageRules: {
      join: (gaps) => {
        const list = GOOD_USAGE.join(gaps)
        if (gaps.length <= 64) return list
        return [{ from: list[0]?.from ?? 0, to: list.at(-1)?.to ?? 0 }]
      },
    },
  },
  {
    rule: 'lives.order',
    fault: 'takes the end of the last report',
    usageRules: reporting((stored, next) => ({
      ...GOOD_USAGE.report(stored, next),
      to: next.to,
      endedAt: next.endedAt,
    })),
  },
  {
    rule: 'lives.list',
    fault: 'lists every life',
    usageRules: { isListed: () => true },
  },
  {
    rule: 'lives.list',
    fault: 'lists lives that have not ended',
    usageRules: { isListed: ({ endedAt }) => endedAt === null },
  },
  {
    rule: 'lives.list',
    fault: 'lists lives that ended at the very time',
    usageRules: { isListed: ({ endedAt }, since) => endedAt === null || endedAt >= since },
  },
  {
    rule: 'lives.list',
    fault: 'lists lives that have ended',
    usageRules: { isListed: ({ endedAt }, since) => endedAt !== null && endedAt > since },
  },
  {
    rule: 'lives.purge',
    fault: 'keeps what ended at the very time',
    usageRules: { isOver: ({ endedAt }, until) => endedAt !== null && endedAt < until },
  },
  {
    rule: 'lives.purge',
    fault: 'goes by what is covered',
    usageRules: { isOver: ({ to }, until) => to <= until },
  },
  {
    rule: 'lives.purge',
    fault: 'takes the rows along',
    usage: (t, good) => ({
      async purge(until) {
        const before = t.lives.size
        await good.purge(until)
        t.entries = t.entries.filter(({ row }) => before === t.lives.size || t.lives.has(row.life))
      },
    }),
  },
  { rule: 'lives.copies', fault: 'returns its own rows', usageRules: { copy: (value) => value } },
  { rule: 'lives.races', fault: 'reads, then writes', usageRules: pausingAt('life') },
]
