/**
 * The service under test: everything that a test may replace is a parameter.
 *
 * @module
 */
import express, { type Express } from 'express'
import { createWatchword, type Watchword, type WatchwordOptions } from 'watchword'
import { authOf, requireToken } from 'watchword/express'

/** Creates the authority of the service. A test passes a clock; production passes the store, feed and root key. */
export function createAuthority(options: Partial<WatchwordOptions> = {}): Promise<Watchword> {
  return createWatchword({
    issuer: 'https://auth.acme.example',
    audience: 'orders-api',
    policies: { session: { ttl: '15m', scopes: ['orders:*'] } },
    ...options,
  })
}

/** Creates the application around an authority. It does not listen. */
export function createApp(watchword: Watchword): Express {
  const app = express()
  app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (request, response) => {
    response.json({ subject: authOf(request).subject })
  })
  return app
}
