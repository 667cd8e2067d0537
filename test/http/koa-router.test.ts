/**
 * The position of a guard in a Koa router: the forms that are documented as safe, and the one that the documentation
 * warns about.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import Koa from 'koa'
import koa2 from 'koa2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { authOf, requireToken } from '../../src/http/koa.js'
import { closeAll, rig } from '../support/harness.js'
import { send } from './client.js'

let watchword: Watchword
beforeAll(async () => {
  watchword = (await rig()).watchword
})
afterAll(closeAll)

const PATHS = [
  '/admin/orders',
  '/ADMIN/orders',
  '/Admin/Orders',
  '/admin/ORDERS',
  '/%61dmin/orders',
  '/admin//orders',
  '/admin/orders/',
  '//admin/orders',
  '/x/../admin/orders',
  'http://api.example/ADMIN/orders',
]

let ran = 0
const handler = (context: Koa.Context): void => {
  ran++
  context.body = 'in'
}
const guard = () => requireToken(watchword, { scopes: ['orders:read'] })

/** The safe forms. */
const SAFE: readonly (readonly [string, (app: Koa) => unknown])[] = [
  [
    'on each route',
    (app) => app.use(new Router({ prefix: '/admin' }).get('/orders', guard(), handler).routes()),
  ],
  [
    'on the application',
    (app) =>
      app.use(guard()).use(new Router({ prefix: '/admin' }).get('/orders', handler).routes()),
  ],
  [
    'before a nested router',
    (app) => {
      const inner = new Router().get('/orders', handler)
      const outer = new Router()
      outer.use('/admin', guard())
      outer.use('/admin', inner.routes())
      app.use(outer.routes())
    },
  ],
]

async function statusesOf(app: Koa): Promise<number[]> {
  app.silent = true
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const statuses: number[] = []
  for (const path of PATHS) statuses.push((await send(port, { path })).status)
  await new Promise((resolve) => server.close(resolve))
  return statuses
}

describe.each([
  ['koa 2', koa2],
  ['koa 3', Koa],
])('%s', (_name, Make) => {
  it.each(SAFE)(
    'runs no handler for any spelling of the path with the guard %s',
    async (_, build) => {
      ran = 0
      const app = new Make()
      build(app)
      const statuses = await statusesOf(app)
      expect(statuses.filter((status) => status !== 401 && status !== 404)).toEqual([])
      expect(statuses).toContain(401)
      expect(ran).toBe(0)
    },
  )

  it('throws from authOf in the handler when the letter case of the path bypasses the guard', async () => {
    // The prefix of a router is compared case-sensitively for `use` without a path, and case-insensitively for routes.
    const router = new Router({ prefix: '/admin' })
    router.use(guard())
    router.get('/orders', (context) => {
      context.body = authOf(context).subject
    })
    const app = new Make()
    app.use(router.routes())
    const statuses = await statusesOf(app)
    expect(statuses).not.toContain(200)
    expect(statuses).toContain(500)
  })
})
