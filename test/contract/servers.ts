/**
 * How the contract tests find the servers that they need, and what happens without one.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

interface Server {
  readonly variable: string
  readonly fallback: string
  readonly port: number
  /** The Debian package. */
  readonly debian: string
}

const SERVERS = {
  postgres: {
    variable: 'WATCHWORD_TEST_POSTGRES',
    fallback: 'postgres://postgres@127.0.0.1:5432/test',
    port: 5432,
    debian: 'postgresql',
  },
  mysql: {
    variable: 'WATCHWORD_TEST_MYSQL',
    fallback: 'mysql://root@127.0.0.1:3306/test',
    port: 3306,
    debian: 'mariadb-server',
  },
  redis: {
    variable: 'WATCHWORD_TEST_REDIS',
    fallback: 'redis://127.0.0.1:6379/0',
    port: 6379,
    debian: 'redis-server',
  },
  nats: {
    variable: 'WATCHWORD_TEST_NATS',
    fallback: 'nats://127.0.0.1:4222',
    port: 4222,
    debian: 'nats-server',
  },
} as const satisfies Readonly<Record<string, Server>>

const REPLY_WITHIN_MS = 2000

/**
 * The URL of a server that accepts connections, or `undefined`, with one line that says what was skipped and how to get
 * it. In CI a missing server is a failure, so that no test is skipped unnoticed.
 *
 * @example
 * ```ts
 * const url = await serverUrl('postgres')
 * describe.skipIf(url === undefined)('postgres', () => {})
 * ```
 */
export async function serverUrl(name: keyof typeof SERVERS): Promise<string | undefined> {
  const { variable, fallback, port, debian } = SERVERS[name]
  const url = process.env[variable] ?? fallback
  if (await accepts(url, port)) return url
  const { host } = new URL(url)
  const line = `${name} does not reply at ${host}: its tests are skipped (apt-get install ${debian}, or set ${variable})`
  if (process.env['CI'] === 'true') throw new Error(line)
  console.warn(line)
  return undefined
}

function accepts(url: string, defaultPort: number): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) || defaultPort })
    const settle = (yes: boolean): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.setTimeout(REPLY_WITHIN_MS, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/** A name unique to this test run: lower-case letters, digits and underscores, at most 20 of them. */
export function uniqueName(): string {
  return `ww_${randomBytes(8).toString('hex')}`
}
