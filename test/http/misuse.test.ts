/**
 * Mistakes in the use of guards and endpoints: each throws when the guard is made, and names the fix.
 *
 * @module
 */
import type express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import { mcpVerifier } from '../../src/http/mcp.js'
import * as forNode from '../../src/http/node.js'
import { closeAll, failureOf, rig } from '../support/harness.js'

let watchword: Watchword
beforeAll(async () => {
  watchword = (await rig()).watchword
})
afterAll(closeAll)

type Make = (...args: unknown[]) => unknown

const handler = () => undefined
const GUARDS: readonly (readonly [string, Make])[] = [
  ['requireToken', forExpress.requireToken as Make],
  ['requireToken', forKoa.requireToken as Make],
  ['requireToken', forFastify.requireToken as Make],
  ['requireToken', forHono.requireToken as Make],
  ['requireToken', forNode.requireToken as Make],
  ['tokenPlugin', forFastify.tokenPlugin as Make],
  ['protect', (authority, ...options) => (forNode.protect as Make)(authority, handler, ...options)],
]

async function refusal(make: () => unknown) {
  const { code, message } = (await failureOf(make)) as { code?: unknown; message?: unknown }
  return [code, message]
}

describe('a guard', () => {
  it('without an authority names the argument to pass', async () => {
    for (const [name, make] of GUARDS) {
      for (const [given, shown] of [
        [undefined, 'undefined'],
        [null, 'null'],
        ['orders:read', "'orders:read'"],
        [handler, 'a function'],
      ] as const) {
        expect(await refusal(() => make(given))).toEqual([
          'ERR_INVALID_ARGUMENT',
          `authority: ${name} expects an authority as its first argument, got ${shown}; pass the result of await createWatchword(…)`,
        ])
      }
    }
  })

  it('with a promise of an authority reports the missing await', async () => {
    for (const [name, make] of GUARDS) {
      expect(await refusal(() => make(Promise.resolve(watchword)))).toEqual([
        'ERR_INVALID_ARGUMENT',
        `authority: ${name} expects an authority, got a promise; createWatchword is asynchronous: write const watchword = await createWatchword(…)`,
      ])
    }
  })

  it('with another object names the missing methods', async () => {
    for (const [name, make] of GUARDS) {
      expect(await refusal(() => make({ scopes: ['orders:read'] }))).toEqual([
        'ERR_INVALID_ARGUMENT',
        `authority: ${name} expects an authority, got an object without authenticate() and require(); call ${name}(watchword) with the result of await createWatchword(…)`,
      ])
    }
  })

  it('with options that are explicitly undefined throws, and without options does not', async () => {
    for (const [name, make] of GUARDS) {
      expect(await refusal(() => make(watchword, undefined))).toEqual([
        'ERR_INVALID_ARGUMENT',
        `options: ${name} got undefined; pass an object such as { scopes: ['orders:read'] }, or leave the argument out to accept every valid token`,
      ])
      expect(() => make(watchword)).not.toThrow()
    }
  })

  it('rejects a field that is explicitly undefined', async () => {
    const fields = ['optional', 'realm', 'getToken', 'timeout', 'throwErrors', 'isSecure']
    for (const [, make] of GUARDS) {
      for (const field of fields) {
        expect(await refusal(() => make(watchword, { [field]: undefined }))).toEqual([
          'ERR_INVALID_OPTION',
          `${field}: expected a value, got undefined; remove the field`,
        ])
      }
    }
  })

  it('rejects options whose fields are inherited, since it would not read them', async () => {
    class Options {
      get scopes() {
        return ['orders:read']
      }
    }
    for (const [, make] of GUARDS) {
      for (const options of [new Options(), Object.create({ scopes: ['orders:read'] }), []]) {
        expect((await refusal(() => make(watchword, options)))[0]).toBe('ERR_INVALID_OPTION')
      }
    }
    const hidden = Object.defineProperty({}, 'scopes', { value: ['orders read'] })
    for (const [, make] of GUARDS) {
      expect((await refusal(() => make(watchword, hidden)))[0]).toBe('ERR_INVALID_ARGUMENT')
    }
  })

  it('names an invalid option value, but no text that may be a token', async () => {
    const make = (options: object) => forNode.requireToken(watchword, options)
    expect(await refusal(() => make({ optional: 'yes' }))).toEqual([
      'ERR_INVALID_OPTION',
      "optional: expected true or false, got 'yes'",
    ])
    expect(await refusal(() => make({ timeout: '11m' }))).toEqual([
      'ERR_INVALID_OPTION',
      "timeout: expected a duration such as '10s', from 10 ms to 10 minutes, got '11m'",
    ])
    const secret = `v4.local.${'A'.repeat(20)}`
    expect(await refusal(() => make({ getToken: secret }))).toEqual([
      'ERR_INVALID_OPTION',
      'getToken: expected a function, got a token of 29 characters',
    ])
  })

  it('with text in place of options names an object of options', async () => {
    for (const [, make] of GUARDS) {
      expect(await refusal(() => make(watchword, 'orders:read'))).toEqual([
        'ERR_INVALID_OPTION',
        "options: expected an object such as { scopes: ['orders:read'] }, got 'orders:read'",
      ])
    }
  })

  it('that a framework calls in place of its result names the call', async () => {
    expect((await refusal(() => (forFastify.tokenPlugin as Make)(fastify(), {})))[1]).toMatch(
      /got an object .*; call tokenPlugin\(watchword\)/,
    )
    expect((await refusal(() => (forKoa.requireToken as Make)({}, handler)))[1]).toMatch(
      /got an object .*; call requireToken\(watchword\)/,
    )
  })

  it('from protect reports a missing handler', async () => {
    expect(await refusal(() => (forNode.protect as Make)(watchword, { scopes: [] }))).toEqual([
      'ERR_INVALID_ARGUMENT',
      'handler: protect expects a function as its second argument, got an object; write protect(watchword, handler, options)',
    ])
  })
})

describe('authOf where no guard ran', () => {
  const expected = (place: string) => [
    'ERR_INVALID_ARGUMENT',
    `request: authOf was called where no guard ran${place}; put requireToken(watchword, options) before this handler`,
  ]

  it('names requireToken, and the route where the framework knows it', async () => {
    const said: unknown[] = []
    const note = async (request: object) =>
      void said.push(await refusal(() => forNode.authOf(request)))

    const hono = new Hono().get('/orders/:id', async (c) => {
      await note(c)
      return c.text('')
    })
    await hono.request('/orders/1?access_token=secret')

    const app = fastify()
    app.get('/orders/:id', async (request) => note(request))
    await app.inject('/orders/1?access_token=secret')
    await app.close()

    await note({ method: 'GET', route: { path: '/orders/:id' } } satisfies Partial<express.Request>)
    await note({ method: 'GET', _matchedRoute: '/orders/:id' })
    expect(said).toEqual(Array(4).fill(expected(' (GET /orders/:id)')))
  })

  it('reports it without a route as well', async () => {
    expect(await refusal(() => forNode.authOf({}))).toEqual(expected(''))
    expect(await refusal(() => forNode.authOf({ method: 'GET', url: '/?t=secret' }))).toEqual(
      expected(' (GET)'),
    )
    expect(await refusal(() => forNode.authOf(undefined as never))).toEqual([
      'ERR_INVALID_ARGUMENT',
      'request: authOf expects what the framework passes to the handler (in Koa and Hono the context), got undefined',
    ])
  })
})

describe('the MCP verifier', () => {
  it('without the error classes of the SDK names the module to import', async () => {
    for (const options of [{}, { errors: {} }]) {
      expect(await refusal(() => mcpVerifier(watchword, options as never))).toEqual([
        'ERR_INVALID_OPTION',
        'errors: expected the module @modelcontextprotocol/sdk/server/auth/errors.js, got none with a class InvalidTokenError; import it as errors and pass { errors }',
      ])
    }
    expect((await refusal(() => mcpVerifier(undefined as never, {} as never)))[0]).toBe(
      'ERR_INVALID_ARGUMENT',
    )
  })
})

describe('an endpoint that requires a caller', () => {
  it('without authorize reports that it is required, and what it returns', async () => {
    const what =
      'authorize, a function that returns { actor } for a caller who may use the endpoint, and undefined for any other (401)'
    for (const name of ['revocation', 'introspection'] as const) {
      const make = forNode.tokenEndpoints(watchword)[name] as Make
      expect(await refusal(() => make())).toEqual([
        'ERR_INVALID_OPTION',
        `options: ${name}() requires the option ${what}; got no options`,
      ])
      expect(await refusal(() => make({}))).toEqual([
        'ERR_INVALID_OPTION',
        `authorize: ${name}() requires ${what}`,
      ])
    }
  })
})
