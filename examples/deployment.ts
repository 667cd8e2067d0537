// How does a node start, report readiness, and stop on SIGTERM without breaking a request?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWatchword } from 'watchword'
import { authOf, protect } from 'watchword/node'

// The time after SIGTERM until the load balancer sends no more requests. 5 s is common.
const DRAIN_MS = 5000
// Shorter than the orchestrator's grace period (Kubernetes: 30 s), or SIGKILL comes first.
const STOP_WITHIN_MS = 20_000

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

let draining = false
// Represents slow work. The end of this program completes it.
let finishWork = (): void => undefined
const work = new Promise<void>((resolve) => {
  finishWork = resolve
})
// This program ends the drain early, because it controls the load balancer.
const noticed = new AbortController()
const orders = protect(
  watchword,
  async (request: IncomingMessage, response: ServerResponse) => {
    await work // in flight when SIGTERM comes
    response.end(`orders of ${authOf(request).subject}`)
  },
  { scopes: ['orders:read'] },
)
const server = createServer((request, response) => {
  // Liveness: the process runs. It does not check the database, which a restart would not repair.
  if (request.url === '/livez') return void response.end('ok')
  // Readiness: send requests here. A stale node rejects every token, so it should receive none.
  if (request.url === '/readyz') {
    response.statusCode = !draining && watchword.health().status === 'live' ? 200 : 503
    return void response.end()
  }
  orders(request, response)
})

async function stop(): Promise<void> {
  const deadline = setTimeout(() => process.exit(1), STOP_WITHIN_MS)
  draining = true // 1. fail readiness, but keep serving
  console.log('1. no longer ready')
  // 2. wait until the load balancer has noticed
  await sleep(DRAIN_MS, undefined, { signal: noticed.signal }).catch(() => undefined)
  const closed = once(server, 'close')
  server.close() // 3. accept no new connection, and let requests in flight finish
  server.closeIdleConnections()
  await closed
  console.log('2. server closed, every request completed')
  await watchword.close() // 4. after the last request: writes what is pending to the feed and the store
  console.log(`3. authority ${watchword.health().status}`)
  clearTimeout(deadline) // 5. last, end the pools and clients that the store and the feed use
}
const stopped = once(process, 'SIGTERM').then(stop)

// Listen only now: `createWatchword` has read the keys and the feed, or has thrown.
server.listen(Number(process.env['PORT'] ?? 0))
await once(server, 'listening')

// The rest acts as the orchestrator and a client.
const url = `http://localhost:${(server.address() as AddressInfo).port}`
const status = async (path: string, headers: Record<string, string> = {}) => {
  const request = get(url + path, { headers, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}
const { token } = await watchword.issue({
  policy: 'service',
  subject: 'svc_billing',
  scopes: ['orders:read'],
  actor: 'ops@acme.example',
})
const headers = { authorization: `Bearer ${token}` }
assert.equal(await status('/readyz'), 200)
const inFlight = status('/orders', headers)
await once(server, 'request')
const signalled = once(process, 'SIGTERM')
process.kill(process.pid, 'SIGTERM')
await signalled
assert.equal(await status('/readyz'), 503)
noticed.abort()
while (server.listening) await sleep(1)
finishWork()
assert.equal(await inFlight, 200)
await stopped
assert.equal(watchword.health().status, 'closed')
console.log('the request that was in flight when SIGTERM came got 200')
