/**
 * No handler runs for a request that was not checked, regardless of how the check fails, and no request
 * is taken for another.
 *
 * @module
 */
import { Agent, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { TokenAuthority } from '../../src/http/options.js'
import { closeAll, rig, sharedStore } from '../support/harness.js'
import { send } from './client.js'
import {
  FRAMEWORKS,
  type Framework,
  type Running,
  type SharedOptions,
  type Site,
} from './servers.js'
import { MISSING, ours, UNAVAILABLE } from './table.js'

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'ops',
  scopes: ['orders:read'],
} as const
// Over before a timeout; a waiting test waits for the reply, however late that is.
const TIMEOUT = '50ms'

let watchword: Watchword
let token: string
let store: { down: boolean; readonly watchword: Watchword; readonly token: string }

beforeAll(async () => {
  watchword = (await rig()).watchword
  token = (await watchword.issue(INPUT)).token
  const inner = sharedStore()
  const state = { down: false }
  const failing = new Proxy(inner, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (!state.down || (name !== 'getToken' && name !== 'listKeys')) return method
      return async () => {
        throw new Error('connection refused')
      }
    },
  })
  const other = (await rig({}, { store: failing })).watchword
  const issued = await other.issue(INPUT)
  state.down = true
  store = Object.assign(state, { watchword: other, token: issued.token })
})
afterAll(closeAll)

async function served(
  framework: Framework,
  site: Site,
  use: (server: Running) => Promise<void>,
): Promise<void> {
  const server = await framework.serve(site)
  try {
    await use(server)
  } finally {
    await server.close()
  }
}

const authenticating = (authenticate: () => unknown): TokenAuthority =>
  ({ ...watchword, authenticate }) as TokenAuthority

const hung = new Promise<never>(() => {})
const oops = () => {
  throw new Error('oops')
}

/** What can go wrong. */
const FAULTS: readonly (readonly [name: string, site: () => Site])[] = [
  ['the check throws', () => ({ authority: authenticating(oops) })],
  ['the check rejects', () => ({ authority: authenticating(async () => oops()) })],
  ['the check hangs', () => ({ authority: authenticating(() => hung) })],
  ['the check returns nothing', () => ({ authority: authenticating(async () => undefined) })],
  ['getToken throws', () => ({ authority: watchword, whole: { getToken: oops } })],
  ['getToken rejects', () => ({ authority: watchword, whole: { getToken: async () => oops() } })],
  ['getToken hangs', () => ({ authority: watchword, whole: { getToken: () => hung } })],
]

// Concurrently, since each waits half a second for every unknown key.
it.concurrent.each(FRAMEWORKS)(
  '$name responds with 503 and runs no handler when the keys needed for the check cannot be read',
  async (framework) => {
    await served(framework, { authority: store.watchword, whole: {} }, async (server) => {
      const headers = [`authorization: Bearer ${token}`]
      for (let i = 0; i < 3; i++) {
        expect(ours(await send(server.port, { headers }))).toEqual(UNAVAILABLE)
      }
      expect(server.ran()).toBe(0)
    })
  },
)

describe.each(FRAMEWORKS)('$name', (framework) => {
  it.each(FAULTS)('responds with 503 and runs no handler when %s', async (_name, site) => {
    const errors: unknown[] = []
    const { authority, whole } = site()
    const onError = (error: unknown) => {
      errors.push(error)
      // An observer that throws cannot make it worse.
      if (errors.length % 2 === 0) return Promise.reject(new Error('later')) as unknown as undefined
      throw new Error('at once')
    }
    const options: SharedOptions = { timeout: TIMEOUT, onError, ...whole }
    await served(framework, systemClocked({ authority, whole: options }), async (server) => {
      const headers = [`authorization: Bearer ${token}`]
      for (const path of ['/orders', '/mounted/orders', '/unknown']) {
        expect(ours(await send(server.port, { path, headers }))).toEqual(UNAVAILABLE)
      }
      expect(errors).toHaveLength(3)
      expect(server.ran()).toBe(0)
    })
  })

  it('responds with 503 and runs no handler when the store is down and required', async () => {
    const site = { authority: store.watchword, whole: { freshness: 'store' } } as const
    await served(framework, site, async (server) => {
      const headers = [`authorization: Bearer ${store.token}`]
      const reply = await send(server.port, { headers })
      expect(ours(reply)).toEqual(UNAVAILABLE)
      expect(server.ran()).toBe(0)
    })
  })

  it('guards all methods, the mounted part, and missing routes', async () => {
    await served(framework, { authority: watchword, whole: {} }, async (server) => {
      for (const path of [
        '/orders',
        '/mounted/orders',
        '/mounted',
        '/mounted/unknown',
        '/unknown',
      ]) {
        for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE']) {
          const { status, headers } = ours(await send(server.port, { method, path }))
          expect({ status, headers }).toEqual({ status: 401, headers: MISSING.headers })
        }
      }
      expect(server.ran()).toBe(0)
      const headers = [`authorization: Bearer ${token}`]
      for (const path of ['/orders', '/mounted/orders']) {
        expect((await send(server.port, { path, headers })).body).toBe('svc_billing')
      }
      expect((await send(server.port, { path: '/unknown', headers })).status).toBe(404)
      expect(server.ran()).toBe(2)
    })
  })

  it('never mixes up requests', async () => {
    const holders = await watchword.issueMany(
      Array.from({ length: 50 }, (_, i) => ({ ...INPUT, subject: `svc_${i}` })),
    )
    await served(framework, { authority: watchword, whole: {} }, async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 20 })
      try {
        const ask = (i: number) =>
          statusOf(agent, server.port, holders[i % holders.length]?.token ?? '', i % 3 === 0)
        const told = await Promise.all(Array.from({ length: 2000 }, (_, i) => ask(i)))
        expect(told.filter((subject, i) => subject !== `svc_${i % holders.length}`)).toEqual([])
        expect(server.ran()).toBe(2000)
      } finally {
        agent.destroy()
      }
    })
  })
})

// A listener of node:http is a single function, so there is no inner guard.
describe.each(FRAMEWORKS.filter(({ name }) => name !== 'node:http'))('$name', (framework) => {
  it('rejects in the outer guard what the inner one would accept', async () => {
    const site = {
      authority: watchword,
      whole: {},
      routes: { '/open': { optional: true } },
    } as const
    await served(framework, site, async (server) => {
      expect((await send(server.port, { path: '/open' })).status).toBe(401)
      expect(server.ran()).toBe(0)
    })
  })
})

// The clock of the rig stands still and never reaches a deadline, so only wrapped authorities have a clock of their own.
function systemClocked(site: Site): Site {
  const { authenticate } = site.authority
  const wrapped: TokenAuthority['authenticate'] = (...args) => authenticate(...args)
  return { ...site, authority: { ...site.authority, authenticate: wrapped } }
}

function statusOf(agent: Agent, port: number, bearer: string, hasBody: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bearer}` }
    const method = hasBody ? 'POST' : 'GET'
    const sent = request({ agent, port, host: '127.0.0.1', path: '/orders', method, headers })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
    })
    sent.end(hasBody ? 'x'.repeat(2000) : undefined)
  })
}
