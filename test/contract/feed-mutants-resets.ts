/**
 * Feeds that are wrong about deleting their log, and about reporting what they notice.
 *
 * @module
 */
import type { RevocationFeed } from '../../src/feed/feed.js'
import type { Disk } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

type Listener = Parameters<NonNullable<RevocationFeed['observe']>>[0]

/** A reset that leaves part of the log. */
const leaving = (keep: (disk: Disk) => Partial<Disk>): NonNullable<Mutant['methods']> => {
  return (disk, good) => ({
    async reset() {
      const kept = keep({ ...disk })
      await good.reset?.()
      Object.assign(disk, kept)
    },
  })
}

export const resetMutants: readonly Mutant[] = [
  {
    rule: 'reset.deletes',
    fault: 'leaves the head',
    methods: leaving(({ head }) => ({ head })),
  },
  {
    rule: 'reset.deletes',
    fault: 'leaves the snapshot',
    methods: leaving(({ chunks }) => ({ chunks })),
  },
  {
    rule: 'reset.deletes',
    fault: 'forgets the log for its own instance alone',
    methods: (_, good) => {
      let isReset = false
      return {
        head: async (options) => (isReset ? null : good.head(options)),
        async reset() {
          isReset = true
        },
      }
    },
  },
  {
    rule: 'reset.begins',
    fault: 'leaves the floor of the log before',
    methods: leaving(({ floor }) => ({ floor })),
    rules: { floorOfNew: (floor) => floor },
  },
  {
    rule: 'reset.begins',
    fault: 'leaves the events of the log before',
    methods: leaving(({ rows }) => ({ rows })),
    rules: { survives: () => true, isOf: (row, epoch) => row.epoch === epoch },
  },
  {
    rule: 'reset.begins',
    fault: 'seals an empty log in place of the one that it deletes',
    methods: leaving(({ head }) => ({ head: head && { ...head, seq: 0 } })),
  },
  {
    rule: 'reset.none',
    fault: 'rejects where there is no log',
    methods: (disk, good) => ({
      async reset() {
        if (disk.head === null) throw new Error('there is no log')
        await good.reset?.()
      },
    }),
  },
  {
    rule: 'reset.closed',
    fault: 'deletes the log though it was closed',
    methods: (disk) => ({
      reset: async () => void Object.assign(disk, { head: null, floor: 1, rows: [], chunks: [] }),
    }),
  },
]

export const observeMutants: readonly Mutant[] = [
  {
    rule: 'observe.quiet',
    fault: 'takes an append that was refused for junk',
    methods: (_, good) => {
      const listeners = new Set<Listener>()
      return {
        observe(listener) {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
        async append(...args) {
          const result = await good.append(...args)
          if (!result.ok) for (const tell of listeners) tell('junk', 1)
          return result
        },
      }
    },
  },
  {
    rule: 'observe.tells',
    fault: 'tells a listener that has stopped',
    methods: (_, good) => ({
      observe(listener) {
        good.observe?.(listener)
        return () => undefined
      },
    }),
  },
  {
    rule: 'observe.tells',
    fault: 'tells the last listener alone',
    methods: (_, good) => {
      let stop: (() => void) | undefined
      return {
        observe(listener) {
          stop?.()
          stop = good.observe?.(listener)
          return () => stop?.()
        },
      }
    },
  },
  {
    rule: 'observe.tells',
    fault: 'takes every listener away when one stops',
    methods: (_, good) => {
      const stops: (() => void)[] = []
      return {
        observe(listener) {
          stops.push(good.observe?.(listener) ?? (() => undefined))
          return () => {
            for (const stop of stops) stop()
          }
        },
      }
    },
  },
  {
    rule: 'observe.tells',
    fault: 'tells kinds that the contract does not have',
    methods: (_, good) => ({
      observe: (listener) =>
        good.observe?.((_, count) => listener('weird' as never, count)) ?? (() => undefined),
    }),
  },
  {
    rule: 'observe.tells',
    fault: 'tells how many there are left, which is none',
    methods: (_, good) => ({
      observe: (listener) => good.observe?.((kind) => listener(kind, 0)) ?? (() => undefined),
    }),
  },
]
