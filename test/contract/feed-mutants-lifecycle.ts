/**
 * Feeds that are wrong about opening, closing, and rules for every method.
 *
 * @module
 */
import type { Disk } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

/** How many instances are open over the same disk. */
const opened = new WeakMap<Disk, number>()

function clear(disk: Disk): void {
  Object.assign(disk, { head: null, floor: 1, rows: [], chunks: [] })
}

const never = new Promise<never>(() => undefined)

/** Long enough for a tick or two of the event loop: what these mutants omit never happens. */
const BRIEFLY = 200

export const lifecycleMutants: readonly Mutant[] = [
  {
    rule: 'lifecycle.fresh',
    fault: 'cases share their log',
    methods: (disk) => {
      const link = new Uint8Array(16)
      const bytes = Uint8Array.of(1)
      disk.head ??= { epoch: 'A'.repeat(22), seq: 0, link, floor: 1, beaconAt: 1, bytes }
      return {}
    },
  },
  {
    rule: 'lifecycle.fresh',
    fault: 'promises pushes and has no watch',
    methods: () => ({ watch: undefined as never }),
  },
  {
    rule: 'lifecycle.fresh',
    fault: 'does not say what an append survives',
    methods: (_, good) => ({ info: { ...good.info, durability: 'yes' as never } }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'open makes the log anew',
    methods: (disk, good) => ({
      async open(signal) {
        await good.open(signal)
        clear(disk)
      },
    }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'a second open rejects',
    methods: (_, good) => {
      let isOpen = false
      return {
        async open(signal) {
          if (isOpen) throw new Error('open already')
          isOpen = true
          await good.open(signal)
        },
      }
    },
  },
  {
    rule: 'lifecycle.open-again',
    fault: 'an open that failed once fails permanently',
    methods: (_, good) => {
      let failed = false
      return {
        async open(signal) {
          failed ||= signal.aborted
          if (failed) throw new Error('failed')
          await good.open(signal)
        },
      }
    },
  },
  {
    rule: 'lifecycle.close-twice',
    fault: 'a second close rejects',
    methods: (_, good) => {
      let closed = false
      return {
        async close() {
          if (closed) throw new Error('closed already')
          closed = true
          await good.close()
        },
      }
    },
  },
  {
    rule: 'lifecycle.closed',
    fault: 'works after close',
    methods: () => ({ close: async () => undefined }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'returns no head when the call failed',
    methods: (_, good) => ({ head: (options) => good.head(options).catch(() => null) }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'loads an empty snapshot after close',
    methods: (_, good) => ({
      snapshot: {
        save: async () => await Promise.reject(new Error('closed')),
        async *load(signal) {
          try {
            yield* good.snapshot?.load(signal) ?? []
          } catch {
            // As if there were none.
          }
        },
      },
    }),
  },
  {
    rule: 'lifecycle.promises',
    fault: 'throws at once when it is closed',
    methods: (_, good) => {
      let closed = false
      return {
        close() {
          closed = true
          return good.close()
        },
        head(options) {
          if (closed) throw new Error('closed')
          return good.head(options)
        },
      }
    },
  },
  {
    rule: 'lifecycle.promises',
    fault: 'returns without a promise',
    methods: () => ({ trim: (() => undefined) as never }),
  },
  {
    rule: 'lifecycle.close-own',
    fault: "close ends the caller's client",
    methods: (disk, good) => ({
      async close() {
        clear(disk)
        await good.close()
      },
    }),
  },
  {
    rule: 'lifecycle.durable',
    fault: 'the log ends with the last instance',
    methods: (disk, good) => ({
      info: { ...good.info, durability: 'fsync' },
      async open(signal) {
        opened.set(disk, (opened.get(disk) ?? 0) + 1)
        await good.open(signal)
      },
      async close() {
        const left = (opened.get(disk) ?? 0) - 1
        opened.set(disk, left)
        if (left === 0) clear(disk)
        await good.close()
      },
    }),
  },
  {
    rule: 'lifecycle.given-up',
    fault: 'a call that is given up hangs',
    withinMs: BRIEFLY,
    methods: (_, good) => ({
      head: (options) => (options.signal.aborted ? never : good.head(options)),
    }),
  },
  {
    rule: 'lifecycle.given-up',
    fault: 'is of no use after a call was given up',
    methods: (_, good) => {
      let broken = false
      return {
        append(expect, events, next, options) {
          broken ||= options.signal.aborted
          return broken
            ? Promise.reject(new Error('given up'))
            : good.append(expect, events, next, options)
        },
      }
    },
  },
  {
    rule: 'lifecycle.twin',
    fault: 'others can reach it, and it is never shown',
    hasTwin: false,
    methods: () => ({ peek: undefined as never }),
  },
]
