import type { IncomingMessage, RequestListener } from 'node:http'
import type { Request, RequestHandler } from 'express'
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify'
import type { Handler, Context as HonoContext } from 'hono'
import type { Context as KoaContext, Middleware } from 'koa'
import { describe, expectTypeOf, it } from 'vitest'
import { createWatchword } from 'watchword'
import * as forExpress from 'watchword/express'
import * as forFastify from 'watchword/fastify'
import * as forHono from 'watchword/hono'
import * as forKoa from 'watchword/koa'
import * as forNode from 'watchword/node'
import * as z from 'zod'

// Never called: its body is only compiled.
async function typed() {
  return createWatchword({
    issuer: 'https://auth.example',
    audience: 'api',
    policies: { job: { ttl: '1h', scopes: [] } },
    claims: z.object({ tenant: z.string() }),
  })
}
type Typed = Awaited<ReturnType<typeof typed>>

describe('the types of the endpoints', () => {
  it('fit where the frameworks accept a handler', () => {
    expectTypeOf<forExpress.ConnectEndpoint>().toExtend<RequestHandler>()
    expectTypeOf<forNode.ConnectEndpoint>().toExtend<RequestListener>()
    expectTypeOf<forKoa.KoaEndpoint>().toExtend<Middleware>()
    expectTypeOf<forHono.HonoEndpoint>().toExtend<Handler>()
    expectTypeOf<forFastify.FastifyEndpoint>().toExtend<FastifyPluginCallback>()
    expectTypeOf<FastifyInstance>().toExtend<forFastify.FastifyRouterLike>()
  })

  it('pass the request of the framework to the hooks', () => {
    const _hooks = (watchword: Typed) => {
      const limit = <R>(call: forExpress.EndpointCall, request: R) => {
        expectTypeOf(call.address).toEqualTypeOf<string | undefined>()
        return request !== undefined
      }
      forExpress.tokenEndpoints(watchword, { limit: limit<Request> })
      forKoa.tokenEndpoints(watchword, { limit: limit<KoaContext> })
      forFastify.tokenEndpoints(watchword, { limit: limit<FastifyRequest> })
      forHono.tokenEndpoints(watchword, { limit: limit<HonoContext> })
      forNode.tokenEndpoints(watchword, { limit: limit<IncomingMessage> })
      // @ts-expect-error Another framework's request.
      forNode.tokenEndpoints(watchword, { limit: limit<HonoContext> })
    }
    expectTypeOf(_hooks).toBeFunction()
  })

  it('carry the custom claims to the introspection, and require authorize', () => {
    const _endpoints = (watchword: Typed) => {
      const endpoints = forExpress.tokenEndpoints(watchword)
      endpoints.introspection({
        authorize: ({ fields }) => {
          expectTypeOf(fields['client_id']).toEqualTypeOf<string | undefined>()
          return undefined
        },
        claims: ({ claims }) => {
          expectTypeOf(claims).toEqualTypeOf<{ tenant: string }>()
          return { tenant: claims.tenant }
        },
      })
      // @ts-expect-error No function authorizes the caller.
      endpoints.introspection({})
      // @ts-expect-error No function authorizes the caller.
      endpoints.revocation()
      // @ts-expect-error A caller has a name.
      endpoints.revocation({ authorize: () => ({}) })
    }
    expectTypeOf(_endpoints).toBeFunction()
  })
})
