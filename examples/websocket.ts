// How does a WebSocket server accept tokens, also from browsers, and close a connection when its token is revoked?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createWatchword } from 'watchword'
import { protectUpgrade } from 'watchword/node'
import { WebSocket, WebSocketServer } from 'ws'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['socket:*'] } },
})

/** Browsers cannot set a header of a WebSocket, but they can offer protocols: the real one, and one with the token. */
function getToken({ headers }: IncomingMessage): string | undefined {
  const { authorization = '' } = headers
  if (authorization.startsWith('Bearer ')) return authorization.slice('Bearer '.length)
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.find((name) => name.startsWith('token.'))?.slice('token.'.length)
}

const server = createServer()
// The server chooses the real protocol, so that no response repeats the token.
const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'orders.v1' })
protectUpgrade(
  server,
  watchword,
  { scopes: ['socket:open'], getToken },
  (request, socket, head, { subject }) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', console.error)
      client.send(`hello, ${subject}`)
    })
  },
)
server.listen(0, '127.0.0.1')
await once(server, 'listening')

// The rest acts as clients, and as the operator.
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
const actor = 'ops@acme.example'
const request = { policy: 'service', subject: 'svc_mail', actor } as const
const { token } = await watchword.issue({ ...request, scopes: ['socket:open'] })

const refused = new WebSocket(url)
const [error] = (await once(refused, 'error')) as [Error]
console.log(`without a token: ${error.message}`)
assert.match(error.message, /401/)

const client = new WebSocket(url, ['orders.v1', `token.${token}`])
const [greeting] = (await once(client, 'message')) as [Buffer]
console.log(`with a token: ${greeting}`)

const closed = once(client, 'close')
await watchword.revoke({ token }, { actor, reason: 'leaked' })
const [code] = (await closed) as [number]
// 1006: the connection ended without a closing handshake, so a client that does not reply cannot delay it.
console.log(`after it was revoked: closed with code ${code}`)
assert.equal(code, 1006)
assert.equal(watchword.health().connections.watched, 0)

server.close()
await watchword.close()
