/**
 * One node of the demo: a process that serves orders over HTTP, with its own authority.
 *
 * @module
 */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import jwt from 'jsonwebtoken'
import Database from 'libsql'
import { createWatchword } from 'watchword'
import { sqliteFeed } from 'watchword/feed/sqlite'
import { type WakeupChannel, withWakeups } from 'watchword/feed/wakeups'
import { authOf, protect } from 'watchword/node'
import { sqliteStore } from 'watchword/store/sqlite'

const issuer = 'https://auth.acme.example'
const audience = 'orders-api'

/** The data that the nodes share: the folder of the SQLite files, and the secrets. */
export interface Shared {
  readonly folder: string
  readonly rootKey: string
  readonly jwtSecret: string
}

/** Starts a node, and its server on a free port. */
export async function startNode(node: string, shared: Shared, wakeups: WakeupChannel) {
  const [tokens, revocations] = ['tokens.db', 'revocations.db'].map((file) => {
    const database = new Database(join(shared.folder, file), { timeout: 5000 })
    // `NORMAL`: commits do not wait for the disk, because the demo does not have to survive a power failure.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    return database
  }) as [Database.Database, Database.Database]
  const store = sqliteStore(tokens)
  const feed = sqliteFeed(revocations)
  await store.migrate()
  await feed.migrate()
  const watchword = await createWatchword({
    issuer,
    audience,
    rootKey: shared.rootKey,
    store,
    feed: withWakeups(feed, wakeups),
    policies: { service: { ttl: '30d', scopes: ['orders:*', 'tokens:*'] } },
    // On a busy machine, a process may not read the feed for seconds.
    maxStaleness: '30s',
    node,
  })

  const orders = protect(watchword, (_, response) => response.end('[]'), {
    scopes: ['orders:read'],
  })
  const revoke = protect(
    watchword,
    async (request, response) => {
      const id = request.url?.split('/').at(-1) ?? ''
      const { subject: actor } = authOf(request)
      // Resolves when the other node has confirmed that it rejects the token.
      await watchword.revoke({ id }, { actor, reason: 'leaked', waitFor: 'all', timeout: '30s' })
      response.writeHead(204).end()
    },
    { scopes: ['tokens:manage'] },
  )
  const key = jwtKey(shared)
  const server = createServer((request, response) => {
    if (request.method === 'DELETE') return void revoke(request, response)
    if (request.url !== '/jwt/orders') return void orders(request, response)
    const [, token = ''] = request.headers.authorization?.split(' ') ?? []
    response.writeHead(isJwtValid(token, key) ? 200 : 401).end('[]')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    watchword,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await watchword.close()
      tokens.close()
      revocations.close()
    },
  }
}

/** The key of the JWTs, made once: `jsonwebtoken` parses a string as a public key first, on every call. */
export function jwtKey({ jwtSecret }: Shared): KeyObject {
  return createSecretKey(jwtSecret, 'base64url')
}

/** Signs a JWT with the claims and the lifetime of the tokens. */
export function issueJwt(subject: string, key: KeyObject): string {
  return jwt.sign({ scope: 'orders:read' }, key, { subject, issuer, audience, expiresIn: '30d' })
}

/** Checks a JWT without a look-up. */
export function isJwtValid(token: string, key: KeyObject): boolean {
  try {
    return Boolean(jwt.verify(token, key, { algorithms: ['HS256'], issuer, audience }))
  } catch {
    return false
  }
}

/** The process at the other end of the pipe that `fork` opens. */
interface Peer {
  readonly connected: boolean
  send?(message: string): unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
  off(event: 'message', listener: (message: unknown) => void): unknown
}

/** A push channel between two processes. */
export function pipeChannel(peer: Peer): WakeupChannel {
  return {
    publish(message) {
      if (peer.connected) peer.send?.(Buffer.from(message).toString('base64'))
    },
    async subscribe(onMessage, signal) {
      if (signal.aborted) return
      const listener = (message: unknown) => {
        if (typeof message === 'string') onMessage(Buffer.from(message, 'base64'))
      }
      peer.on('message', listener)
      await once(signal, 'abort')
      peer.off('message', listener)
    },
  }
}
