/**
 * Stores that are wrong about opening and closing.
 *
 * @module
 */
import type { TokenRecord } from '../../src/store/store.js'
import type { Tables } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

/** How many instances are open over the same data. */
const opened = new WeakMap<Tables, number>()

function clear({ tokens, keys, revocations }: Tables): void {
  tokens.clear()
  keys.clear()
  revocations.clear()
}

export const lifecycleMutants: readonly Mutant[] = [
  {
    rule: 'lifecycle.fresh',
    fault: 'cases share their data',
    methods: (tables) => {
      tables.keys.set('left over', { id: 'left over' } as never)
      return {}
    },
  },
  {
    rule: 'lifecycle.fresh',
    fault: 'does not say whether it is durable',
    methods: () => ({ supports: {} as never }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'open makes the tables anew',
    methods: (tables, good) => ({
      async open() {
        await good.open()
        clear(tables)
      },
    }),
  },
  {
    rule: 'lifecycle.open-twice',
    fault: 'a second open rejects',
    methods: (_, good) => {
      let opened = false
      return {
        async open() {
          if (opened) throw new Error('open already')
          opened = true
          await good.open()
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
    fault: 'open opens it again',
    methods: () => ({ open: async () => undefined }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'rejects with a text in place of an error',
    methods: (_, good) => ({
      getToken: (id) => good.getToken(id).catch(() => Promise.reject('closed')),
    }),
  },
  {
    rule: 'lifecycle.closed',
    fault: 'returns missing when the call failed',
    methods: (_, good) => ({ getToken: (id) => good.getToken(id).catch(() => undefined) }),
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
        listKeys() {
          if (closed) throw new Error('closed')
          return good.listKeys()
        },
      }
    },
  },
  {
    rule: 'lifecycle.promises',
    fault: 'returns without a promise',
    methods: () => ({ supersede: (() => undefined) as never }),
  },
  {
    rule: 'lifecycle.visible',
    fault: 'reads from a replica that lags',
    methods: (_, good) => {
      const seen = new Map<string, TokenRecord>()
      return {
        async insertTokens(records, limit) {
          for (const record of records) seen.set(record.id, record)
          return await good.insertTokens(records, limit)
        },
        getToken: async (id) => seen.get(id),
      }
    },
  },
  {
    rule: 'lifecycle.close-own',
    fault: "close ends the caller's client",
    methods: (tables, good) => ({
      async close() {
        clear(tables)
        await good.close()
      },
    }),
  },
  {
    rule: 'lifecycle.durable',
    fault: 'the data ends with the last instance',
    methods: (tables, good) => ({
      supports: { durable: true },
      async open() {
        opened.set(tables, (opened.get(tables) ?? 0) + 1)
        await good.open()
      },
      async close() {
        const left = (opened.get(tables) ?? 0) - 1
        opened.set(tables, left)
        if (left === 0) clear(tables)
        await good.close()
      },
    }),
  },
  {
    rule: 'lifecycle.twin',
    fault: 'says that it is durable and never shows it',
    hasTwin: false,
    methods: () => ({ supports: { durable: true } }),
  },
]
