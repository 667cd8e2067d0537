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
    let operator = ''

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
      operator = await issue('ops', 'tokens:manage')
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

    it.each([
      [
        'a scope that the policy cannot grant',
        'ERR_SCOPE_NOT_GRANTABLE',
        'POST',
        '/tokens',
        '{"subject":"svc_billing","scopes":["admin:everything"]}',
      ],
      ['a body without a subject', 'ERR_INVALID_ARGUMENT', 'POST', '/tokens', '{}'],
      [
        'a subject that is not text',
        'ERR_INVALID_ARGUMENT',
        'POST',
        '/tokens',
        '{"subject":{"toString":1}}',
      ],
      [
        'scopes that are not a list',
        'ERR_INVALID_ARGUMENT',
        'POST',
        '/tokens',
        '{"subject":"ops","scopes":7}',
      ],
      ['a list as the body', 'ERR_INVALID_ARGUMENT', 'POST', '/tokens', '[]'],
      ['a body that is not JSON', undefined, 'POST', '/tokens', '{'],
      ['an id that is not a ULID', 'ERR_INVALID_ARGUMENT', 'DELETE', '/tokens/ops', undefined],
      ['a path that is not valid percent-encoding', undefined, 'DELETE', '/tokens/%ff', undefined],
    ] as const)('returns 400 as problem+json for %s', async (_, code, method, path, body) => {
      const response = await send(path, operator, {
        method,
        ...(body === undefined ? {} : { body }),
      })
      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      const problem = (await response.json()) as Readonly<Record<string, unknown>>
      expect([response.status, problem['status'], problem['title']]).toEqual([
        400,
        400,
        'Bad Request',
      ])
      expect(problem['detail']).toEqual(expect.stringMatching(/./))
      if (code !== undefined) expect(problem['code']).toBe(code)
    })

    it('closes everything and exits on SIGTERM', async () => {
      const over = once(server, 'exit')
      server.kill('SIGTERM')
      expect(await over).toEqual([0, null])
    })
  },
)
