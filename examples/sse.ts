// How does a stream of events end as soon as its token is revoked?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createWatchword } from 'watchword'
import { authOf, requireToken } from 'watchword/express'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['events:*'] } },
})

const app = express()
// With `cut`, the response is destroyed when the token ends. Without it, the stream would stay open for days.
const guard = requireToken(watchword, { scopes: ['events:read'], cut: true })
app.get('/events', guard, (request, response) => {
  const { subject, signal } = authOf(request)
  response.set('content-type', 'text/event-stream')
  const send = () => response.write(`data: hello, ${subject}\n\n`)
  send()
  const timer = setInterval(send, 50)
  response.on('close', () => clearInterval(timer))
  // Only for what has no connection to the response, and for the log.
  signal?.addEventListener('abort', () => console.log('server: ended,', signal.reason.code))
})
const server = createServer(app).listen(0, '127.0.0.1')
await once(server, 'listening')

// The rest acts as two clients, and as the operator.
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`
const actor = 'ops@acme.example'

async function connect(subject: string) {
  const { token } = await watchword.issue({
    policy: 'service',
    subject,
    scopes: ['events:read'],
    actor,
  })
  const controller = new AbortController()
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: controller.signal,
  })
  assert.ok(response.body)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  console.log(`${subject}: ${(await reader.read()).value?.trim()}`)
  return { token, reader, leave: () => controller.abort() }
}

/** Reads until the connection breaks. */
async function untilCut(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  })
}

const mail = await connect('svc_mail')
const stock = await connect('svc_stock')
assert.equal(watchword.health().connections.watched, 2)

// A rotation ends nothing: the watch goes over to the successor, and ends with that.
await watchword.rotate(mail.token, { actor: 'svc_mail' })
console.log(`svc_mail: ${(await mail.reader.read()).value?.trim()}, after a rotation`)

// Revoking a token also revokes its successors.
await watchword.revoke({ token: mail.token }, { actor, reason: 'leaked' })
await untilCut(mail.reader)
console.log('svc_mail: cut off')
console.log(`svc_stock: ${(await stock.reader.read()).value?.trim()}, still connected`)
assert.equal(watchword.health().connections.watched, 1)

stock.leave()
server.closeAllConnections()
server.close()
await watchword.close()
