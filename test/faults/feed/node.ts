/**
 * One node of the world: an authority on a store and a feed of its own, under observation.
 */
import Libsql from 'libsql'
import { createWatchword, type Watchword, type WatchwordOptions } from 'watchword'
import { type SqliteDatabase, sqliteStore } from '../../../src/store/sqlite.js'
import { type Connection, connect, type Place } from './connect.js'
import { type NodeLog, type NodeState, Observer } from './observer.js'

/** How old a proof may be in these tests. */
export const MAX_STALENESS_MS = 1000

/** The code of what was asked of a process that is gone. */
export const GONE = 'GONE'

/** What a node is made from; plain data, so that a process can be told. */
export interface NodeOrders {
  readonly name: string
  readonly place: Place
  /** The file of the store that all nodes share. */
  readonly database: string
  readonly rootKey: string
  /** Verdicts that its fault accounts for. */
  readonly codes: readonly string[]
  /** How often it verifies, in milliseconds. */
  readonly everyMs: number
}

/** A node in this process, or in one of its own. */
export interface Node {
  readonly name: string
  add(tokens: readonly string[]): void
  /** Rejects with an error that has a `code`. */
  revoke(token: string): Promise<unknown>
  /** Whether it has refused these tokens as revoked. */
  hasRefused(indexes: readonly number[]): Promise<boolean>
  /** Verifies every token once more, and returns everything recorded. */
  log(): Promise<NodeLog>
  state(): Promise<NodeState>
  close(): Promise<void>
}

/** A node in this process, which can also issue. */
export interface LocalNode extends Node {
  readonly watchword: Watchword
}

/** Starts a node in this process. */
export async function openNode(
  orders: NodeOrders,
  options: Pick<WatchwordOptions, 'clock' | 'onStart'> = {},
): Promise<LocalNode> {
  const connection = await connect(orders.place)
  return nodeOn(orders, connection, options)
}

/** Starts a node on a feed that is already there. */
export async function nodeOn(
  orders: Omit<NodeOrders, 'place'>,
  { feed, end }: Connection,
  options: Partial<WatchwordOptions> = {},
): Promise<LocalNode> {
  const { name, codes, rootKey, everyMs } = orders
  const database = new Libsql(orders.database, { timeout: 5000 }) as unknown as SqliteDatabase & {
    close(): void
  }
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
  const watchword = await createWatchword({
    issuer: 'https://auth.example',
    audience: 'api',
    rootKey,
    store: sqliteStore(database),
    feed,
    policies: { job: { ttl: '1h', scopes: [] } },
    maxStaleness: MAX_STALENESS_MS,
    clockTolerance: 200,
    timeout: 500,
    node: name,
    // It comes to be live in its own time, on however busy a machine.
    onStart: 'reject',
    ...options,
  })
  const observer = new Observer(name, watchword, codes)
  observer.start(everyMs)
  return {
    name,
    watchword,
    add: (tokens) => observer.add(tokens),
    revoke: (token) => watchword.revoke({ token }, { actor: 'test' }),
    hasRefused: async (indexes) => observer.hasRefused(indexes),
    async log() {
      observer.round(true)
      return observer.log()
    },
    state: async () => observer.state(),
    async close() {
      observer.stop()
      await watchword.close().catch(() => undefined)
      await end()
      database.close()
    },
  }
}
