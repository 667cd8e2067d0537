import { once } from 'node:events'
import express from 'express'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createWatchword, WatchwordError } from 'watchword'
import { authOf, requireToken } from 'watchword/express'
import { redisFeed } from 'watchword/feed/redis'
import { postgresStore } from 'watchword/store/postgres'

const { DATABASE_URL, REDIS_URL, ROOT_KEY, AUTH_NAME = 'orders', PORT = '3000' } = process.env
if (!DATABASE_URL || !REDIS_URL || !ROOT_KEY)
  throw new Error('set DATABASE_URL, REDIS_URL and ROOT_KEY')
const pool = new pg.Pool({ connectionString: DATABASE_URL })
pool.on('error', (error) => console.error('postgres:', error.message))
const redis = new Redis(REDIS_URL, { maxRetriesPerRequest: 1 })
redis.on('error', (error) => console.error('redis:', error.message))

const store = postgresStore(pool, { schema: AUTH_NAME })
await store.migrate() // safe with many processes at once
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  rootKey: ROOT_KEY,
  store,
  feed: redisFeed(redis, { prefix: AUTH_NAME }),
  policies: { service: { ttl: '30d', scopes: ['orders:*', 'tokens:*'] } },
})

const app = express()
app.get('/readyz', (_, response) => {
  response.sendStatus(watchword.health().status === 'live' ? 200 : 503)
})
app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (request, response) => {
  response.json({ hello: authOf(request).subject, token: authOf(request).id })
})
const manage = requireToken(watchword, { scopes: ['tokens:manage'] })
app.delete('/tokens/:id', manage, async (request, response) => {
  const { subject: actor } = authOf(request)
  try {
    await watchword.revoke({ id: String(request.params['id']) }, { actor, waitFor: 'all' })
    response.sendStatus(204) // also for an id that no token has
  } catch (error) {
    if (!(error instanceof WatchwordError)) throw error
    const status = error.code === 'ERR_INVALID_ARGUMENT' ? 400 : 503 // not an id, or an outage
    response.status(status).type('application/problem+json').json({ status, code: error.code })
  }
})

const stop = async () => {
  await watchword.close()
  redis.disconnect()
  await pool.end()
}
if (process.argv[2] === 'token') {
  const scopes = ['orders:read', 'tokens:manage']
  const issued = await watchword.issue({ policy: 'service', subject: 'ops', scopes, actor: 'cli' })
  console.log(issued.token)
  await stop()
} else {
  const server = app.listen(Number(PORT))
  await once(server, 'listening') // rejects if the port is in use
  console.log('listening', server.address())
  process.once('SIGTERM', () => server.close(() => void stop()))
}
