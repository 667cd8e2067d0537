/**
 * A guard of one framework in an application of another: the request is not handled, and the error names the guard.
 *
 * @module
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type NextFunction, type Request, type Response } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import { closeAll, rig } from '../support/harness.js'

let watchword: Watchword
let headers: Record<string, string>
beforeAll(async () => {
  watchword = (await rig()).watchword
  const { token } = await watchword.issue({ policy: 'service', subject: 'svc', actor: 'ops' })
  headers = { authorization: `Bearer ${token}` }
})
afterAll(closeAll)

const GUARDS = {
  express: forExpress.requireToken,
  node: forNode.requireToken,
  koa: forKoa.requireToken,
  fastify: forFastify.requireToken,
  hono: forHono.requireToken,
}
type Framework = keyof typeof GUARDS
const guardOf = (framework: Framework) => GUARDS[framework](watchword) as never

async function statusOf(server: Server): Promise<number> {
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers })
  server.close()
  return status
}

/** What an application of each framework responds behind a guard: the status, and the error that it saw. */
const RESPONSES: Readonly<
  Record<string, (guard: Framework) => Promise<readonly [number, string | undefined]>>
> = {
  async express(guard) {
    let message: string | undefined
    const app = express().use(guardOf(guard))
    app.get('/', (_, response) => void response.send('handled'))
    app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
      message = error.message
      response.sendStatus(500)
    })
    return [await statusOf(app.listen(0)), message]
  },
  async koa(guard) {
    let message: string | undefined
    const app = new Koa().use(guardOf(guard)).use((context) => {
      context.body = 'handled'
    })
    app.on('error', (error: Error) => {
      message = error.message
    })
    return [await statusOf(app.listen(0)), message]
  },
  async fastify(guard) {
    const app = fastify()
    app.addHook('onRequest', guardOf(guard))
    app.get('/', async () => ({ message: 'handled' }))
    const response = await app.inject({ url: '/', headers })
    await app.close()
    return [response.statusCode, (response.json() as { message?: string }).message]
  },
  async hono(guard) {
    const app = new Hono().use(guardOf(guard)).get('/', (c) => c.text('handled'))
    app.onError((error, c) => c.text(error.message, 500))
    const response = await app.request('/', { headers })
    return [response.status, await response.text()]
  },
}

describe('a guard that another framework calls', () => {
  it.each<[Framework, keyof typeof RESPONSES]>([
    ['koa', 'express'],
    ['fastify', 'express'],
    ['hono', 'express'],
    ['express', 'koa'],
    ['node', 'koa'],
    ['fastify', 'koa'],
    ['hono', 'koa'],
    ['express', 'fastify'],
    ['koa', 'fastify'],
    ['hono', 'fastify'],
    ['express', 'hono'],
    ['koa', 'hono'],
    ['fastify', 'hono'],
  ])('of %s in an application of %s throws, and names its subpath', async (guard, framework) => {
    const [status, message] = (await RESPONSES[framework]?.(guard)) ?? []
    expect(message).toMatch(new RegExp(`^requireToken: the guard of 'watchword/${guard}' expected`))
    expect(status).toBe(500)
  })

  it('lets a valid token pass in an application of its own framework', async () => {
    for (const framework of ['express', 'koa', 'fastify', 'hono'] as const) {
      const [status] = (await RESPONSES[framework]?.(framework)) ?? []
      expect(status, framework).toBe(200)
    }
  })

  it('of Fastify, registered as a plugin, names tokenPlugin', async () => {
    const app = fastify().register(forFastify.requireToken(watchword) as never)
    await expect(app.ready()).rejects.toThrow(/register tokenPlugin\(watchword\)/)
  })
})
