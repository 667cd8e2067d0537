/** The second quick start of the README, as a separate process against PostgreSQL and Redis. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { serverUrl, uniqueName } from './servers.js'

const postgres = await serverUrl('postgres')
const redis = await serverUrl('redis')
const root = fileURLToPath(new URL('../..', import.meta.url))

describe.skipIf(postgres === undefined || redis === undefined)('examples/express-server.ts', () => {
  const name = uniqueName()
  let rootKey = ''
  let server: ChildProcess | undefined

  function start(...args: readonly string[]): ChildProcess {
    const settings = { DATABASE_URL: postgres, REDIS_URL: redis, AUTH_NAME: name }
    const env = { ...process.env, ...settings, ROOT_KEY: rootKey, PORT: '0' }
    const command = ['--import', 'tsx', 'examples/express-server.ts', ...args]
    return spawn(process.execPath, command, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  /** The output of a program up to the first text that matches. */
  async function printed({ stdout }: ChildProcess, pattern: RegExp): Promise<string> {
    if (stdout === null) throw new Error('the program has no standard output')
    let text = ''
    for await (const line of createInterface({ input: stdout })) {
      text += `${line}\n`
      const found = pattern.exec(text)?.[1]
      if (found !== undefined) return found
    }
    throw new Error(`the program ended without a match for ${pattern}: ${text}`)
  }

  beforeAll(async () => {
    await ready
    rootKey = exportKey(generateKey())
  })

  afterAll(async () => {
    server?.kill('SIGKILL')
    const pool = new pg.Pool({ connectionString: postgres })
    await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`)
    await pool.end()
    const client = new Redis(redis ?? '')
    const keys = await client.keys(`*{${name}}*`)
    if (keys.length > 0) await client.unlink(keys)
    client.disconnect()
  })

  it('prints a token, accepts it over HTTP, rejects a wrong id, rejects the token once it is revoked, and stops on SIGTERM', async () => {
    const command = start('token')
    const ended = once(command, 'exit')
    const token = await printed(command, /^(v4\.local\.\S+)\n/)
    expect(await ended).toEqual([0, null])

    server = start()
    const port = await printed(server, /port: (\d+)/)
    const url = `http://127.0.0.1:${port}`
    const headers = { authorization: `Bearer ${token}` }
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await fetch(`${url}/orders`)).status).toBe(401)
    const orders = await fetch(`${url}/orders`, { headers })
    const used = (await orders.json()) as { hello: string; token: string }
    expect(used).toEqual({ hello: 'ops', token: expect.stringMatching(/^[0-9A-Z]{26}$/) })

    const unknown = await fetch(`${url}/tokens/ops`, { method: 'DELETE', headers })
    expect(unknown.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect([unknown.status, await unknown.json()]).toEqual([
      400,
      { status: 400, code: 'ERR_INVALID_ARGUMENT' },
    ])

    const revoked = await fetch(`${url}/tokens/${used.token}`, { method: 'DELETE', headers })
    expect(revoked.status).toBe(204)
    expect((await fetch(`${url}/orders`, { headers })).status).toBe(401)

    const stopped = once(server, 'exit')
    server.kill('SIGTERM')
    expect(await stopped).toEqual([0, null])
  })
})
