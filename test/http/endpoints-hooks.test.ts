/**
 * How the token endpoints behave when a hook, the store or the feed fails, and what they never reveal.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { type Watchword, WatchwordError } from 'watchword'
import type { Store } from 'watchword/store'
import type { EndpointAuthority, EndpointsOptions } from '../../src/http/endpoints/options.js'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import { rarelyPolled } from '../support/fleet.js'
import {
  closeAll,
  cuttableFeed,
  DAY,
  HOUR,
  MINUTE,
  rig,
  SECOND,
  sharedStore,
  verdict,
} from '../support/harness.js'
import { type Reply, type Sent, send } from './client.js'
import {
  AUTHORIZED,
  ENDPOINT_FRAMEWORKS,
  type EndpointFramework,
  type EndpointSite,
  PATHS,
  whole,
} from './endpoints-servers.js'

// The decisions of an endpoint are the same in every framework; the table covers how each of them responds.
const framework = ENDPOINT_FRAMEWORKS.find(({ name }) => name === 'node:http') as EndpointFramework

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'ops',
  scopes: ['orders:read'],
} as const
const FORM = 'content-type: application/x-www-form-urlencoded'
const NAMES = ['revocation', 'introspection', 'rotation', 'leak'] as const

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
  await closeAll()
})

type Ask = (name: (typeof NAMES)[number], token: string) => Promise<Reply>

async function asking(site: EndpointSite): Promise<Ask> {
  const server = await framework.serve(site)
  closing.push(() => server.close())
  return async (name, token) => whole(await send(server.port, requestOf(name, token)))
}

function requestOf(name: (typeof NAMES)[number], token: string): Sent {
  const bearer = { headers: [`authorization: Bearer ${token}`] }
  const form = {
    headers: [FORM],
    body: new URLSearchParams({ token, client_id: 'ops' }).toString(),
  }
  return { method: 'POST', path: PATHS[name], ...(name === 'rotation' ? bearer : form) }
}

// The clock of the rig stands still and never reaches a deadline, so only wrapped authorities have a clock of their own.
function systemClocked(watchword: Watchword): EndpointAuthority {
  const { authenticate } = watchword
  return {
    ...watchword,
    authenticate: (token, needs = {}, context) => authenticate(token, needs, context),
  }
}

const oops = (): never => {
  throw new Error('oops')
}
const hung = new Promise<never>(() => {})

/** A store of which one method fails while it is down. */
function failing(method: keyof Store): { readonly store: Store; down: boolean } {
  const state = { down: false }
  const store = new Proxy(sharedStore(), {
    get(target, name) {
      const known: unknown = Reflect.get(target, name)
      return state.down && name === method
        ? () => Promise.reject(new Error('connection refused'))
        : known
    },
  }) as Store
  return Object.assign(state, { store })
}

describe('a hook that fails', () => {
  const faults: readonly (readonly [string, () => unknown])[] = [
    ['throws', oops],
    ['rejects', async () => oops()],
    ['hangs', () => hung],
    ['returns nonsense', () => 42],
    ['returns nonsense in an object', () => ({ actor: '', retryAfter: 'soon' })],
  ]

  it.each(faults)(
    'closes every endpoint except the one for leaks when the limit %s',
    async (_, fault) => {
      const { watchword } = await rig()
      const errors: unknown[] = []
      const shared = {
        limit: fault as () => boolean,
        timeout: '50ms',
        onError: (error: unknown) => {
          errors.push(error)
          // An observer that throws cannot make it worse.
          throw new Error('later')
        },
      }
      const ask = await asking({ authority: systemClocked(watchword), shared })
      for (const [i, name] of NAMES.entries()) {
        const { token } = await watchword.issue(INPUT)
        const { status, headers } = await ask(name, token)
        const isLeak = name === 'leak'
        expect([status, headers['retry-after']]).toEqual(isLeak ? [200, undefined] : [503, '1'])
        expect(verdict(watchword.verify(token))).toBe(isLeak ? 'revoked' : 'ok')
        expect(errors).toHaveLength(i + 1)
      }
    },
  )

  it('closes every endpoint except the one for leaks when the context cannot be read', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword, shared: { context: oops } })
    const { token } = await watchword.issue(INPUT)
    const statuses: number[] = []
    for (const name of NAMES) statuses.push((await ask(name, token)).status)
    expect(statuses).toEqual([503, 503, 503, 200])
  })

  it.each(faults)('closes the endpoints that need it when authorize %s', async (_, fault) => {
    const { watchword } = await rig()
    const errors: unknown[] = []
    const authorize = fault as typeof AUTHORIZED.authorize
    const ask = await asking({
      authority: systemClocked(watchword),
      shared: { timeout: '50ms', onError: (error) => void errors.push(error) },
      revocation: { authorize },
      introspection: { authorize },
    })
    const { token } = await watchword.issue(INPUT)
    expect((await ask('revocation', token)).status).toBe(503)
    expect((await ask('introspection', token)).status).toBe(503)
    expect(errors).toHaveLength(2)
    expect(verdict(watchword.verify(token))).toBe('ok')
  })

  it.each([undefined, null, false])(
    'treats %s from authorize as an unknown caller',
    async (unknown) => {
      const { watchword } = await rig()
      const authorize = () => unknown as undefined
      const challenge = 'Bearer realm="ops"'
      const options = { authorize, challenge }
      const ask = await asking({
        authority: watchword,
        revocation: options,
        introspection: options,
      })
      const { token } = await watchword.issue(INPUT)
      for (const name of ['revocation', 'introspection'] as const) {
        const { status, headers } = await ask(name, token)
        expect([status, headers['www-authenticate']]).toEqual([401, challenge])
      }
      expect(verdict(watchword.verify(token))).toBe('ok')
    },
  )

  it.each(faults)('closes every endpoint when the binding %s', async (_, fault) => {
    const { watchword } = await rig()
    const shared = { binding: fault as () => string, timeout: '50ms' }
    const ask = await asking({ authority: systemClocked(watchword), shared })
    const { token } = await watchword.issue(INPUT)
    for (const name of NAMES) expect((await ask(name, token)).status).toBe(503)
    expect(verdict(watchword.verify(token))).toBe('ok')
  })

  it.each([
    ['is empty', ''],
    ['is too long', 'x'.repeat(1025)],
    ['has a control character', 'thumb\u0000print'],
    ['has half a character', 'thumb\ud800print'],
  ])('refuses a request with 400 when the binding %s', async (_, binding) => {
    const { watchword } = await rig()
    const errors: unknown[] = []
    const shared = { binding: () => binding, onError: (error: unknown) => void errors.push(error) }
    const ask = await asking({ authority: watchword, shared })
    const { token } = await watchword.issue(INPUT)
    for (const name of NAMES) {
      const { status, body } = await ask(name, token)
      expect([name, status]).toEqual([name, 400])
      expect(JSON.parse(body)).toMatchObject({ code: 'invalid_request' })
    }
    expect(errors).toEqual([])
    expect(verdict(watchword.verify(token))).toBe('ok')
  })

  it('closes the introspection when the claims cannot be read', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    for (const claims of [oops, () => 'root', () => ({ count: 1n })]) {
      const introspection = { ...AUTHORIZED, claims: claims as () => object as never }
      const ask = await asking({ authority: watchword, introspection })
      expect((await ask('introspection', token)).status).toBe(503)
    }
  })
})

describe('a body', () => {
  it('that does not arrive gets a reply in time, and is not reported as an error of the service', async () => {
    const { watchword } = await rig()
    const errors: unknown[] = []
    const shared = { timeout: '50ms', onError: (error: unknown) => void errors.push(error) }
    const server = await framework.serve({ authority: systemClocked(watchword), shared })
    closing.push(() => server.close())
    const headers = [FORM, 'content-length: 100']
    const reply = await send(server.port, { method: 'POST', path: PATHS.leak, headers })
    expect(reply.status).toBe(408)
    expect(errors).toEqual([])
  })
})

describe('a body parser', () => {
  it.each([
    ['takes another type', express4.urlencoded({ extended: true })],
    ['parses everything as text', express4.text({ type: () => true })],
    ['parses everything as bytes', express4.raw({ type: () => true })],
    ['parses it as JSON', express4.json()],
  ])('of Express 4 that %s does not affect the endpoints', async (_, parser) => {
    const { watchword } = await rig()
    const app = express4().use(parser)
    app.all(PATHS.leak, forExpress.tokenEndpoints(watchword).leak())
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    const { token } = await watchword.issue(INPUT)
    const headers = ['content-type: application/json']
    const body = JSON.stringify({ token })
    const reply = await send(port, { method: 'POST', path: PATHS.leak, headers, body })
    expect(reply.status).toBe(200)
    expect(verdict(watchword.verify(token))).toBe('revoked')
  })
})

describe('a response that a hook of Fastify has sent', () => {
  it('is left unchanged', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const app = fastify()
    const replies = new Map<unknown, { send(body: string): unknown }>()
    app.addHook('onRequest', (request, reply, done) => {
      replies.set(request.raw, reply)
      done()
    })
    const endpoints = forFastify.tokenEndpoints(watchword, {
      limit: (_, { raw }) => {
        replies.get(raw)?.send('early')
        return false
      },
    })
    await app.register(endpoints.leak(), { prefix: PATHS.leak })
    await app.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => app.close())
    const { port } = app.server.address() as AddressInfo
    const { status, body } = await send(port, requestOf('leak', token))
    expect([status, body]).toEqual([200, 'early'])
  })
})

describe('a body in Hono without Node', () => {
  it('is cancelled as soon as it is longer than allowed', async () => {
    const { watchword } = await rig()
    const app = new Hono().all('/leaked', forHono.tokenEndpoints(watchword).leak())
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => {
        isCancelled = true
      },
    })
    const init = { method: 'POST', body, duplex: 'half' }
    const response = await app.request('/leaked', init as RequestInit)
    expect([response.status, isCancelled]).toEqual([413, true])
  })

  it('may have been read before, without a content type', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.arrayBuffer()
      await next()
    })
    app.all('/rotate', forHono.tokenEndpoints(watchword).rotation({ allowHttp: true }))
    const response = await app.request('/rotate', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: new Uint8Array([1, 2, 3]),
    })
    expect(response.status).toBe(200)
    const { access_token: successor } = (await response.json()) as { access_token: string }
    expect(verdict(watchword.verify(successor))).toBe('ok')
  })
})

describe('over HTTP/2', () => {
  it('Fastify and Hono read the body in the same way', async () => {
    const { watchword } = await rig()
    const app = fastify({ http2: true })
    const endpoints = forFastify.tokenEndpoints(watchword)
    await app.register(endpoints.leak(), { prefix: PATHS.leak })
    await app.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => app.close())
    const hono = new Hono().all(PATHS.leak, forHono.tokenEndpoints(watchword).leak())
    const listener = getRequestListener(hono.fetch)
    const server = createHttp2Server((...exchange) => void listener(...exchange))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => void server.close(resolve)))
    for (const { port } of [app.server.address(), server.address()] as AddressInfo[]) {
      const { token } = await watchword.issue(INPUT)
      const client = connect(`http://127.0.0.1:${port}`)
      const stream = client.request({
        ':method': 'POST',
        ':path': PATHS.leak,
        'content-type': 'application/x-www-form-urlencoded',
      })
      stream.end(new URLSearchParams({ token }).toString())
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      stream.resume()
      client.close()
      expect(headers[':status']).toBe(200)
      expect(verdict(watchword.verify(token))).toBe('revoked')
    }
  })
})

describe('a hook', () => {
  it('receives the fields of the form, but never the token', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const calls: { readonly fields: object }[] = []
    const authorize: typeof AUTHORIZED.authorize = (call) => {
      calls.push(call)
      return { actor: 'ops' }
    }
    const shared: EndpointsOptions<unknown> = {
      binding: (call) => {
        calls.push(call)
        return undefined
      },
    }
    const options = { authorize }
    const site = { authority: watchword, shared, revocation: options, introspection: options }
    const ask = await asking(site)
    for (const name of ['introspection', 'leak', 'revocation'] as const) await ask(name, token)
    expect(calls.map(({ fields }) => ({ ...fields }))).toEqual(Array(5).fill({ client_id: 'ops' }))
    expect(calls.every((call) => Object.isFrozen(call) && Object.isFrozen(call.fields))).toBe(true)
    expect(inspect(calls, { depth: 9 })).not.toContain(token)
  })

  it('receives the request that a guard accepted before, in Express and in Fastify', async () => {
    const { watchword } = await rig()
    const policy = { ...INPUT, subject: 'svc_admin' }
    const { token: admin } = await watchword.issue(policy)
    const scopes = ['orders:read']
    const app = express()
    const actors: string[] = []
    const revocation = forExpress.tokenEndpoints(watchword).revocation({
      authorize: (_call, request) => {
        const actor = forExpress.authOf(request, watchword).subject
        actors.push(actor)
        return { actor }
      },
    })
    app.all('/revoke', forExpress.requireToken(watchword, { scopes }), revocation)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))

    const inner = fastify()
    await inner.register(async (part) => {
      await part.register(forFastify.tokenPlugin(watchword, { scopes }))
      const endpoints = forFastify.tokenEndpoints(watchword)
      const authorize = (_call: object, request: object) => {
        const actor = forFastify.authOf(request, watchword).subject
        actors.push(actor)
        return { actor }
      }
      await part.register(endpoints.revocation({ authorize }), { prefix: '/revoke' })
    })
    await inner.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => inner.close())

    for (const { port } of [server.address(), inner.server.address()] as AddressInfo[]) {
      const { token } = await watchword.issue(INPUT)
      const body = new URLSearchParams({ token }).toString()
      const sent = { method: 'POST', path: '/revoke', body }
      expect((await send(port, { ...sent, headers: [FORM] })).status).toBe(401)
      expect(verdict(watchword.verify(token))).toBe('ok')
      const headers = [FORM, `authorization: Bearer ${admin}`]
      expect((await send(port, { ...sent, headers })).status).toBe(200)
      expect(verdict(watchword.verify(token))).toBe('revoked')
    }
    expect(actors).toEqual(['svc_admin', 'svc_admin'])
  })
})

describe('a restriction', () => {
  it('makes a suspended token inactive, and refuses to rotate it', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword })
    const { token, id } = await watchword.issue(INPUT)
    await watchword.suspend({ id }, { actor: 'ops' })
    expect((await ask('introspection', token)).body).toBe('{"active":false}')
    expect((await ask('rotation', token)).status).toBe(401)
    await watchword.restore({ id }, { actor: 'ops' })
    expect((await ask('introspection', token)).body).toContain('"active":true')
    expect((await ask('rotation', token)).status).toBe(200)
  })

  it('is introspected by the scopes that it leaves', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword })
    const { token, id } = await watchword.issue({
      ...INPUT,
      scopes: ['orders:read', 'orders:write'],
    })
    await watchword.restrict({ id }, { actor: 'ops', deny: ['*:write'] })
    expect(JSON.parse((await ask('introspection', token)).body)).toMatchObject({
      scope: 'orders:read',
    })
  })

  it('that freezes rotation gets 503 with the time of its end, and leaves the token valid', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword })
    const { token } = await watchword.issue(INPUT)
    await watchword.freeze({ rotate: true }, { actor: 'ops', for: '90s' })
    const timed = await ask('rotation', token)
    expect([timed.status, timed.headers['retry-after']]).toEqual([503, '90'])
    await watchword.freeze({ rotate: true }, { actor: 'ops' })
    const open = await ask('rotation', token)
    expect([open.status, open.headers['retry-after']]).toEqual([503, undefined])
    expect(verdict(watchword.verify(token))).toBe('ok')
    await watchword.unfreeze({ actor: 'ops' })
    expect((await ask('rotation', token)).status).toBe(200)
  })
})

describe('a revocation', () => {
  it.each(['revocation', 'leak'] as const)(
    'that is uncertain gets 503 from the %s endpoint, until it is confirmed',
    async (name) => {
      const feed = cuttableFeed()
      const { watchword, store, root, clock } = await rig({}, { feed })
      const ask = await asking({ authority: watchword })
      const { token } = await watchword.issue(INPUT)
      feed.cut = true
      const uncertain = await ask(name, token)
      expect([uncertain.status, uncertain.headers['retry-after']]).toEqual([503, '1'])
      expect(verdict(watchword.verify(token))).toBe('revoked')
      // An invalid token does not reach the feed.
      expect((await ask(name, 'x')).status).toBe(200)
      feed.cut = false
      expect((await ask(name, token)).status).toBe(200)
      const { watchword: other } = await rig({}, { feed, store, root, clock })
      expect(verdict(other.verify(token))).toBe('revoked')
    },
  )

  it.each(['revocation', 'leak'] as const)(
    'that the store rejects gets 503 from the %s endpoint',
    async (name) => {
      const down = failing('revoke')
      const { watchword } = await rig({}, { store: down.store })
      const ask = await asking({ authority: watchword })
      const { token } = await watchword.issue(INPUT)
      down.down = true
      expect((await ask(name, token)).status).toBe(503)
      down.down = false
      expect((await ask(name, token)).status).toBe(200)
    },
  )

  it('is not reported as done by a node that was closed meanwhile', async () => {
    const { watchword } = await rig()
    const reason = 'stale'
    const late = new WatchwordError('ERR_TOKEN_REJECTED', 'the token was refused', { reason })
    const authority = { ...watchword, revoke: () => Promise.reject(late) }
    const ask = await asking({ authority })
    for (const name of ['revocation', 'leak'] as const) {
      expect((await ask(name, 'x')).status).toBe(503)
    }
  })

  it('records its actor, and the reason of a leak', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword, leak: { reason: 'found by a scanner' } })
    const told: object[] = []
    const onAudit = (message: unknown) => void told.push(message as object)
    subscribe('watchword:audit', onAudit)
    try {
      for (const name of ['revocation', 'leak'] as const) {
        const { token, id } = await watchword.issue(INPUT)
        told.length = 0
        await ask(name, token)
        const [actor, reason] =
          name === 'leak' ? ['leak-report', 'found by a scanner'] : ['ops', null]
        expect(told).toEqual([expect.objectContaining({ action: 'revoked', actor, reason, id })])
      }
    } finally {
      unsubscribe('watchword:audit', onAudit)
    }
  })

  it('is made once, however often the leak of one token is reported', async () => {
    const { watchword } = await rig()
    const ask = await asking({ authority: watchword })
    const { token } = await watchword.issue(INPUT)
    await ask('leak', token)
    const { position } = watchword.health()
    expect(position.seq).toBe(1)
    for (let i = 0; i < 5; i++) expect((await ask('leak', token)).status).toBe(200)
    expect(watchword.health().position).toEqual(position)
  })

  it('continues with the rest of a report when one of its tokens is uncertain', async () => {
    const { watchword } = await rig()
    const all = await Promise.all(Array.from({ length: 20 }, () => watchword.issue(INPUT)))
    const [first] = all
    const authority: EndpointAuthority = {
      ...watchword,
      revoke: (target, options) =>
        target.token === first?.token
          ? Promise.reject(new Error('oops'))
          : watchword.revoke(target, options),
    }
    const server = await framework.serve({ authority })
    closing.push(() => server.close())
    const body = JSON.stringify({ tokens: all.map(({ token }) => token) })
    const headers = ['content-type: application/json']
    const reply = await send(server.port, { method: 'POST', path: PATHS.leak, headers, body })
    expect(reply.status).toBe(503)
    const outcomes = all.map(({ token }) => verdict(watchword.verify(token)))
    expect(outcomes).toEqual(['ok', ...Array(19).fill('revoked')])
  })

  it('reaches a bound token only through the binding', async () => {
    const { watchword } = await rig()
    const binding = 'thumbprint'
    for (const name of ['revocation', 'leak'] as const) {
      const { token } = await watchword.issue({ ...INPUT, binding })
      await (await asking({ authority: watchword }))(name, token)
      expect(verdict(watchword.verify(token, { binding }))).toBe('ok')
      const bound = await asking({ authority: watchword, shared: { binding: () => binding } })
      await bound(name, token)
      expect(verdict(watchword.verify(token, { binding }))).toBe('revoked')
    }
  })
})

describe('a token of a key that this node has not seen', () => {
  it('is looked up before it is reported as unknown', async () => {
    for (const name of NAMES) {
      const { watchword, ...shared } = await rig()
      const ask = await asking({ authority: watchword })
      const { watchword: other } = await rig({}, shared)
      const [key] = other.keys.list()
      // Its successor is active at once, without having been published in advance.
      await other.keys.revoke(key?.id ?? '', { actor: 'ops' })
      const issued = await other.issue(INPUT)
      expect(watchword.keys.list().map(({ id }) => id)).not.toContain(issued.keyId)
      const reply = await ask(name, issued.token)
      expect(reply.status).toBe(200)
      if (name === 'introspection') expect(reply.body).toContain('"active":true')
      if (name === 'rotation') expect(reply.body).toContain('access_token')
      if (name === 'leak' || name === 'revocation') {
        expect(verdict(watchword.verify(issued.token))).toBe('revoked')
      }
    }
  })
})

describe('an introspection', () => {
  it('never reports a token as active on a node that cannot be sure, under any onStale', async () => {
    for (const onStale of ['accept', 'reject'] as const) {
      const feed = cuttableFeed()
      const { watchword, clock } = await rig({ onStale }, { feed })
      const ask = await asking({ authority: watchword })
      const { token } = await watchword.issue(INPUT)
      feed.cut = true
      await clock.advance(MINUTE)
      expect(verdict(watchword.verify(token))).toBe(onStale === 'accept' ? 'ok' : 'stale')
      expect((await ask('introspection', token)).status).toBe(503)
    }
  })

  it('adds the claims of the service, and never in place of a standard member', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue({ ...INPUT, scopes: [], claims: { tenant: 't_1' } })
    const claims = (auth: { readonly claims: object }) => ({
      ...auth.claims,
      client_id: 'billing',
      active: false,
      scope: 'root',
      sub: 'root',
      iss: 'root',
      nbf: 1,
    })
    const introspection = { ...AUTHORIZED, claims }
    const ask = await asking({ authority: watchword, introspection })
    const told = JSON.parse((await ask('introspection', token)).body) as object
    const standard = { active: true, token_type: 'Bearer', sub: 'svc_billing', jti: id }
    expect(told).toMatchObject({ tenant: 't_1', client_id: 'billing', ...standard })
    for (const name of ['scope', 'iss', 'nbf']) expect(told).not.toHaveProperty(name)
  })

  it('recognizes a bound token only through the binding', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ ...INPUT, binding: 'thumbprint' })
    const plain = await asking({ authority: watchword })
    expect((await plain('introspection', token)).body).toBe('{"active":false}')
    const bound = await asking({ authority: watchword, shared: { binding: () => 'thumbprint' } })
    expect((await bound('introspection', token)).body).toContain('"active":true')
  })
})

describe('a rotation', () => {
  const rotated = ({ body }: Reply): string =>
    (JSON.parse(body) as { access_token: string }).access_token

  it('treats a token after its grace as stolen, and responds as for any other token', async () => {
    const { watchword, clock } = await rig()
    const ask = await asking({ authority: watchword })
    const { token } = await watchword.issue(INPUT)
    const successor = rotated(await ask('rotation', token))
    await clock.advance(2 * MINUTE)
    const reused = await ask('rotation', token)
    expect(reused).toEqual(await ask('rotation', 'x'))
    expect(reused.status).toBe(401)
    expect(verdict(watchword.verify(successor))).toBe('revoked')
  })

  it('gives the reason only when configured', async () => {
    const { watchword, clock } = await rig()
    const rotation = { allowHttp: true, reasons: true, realm: 'orders' }
    const ask = await asking({ authority: watchword, rotation })
    const { token } = await watchword.issue({ ...INPUT, ttl: '1h' })
    await clock.advance(HOUR)
    const { body, headers } = await ask('rotation', token)
    expect(JSON.parse(body)).toMatchObject({ status: 401, reason: 'expired' })
    expect(headers['www-authenticate']).toContain('realm="orders"')
  })

  it('tells the holder of the last token of a family to ask for a new one', async () => {
    const policies = { service: { ttl: '1d', maxLifetime: '2d', scopes: ['orders:*'] } }
    const { watchword, clock } = await rig(
      { policies, maxStaleness: '1h' },
      { feed: rarelyPolled() },
    )
    const ask = await asking({ authority: watchword })
    const first = await watchword.issue(INPUT)
    await clock.advance(DAY - MINUTE)
    const second = rotated(await ask('rotation', first.token))
    await clock.advance(DAY - MINUTE)
    const last = await ask('rotation', second)
    const { access_token: third, expires_in: seconds } = JSON.parse(last.body) as {
      access_token: string
      expires_in: number
    }
    expect(seconds).toBe(120)
    await clock.advance(120 * SECOND)
    const ended = await ask('rotation', third)
    expect(ended.status).toBe(401)
    expect(ended.headers['www-authenticate']).toBe('Bearer realm="api", error="invalid_token"')
    expect(JSON.parse(ended.body)).toMatchObject({ code: 'family_ended' })
  })

  it('rejects a form that repeats a parameter, and leaves the token as it is', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    const server = await framework.serve({ authority: watchword })
    closing.push(() => server.close())
    const headers = [FORM, `authorization: Bearer ${token}`]
    const sent = { method: 'POST', path: PATHS.rotation, headers, body: 'note=a&note=b' }
    const { status, body } = await send(server.port, sent)
    expect([status, JSON.parse(body)]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_request' }),
    ])
    expect((await watchword.tokens.get(id))?.successor).toBeNull()
  })

  it('responds with 403 when the policy no longer grants any scope of the token', async () => {
    const { watchword, store, feed, root, clock } = await rig()
    const { token } = await watchword.issue(INPUT)
    const policies = { service: { ttl: '30d', scopes: ['stock:read'] } }
    const { watchword: changed } = await rig({ policies }, { store, feed, root, clock })
    const { status, body } = await (await asking({ authority: changed }))('rotation', token)
    expect([status, JSON.parse(body)]).toEqual([
      403,
      expect.objectContaining({ code: 'insufficient_scope' }),
    ])
    expect(verdict(watchword.verify(token))).toBe('ok')
  })

  it('responds with 503 when a wrapped authority rejects with an error of its own', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const failure = new Error('the tenant is unknown')
    const errors: unknown[] = []
    const authority = { ...systemClocked(watchword), rotate: () => Promise.reject(failure) }
    const shared = { onError: (error: unknown) => void errors.push(error) }
    const ask = await asking({ authority, shared })
    expect((await ask('rotation', token)).status).toBe(503)
    expect(errors).toEqual([
      expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', cause: failure }),
    ])
  })

  it('keeps the binding', async () => {
    const { watchword } = await rig()
    const binding = 'thumbprint'
    const { token } = await watchword.issue({ ...INPUT, binding })
    expect((await (await asking({ authority: watchword }))('rotation', token)).status).toBe(401)
    const ask = await asking({ authority: watchword, shared: { binding: () => binding } })
    const successor = rotated(await ask('rotation', token))
    expect(verdict(watchword.verify(successor, { binding }))).toBe('ok')
    expect(verdict(watchword.verify(successor))).toBe('invalid')
  })

  it.each(['getToken', 'succeed'] as const)(
    'that is impossible now gets 503 (%s), and leaves the token unchanged',
    async (method) => {
      const down = failing(method)
      const { watchword } = await rig({}, { store: down.store })
      const errors: unknown[] = []
      const shared = { onError: (error: unknown) => void errors.push(error) }
      const ask = await asking({ authority: watchword, shared })
      const { token } = await watchword.issue(INPUT)
      down.down = true
      expect((await ask('rotation', token)).status).toBe(503)
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' })])
      down.down = false
      expect(verdict(watchword.verify(token))).toBe('ok')
      expect((await ask('rotation', token)).status).toBe(200)
    },
  )

  it('of a token that the store does not have is rejected like any other', async () => {
    const { watchword, root, clock, feed, store } = await rig()
    const { token } = await watchword.issue(INPUT)
    // The keys are there, but the record is missing.
    const bare = { ...store, getToken: async () => undefined } as Store
    const { watchword: other } = await rig({}, { store: bare, root, clock, feed })
    const ask = await asking({ authority: other })
    expect(await ask('rotation', token)).toEqual(await ask('rotation', 'x'))
  })
})

describe('the text of a token', () => {
  it('is in no response except the rotation, in no header, in no message and in no error', async () => {
    const feed = cuttableFeed()
    const { watchword } = await rig({ prefix: 'acme_live' }, { feed })
    const told: unknown[] = []
    const tell = (message: unknown) => void told.push(message)
    const channels = ['watchword:decision', 'watchword:audit']
    for (const name of channels) subscribe(name, tell)
    try {
      const shared = { onError: tell, limit: (call: object) => told.push(call) > 0 }
      const ask = await asking({ authority: watchword, shared })
      const secrets: string[] = []
      for (const cut of [false, true]) {
        for (const name of NAMES) {
          const { token } = await watchword.issue(INPUT)
          feed.cut = cut
          const { status, headers, body } = await ask(name, token)
          feed.cut = false
          secrets.push(token)
          told.push(headers)
          if (name === 'rotation' && status === 200) secrets.push(JSON.parse(body).access_token)
          else told.push(body)
        }
      }
      const text = inspect(told, {
        depth: 20,
        showHidden: true,
        maxStringLength: null,
        maxArrayLength: null,
      })
      expect(told.length).toBeGreaterThan(20)
      // Half of it would be enough to distinguish it from chance.
      const parts = secrets.flatMap((token) => [token.slice(60, 100), token.slice(-60)])
      expect(parts.filter((part) => text.includes(part))).toEqual([])
    } finally {
      for (const name of channels) unsubscribe(name, tell)
    }
  })
})

describe('the options of the endpoints', () => {
  it('are checked when the endpoints are made', async () => {
    const { watchword } = await rig()
    const bad: readonly (readonly [string, () => unknown])[] = [
      ['limit', () => forExpress.tokenEndpoints(watchword, { limit: 5 as never })],
      ['timeout', () => forExpress.tokenEndpoints(watchword, { timeout: '1ms' })],
      ['limits', () => forExpress.tokenEndpoints(watchword, { limits: oops } as never)],
      ['options', () => forExpress.tokenEndpoints(watchword, null as never)],
      ['allowHttp', () => forExpress.tokenEndpoints(watchword).rotation({ allowHttp: 1 as never })],
      ['realm', () => forExpress.tokenEndpoints(watchword).rotation({ realm: 'a\r\nb' })],
      ['reason', () => forExpress.tokenEndpoints(watchword).leak({ reason: '' })],
      ['authorize', () => forExpress.tokenEndpoints(watchword).revocation({} as never)],
      ['options', () => forExpress.tokenEndpoints(watchword).introspection(undefined as never)],
    ]
    for (const [field, make] of bad) {
      expect(make).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringMatching(
            new RegExp(`^(${field}: |unknown option '${field}' )`),
          ) as string,
        }),
      )
    }
  })
})
