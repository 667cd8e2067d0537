/** The quick start for production, as a separate process: started, called over HTTP, and stopped by SIGTERM. */
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

describe.skipIf(postgres === undefined || redis === undefined)(
  'examples/express-postgres-redis.ts',
  () => {
    const name = uniqueName()
    let rootKey = ''
    let server: ChildProcess
    let url = ''

    function start(...args: readonly string[]): ChildProcess {
      const env = {
        ...process.env,
        DATABASE_URL: postgres,
        REDIS_URL: redis,
        ROOT_KEY: rootKey,
        AUTH_NAME: name,
        PORT: '0',
      }
      const file = 'examples/express-postgres-redis.ts'
      return spawn(process.execPath, ['--import', 'tsx', file, ...args], { cwd: root, env })
    }

    async function firstLine({ stdout, stderr }: ChildProcess): Promise<string> {
      if (stdout === null || stderr === null) throw new Error('no pipes')
      let errors = ''
      stderr.on('data', (chunk) => {
        errors += String(chunk)
      })
      for await (const line of createInterface({ input: stdout })) return line
      throw new Error(`it printed nothing: ${errors}`)
    }

    async function issue(...args: readonly string[]): Promise<string> {
      const child = start('token', ...args)
      const over = once(child, 'exit')
      const token = await firstLine(child)
      expect(await over).toEqual([0, null])
      return token
    }

    beforeAll(async () => {
      await ready
      rootKey = exportKey(generateKey())
      server = start()
      const port = /^listening on (\d+)$/.exec(await firstLine(server))?.[1]
      url = `http://127.0.0.1:${port}`
    })
    afterAll(async () => {
      server.kill('SIGKILL')
      const pool = new pg.Pool({ connectionString: postgres })
      await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`)
      await pool.end()
      const client = new Redis(redis ?? '')
      const keys = await client.keys(`*{${name}}*`)
      if (keys.length > 0) await client.unlink(keys)
      client.disconnect()
    })

    const send = (path: string, token: string, init: RequestInit = {}) =>
      fetch(url + path, {
        ...init,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      })

    it('issues the first token from the command line and further ones over HTTP, and revokes them', async () => {
      const operator = await issue('ops', 'tokens:manage')
      const created = await send('/tokens', operator, {
        method: 'POST',
        body: JSON.stringify({ subject: 'svc_billing', scopes: ['orders:read'] }),
      })
      expect(created.status).toBe(201)
      const { id, token } = (await created.json()) as { id: string; token: string }

      const passed = await send('/orders', token)
      expect([passed.status, await passed.json()]).toEqual([200, { hello: 'svc_billing' }])
      expect((await send('/orders', operator)).status).toBe(403)
      expect((await send('/tokens', token, { method: 'POST', body: '{}' })).status).toBe(403)

      const revoked = await send(`/tokens/${id}`, operator, { method: 'DELETE' })
      expect(await revoked.json()).toMatchObject({ pending: [] })
      expect((await send('/orders', token)).status).toBe(401)
    })

    it('returns 400 with a code for input that the library rejects', async () => {
      const operator = await issue('ops', 'tokens:manage')
      const body = JSON.stringify({ subject: 'svc_billing', scopes: ['admin:everything'] })
      const response = await send('/tokens', operator, { method: 'POST', body })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ code: 'ERR_SCOPE_NOT_GRANTABLE' })
    })

    it('closes everything and exits on SIGTERM', async () => {
      const over = once(server, 'exit')
      server.kill('SIGTERM')
      expect(await over).toEqual([0, null])
    })
  },
)
