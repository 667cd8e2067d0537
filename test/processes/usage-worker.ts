/**
 * A process that verifies tokens and writes how they are used, until it receives `stop` on its standard input or is
 * killed. It takes the file of its orders as the only argument.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { createWatchword } from 'watchword'
import { openStore } from './stores.js'
import { BURST, type Burst, type UsageOrders } from './usage-orders.js'

const orders = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as UsageOrders
const { store, end } = await openStore(orders.place)
const watchword = await createWatchword({
  issuer: 'https://auth.example',
  audience: 'api',
  rootKey: orders.rootKey,
  store,
  node: orders.node,
  usage: { flushEvery: '1s' },
  policies: { open: { ttl: '1h', scopes: ['a:*'] } },
})
process.stdout.write('at work\n')

let stopping = false
// Stops when it receives `stop`, or when its parent has died.
for (const event of ['data', 'end'] as const) {
  process.stdin.on(event, () => {
    stopping = true
  })
}

while (!stopping) {
  const ids: string[] = []
  for (let i = 0; i < BURST; i++) {
    const { id, token } = orders.tokens[
      Math.floor(Math.random() * orders.tokens.length)
    ] as (typeof orders.tokens)[number]
    if (!watchword.verify(token, { scopes: ['a:read'] }).ok) throw new Error('refused')
    ids.push(id)
  }
  appendFileSync(orders.history, `${JSON.stringify({ at: Date.now(), ids } satisfies Burst)}\n`)
  await setTimeout(5)
}
await watchword.close()
await end()
process.exit(0)
