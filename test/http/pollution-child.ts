/**
 * A process that serves every framework, and pollutes `Object.prototype` on request.
 *
 * @module
 */
import { createWatchword } from 'watchword'
import { FRAMEWORKS } from './servers.js'

/** The message to the process: what to set on `Object.prototype` (nothing: to clean it). */
export interface Order {
  readonly name?: string
  readonly kind?: 'true' | 'text' | 'function'
}

/** The tokens that the servers know, the port of each framework, and how often handlers have run. */
export interface Report {
  readonly tokens: Readonly<Record<'good' | 'narrow' | 'revoked', string>>
  readonly ports: readonly (readonly [framework: string, port: number])[]
  readonly ran: number
}

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})
const issue = async (scopes: readonly string[]) =>
  (await watchword.issue({ policy: 'service', subject: 'svc_billing', actor: 'ops', scopes })).token
const tokens = {
  good: await issue(['orders:read']),
  narrow: await issue([]),
  revoked: await issue(['orders:read']),
}
await watchword.revoke({ token: tokens.revoked }, { actor: 'ops' })
// The library's own authority, and one behind a wrapper, which takes the path of promises.
const wrapped: typeof watchword = {
  ...watchword,
  authenticate: (...args) => watchword.authenticate(...args),
}
const options = { scopes: ['orders:read'] }
const servers = await Promise.all(
  [watchword, wrapped].flatMap((authority) =>
    FRAMEWORKS.map(async (framework) => {
      const server = await framework.serve({ authority, routes: { '/orders': options } })
      const name = authority === wrapped ? `${framework.name}, wrapped` : framework.name
      return { name, server }
    }),
  ),
)

const VALUES = {
  true: true,
  text: 'Bearer polluted',
  // As a thenable it calls back with nothing. One that forges a result would be an attacker's code in the process.
  function: (callback: unknown) => {
    if (typeof callback === 'function') callback()
  },
} as const

const clean = new Set(Object.getOwnPropertyNames(Object.prototype))

process.on('message', ({ name, kind }: Order) => {
  for (const each of Object.getOwnPropertyNames(Object.prototype)) {
    if (!clean.has(each)) Reflect.deleteProperty(Object.prototype, each)
  }
  report()
  if (name === undefined || kind === undefined) return
  Object.defineProperty(Object.prototype, name, {
    value: VALUES[kind],
    configurable: true,
    enumerable: true,
    writable: true,
  })
})
process.on('disconnect', () => process.exit())

function report(): void {
  const ports = servers.map(({ name, server }) => [name, server.port] as const)
  const ran = servers.reduce((sum, { server }) => sum + server.ran(), 0)
  process.send?.({ tokens, ports, ran } satisfies Report)
}
report()
