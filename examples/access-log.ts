// Which token made a request, and why was it rejected? An access log with pino that answers both.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { pino } from 'pino'
import { createWatchword } from 'watchword'
import { logFields, requireToken } from 'watchword/express'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

// A service logs to standard output. Here the lines are also kept, to check them.
const lines: string[] = []
const logger = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(line) })

const app = express()
app.use((request, response, next) => {
  // The token is in a header, so log the headers only without `authorization`.
  response.on('finish', () => {
    logger.info({ method: request.method, status: response.statusCode, ...logFields(request) })
  })
  next()
})
app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (_, response) => {
  response.json([])
})
app.post('/orders', requireToken(watchword, { scopes: ['orders:write'] }), (_, response) => {
  response.sendStatus(201)
})
app.get('/health', (_, response) => {
  response.json({ status: watchword.health().status })
})

// The rest acts as a client.
const server = app.listen(0)
await once(server, 'listening')
const origin = `http://localhost:${(server.address() as AddressInfo).port}`
const actor = 'ops@acme.example'
const scopes = ['orders:read']
const { token } = await watchword.issue({ policy: 'service', subject: 'svc_mail', scopes, actor })
const headers = { authorization: `Bearer ${token}` }
await fetch(`${origin}/orders`, { headers })
await fetch(`${origin}/orders`, { method: 'POST', headers })
await watchword.revoke({ token }, { actor, reason: 'leaked' })
await fetch(`${origin}/orders`, { headers })
await fetch(`${origin}/orders`)
await fetch(`${origin}/health`)
server.close()
await once(server, 'close')
await watchword.close()

for (const line of lines) process.stdout.write(line)
const logged = lines.map((line) => JSON.parse(line) as { outcome?: string; subject?: string })
assert.deepEqual(
  logged.map(({ outcome }) => outcome),
  ['ok', 'insufficient_scope', 'revoked', 'missing', undefined],
)
assert.equal(logged[0]?.subject, 'svc_mail')
assert.ok(!lines.join('').includes(token))
