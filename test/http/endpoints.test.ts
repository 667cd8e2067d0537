/**
 * The token endpoints reply identically in every framework (RFC 7009, RFC 7662, RFC 6749, RFC 6750).
 *
 * @module
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Watchword } from 'watchword'
import { closeAll, DAY, HOUR, ISSUER, MINUTE, rig, START } from '../support/harness.js'
import { type Reply, type Sent, send, sendSecure } from './client.js'
import {
  AUTHORIZED,
  ENDPOINT_FRAMEWORKS,
  type EndpointFramework,
  type EndpointSite,
  PATHS,
  type RunningEndpoints,
  whole,
} from './endpoints-servers.js'
import { INVALID, MALFORMED, MISSING } from './table.js'

const FORM = 'content-type: application/x-www-form-urlencoded'
const JSON_TYPE = 'content-type: application/json'
const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  audience: 'orders-api',
  actor: 'ops',
  scopes: ['orders:read'],
} as const
const AUDIENCES = { audience: ['orders-api', 'stock-api'] }
const SITE: Omit<EndpointSite, 'authority'> = {
  introspection: {
    authorize: ({ fields }) => {
      if (fields['client_id'] === 'orders') return { actor: 'orders', audiences: ['orders-api'] }
      return fields['client_id'] === 'ops' ? { actor: 'ops' } : undefined
    },
    issuer: ISSUER,
  },
}

const problem = (
  status: number,
  title: string,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Reply => ({
  status,
  headers: {
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    ...headers,
  },
  body: JSON.stringify({ type: 'about:blank', title, status, code, detail }),
})
const DONE: Reply = { status: 200, headers: { 'cache-control': 'no-store' }, body: '' }
const INACTIVE: Reply = {
  status: 200,
  headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
  body: '{"active":false}',
}
const BAD_FORM = problem(
  400,
  'Bad Request',
  'invalid_request',
  'Send each parameter once, and `token` among them.',
)
const BAD_REPORT = problem(
  400,
  'Bad Request',
  'invalid_request',
  'Send `token` once, or in JSON `tokens`: a list of 1 to 100.',
)
const wrongType = (types: string) =>
  problem(415, 'Unsupported Media Type', 'invalid_request', `Send a body of type ${types}.`)
const WRONG_TYPE = wrongType('application/x-www-form-urlencoded')
const NOT_POST = problem(405, 'Method Not Allowed', 'invalid_request', 'Use POST.', {
  allow: 'POST',
})
const TOO_LONG = problem(
  413,
  'Content Too Large',
  'invalid_request',
  'The body of the request is too long.',
)
const UNKNOWN_CALLER = problem(
  401,
  'Unauthorized',
  'invalid_client',
  'The caller is not authenticated.',
  { 'www-authenticate': 'Basic realm="api"' },
)
const UNAVAILABLE = problem(
  503,
  'Service Unavailable',
  'temporarily_unavailable',
  'The request cannot be processed right now. Try again.',
  { 'retry-after': '1' },
)
const INSECURE = problem(
  403,
  'Forbidden',
  'https_required',
  'Use HTTPS: tokens are not sent over plain HTTP.',
)
const reply = (expected: typeof INVALID): Reply => expected as Reply

const form = (fields: Readonly<Record<string, string>>, more: readonly string[] = []): Sent => ({
  method: 'POST',
  headers: [FORM, ...more],
  body: new URLSearchParams(fields).toString(),
})

interface Row {
  readonly name: string
  readonly sent: Sent
  readonly expected: Reply
  /** Not where a parser runs first: it rejects this in its own words. */
  readonly unparsedOnly?: true
}

let watchword: Watchword
let tokens: Readonly<Record<'good' | 'bare' | 'stock' | 'bound', string>>
/** Tokens that are rejected here, by the reason. */
let dead: Readonly<Record<string, string>>

beforeAll(async () => {
  const { watchword: authority, clock, root } = await rig({ ...AUDIENCES, prefix: 'acme_live' })
  watchword = authority
  const issue = async (more: object = {}) => (await watchword.issue({ ...INPUT, ...more })).token
  const expired = await issue({ ttl: '1h' })
  const superseded = await issue()
  await watchword.rotate(superseded, { actor: 'ops' })
  const revoked = await issue()
  await watchword.revoke({ token: revoked }, { actor: 'ops' })
  await clock.advance(HOUR + MINUTE)
  const foreign = await rig({ ...AUDIENCES, issuer: 'https://auth.other.example' })
  const branded = await rig({ ...AUDIENCES, prefix: 'other_live' })
  const namesake = await rig({ ...AUDIENCES, issuer: 'https://auth.other.example' }, { root })
  tokens = {
    good: await issue({ claims: { tenant: 't_1' } }),
    bare: await issue({ scopes: [] }),
    stock: await issue({ audience: 'stock-api', scopes: ['stock:read'] }),
    bound: await issue({ binding: 'thumbprint' }),
  }
  dead = {
    unknown: `v4.local.${'A'.repeat(300)}.${'A'.repeat(87)}`,
    expired,
    superseded,
    revoked,
    bound: tokens.bound,
    foreign: (await foreign.watchword.issue(INPUT)).token,
    'of another brand': (await branded.watchword.issue(INPUT)).token,
    'of another issuer with the same root': (await namesake.watchword.issue(INPUT)).token,
    forged: `${tokens.good.slice(0, 80)}AAAA${tokens.good.slice(84)}`,
    'cut short': tokens.good.slice(0, -1),
    'of tomorrow': await issue({ notBefore: START + DAY }),
    'too long': `v4.local.${'A'.repeat(6000)}`,
    short: 'x',
    'white space': ' ',
    'a JSON Web Token': 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.',
    'not ASCII': '\u{1f511}\u00e9',
    __proto__: '__proto__',
  }
})
afterAll(closeAll)

const running: RunningEndpoints[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function served(framework: EndpointFramework, site: EndpointSite): Promise<RunningEndpoints> {
  const server = await framework.serve(site)
  running.push(server)
  return server
}

/** Malformed requests, at both endpoints that accept only a form. */
function formRows(path: string, client: Readonly<Record<string, string>>): Row[] {
  const caller = new URLSearchParams(client).toString()
  const post = (name: string, headers: readonly string[], body: string, expected: Reply): Row => ({
    name: `${path}: ${name}`,
    sent: { method: 'POST', path, headers, body },
    expected,
  })
  return [
    post('no token', [FORM], caller, BAD_FORM),
    post('an empty token', [FORM], `token=&${caller}`, BAD_FORM),
    post('no body', [FORM], '', BAD_FORM),
    post('the token twice', [FORM], `token=a&token=a&${caller}`, BAD_FORM),
    post('the token twice, once empty', [FORM], `token=a&token=&${caller}`, BAD_FORM),
    post('another parameter twice', [FORM], `token=a&x=1&x=2&${caller}`, BAD_FORM),
    post('the token in a list', [FORM], `token[]=a&${caller}`, BAD_FORM),
    post('the token in an object', [FORM], `token[a]=a&${caller}`, BAD_FORM),
    post('no type', [], `token=a&${caller}`, WRONG_TYPE),
    post('JSON', [JSON_TYPE], '{"token":"a"}', WRONG_TYPE),
    post('text', ['content-type: text/plain'], `token=a&${caller}`, WRONG_TYPE),
    post('a type that is none', ['content-type: nonsense'], `token=a&${caller}`, WRONG_TYPE),
    post('a longer type', [`${FORM}x`], `token=a&${caller}`, WRONG_TYPE),
    post('no caller', [FORM], 'token=a', UNKNOWN_CALLER),
    post('an unknown caller', [FORM], 'token=a&client_id=thief', UNKNOWN_CALLER),
    post('response members as fields', [FORM], 'token=a&status=200&body=x&ok=true', UNKNOWN_CALLER),
    post('too long', [FORM], `token=${'a'.repeat(17_000)}&${caller}`, TOO_LONG),
  ]
}

function rows(): readonly Row[] {
  const list: Row[] = []
  for (const path of Object.values(PATHS)) {
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const sent = { method, path: `${path}?token=x` }
      list.push({ name: `${method} ${path}`, sent, expected: NOT_POST })
    }
    const sent = { method: 'HEAD', path }
    list.push({ name: `HEAD ${path}`, sent, expected: { ...NOT_POST, body: '' } })
  }
  const ops = { client_id: 'ops' }
  list.push(...formRows(PATHS.revocation, ops), ...formRows(PATHS.introspection, ops))
  const post = (name: string, path: string, sent: Sent, expected: Reply) =>
    list.push({ name, sent: { ...sent, method: 'POST', path }, expected })

  for (const [name, token] of Object.entries(dead)) {
    post(`revoke: ${name}`, PATHS.revocation, form({ token, ...ops }), DONE)
    post(`leak: ${name}`, PATHS.leak, form({ token }), DONE)
    post(`introspect: ${name}`, PATHS.introspection, form({ token, ...ops }), INACTIVE)
  }
  const hint = { token: dead['unknown'] as string, token_type_hint: 'refresh_token', ...ops }
  post('a hint', PATHS.revocation, form(hint), DONE)
  const charset = {
    headers: [`${FORM.toUpperCase()} ; charset=UTF-8`],
    body: 'token=a&client_id=ops',
  }
  post('a type in capitals, with a charset', PATHS.revocation, charset, DONE)

  const told = (audience: string, scope: string, token: string): Reply => {
    const auth = watchword.verify(token)
    if (!auth.ok) throw new Error('expected a good token')
    const [exp, iat] = [auth.expiresAt / 1000, auth.issuedAt / 1000]
    const said = { active: true, ...(scope === '' ? {} : { scope }), token_type: 'Bearer' }
    const of = { sub: 'svc_billing', aud: audience, iss: ISSUER, exp, iat, jti: auth.id }
    return { ...INACTIVE, body: JSON.stringify({ ...said, ...of }) }
  }
  const { good, bare, stock } = tokens
  const orders = { client_id: 'orders' }
  const ask = (name: string, fields: Readonly<Record<string, string>>, expected: Reply) =>
    post(name, PATHS.introspection, form(fields), expected)
  ask('a good token', { token: good, ...ops }, told('orders-api', 'orders:read', good))
  ask('without scopes', { token: bare, ...ops }, told('orders-api', '', bare))
  ask('of any audience', { token: stock, ...ops }, told('stock-api', 'stock:read', stock))
  ask('of the right audience', { token: good, ...orders }, told('orders-api', 'orders:read', good))
  ask('of the wrong audience', { token: stock, ...orders }, INACTIVE)

  const rotate = (name: string, headers: readonly string[], expected: Reply, body?: string) =>
    post(name, PATHS.rotation, { headers, ...(body === undefined ? {} : { body }) }, expected)
  rotate('rotate: nothing', [], reply(MISSING))
  rotate('rotate: another scheme', ['authorization: Basic eDp5'], reply(MISSING))
  rotate(
    'rotate: two headers',
    ['authorization: Bearer a', 'authorization: Bearer b'],
    reply(MALFORMED),
  )
  rotate('rotate: a list', ['authorization: Bearer a, Bearer b'], reply(MALFORMED))
  rotate('rotate: a space', ['authorization: Bearer a b'], reply(MALFORMED))
  const bearer = `authorization: Bearer ${good}`
  rotate('rotate: another in a form', [bearer, FORM], reply(MALFORMED), 'access_token=x')
  rotate('rotate: in a form alone', [FORM], reply(MISSING), `access_token=${good}`)
  rotate('rotate: nothing but a form', [FORM], reply(MISSING), `token=${good}`)
  for (const [name, token] of Object.entries(dead)) {
    if (['superseded', 'white space', 'not ASCII'].includes(name)) continue
    rotate(`rotate: ${name}`, [`authorization: Bearer ${token}`], reply(INVALID))
  }
  const query = { method: 'POST', path: `${PATHS.rotation}?access_token=x`, headers: [bearer] }
  list.push({ name: 'rotate: another in the query', sent: query, expected: reply(MALFORMED) })

  const report = (name: string, body: unknown, expected: Reply, more: Partial<Row> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const sent = { method: 'POST', path: PATHS.leak, headers: [JSON_TYPE], body: text }
    list.push({ name: `leak: ${name}`, sent, expected, ...more })
  }
  const { unknown, foreign } = dead as Readonly<Record<string, string>>
  report('one in JSON', { token: unknown }, DONE)
  report('several', { tokens: [unknown, foreign, 'x'] }, DONE)
  report('with more to say', { token: unknown, type: 'acme', url: 'https://git.example' }, DONE)
  report('white space around', ` {"token":"x"}\r\n`, DONE)
  report('as many as may be', { tokens: Array(100).fill(unknown) }, DONE)
  report('too many', { tokens: Array(101).fill('x') }, BAD_REPORT)
  report('none', { tokens: [] }, BAD_REPORT)
  report('one that is empty', { tokens: ['x', ''] }, BAD_REPORT)
  report('one that is no text', { tokens: ['x', 1] }, BAD_REPORT)
  report('tokens that are no list', { tokens: 'x' }, BAD_REPORT)
  report('a token that is no text', { token: ['x'] }, BAD_REPORT)
  report('one and several', { token: 'x', tokens: ['x'] }, BAD_REPORT)
  report('an empty object', {}, BAD_REPORT)
  report('a list', ['x'], BAD_REPORT)
  report('no JSON', 'x', BAD_REPORT, { unparsedOnly: true })
  report('a name twice', '{"token":"x","token":"y"}', BAD_REPORT, { unparsedOnly: true })
  report('a report that is too long', `{"token":"${'x'.repeat(600_000)}"}`, TOO_LONG)
  post('leak: twice', PATHS.leak, { headers: [FORM], body: 'token=x&token=y' }, BAD_REPORT)
  const types = wrongType('application/x-www-form-urlencoded or application/json')
  post('leak: text', PATHS.leak, { headers: ['content-type: text/plain'], body: 'x' }, types)
  return list
}

describe('the table of requests to the endpoints', () => {
  const places = ENDPOINT_FRAMEWORKS.flatMap((framework) =>
    (framework.hasParser ? [false, true] : [false]).map((parsed) => ({
      name: parsed ? `${framework.name}, after a body parser` : framework.name,
      framework,
      parsed,
    })),
  )

  // Concurrently, since each waits half a second for every unknown key.
  vi.setConfig({ maxConcurrency: places.length })
  it.concurrent.each(places)('gets the exact replies from $name', async ({ framework, parsed }) => {
    const server = await framework.serve({ authority: watchword, ...SITE, parsed })
    const { port } = server
    const table = rows()
    expect(table.length).toBeGreaterThan(150)
    expect(new Set(table.map(({ name }) => name)).size).toBe(table.length)
    const wrong: unknown[] = []
    for (const { name, sent, expected, unparsedOnly } of table) {
      if (parsed && unparsedOnly) continue
      const got = whole(await send(port, sent))
      const want = {
        ...expected,
        headers: Object.fromEntries(Object.entries(expected.headers).sort()),
      }
      if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push({ name, want, got })
    }
    await server.close()
    expect(wrong).toEqual([])
    expect(watchword.verify(tokens.good).ok).toBe(true)
  })
})

describe.each(ENDPOINT_FRAMEWORKS)('$name', (framework) => {
  it('revokes as requested, on behalf of a caller that it knows', async () => {
    const { watchword: authority } = await rig()
    const { port } = await served(framework, { authority })
    for (const [path, fields, body] of [
      [PATHS.revocation, { client_id: 'ops' }, undefined],
      [PATHS.leak, {}, undefined],
      [PATHS.leak, undefined, (token: string) => JSON.stringify({ tokens: ['x', token] })],
    ] as const) {
      const { token } = await authority.issue({ ...INPUT })
      const sent =
        body === undefined
          ? form({ token, ...fields })
          : { method: 'POST', headers: [JSON_TYPE], body: body(token) }
      expect(whole(await send(port, { ...sent, path }))).toEqual(DONE)
      expect(authority.verify(token)).toEqual({ ok: false, code: 'revoked' })
    }
  })

  it('rotates for any holder of a token, and to the same successor for concurrent holders', async () => {
    const { watchword: authority } = await rig()
    const { port } = await served(framework, { authority })
    const issued = await authority.issue(INPUT)
    const headers = [`authorization: Bearer ${issued.token}`]
    const ask = () => send(port, { method: 'POST', path: PATHS.rotation, headers })
    const replies = await Promise.all(Array.from({ length: 20 }, ask))
    const successors = replies.map(({ status, headers, body }) => {
      expect(status).toBe(200)
      expect(whole({ status, headers, body }).headers).toEqual({
        'cache-control': 'no-store',
        'content-type': 'application/json',
        pragma: 'no-cache',
      })
      const { access_token: token, ...rest } = JSON.parse(body) as Record<string, unknown>
      expect(rest).toEqual({ token_type: 'Bearer', expires_in: 30 * 86_400, scope: 'orders:read' })
      const result = authority.verify(token)
      return result.ok ? result.id : result.code
    })
    const { successor } = (await authority.tokens.get(issued.id)) ?? {}
    expect(successor).toEqual(expect.any(String))
    expect(new Set(successors)).toEqual(new Set([successor]))
    expect((await authority.tokens.list({ family: issued.family })).items).toHaveLength(2)
  })

  it('sends no token over plain HTTP, unless configured', async () => {
    const { watchword: authority } = await rig()
    const { token, id } = await authority.issue(INPUT)
    const headers = [`authorization: Bearer ${token}`, 'x-forwarded-proto: https']
    const sent = { method: 'POST', path: PATHS.rotation, headers }
    const open = await served(framework, { authority, rotation: {} })
    expect(whole(await send(open.port, sent))).toEqual(INSECURE)
    expect((await authority.tokens.get(id))?.successor).toBeNull()
    const secure = await served(framework, { authority, rotation: {}, secure: true })
    expect((await sendSecure(secure.port, sent)).status).toBe(200)
  })

  it('responds to a body of unknown length that is too long', async () => {
    const { port } = await served(framework, { authority: watchword })
    const url = `http://127.0.0.1:${port}${PATHS.revocation}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 8; i++) controller.enqueue(new Uint8Array(4096).fill(0x61))
        controller.close()
      },
    })
    const got = await fetch(url, { method: 'POST', headers, body, duplex: 'half' })
    expect([got.status, await got.text()]).toEqual([TOO_LONG.status, TOO_LONG.body])
  })

  it('calls the limit first, with the endpoint and the address, and sends Retry-After', async () => {
    const calls: unknown[] = []
    let verdict: unknown = false
    const { port } = await served(framework, {
      authority: watchword,
      shared: {
        limit: (call) => {
          calls.push([call.endpoint, call.address])
          return verdict as boolean
        },
        context: () => (framework.name.startsWith('hono') ? { address: '127.0.0.1' } : {}),
      },
    })
    for (const [name, path] of Object.entries(PATHS)) {
      // Even before the method, the type and the credentials are checked.
      for (const [returned, seconds] of [
        [false, '1'],
        [{ retryAfter: 2500.5 }, '3'],
        [{ retryAfter: '2m' }, '120'],
        [{ retryAfter: 0 }, '1'],
      ]) {
        verdict = returned
        const got = whole(await send(port, { path }))
        const detail = 'Too many requests. Try again later.'
        const expected = problem(429, 'Too Many Requests', 'too_many_requests', detail, {
          'retry-after': seconds as string,
        })
        expect(got).toEqual(expected)
      }
      expect(calls.splice(0)).toEqual(Array(4).fill([name, '127.0.0.1']))
    }
    verdict = true
    expect(whole(await send(port, { path: PATHS.leak }))).toEqual(NOT_POST)
  })

  it('responds with 503 only while a request cannot be processed', async () => {
    const { watchword: authority } = await rig()
    const { token } = await authority.issue(INPUT)
    await authority.close()
    const { port } = await served(framework, { authority })
    const bearer = [`authorization: Bearer ${token}`]
    for (const [path, sent] of [
      [PATHS.revocation, form({ token, client_id: 'ops' })],
      [PATHS.introspection, form({ token, client_id: 'ops' })],
      [PATHS.rotation, { method: 'POST', headers: bearer }],
      [PATHS.leak, form({ token })],
    ] as const) {
      expect(whole(await send(port, { ...sent, path }))).toEqual(UNAVAILABLE)
    }
  })
})

describe('an endpoint that requires a caller', () => {
  it('requires authorize', () => {
    const endpoints = (site: object) =>
      ENDPOINT_FRAMEWORKS[0]?.serve({ authority: watchword, ...site } as EndpointSite)
    for (const options of [
      {},
      { authorize: 'ops' },
      { ...AUTHORIZED, claim: [] },
      { ...AUTHORIZED, challenge: 'a\nb' },
    ]) {
      for (const name of ['revocation', 'introspection']) {
        expect(() => endpoints({ [name]: options })).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
        )
      }
    }
  })
})
