// How does a service move from `jsonwebtoken` without breaking its clients? It accepts both kinds of token for a while.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type NextFunction, type Request, type Response } from 'express'
import jwt from 'jsonwebtoken'
import { createWatchword } from 'watchword'
import { authOf, requireToken } from 'watchword/express'

const issuer = 'https://auth.acme.example'
const audience = 'orders-api'
const JWT_SECRET = 'the secret that signed the JWTs until today'
// From this date on, JWTs are rejected.
const JWT_UNTIL = Date.now() + 30 * 24 * 60 * 60 * 1000

const watchword = await createWatchword({
  issuer,
  audience,
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

interface Caller {
  readonly subject: string
  readonly scopes: readonly string[]
  readonly kind: 'jwt' | 'watchword'
}
const callers = new WeakMap<Request, Caller>()
let jwtRequests = 0

/** Returns the caller that an old JWT names, or `undefined` when the JWT is invalid. */
function readJwt(text: string): Caller | undefined {
  if (Date.now() >= JWT_UNTIL) return undefined
  try {
    // Name the algorithm, the issuer and the audience. A JWT without `exp` never expires, so reject it.
    const payload = jwt.verify(text, JWT_SECRET, { algorithms: ['HS256'], issuer, audience })
    if (typeof payload === 'string' || payload.exp === undefined) return undefined
    const scopes = String(payload['scope'] ?? '').split(' ')
    return { subject: payload.sub ?? '', scopes, kind: 'jwt' }
  } catch {
    return undefined
  }
}

/** A guard for the time of the move: a value of three parts separated by dots is a JWT; others go to watchword. */
function requireEither(scope: string) {
  const guard = requireToken(watchword, { scopes: [scope] })
  return (request: Request, response: Response, next: NextFunction) => {
    const [, text] =
      /^Bearer (eyJ[\w-]*\.[\w-]+\.[\w-]+)$/i.exec(request.get('authorization') ?? '') ?? []
    const caller = text === undefined ? undefined : readJwt(text)
    if (caller !== undefined) {
      jwtRequests++
      callers.set(request, caller)
      if (caller.scopes.includes(scope)) next()
      else {
        const challenge = `Bearer realm="api", error="insufficient_scope", scope="${scope}"`
        response.set('www-authenticate', challenge).sendStatus(403)
      }
      return
    }
    // An invalid JWT goes to the guard, which rejects it like every invalid token.
    guard(request, response, (error) => {
      if (error === undefined) {
        const { subject, scopes } = authOf(request)
        callers.set(request, { subject, scopes, kind: 'watchword' })
      }
      next(error)
    })
  }
}

const app = express()
app.get('/orders', requireEither('orders:read'), (request, response) => {
  response.json(callers.get(request))
})
// A client that still has a JWT exchanges it here, once, for a token of the same subject and rights.
app.post('/token/exchange', requireEither('orders:read'), async (request, response) => {
  const caller = callers.get(request)
  if (caller?.kind !== 'jwt') return void response.sendStatus(409)
  const { subject, scopes } = caller
  const { token, expiresAt } = await watchword.issue({
    policy: 'service',
    subject,
    scopes,
    actor: subject,
  })
  response.set('cache-control', 'no-store').json({ token, expiresAt })
})

// The rest acts as a client.
const server = app.listen(0)
await once(server, 'listening')
const url = `http://localhost:${(server.address() as AddressInfo).port}`
const send = (path: string, token: string, method = 'GET') =>
  fetch(url + path, { method, headers: { authorization: `Bearer ${token}` } })

const claims = { sub: 'svc_billing', scope: 'orders:read' }
const old = jwt.sign(claims, JWT_SECRET, { issuer, audience, expiresIn: '30d' })
const forged = jwt.sign(claims, 'a guess', { issuer, audience, expiresIn: '30d' })
const endless = jwt.sign(claims, JWT_SECRET, { issuer, audience })
const other = { sub: 'svc_mail', scope: 'mail:read' }
const narrow = jwt.sign(other, JWT_SECRET, { issuer, audience, expiresIn: '30d' })

const before = await send('/orders', old)
console.log(`with the JWT: ${before.status} ${await before.text()}`)
const exchanged = await send('/token/exchange', old, 'POST')
const { token } = (await exchanged.json()) as { token: string }
const after = await send('/orders', token)
console.log(`with its successor: ${after.status} ${await after.text()}`)
const refused = [await send('/orders', forged), await send('/orders', endless)]
console.log(`a forged JWT, and one that never expires: ${refused.map(({ status }) => status)}`)
const lacking = await send('/orders', narrow)
console.log(`a JWT without the scope: ${lacking.status}`)
await watchword.revoke({ token }, { actor: 'ops@acme.example', reason: 'leaked' })
const revoked = await send('/orders', token)
console.log(`the successor, revoked: ${revoked.status}. The JWT could not be revoked.`)
// When this count stays at zero for a while, remove `requireEither`, the secret and the dependency.
console.log(`requests with a JWT so far: ${jwtRequests}`)

assert.deepEqual(
  [before.status, exchanged.status, after.status, lacking.status, revoked.status],
  [200, 200, 200, 403, 401],
)
assert.deepEqual(
  refused.map(({ status }) => status),
  [401, 401],
)
server.close()
await watchword.close()
