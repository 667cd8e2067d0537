/**
 * One table of requests, sent byte for byte to every framework.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeAll, DAY, HOUR, MINUTE, rig, START } from '../support/harness.js'
import { type Reply, type Sent, send } from './client.js'
import { bodyOverHttp2, sendOverHttp2 } from './http2-client.js'
import { FRAMEWORKS, type Framework, HTTP2_FRAMEWORKS, type Running } from './servers.js'
import { ours, ROUTES, type Row, type Tokens, table, UNAVAILABLE } from './table.js'

const PARSES_FORMS = /express|koa/

let rows: readonly Row[]
let tokens: Tokens
let authority: Awaited<ReturnType<typeof rig>>['watchword']
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
  authority = watchword
  const base = { policy: 'service', subject: 'svc_billing', audience: 'orders-api', actor: 'ops' }
  const issue = async (more: object = {}) => (await watchword.issue({ ...base, ...more })).token
  const scopes = ['orders:read', 'eu:read']
  const expired = await issue({ ttl: '1h', scopes })
  const superseded = await issue({ scopes })
  await watchword.rotate(superseded, { actor: 'ops' })
  const revoked = await issue({ scopes })
  await watchword.revoke({ token: revoked }, { actor: 'ops' })
  const suspended = await issue({ scopes })
  await watchword.suspend({ token: suspended }, { actor: 'ops' })
  const restricted = await issue({ scopes })
  await watchword.restrict({ token: restricted }, { actor: 'ops', to: ['eu:read'] })
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
    suspended,
    restricted,
    superseded,
    foreign: (await foreign.watchword.issue({ ...base, scopes: ['orders:read'] })).token,
  }
  rows = table(tokens)
  for (const framework of FRAMEWORKS) {
    running.set(framework, await framework.serve({ authority: watchword, routes: ROUTES }))
  }
  const closed = await rig({ audience: ['orders-api', 'stock-api'] })
  const { token } = await closed.watchword.issue({ ...base, scopes: ['orders:read'] })
  await closed.watchword.close()
  stale = { authority: closed.watchword, token }
})

afterAll(async () => {
  await Promise.all([...running.values()].map((server) => server.close()))
  await closeAll()
})

describe('the table of requests', () => {
  it('has enough rows', () => {
    expect(rows.length).toBeGreaterThan(100)
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  })

  it.each(FRAMEWORKS)('gets the exact replies from $name', async (framework) => {
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

/** The difference between a reply and the expected one, if any. */
function fault(reply: Reply, { expected }: Row, ran: number): unknown {
  const got = ours(reply)
  const isPassed = expected.status === 200
  if (ran !== (isPassed ? 1 : 0)) return { ran, got }
  // Replies of Node itself are not compared, nor are the headers of a handler's reply.
  const { headers = got.headers, body = got.body, status } = expected
  const same = { status, headers, body }
  return JSON.stringify(sorted(same)) === JSON.stringify(sorted(got)) ? undefined : got
}

function sorted(reply: Required<Row['expected']>): unknown {
  return [reply.status, Object.entries(reply.headers).sort(), reply.body]
}

describe('a stale node', () => {
  it.each(FRAMEWORKS)('responds with 503 and Retry-After, over $name', async (framework) => {
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
  it.each(HTTP2_FRAMEWORKS)('the table gets the exact replies from $name', async (framework) => {
    const server = await framework.serve({ authority, routes: ROUTES })
    const wrong: unknown[] = []
    let asked = 0
    try {
      for (const row of rows) {
        const { sent, expected, parsedForm } = row
        // What Node itself rejects in HTTP/1.1 has no equivalent here.
        if (parsedForm || isRefusedByNode(expected)) continue
        asked++
        const before = server.ran()
        const reply = isDoubled(sent)
          ? { ...filled(expected), body: await bodyOverHttp2(server.port, sent) }
          : await sendOverHttp2(server.port, sent)
        const found = fault(reply, row, server.ran() - before)
        if (found !== undefined) wrong.push({ name: row.name, expected, found })
      }
      expect(wrong).toEqual([])
      expect(asked).toBeGreaterThan(100)
    } finally {
      await server.close()
    }
  })
})

const isRefusedByNode = ({ status, headers }: Row['expected']) =>
  status !== 200 && headers === undefined

const isDoubled = ({ headers = [] }: Sent) =>
  headers.filter((line) => /^authorization:/i.test(line)).length > 1

const filled = ({ status, headers = {} }: Row['expected']) => ({ status, headers })
