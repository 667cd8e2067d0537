/**
 * The options of stores, feeds and channels: an unknown, explicitly undefined or inherited option sets nothing.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import * as api from 'watchword'
import { mysqlFeed } from '../../../src/feed/mysql.js'
import { natsFeed } from '../../../src/feed/nats.js'
import { postgresFeed } from '../../../src/feed/postgres.js'
import { redisFeed } from '../../../src/feed/redis.js'
import { sqliteFeed } from '../../../src/feed/sqlite.js'
import { natsWakeups, redisWakeups } from '../../../src/feed/wakeups.js'
import { type Caller, requireToken, tokenEndpoints } from '../../../src/http/node.js'
import { generateKey, open, ready, seal } from '../../../src/paseto.js'
import { mysqlStore } from '../../../src/store/mysql.js'
import { postgresStore } from '../../../src/store/postgres.js'
import { redisStore } from '../../../src/store/redis.js'
import { sqliteStore } from '../../../src/store/sqlite.js'
import { closeAll, codeOf, failureOf, rig } from '../../support/harness.js'

const TOKEN = `v4.local.${'kJ4'.repeat(60)}`
const KEY = `k4.local.${'Zx9'.repeat(14)}A`

const never = () => {
  throw new Error('a construction must not touch the client')
}
// Passes as a client of every driver.
const client = {
  ...{ exec: never, prepare: never, query: never, connect: never, execute: never, call: never },
  ...{ getConnection: never, duplicate: () => client, publish: never, subscribe: never },
  ...{ jetstreamManager: never, sendCommand: never, options: {}, Client: class {} },
}

type Make = (...options: readonly unknown[]) => unknown

const ADAPTERS: Readonly<Record<string, readonly [make: unknown, options: readonly string[]]>> = {
  sqliteStore: [sqliteStore, ['prefix']],
  postgresStore: [postgresStore, ['prefix', 'schema', 'prepare']],
  mysqlStore: [mysqlStore, ['prefix']],
  redisStore: [redisStore, ['prefix', 'allowEviction']],
  sqliteFeed: [sqliteFeed, ['prefix', 'name']],
  postgresFeed: [postgresFeed, ['prefix', 'schema', 'name', 'prepare', 'listen']],
  mysqlFeed: [mysqlFeed, ['prefix', 'name']],
  redisFeed: [redisFeed, ['prefix', 'allowEviction', 'subscriber']],
  natsFeed: [natsFeed, ['prefix', 'replicas']],
  redisWakeups: [redisWakeups, ['channel', 'subscriber']],
  natsWakeups: [natsWakeups, ['subject']],
}

const failure = (make: () => unknown): { code?: string; message: string } => {
  try {
    make()
  } catch (error) {
    return error as { code?: string; message: string }
  }
  return { message: 'it did not throw' }
}

describe.each(Object.entries(ADAPTERS))('the options of %s', (_, [adapter, names]) => {
  const make = ((...options) => (adapter as Make)(client, ...options)) satisfies Make

  it('may be left out, but are rejected as an explicit undefined', () => {
    expect(failure(() => make())).toEqual({ message: 'it did not throw' })
    expect(failure(() => make({}))).toEqual({ message: 'it did not throw' })
    for (const wrong of [undefined, null, [], 'main']) {
      const { code, message } = failure(() => make(wrong))
      expect([code, message]).toEqual(['ERR_INVALID_OPTION', expect.stringMatching(/^options: /)])
    }
  })

  it.each(names)('are rejected when %s is undefined, also when a class defines it', (name) => {
    class Settings {
      get [name]() {
        return undefined
      }
    }
    for (const options of [{ [name]: undefined }, new Settings()]) {
      const { code, message } = failure(() => make(options))
      expect([code, message]).toEqual([
        'ERR_INVALID_OPTION',
        `${name}: it is undefined: set a value, or leave the field out`,
      ])
    }
  })

  it('name the unknown option and the known ones, and show no token or key', () => {
    const misspelt = failure(() => make({ pefix: 'a' }))
    expect(misspelt.code).toBe('ERR_INVALID_OPTION')
    expect(misspelt.message).toContain("unknown option 'pefix' (")
    for (const secret of [TOKEN, KEY, `acme_${'kJ4'.repeat(60)}`]) {
      const { code, message } = failure(() => make({ [secret]: true }))
      expect(code).toBe('ERR_INVALID_OPTION')
      expect(message).not.toContain(secret.slice(9, 30))
    }
  })

  it.each(names)('read no %s from a polluted prototype', (name) => {
    Object.defineProperty(Object.prototype, name, { value: 7, configurable: true })
    let seen: unknown
    try {
      seen = failure(() => make({}))
    } finally {
      delete (Object.prototype as Record<string, unknown>)[name]
    }
    expect(seen).toEqual({ message: 'it did not throw' })
  })
})

describe('an explicit undefined', () => {
  it('is rejected as the options of the endpoints and of each endpoint', async () => {
    const { watchword } = await rig()
    const endpoints = tokenEndpoints(watchword)
    const nothing = undefined as never
    const codes = [
      await codeOf(() => tokenEndpoints(watchword, nothing)),
      await codeOf(() => endpoints.rotation(nothing)),
      await codeOf(() => endpoints.leak(nothing)),
      await codeOf(() => endpoints.introspection(nothing)),
      await codeOf(() => endpoints.revocation(nothing)),
      await codeOf(() => requireToken(watchword, nothing)),
    ]
    expect(codes).toEqual([
      ...['ERR_INVALID_ARGUMENT', 'ERR_INVALID_ARGUMENT', 'ERR_INVALID_ARGUMENT'],
      ...['ERR_INVALID_OPTION', 'ERR_INVALID_OPTION', 'ERR_INVALID_ARGUMENT'],
    ])
    expect(String(await failureOf(() => endpoints.rotation(nothing)))).toContain(
      'rotation got undefined; pass an object of options, or leave the argument out',
    )
    for (const make of [() => endpoints.rotation(), () => endpoints.leak()])
      expect(typeof make()).toBe('function')
    await closeAll()
  })

  it('as the audiences of a caller lets it introspect nothing, while getters of a class count', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
    class Client {
      readonly actor = 'ops'
      get audiences() {
        return ['another-api']
      }
    }
    const callers = [{ actor: 'ops' }, { actor: 'ops', audiences: undefined }, new Client()]
    const replies: unknown[] = []
    for (const caller of callers) {
      const authorize = () => caller as Caller
      const listener = tokenEndpoints(watchword).introspection({ authorize })
      const server = createServer(listener).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const body = new URLSearchParams({ token })
      const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body })
      replies.push([response.status, response.ok && ((await response.json()) as object)])
      server.closeAllConnections()
      server.close()
    }
    expect(replies).toEqual([
      [200, expect.objectContaining({ active: true })],
      [503, false],
      [200, { active: false }],
    ])
    await closeAll()
  })

  it('is rejected as the assertion, footer or options of a single-key token', async () => {
    await ready
    const key = generateKey()
    const bytes = new Uint8Array(2)
    const nothing = undefined as never
    const token = seal(key, bytes)
    const uses = [
      () => seal(key, bytes, nothing),
      () => seal(key, bytes, { footer: nothing }),
      () => seal(key, bytes, { implicitAssertion: nothing }),
      () => open(key, token, nothing),
      () => open(key, token, { implicitAssertion: nothing }),
    ]
    for (const use of uses) expect(await codeOf(use)).toBe('ERR_INVALID_ARGUMENT')
    expect(open(key, seal(key, bytes, {}), {})?.payload).toEqual(bytes)
  })

  it('is rejected as an argument of discardKey', async () => {
    const given = { store: api.memoryStore(), rootKey: 'x', actor: 'ops' }
    for (const field of ['store', 'rootKey', 'previousRootKeys', 'actor', 'reason'])
      expect(
        await codeOf(() => api.discardKey('x', { ...given, [field]: undefined } as never)),
      ).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => api.discardKey('x', undefined as never))).toBe('ERR_INVALID_ARGUMENT')
  })
})
