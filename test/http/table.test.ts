/**
 * One table of requests, sent byte for byte to every framework (security.md, section H).
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeAll, DAY, HOUR, MINUTE, rig, START } from '../unit/harness.js'
import { bodyOverHttp2, type Reply, send } from './client.js'
import { FRAMEWORKS, type Framework, HTTP2_FRAMEWORKS, type Running } from './servers.js'
import {
  INVALID,
  MALFORMED,
  MISSING,
  ours,
  ROUTES,
  type Row,
  type Tokens,
  table,
  UNAVAILABLE,
} from './table.js'

const PARSES_FORMS = /express|koa/

let rows: readonly Row[]
let tokens: Tokens
let stale: {
  readonly authority: Awaited<ReturnType<typeof rig>>['watchword']
  readonly token: string
}
const running = new Map<Framework, Running>()

beforeAll(async () => {
  const { watchword, clock } = await rig({
    audience: ['orders-api', 'stock-api'],
    policies: { service: { ttl: '30d', scopes: ['orders:*', 'eu:*'] } },
  })
  const base = { policy: 'service', subject: 'svc_billing', audience: 'orders-api', actor: 'ops' }
  const issue = async (more: object = {}) => (await watchword.issue({ ...base, ...more })).token
  const scopes = ['orders:read', 'eu:read']
  const expired = await issue({ ttl: '1h', scopes })
  const superseded = await issue({ scopes })
  await watchword.rotate(superseded, { actor: 'ops' })
  const revoked = await issue({ scopes })
  await watchword.revoke({ token: revoked }, { actor: 'ops' })
  await clock.advance(HOUR + MINUTE)
  const foreign = await rig()
  tokens = {
    good: await issue({ scopes }),
    other: await issue({ scopes, subject: 'svc_other' }),
    wide: await issue({ scopes: ['orders:*'] }),
    bare: await issue(),
    bound: await issue({ scopes, binding: 'thumbprint' }),
    expired,
    early: await issue({ scopes, notBefore: START + DAY }),
    revoked,
    superseded,
    foreign: (await foreign.watchword.issue({ ...base, scopes: ['orders:read'] })).token,
  }
  rows = table(tokens)
  for (const framework of FRAMEWORKS) {
    running.set(framework, await framework.serve({ authority: watchword, routes: ROUTES }))
  }
  const closed = await rig()
  const { token } = await closed.watchword.issue({ ...base, scopes: ['orders:read'] })
  await closed.watchword.close()
  stale = { authority: closed.watchword, token }
})

afterAll(async () => {
  await Promise.all([...running.values()].map((server) => server.close()))
  await closeAll()
})

describe('the table of requests', () => {
  it('is long enough to mean something', () => {
    expect(rows.length).toBeGreaterThan(100)
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  })

  it.each(FRAMEWORKS)('is answered to the letter by $name', async (framework) => {
    const server = running.get(framework) as Running
    const wrong: unknown[] = []
    for (const { name, sent, expected, parsedForm } of rows) {
      if (parsedForm && !PARSES_FORMS.test(framework.name)) continue
      const before = server.ran()
      const reply = await send(server.port, sent)
      const ran = server.ran() - before
      const found = fault(reply, { name, sent, expected }, ran)
      if (found !== undefined) wrong.push({ name, expected, found })
    }
    expect(wrong).toEqual([])
  })
})

/** What is wrong with a reply, if anything. */
function fault(reply: Reply, { expected }: Row, ran: number): unknown {
  const got = ours(reply)
  const isPassed = expected.status === 200
  if (ran !== (isPassed ? 1 : 0)) return { ran, got }
  // What Node answers by itself is not ours to compare, nor is what a handler's answer has for headers.
  const { headers = got.headers, body = got.body, status } = expected
  const same = { status, headers, body }
  return JSON.stringify(sorted(same)) === JSON.stringify(sorted(got)) ? undefined : got
}

function sorted(answer: Required<Row['expected']>): unknown {
  return [answer.status, Object.entries(answer.headers).sort(), answer.body]
}

describe('a node that is stale', () => {
  it.each(FRAMEWORKS)('answers 503 and when to come again, over $name', async (framework) => {
    const server = await framework.serve({ authority: stale.authority, routes: ROUTES })
    try {
      const headers = [`authorization: Bearer ${stale.token}`]
      for (const path of ['/orders', '/optional', '/stored']) {
        expect(ours(await send(server.port, { path, headers }))).toEqual(UNAVAILABLE)
      }
      expect(server.ran()).toBe(0)
    } finally {
      await server.close()
    }
  })
})

describe('over HTTP/2', () => {
  it.each(HTTP2_FRAMEWORKS)('$name decides alike', async (framework) => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({
      policy: 'service',
      subject: 'svc_billing',
      actor: 'ops',
      scopes: ['orders:read'],
    })
    const server = await framework.serve({ authority: watchword, routes: ROUTES })
    const ask = (values: readonly string[], path = '/orders') =>
      bodyOverHttp2(
        server.port,
        path,
        values.map((value) => ['authorization', value] as const),
      )
    try {
      expect(await ask([`bearer ${token}`])).toBe('svc_billing')
      expect(server.ran()).toBe(1)
      expect(await ask([])).toBe(MISSING.body)
      expect(await ask(['Basic eDp5'])).toBe(MISSING.body)
      expect(await ask(['Bearer x'])).toBe(INVALID.body)
      expect(await ask([`Bearer ${token}`, `Bearer ${token}`])).toBe(MALFORMED.body)
      expect(await ask(['Basic eDp5', `Bearer ${token}`])).toBe(MALFORMED.body)
      expect(await ask([`Bearer ${token}`, 'Basic eDp5'])).toBe(MALFORMED.body)
      expect(await ask([`Bearer ${token}, Bearer ${token}`])).toBe(MALFORMED.body)
      expect(await ask([`Bearer ${token}`], '/orders?access_token=x')).toBe(MALFORMED.body)
      expect(server.ran()).toBe(1)
    } finally {
      await server.close()
    }
  })
})
