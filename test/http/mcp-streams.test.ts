/**
 * Streams of the Model Context Protocol, with the client and the server of its SDK.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { cutStreams, mcpVerifier } from '../../src/http/mcp.js'
import type { TokenAuthority } from '../../src/http/options.js'
import { closeAll, rig } from '../support/harness.js'
import { closes, eventually, openLine, reads } from './live-client.js'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await closeAll()
})

const SCOPES = ['tools:call']
const POLICIES = { agent: { ttl: '30d', scopes: ['tools:*'] } }
const INPUT = { policy: 'agent', subject: 'agent_7', actor: 'ops', scopes: ['tools:call'] } as const
const ACTOR = { actor: 'ops' }

async function listen(app: express.Express): Promise<number> {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** A server of the SDK with sessions, whose streams end with their token. */
async function mcpServer(watchword: Watchword): Promise<number> {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const open = async () => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    const server = new McpServer({ name: 'test', version: '1.0.0' })
    server.registerTool('hold', {}, () => new Promise(() => undefined))
    await server.connect(transport as Transport)
    return transport
  }
  const app = express()
  const verifier = mcpVerifier(watchword, { errors, scopes: SCOPES })
  app.use(
    '/mcp',
    requireBearerAuth({ verifier }),
    cutStreams(watchword, { scopes: SCOPES }),
    express.json(),
    async (request, response) => {
      const session = sessions.get(request.get('mcp-session-id') ?? '') ?? (await open())
      await session.handleRequest(request, response, request.body)
    },
  )
  return listen(app)
}

async function connected(port: number, token: string) {
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: 1,
      maxReconnectionDelay: 1,
      reconnectionDelayGrowFactor: 1,
    },
  })
  const client = new Client({ name: 'test', version: '1.0.0' })
  const failures: Error[] = []
  client.onerror = (error) => void failures.push(error)
  await client.connect(transport as Transport)
  ends.push(() => client.close())
  return { client, failures }
}

describe('cutStreams', () => {
  it('ends the streams of a revoked token, and leaves those of another', async () => {
    const { watchword } = await rig({ policies: POLICIES, clock: { now: Date.now } })
    const port = await mcpServer(watchword)
    const [first, second] = [await watchword.issue(INPUT), await watchword.issue(INPUT)]
    const [revoked, other] = [
      await connected(port, first.token),
      await connected(port, second.token),
    ]
    const watched = () => watchword.health().connections.watched
    // Each client holds the stream that its server may send requests on.
    await eventually(() => expect(watched()).toBe(2))
    const call = revoked.client.callTool({ name: 'hold' }).catch((error: unknown) => error)
    await eventually(() => expect(watched()).toBe(3))
    await watchword.revoke({ token: first.token }, ACTOR)
    await eventually(() => expect(watched()).toBe(1))
    await eventually(() => expect(revoked.failures.length).toBeGreaterThan(0))
    await revoked.client.close()
    expect(await call).toBeInstanceOf(Error)
    expect(other.failures).toEqual([])
    await other.client.ping()
    await other.client.close()
    await eventually(() => expect(watched()).toBe(0))
  })

  it('ends a stream whose token is restricted below the requirement', async () => {
    const { watchword } = await rig({ policies: POLICIES, clock: { now: Date.now } })
    const { token, id } = await watchword.issue(INPUT)
    const app = express()
    const verifier = mcpVerifier(watchword, { errors, scopes: SCOPES })
    app.use(requireBearerAuth({ verifier }), cutStreams(watchword, { scopes: SCOPES }))
    app.use((_, response) => void response.write('hello'))
    const line = openLine(await listen(app), { token })
    await reads(line, 'hello')
    await watchword.restrict({ id }, { ...ACTOR, deny: ['tools:call'], reason: 'incident' })
    await closes(line)
  })

  it('refuses a token that does not meet its own requirement', async () => {
    const { watchword } = await rig({ policies: POLICIES, clock: { now: Date.now } })
    const { token } = await watchword.issue(INPUT)
    const app = express()
    const verifier = mcpVerifier(watchword, { errors })
    app.use(requireBearerAuth({ verifier }), cutStreams(watchword, { scopes: ['tools:admin'] }))
    app.use((_, response) => void response.end('passed'))
    const line = openLine(await listen(app), { token })
    await reads(line, ' 403 ')
    await reads(line, 'scope="tools:admin"')
    expect(line.text).not.toContain('passed')
    line.abort()
    expect(watchword.health().connections.watched).toBe(0)
  })

  it('fails where no verifier ran before it', async () => {
    const { watchword } = await rig()
    const guard = cutStreams(watchword)
    for (const auth of [undefined, {}, { extra: {} }, { extra: { auth: { ok: false } } }]) {
      const errors: unknown[] = []
      guard({ auth } as never, {} as never, (error) => void errors.push(error))
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' })])
    }
  })

  it('refuses an authority without watch, and an invalid requirement', async () => {
    const { watchword } = await rig()
    const { authenticate, require } = watchword
    const wrapper: TokenAuthority = { authenticate, require }
    expect(() => cutStreams(wrapper)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(/watch/),
      }),
    )
    expect(() => cutStreams(undefined as never)).toThrow(/cutStreams expects an authority/)
    expect(() => cutStreams(watchword, undefined)).toThrow(/cutStreams got undefined/)
    expect(() => cutStreams(watchword, { scope: 'x' } as never)).toThrow(/scope/)
  })
})
