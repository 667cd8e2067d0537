/**
 * Recognizes database and broker clients that were passed without their adapter, for the message.
 *
 * @module
 */

import { describeKind } from './quote.js'

/** The part of an authority that an adapter is. */
export type Role = 'store' | 'feed' | 'push channel'

interface ForeignClient {
  readonly name: string
  /** Each of these is a method. */
  readonly methods: readonly string[]
  readonly adapters: Readonly<Partial<Record<Role, string>>>
}

const of = (call: string, subpath: string) => `${call} of 'watchword/${subpath}'`

const REDIS = 'a Redis client'

// The first that matches counts: a client of mysql2 also has `query`.
const CLIENTS: readonly ForeignClient[] = [
  {
    name: REDIS,
    methods: ['sendCommand', 'duplicate'],
    adapters: {
      store: of('redisStore(client)', 'store/redis'),
      feed: of('redisFeed(client)', 'feed/redis'),
      'push channel': of('redisWakeups(client)', 'feed/wakeups'),
    },
  },
  {
    name: 'a client of mysql2',
    methods: ['query', 'execute'],
    adapters: {
      store: of('mysqlStore(pool)', 'store/mysql'),
      feed: of('mysqlFeed(pool)', 'feed/mysql'),
    },
  },
  {
    name: 'a client of pg',
    methods: ['query', 'connect'],
    adapters: {
      store: of('postgresStore(pool)', 'store/postgres'),
      feed: of('postgresFeed(pool)', 'feed/postgres'),
    },
  },
  {
    name: 'a PGlite',
    methods: ['query', 'exec', 'transaction'],
    adapters: {
      store: of('postgresStore(database)', 'store/postgres'),
      feed: of('postgresFeed(database)', 'feed/postgres'),
    },
  },
  {
    name: 'a SQLite database',
    methods: ['prepare', 'exec'],
    adapters: {
      store: of('sqliteStore(database)', 'store/sqlite'),
      feed: of('sqliteFeed(database)', 'feed/sqlite'),
    },
  },
  {
    name: 'a JetStream client',
    methods: ['publish', 'jetstreamManager'],
    adapters: { feed: of('natsFeed(js)', 'feed/nats') },
  },
  {
    name: 'a NATS connection',
    // A push channel of the caller may also have `drain`.
    methods: ['publish', 'subscribe', 'drain', 'flush', 'rtt'],
    adapters: {
      feed: of('natsFeed(jetstream(connection))', 'feed/nats'),
      'push channel': of('natsWakeups(connection)', 'feed/wakeups'),
    },
  },
]

/** Whether the value is an object that has all these methods. */
export const hasMethods = (value: unknown, methods: readonly string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')

const clientOf = (value: unknown): ForeignClient | undefined =>
  CLIENTS.find(({ methods }) => hasMethods(value, methods))

/** A value in place of the client that an adapter takes, for a message: its package if it is another client. */
export const describeClient = (value: unknown): string =>
  clientOf(value)?.name ?? describeKind(value)

/** Whether it is a client of `ioredis` or `redis`. */
export const isRedisClient = (value: unknown): boolean =>
  clientOf(value)?.name === REDIS && !hasMethods(value, ['query'])

/** The adapter for a client that was passed in its place, for a message; `undefined` for any other value. */
export function adapterFor(value: unknown, role: Role): string | undefined {
  const client = clientOf(value)
  const adapter = client?.adapters[role]
  return adapter === undefined
    ? undefined
    : `expected a ${role}, such as ${adapter}, got ${client?.name}`
}
