/**
 * One fresh process of the start-up case: imports the library, starts an authority, and says how old it is by then.
 *
 * @module
 */
import { createWatchword } from '../src/index.js'

const imported = performance.now()
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})
process.stdout.write(JSON.stringify({ imported, started: performance.now() }))
await watchword.close()
