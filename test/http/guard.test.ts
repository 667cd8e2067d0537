/**
 * The options of guards, and what they leave on a request.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Watchword, WatchwordError } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import type { TokenOptions } from '../../src/http/options.js'
import * as forWeb from '../../src/http/web.js'
import { closeAll, codeOf, failureOf, isDeepFrozen, rig } from '../support/harness.js'
import { send } from './client.js'
import { INVALID, MALFORMED, MISSING, ours } from './table.js'

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }

let watchword: Watchword
let token: string
let bearer: readonly string[]

beforeAll(async () => {
  watchword = (await rig()).watchword
  token = (await watchword.issue(INPUT)).token
  bearer = [`authorization: Bearer ${token}`]
})
afterAll(closeAll)

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown

/** Sends requests to a listener, one after the other. */
async function asking(listener: Listener, use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use((server.address() as AddressInfo).port)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

describe('the options', () => {
  const make = (options: unknown) => () =>
    forNode.requireToken(watchword, options as TokenOptions<IncomingMessage>)

  it.each<[string, unknown]>([
    ['no object', 'orders:read'],
    ['null', null],
    ['an invalid flag', { optional: 'yes' }],
    ['a realm beyond ASCII', { realm: 'Bücher' }],
    ['a realm with a line break', { realm: 'a\r\nset-cookie: a=b' }],
    ['an empty realm', { realm: '' }],
    ['metadata that is not a URL', { resourceMetadata: '/well-known' }],
    ['metadata of another scheme', { resourceMetadata: 'javascript:alert(1)' }],
    ['an invalid property', { property: 'a b' }],
    ['the property __proto__', { property: '__proto__' }],
    ['the property constructor', { property: 'constructor' }],
    ['a getToken that is not a function', { getToken: 'cookie' }],
    ['an invalid timeout', { timeout: 'soon' }],
    ['a timeout without end', { timeout: Number.POSITIVE_INFINITY }],
  ])('reject %s', async (_name, options) => {
    const error = await failureOf(make(options))
    expect(error).toBeInstanceOf(WatchwordError)
    expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION' })
    expect((error as Error).message).toMatch(/^[a-zA-Z]+: expected /)
  })

  it.each<[string, unknown]>([
    ['a misspelt field', { scope: ['orders:read'] }],
    ['an invalid scope', { scopes: ['orders read'] }],
    ['an empty alternative', { scopes: { anyOf: [] } }],
    ['an invalid staleness', { maxStaleness: 'now' }],
  ])('leave %s to require', async (_name, options) => {
    expect(await codeOf(make(options))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('are read once: later changes by the caller have no effect', async () => {
    const scopes = ['orders:read']
    const options = { scopes, optional: false }
    const listener = forNode.protect(watchword, (_, response) => response.end('ran'), options)
    scopes.pop()
    options.optional = true
    await asking(listener, async (port) => {
      expect(ours(await send(port, {}))).toEqual(MISSING)
    })
  })
})

describe('authOf', () => {
  it('returns the result itself, frozen', async () => {
    const seen: unknown[] = []
    const handler: Listener = (request, response) => {
      seen.push(forNode.authOf(request), forNode.optionalAuthOf(request, watchword))
      response.end()
    }
    await asking(forNode.protect(watchword, handler), async (port) => {
      await send(port, { headers: bearer })
    })
    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(seen[1])
    expect(seen[0]).toMatchObject({ ok: true, subject: 'svc_billing' })
    expect(isDeepFrozen(seen[0])).toBe(true)
  })

  it('throws where no guard ran, for an anonymous request, and for another authority', async () => {
    expect(await codeOf(() => forNode.authOf({}))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => forNode.optionalAuthOf({}))).toBe('ERR_INVALID_ARGUMENT')
    const other = (await rig()).watchword
    const codes: string[] = []
    const handler: Listener = (request, response) => {
      void (async () => {
        codes.push(await codeOf(() => forNode.authOf(request)))
        codes.push(await codeOf(() => forNode.authOf(request, other)))
        codes.push(await codeOf(() => forNode.optionalAuthOf(request, other)))
        expect(forNode.optionalAuthOf(request, watchword)).toBeUndefined()
        response.end()
      })()
    }
    await asking(forNode.protect(watchword, handler, { optional: true }), async (port) => {
      expect((await send(port, {})).status).toBe(200)
    })
    expect(codes).toEqual(Array(3).fill('ERR_INVALID_ARGUMENT'))
  })
})

describe('a named property', () => {
  const options = { property: 'auth', optional: true } as const
  /** What a handler finds there, after another value was there before. */
  const found = (holder: object): string => {
    const own = Object.getOwnPropertyDescriptor(holder, 'auth')
    const { subject = 'anonymous' } = (own?.value ?? {}) as { subject?: string }
    return `${subject}, ${own?.writable === false ? 'read-only' : 'writable'}`
  }
  const FORGED = { subject: 'root' }
  const check = (port: number) => async () => {
    expect((await send(port, { headers: bearer })).body).toBe('svc_billing, read-only')
    // An anonymous request has no subject, and not the previous one.
    expect((await send(port, {})).body).toBe('anonymous, read-only')
  }

  it('holds the result in Express, and replaces any earlier value', async () => {
    const app = express()
    app.use((request, _, next) => next(void Object.assign(request, { auth: FORGED })))
    app.use(forExpress.requireToken(watchword, options))
    app.use(forExpress.requireToken(watchword, options))
    app.use((request, response) => void response.end(found(request)))
    await asking(app, (port) => check(port)())
  })

  it('holds the result in ctx.state of Koa', async () => {
    const app = new Koa()
    app.use((context, next) => {
      context.state['auth'] = FORGED
      return next()
    })
    app.use(forKoa.requireToken(watchword, options))
    app.use((context) => {
      context.body = found(context.state)
    })
    await asking(app.callback(), (port) => check(port)())
  })

  it('holds the result in Fastify', async () => {
    const app = fastify()
    app.decorateRequest('auth', null)
    app.addHook('onRequest', async (request) => void Object.assign(request, { auth: FORGED }))
    await app.register(forFastify.tokenPlugin(watchword, options))
    app.get('/orders', async (request) => found(request))
    await app.ready()
    await asking(app.routing, (port) => check(port)())
    await app.close()
  })

  it('is a variable in Hono', async () => {
    const app = new Hono<{ Variables: { who: unknown } }>()
    app.use(async (c, next) => {
      c.set('who', FORGED)
      await next()
    })
    app.use(forHono.requireToken(watchword, { property: 'who', optional: true }))
    app.get('/', (c) => c.text(String((c.get('who') as { subject?: string } | undefined)?.subject)))
    const headers = { authorization: `Bearer ${token}` }
    expect(await (await app.request('/', { headers })).text()).toBe('svc_billing')
    expect(await (await app.request('/')).text()).toBe('undefined')
  })

  it('that cannot be replaced makes the guard reject every request', async () => {
    let ran = 0
    const errors: unknown[] = []
    const onError = (error: unknown) => void errors.push(error)
    const handler: Listener = (_, response) => {
      ran++
      response.end()
    }
    const guarded = forNode.protect(watchword, handler, { property: 'auth', onError })
    const listener: Listener = (request, response) => {
      Object.defineProperty(request, 'auth', { value: FORGED })
      guarded(request, response)
    }
    await asking(listener, async (port) => {
      expect((await send(port, { headers: bearer })).status).toBe(503)
      expect([ran, errors.length]).toEqual([0, 1])
    })
  })
})

describe('a response that Fastify has sent before the token was verified', () => {
  it('is left unchanged', async () => {
    const app = fastify()
    const replies = new Map<unknown, { send(body: string): unknown }>()
    app.addHook('onRequest', (request, reply, done) => {
      replies.set(request.raw, reply)
      done()
    })
    const getToken = async ({ raw }: { readonly raw: unknown }) => {
      replies.get(raw)?.send('early')
      return undefined
    }
    let ran = 0
    app.get('/orders', { onRequest: forFastify.requireToken(watchword, { getToken }) }, () => {
      ran++
    })
    await app.ready()
    await asking(app.routing, async (port) => {
      const { status, body } = await send(port, {})
      expect([status, body]).toEqual([200, 'early'])
    })
    expect(ran).toBe(0)
    await app.close()
  })
})

describe('with throwErrors', () => {
  const options = { throwErrors: true, scopes: ['orders:write'] } as const
  const text = (error: unknown): string => {
    const { name, code, status, statusCode, expose, answer } = error as forNode.RefusalError
    return JSON.stringify([name, code, status, statusCode, expose, answer.body === MISSING.body])
  }
  const THROWN = '["WatchwordError","ERR_TOKEN_REJECTED",401,401,true,true]'
  const CHALLENGE = 'Bearer realm="api", error="insufficient_scope", scope="orders:write"'
  /** The framework's own handler takes status and challenge from the error. */
  const byDefault = async (port: number) => {
    const refused = await send(port, { headers: bearer })
    expect(refused.status).toBe(403)
    expect(refused.headers).toMatchObject({
      'www-authenticate': CHALLENGE,
      'cache-control': 'no-store',
    })
    expect(refused.body).not.toContain(token)
  }

  it('Express receives the error', async () => {
    const app = express()
    app.use(forExpress.requireToken(watchword, options))
    await asking(app.set('env', 'test'), byDefault)
    app.use(((error, _request, response, _next) => {
      response.status(error.status).set(error.headers).end(text(error))
    }) as express.ErrorRequestHandler)
    await asking(app, async (port) => {
      expect((await send(port, {})).body).toBe(THROWN)
    })
  })

  it('Koa receives the error', async () => {
    const app = new Koa()
    app.silent = true
    const plain = new Koa()
    plain.silent = true
    plain.use(forKoa.requireToken(watchword, options))
    await asking(plain.callback(), byDefault)
    app.use(async (context, next) => {
      await next().catch((error: unknown) => {
        context.body = text(error)
      })
    })
    app.use(forKoa.requireToken(watchword, options))
    await asking(app.callback(), async (port) => {
      expect((await send(port, {})).body).toBe(THROWN)
    })
  })

  it('Fastify receives the error', async () => {
    const plain = fastify()
    plain.addHook('onRequest', forFastify.requireToken(watchword, options))
    await plain.ready()
    await asking(plain.routing, byDefault)
    const app = fastify()
    app.setErrorHandler((error, _, reply) => reply.send(text(error)))
    app.addHook('onRequest', forFastify.requireToken(watchword, options))
    await app.ready()
    await asking(app.routing, async (port) => {
      expect((await send(port, {})).body).toBe(THROWN)
    })
    await Promise.all([plain.close(), app.close()])
  })

  it('Hono receives the error, and can respond with it', async () => {
    const app = new Hono()
    app.use(forHono.requireToken(watchword, options))
    const headers = { authorization: `Bearer ${token}` }
    const refused = await app.request('/', { headers })
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toBe(CHALLENGE)
    app.onError((error, c) => c.text(text(error)))
    expect(await (await app.request('/')).text()).toBe(THROWN)
  })

  it('protect of node:http still responds itself, because there is no error handler', async () => {
    let ran = 0
    const handler = () => void ran++
    const listener = forNode.protect(watchword, handler, options)
    await asking(listener, byDefault)
    expect(ran).toBe(0)
  })

  it('the error contains neither the token nor the reason, and an outage has its own code', async () => {
    const { watchword: closed } = await rig()
    const { token: revoked } = await watchword.issue(INPUT)
    await watchword.revoke({ token: revoked }, { actor: 'ops' })
    await closed.close()
    const caught: forNode.RefusalError[] = []
    const thrown = async (guard: forNode.ConnectGuard, headers: readonly string[]) =>
      asking(
        (request, response) =>
          guard(request, response, (error) => {
            caught.push(error as forNode.RefusalError)
            response.end()
          }),
        async (port) => void (await send(port, { headers })),
      )
    const guards = [
      forNode.requireToken(watchword, { throwErrors: true }),
      forNode.requireToken(watchword, { throwErrors: true, reasons: true }),
    ]
    for (const guard of guards) await thrown(guard, [`authorization: Bearer ${revoked}`])
    await thrown(forNode.requireToken(closed, { throwErrors: true }), bearer)
    const cause = new Error('the cookie jar is empty')
    const getToken = () => {
      throw cause
    }
    await thrown(forNode.requireToken(watchword, { throwErrors: true, getToken }), bearer)
    expect(caught.map(({ code, status, reason }) => [code, status, reason])).toEqual([
      ['ERR_TOKEN_REJECTED', 401, undefined],
      ['ERR_TOKEN_REJECTED', 401, 'revoked'],
      ['ERR_FEED_UNAVAILABLE', 503, undefined],
      ['ERR_STORE_UNAVAILABLE', 503, undefined],
    ])
    expect(caught[3]?.cause).toBe(cause)
    expect(JSON.stringify(caught[0])).not.toContain(revoked)
  })
})

describe('getToken', () => {
  it('replaces the header: nothing means no credentials, and its token is verified in the same way', async () => {
    const getToken = (request: IncomingMessage) => request.headers.cookie?.slice('t='.length)
    const later = async (request: IncomingMessage) => getToken(request) ?? null
    for (const source of [getToken, later]) {
      const handler: Listener = (request, response) => {
        response.end(forNode.authOf(request).subject)
      }
      const listener = forNode.protect(watchword, handler, { getToken: source })
      await asking(listener, async (port) => {
        const ask = async (headers: readonly string[]) => ours(await send(port, { headers }))
        expect((await ask([`cookie: t=${token}`])).body).toBe('svc_billing')
        expect(await ask(bearer)).toEqual(MISSING)
        expect(await ask(['cookie: t='])).toEqual(MISSING)
        expect(await ask(['cookie: t=x'])).toEqual(INVALID)
        expect(await ask([`cookie: t=${token}, x`])).toEqual(MALFORMED)
      })
    }
  })

  // The client controls what an application reads from a parsed body.
  it.each<[string, unknown]>([
    ['a number', 42],
    ['a flag', true],
    ['a list', [1]],
    ['an imitated result', { ok: true, subject: 'root' }],
    ['an imitated verdict', { ok: true, auth: { subject: 'root' }, headers: {} }],
    ['an imitated response', { ok: false, status: 200, headers: {}, body: 'fine' }],
  ])('that returns %s is treated as a malformed credential', async (_name, source) => {
    let ran = 0
    const handler: Listener = (_, response) => {
      ran++
      response.end()
    }
    const sources = [() => source, async () => source] as (() => string)[]
    for (const getToken of sources) {
      const listener = forNode.protect(watchword, handler, { getToken, optional: true })
      await asking(listener, async (port) => {
        expect(ours(await send(port, {}))).toEqual(MALFORMED)
      })
    }
    expect(ran).toBe(0)
  })
})

describe('an authority that returns an invalid result', () => {
  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['a flag', true],
    ['a text', 'ok'],
    ['an imitated result', { ok: 'yes', subject: 'root' }],
    ['an unknown code', { ok: false, code: 'fine' }],
  ])('makes the guard reject every request: %s', async (_name, result) => {
    let ran = 0
    const handler: Listener = (_, response) => {
      ran++
      response.end()
    }
    const authority = { ...watchword, authenticate: async () => result } as unknown as Watchword
    await asking(forNode.protect(authority, handler), async (port) => {
      expect(ours(await send(port, { headers: bearer }))).toEqual(INVALID)
    })
    expect(ran).toBe(0)
  })
})

describe('a header that an application sets', () => {
  it('counts, unless the client sent two', async () => {
    const handler: Listener = (request, response) => {
      response.end(forNode.authOf(request).subject)
    }
    const guarded = forNode.protect(watchword, handler)
    const listener: Listener = (request, response) => {
      request.headers.authorization = `Bearer ${token}`
      guarded(request, response)
    }
    await asking(listener, async (port) => {
      expect((await send(port, {})).body).toBe('svc_billing')
      expect((await send(port, { headers: ['authorization: x'] })).body).toBe('svc_billing')
      const twice = ['authorization: Bearer x', 'authorization: Bearer y']
      expect(ours(await send(port, { headers: twice }))).toEqual(MALFORMED)
    })
  })
})

describe('protect, for Web requests', () => {
  const ask = (headers: [string, string][], url = 'https://api.example/orders') => {
    const get = forWeb.protect(
      watchword,
      (request, suffix: string) => new Response(forWeb.authOf(request).subject + suffix),
      { scopes: ['orders:read'], expiryHeaders: true },
    )
    return get(new Request(url, { headers }), '!')
  }

  it('passes on its arguments, and rejects as the frameworks do', async () => {
    const passed = await ask([['authorization', `Bearer ${token}`]])
    expect(await passed.text()).toBe('svc_billing!')
    expect(passed.headers.get('token-expires')).toMatch(/^2026-01-31T/)
    const refused = await ask([])
    const { status, headers } = refused
    const reply = { status, headers: Object.fromEntries(headers), body: await refused.text() }
    expect(ours(reply)).toEqual(MISSING)
  })

  it('rejects two credentials that were joined', async () => {
    const one = ['authorization', `Bearer ${token}`] as [string, string]
    const basic = ['authorization', 'Basic eDp5'] as [string, string]
    for (const headers of [
      [one, one],
      [one, basic],
      [basic, one],
    ]) {
      expect((await ask(headers)).status).toBe(400)
    }
    expect((await ask([one], 'https://api.example/?access_token=x')).status).toBe(400)
  })
})
