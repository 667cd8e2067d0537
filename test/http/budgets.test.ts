/**
 * The default limits of the token endpoints: the budgets of one client, one token and one node.
 *
 * @module
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type BudgetsOptions, budgetsOf } from '../../src/http/endpoints/budgets.js'
import { Meter } from '../../src/http/endpoints/meter.js'
import type { EndpointsOptions } from '../../src/http/endpoints/options.js'
import { tokenEndpoints } from '../../src/http/node.js'
import { rig, SECOND } from '../support/harness.js'

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops' } as const

describe('a meter', () => {
  function metered(budgets: BudgetsOptions) {
    let now = 0
    const meter = new Meter(budgetsOf(budgets).rotation, { monotonic: () => now })
    return { meter, advance: (ms: number) => (now += ms) }
  }

  it('allows a burst, then one call per interval, and returns the time to wait', () => {
    const { meter, advance } = metered({ client: { burst: 3, every: 100 }, node: false })
    const calls = (count: number) => Array.from({ length: count }, () => meter.call('192.0.2.1'))
    expect(calls(5)).toEqual([0, 0, 0, 100, 100])
    advance(99)
    expect(calls(1)).toEqual([1])
    advance(1)
    expect(calls(2)).toEqual([0, 100])
    advance(10_000)
    expect(calls(4)).toEqual([0, 0, 0, 100])
  })

  it('counts each client separately, and all of them together', () => {
    const budgets = { client: { burst: 2, every: '1s' }, node: { burst: 3, every: '1s' } }
    const { meter } = metered(budgets)
    expect(['a', 'a', 'a', 'b', 'b'].map((each) => meter.call(each))).toEqual([
      0,
      0,
      SECOND,
      0,
      SECOND,
    ])
  })

  it('limits a client without an address by the budget of the node alone', () => {
    const { meter } = metered({
      client: { burst: 1, every: '1s' },
      node: { burst: 3, every: '1s' },
    })
    expect([1, 2, 3, 4].map(() => meter.call(undefined))).toEqual([0, 0, 0, SECOND])
  })

  it('remembers a bounded number of clients', () => {
    const { meter } = metered({ client: { burst: 1, every: '1h' }, node: false })
    expect([meter.call('first'), meter.call('first')]).toEqual([0, 3_600_000])
    for (let i = 0; i < 10_000; i++) expect(meter.call(`client ${i}`)).toBe(0)
    expect(meter.call('first')).toBe(0)
  })

  it('limits nothing when turned off', () => {
    const { meter } = metered({ client: false, token: false, node: false })
    for (let i = 0; i < 10_000; i++) expect(meter.call('a') + meter.token('t')).toBe(0)
  })
})

describe('an endpoint', () => {
  async function serve(shared: EndpointsOptions<unknown> = {}) {
    const { watchword, clock } = await rig()
    const made = tokenEndpoints(watchword, shared)
    const byPath = new Map([
      ['/leak', made.leak()],
      ['/rotate', made.rotation({ allowHttp: true })],
      ['/introspect', made.introspection({ authorize: () => ({ actor: 'api' }) })],
      ['/revoke', made.revocation({ authorize: () => ({ actor: 'api' }) })],
    ])
    const server = createServer((request, response) =>
      byPath.get(request.url ?? '')?.(request, response),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    const post = (path: string, token: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        ...(path === '/rotate'
          ? { headers: { authorization: `Bearer ${token}` } }
          : { body: new URLSearchParams({ token }) }),
      })
    const statuses = async (path: string, token: string, count: number) => {
      const found: number[] = []
      for (let i = 0; i < count; i++) found.push((await post(path, token)).status)
      return found
    }
    return { watchword, clock, post, statuses }
  }

  it.each(['/rotate', '/leak'])(
    '%s responds with 429 for a token that is presented without end',
    async (path) => {
      const { watchword, clock, post, statuses } = await serve()
      const { token } = await watchword.issue(INPUT)
      expect(new Set(await statuses(path, token, 20))).toEqual(new Set([200]))
      const refused = await post(path, token)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
      expect(await refused.json()).toMatchObject({ code: 'too_many_requests' })
      const other = await watchword.issue(INPUT)
      expect(await statuses(path, other.token, 1)).toEqual([200])
      await clock.advance(SECOND)
      expect(await statuses(path, token, 2)).toEqual([200, 429])
    },
  )

  it('responds with 429 and Retry-After when a family rotates too often', async () => {
    const { watchword, post } = await serve({ limit: false })
    let { token } = await watchword.issue({ ...INPUT, policy: 'short' })
    for (let i = 0; i < 10; i++) token = (await watchword.rotate(token, { actor: 'ops' })).token
    const refused = await post('/rotate', token)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '36'])
    expect(watchword.verify(token).ok).toBe(true)
  })

  it('responds with 403 for a token that cannot be rotated', async () => {
    const { watchword, post } = await serve()
    const { token } = await watchword.issue({ ...INPUT, rotatable: false })
    const refused = await post('/rotate', token)
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ code: 'not_rotatable' })
  })

  it('accepts other budgets, or none, and never delays a revocation', async () => {
    const few = await serve({ limit: { client: { burst: 2, every: '1h' } } })
    for (const path of ['/rotate', '/leak', '/introspect']) {
      const { token } = await few.watchword.issue(INPUT)
      expect(await few.statuses(path, token, 3)).toEqual([200, 200, 429])
    }
    const { token } = await few.watchword.issue(INPUT)
    expect(await few.statuses('/revoke', token, 5)).toEqual(Array(5).fill(200))
    const unlimited = await serve({ limit: false })
    const leaked = await unlimited.watchword.issue(INPUT)
    expect(new Set(await unlimited.statuses('/leak', leaked.token, 150))).toEqual(new Set([200]))
  })

  it.each([
    [{ client: { burst: 0, every: '1s' } }, 'limit.client.burst: expected a whole number'],
    [{ client: { burst: 1 } }, 'limit.client.every: expected a duration'],
    [{ client: { burst: 1, evry: '1s' } }, "limit.client: unknown option 'evry' (did you mean"],
    [{ node: true }, 'limit.node: expected { burst, every }, or false, got true'],
    [{ address: false }, "limit: unknown option 'address'"],
    [{ token: undefined }, 'token: expected a value, got undefined'],
    [true, 'limit: expected a function, false, or { client, token, node }'],
  ])('rejects the limit %j, and names the field', async (limit, message) => {
    const { watchword } = await rig()
    expect(() => tokenEndpoints(watchword, { limit } as EndpointsOptions<unknown>)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining(message),
      }),
    )
  })
})
