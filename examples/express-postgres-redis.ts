// The quick start for production: Express, records in PostgreSQL, revocations through Redis. It listens until SIGTERM.
//
//   export DATABASE_URL=postgres://… REDIS_URL=redis://… ROOT_KEY=k4.local.…
//   npx tsx express-postgres-redis.ts token svc_billing orders:read   # prints the first token
//   npx tsx express-postgres-redis.ts                                 # listens on PORT, 3000 by default
import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import express from 'express'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createWatchword, WatchwordError } from 'watchword'
import { authOf, requireToken } from 'watchword/express'
import { redisFeed } from 'watchword/feed/redis'
import { postgresStore } from 'watchword/store/postgres'

const setting = (name: string, fallback?: string): string => {
  const value = process.env[name] || fallback
  if (value === undefined) throw new Error(`set ${name}`)
  return value
}
// Read before anything connects: the clients would use a server on this machine instead of an unset address.
const databaseUrl = setting('DATABASE_URL')
const redisUrl = setting('REDIS_URL')
const rootKey = setting('ROOT_KEY')

const pool = new pg.Pool({ connectionString: databaseUrl })
pool.on('error', (error) => console.error('postgres:', error.message))
// A command fails after one retry, so that an outage is an error within the timeout instead of a queue.
const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 })
redis.on('error', (error) => console.error('redis:', error.message))

const name = setting('AUTH_NAME', 'orders')
const store = postgresStore(pool, { schema: name })
await store.migrate() // safe with many processes at once; or run what store.migrationSql() prints
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  rootKey,
  store,
  feed: redisFeed(redis, { prefix: name }),
  policies: { service: { ttl: '30d', scopes: ['orders:*', 'tokens:*'] } },
})

/** The status for an error that the caller can repair or retry; `undefined` for every other one, which is a bug. */
const statusOf = (error: unknown): number | undefined => {
  if (error instanceof WatchwordError)
    return /^ERR_(?:STORE|FEED)_|UNCERTAIN|CLOSED|ROOT_KEY|SIGNING_KEY/.test(error.code) ? 503 : 400
  // A body that `express.json()` rejects, or a path that is not valid percent-encoding.
  const { status } = Object(error) as { status?: unknown }
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}

const closeAll = async (): Promise<void> => {
  await watchword.close()
  redis.disconnect()
  await pool.end()
}

const [command, subject, ...scopes] = process.argv.slice(2)
if (command === 'token' && subject !== undefined) {
  // A process with the root key may issue; the actor is recorded.
  const issued = await watchword.issue({ policy: 'service', subject, scopes, actor: 'cli' })
  console.log(issued.token)
  await closeAll()
} else {
  await serve()
}

async function serve(): Promise<void> {
  const app = express()
  app.get('/readyz', (_, response) => {
    response.sendStatus(watchword.health().status === 'live' ? 200 : 503)
  })
  app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (request, response) => {
    response.json({ hello: authOf(request).subject })
  })
  const manage = requireToken(watchword, { scopes: ['tokens:manage'] })
  app.post('/tokens', manage, express.json(), async (request, response) => {
    const { subject, scopes } = request.body ?? {}
    const actor = authOf(request).subject
    const { token, id } = await watchword.issue({ policy: 'service', subject, scopes, actor })
    response.status(201).set('cache-control', 'no-store').json({ id, token })
  })
  app.delete('/tokens/:id', manage, async (request, response) => {
    const { id } = request.params as { id: string }
    // Resolves when every running node rejects the token.
    const { nodes } = await watchword.revoke(
      { id },
      { actor: authOf(request).subject, waitFor: 'all' },
    )
    response.json(nodes)
  })
  app.use(
    (
      error: unknown,
      _: express.Request,
      response: express.Response,
      next: express.NextFunction,
    ) => {
      const status = statusOf(error)
      if (status === undefined || response.headersSent) return next(error)
      const { code, message } = error as { code?: unknown; message?: unknown }
      // A message of the library never contains a token, a key or a claim's value, but may contain a server's address.
      const detail = status < 500 ? message : 'The service is not available right now.'
      const body = { title: STATUS_CODES[status], status, code, detail }
      response.status(status).type('application/problem+json').json(body)
    },
  )

  const server = app.listen(Number(setting('PORT', '3000')))
  await once(server, 'listening')
  const address = server.address()
  console.log(`listening on ${typeof address === 'object' ? address?.port : address}`)
  await once(process, 'SIGTERM')
  const closed = once(server, 'close')
  server.close()
  setTimeout(() => server.closeAllConnections(), 10_000).unref()
  await closed
  await closeAll()
  console.log('stopped')
}
