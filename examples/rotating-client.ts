// How does a client rotate its own token only once, even if many concurrent requests find it due?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { createWatchword } from 'watchword'
import { authOf, requireToken, tokenEndpoints } from 'watchword/express'
import { manualClock } from 'watchword/testkit'
import { TokenClient } from './rotating-client/client.js'

const clock = manualClock() // a real service leaves the clock out
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  // A client that crashes during a rotation must restart within the grace.
  policies: { service: { ttl: '1h', scopes: ['orders:*'], rotateAfter: '70%', grace: '10m' } },
  clock,
})

const scopes = ['orders:read']
const app = express()
app.set('trust proxy', 'loopback') // a proxy on this machine ends TLS
app.all('/token/rotate', tokenEndpoints(watchword).rotation())
// `expiryHeaders` says when the token is due; `rotateDue` adds the successor to a response.
app.get(
  '/orders',
  requireToken(watchword, { scopes, expiryHeaders: true }),
  (request, response) => {
    response.json({ generation: authOf(request).generation })
  },
)
const automatic = requireToken(watchword, { scopes, expiryHeaders: true, rotateDue: true })
app.get('/stock', automatic, (request, response) => {
  response.json({ generation: authOf(request).generation })
})
const server = app.listen(0)
await once(server, 'listening')

// The rest acts as the client. Its `fetch` sets the header of the proxy: the connection was TLS.
const folder = await mkdtemp(join(tmpdir(), 'watchword-client-'))
const file = join(folder, 'token')
const actor = 'ops@acme.example'
const first = await watchword.issue({ policy: 'service', subject: 'svc_billing', scopes, actor })
await writeFile(file, first.token, { mode: 0o600 })

let rotations = 0
const options = {
  file,
  api: `http://localhost:${(server.address() as AddressInfo).port}`,
  fetch: (input: string | URL | Request, init?: RequestInit) => {
    if (String(input).endsWith('/token/rotate')) rotations++
    const headers = new Headers(init?.headers)
    headers.set('x-forwarded-proto', 'https')
    return fetch(input, { ...init, headers })
  },
}
const client = await TokenClient.open({ ...options, now: clock.now })
const generation = async (path: string) => {
  const response = await client.fetch(path)
  assert.equal(response.status, 200)
  return ((await response.json()) as { generation: number }).generation
}

assert.equal(await generation('/orders'), 0)
console.log('not due: generation 0')

await clock.advance(45 * 60_000)
const generations = await Promise.all(Array.from({ length: 20 }, () => generation('/orders')))
assert.deepEqual(new Set(generations), new Set([1]))
assert.equal(rotations, 1)
console.log('due, 20 requests at once: one rotation, all with generation 1')

const kept = await readFile(file, 'utf8')
const result = watchword.verify(kept)
assert.equal(result.ok && result.generation, 1)
assert.equal((await stat(file)).mode & 0o777, 0o600)
console.log('the file holds the successor, and only its owner can read it')

// A route with `rotateDue`: the request is sent with the old token, and the response contains the new one.
await clock.advance(45 * 60_000)
const aware = await TokenClient.open({ ...options, now: () => 0 }) // never finds it due by itself
assert.equal((await aware.fetch('/stock')).status, 200)
const handed = watchword.verify((await readFile(file, 'utf8')).trim())
assert.equal(handed.ok && handed.generation, 2)
assert.equal(rotations, 1)
console.log('by Token-Successor: generation 2, without a call to the rotation endpoint')

// The first client reads the file before it rotates, and finds the new token.
assert.equal(await generation('/orders'), 2)
assert.equal(rotations, 1)
console.log('another process has rotated: the file is read, nothing is rotated twice')

server.close()
await watchword.close()
await rm(folder, { recursive: true })
