/**
 * One node of the world: an authority with its own store and feed clients, and an observer.
 */
import Libsql from 'libsql'
import { createWatchword, type Watchword, type WatchwordOptions } from 'watchword'
import { type SqliteDatabase, sqliteStore } from '../../../src/store/sqlite.js'
import { type Connection, connect, type Place } from './connect.js'
import { type NodeLog, type NodeState, Observer } from './observer.js'

/** The maximum age of a proof in these tests. */
export const MAX_STALENESS_MS = 1000

/** The error code of a request to a process that has ended. */
export const GONE = 'GONE'

/** The options of a node: plain data, so that they can be sent to a process. */
export interface NodeOrders {
  readonly name: string
  readonly place: Place
  /** The file of the store that all nodes share. */
  readonly database: string
  readonly rootKey: string
  /** Verdicts that its fault explains. */
  readonly codes: readonly string[]
  /** The interval between verifications, in milliseconds. */
  readonly everyMs: number
}

/** A node in this process or in a separate one. */
export interface Node {
  readonly name: string
  add(tokens: readonly string[]): void
  /** Rejects with an error that has a `code`. */
  revoke(token: string): Promise<unknown>
  /** Whether it has rejected these tokens as revoked. */
  hasRefused(indexes: readonly number[]): Promise<boolean>
  /** Verifies every token once more, and returns all records. */
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

/** Starts a node on an existing feed. */
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
    // The node becomes live without a time limit, so a busy machine does not fail the test.
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
