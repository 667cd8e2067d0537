import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'
import type { FastifyInstance, FastifyPluginCallback, onRequestHookHandler } from 'fastify'
import { Hono, type Context as HonoContext } from 'hono'
import type { Context as KoaContext, Middleware } from 'koa'
import { describe, expectTypeOf, it } from 'vitest'
import { createWatchword, type Verified } from 'watchword'
import * as forExpress from 'watchword/express'
import * as forFastify from 'watchword/fastify'
import * as forHono from 'watchword/hono'
import * as forKoa from 'watchword/koa'
import * as forNode from 'watchword/node'
import * as z from 'zod'

const schema = z.object({ tenant: z.string() })
interface Claims {
  tenant: string
}

// Never called: its body is only compiled.
async function typed() {
  return createWatchword({
    issuer: 'https://auth.example',
    audience: 'api',
    policies: { job: { ttl: '1h', scopes: [] } },
    claims: schema,
  })
}
type Typed = Awaited<ReturnType<typeof typed>>

describe('the types of the guards', () => {
  it('carry the custom claims to the handler, without a cast', () => {
    const _read = (watchword: Typed, request: IncomingMessage) => {
      expectTypeOf(forNode.authOf(request, watchword)).toEqualTypeOf<Verified<Claims>>()
      expectTypeOf(forExpress.authOf(request, watchword).claims.tenant).toBeString()
      expectTypeOf(forKoa.optionalAuthOf(request, watchword)).toEqualTypeOf<
        Verified<Claims> | undefined
      >()
      expectTypeOf(forFastify.authOf(request)).toEqualTypeOf<Verified>()
      expectTypeOf(forFastify.authOf(request).claims['tenant']).toBeUnknown()
    }
    expectTypeOf(_read).toBeFunction()
  })

  it('type c.get of Hono, according to the options', () => {
    const _routes = (watchword: Typed, optional: boolean) => {
      const app = new Hono()
      app.get('/a', forHono.requireToken(watchword, { scopes: ['orders:read'] }), (c) => {
        expectTypeOf(c.get('auth')).toEqualTypeOf<Verified<Claims>>()
        expectTypeOf(c.var.auth.claims.tenant).toBeString()
        return c.text('a')
      })
      app.get('/b', forHono.requireToken(watchword, { optional: true }), (c) => {
        expectTypeOf(c.get('auth')).toEqualTypeOf<Verified<Claims> | undefined>()
        return c.text('b')
      })
      app.get('/c', forHono.requireToken(watchword, { optional }), (c) => {
        expectTypeOf(c.get('auth')).toEqualTypeOf<Verified<Claims> | undefined>()
        return c.text('c')
      })
      return app.use(forHono.requireToken(watchword)).get('/d', (c) => {
        expectTypeOf(c.get('auth')).toEqualTypeOf<Verified<Claims>>()
        return c.text('d')
      })
    }
    expectTypeOf(_routes).toBeFunction()
  })

  it('fit where the frameworks accept a handler', () => {
    type Guard<Entry extends (...args: never[]) => unknown> = ReturnType<Entry>
    expectTypeOf<Guard<typeof forExpress.requireToken>>().toExtend<RequestHandler>()
    expectTypeOf<Guard<typeof forKoa.requireToken>>().toExtend<Middleware>()
    expectTypeOf<Guard<typeof forFastify.requireToken>>().toExtend<onRequestHookHandler>()
    expectTypeOf<Guard<typeof forFastify.tokenPlugin>>().toExtend<FastifyPluginCallback>()
    expectTypeOf<FastifyInstance>().toExtend<Parameters<Guard<typeof forFastify.tokenPlugin>>[0]>()
  })

  it('pass the request of the framework to getToken', () => {
    const _guards = (watchword: Typed) => {
      forExpress.requireToken(watchword, {
        getToken: (request) => {
          expectTypeOf(request.get('x-token')).toEqualTypeOf<string | undefined>()
          return request.get('x-token')
        },
      })
      forKoa.requireToken(watchword, {
        getToken: (context) => {
          expectTypeOf(context).toEqualTypeOf<KoaContext>()
          return context.cookies.get('token')
        },
      })
      forHono.requireToken(watchword, {
        getToken: (c) => {
          expectTypeOf(c).toEqualTypeOf<HonoContext>()
          return c.req.header('x-token')
        },
      })
      // @ts-expect-error A token is text.
      forNode.requireToken(watchword, { getToken: () => 42 })
      // @ts-expect-error A misspelt field.
      forNode.requireToken(watchword, { scope: ['orders:read'] })
    }
    expectTypeOf(_guards).toBeFunction()
  })
})
