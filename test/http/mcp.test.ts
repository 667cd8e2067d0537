/**
 * The verifier under the middleware of the MCP SDK, over a real server.
 *
 * @module
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { mcpVerifier } from '../../src/http/mcp.js'
import { closeAll, DAY, rig } from '../support/harness.js'
import { type Reply, send } from './client.js'

afterEach(closeAll)

const AUDIENCE = 'https://mcp.acme.example/mcp'
const METADATA = 'https://mcp.acme.example/.well-known/oauth-protected-resource'
const SCOPES = ['tools:call']
const POLICIES = { agent: { ttl: '30d', scopes: ['tools:*'] } }
const INPUT = { policy: 'agent', subject: 'agent_7', actor: 'ops' } as const

/** Replies of a server that is guarded by the SDK. */
async function asking(
  watchword: Watchword,
  use: (ask: (token?: string) => Promise<Reply>) => Promise<void>,
): Promise<void> {
  const app = express()
  const guard = requireBearerAuth({
    verifier: mcpVerifier(watchword, { errors, scopes: SCOPES }),
    requiredScopes: SCOPES,
    resourceMetadataUrl: METADATA,
    expectedResource: new URL(AUDIENCE),
  })
  app.get('/mcp', guard, (request, response) => {
    response.json((request as { auth?: AuthInfo }).auth)
  })
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await use((token) => {
      const headers = token === undefined ? [] : [`authorization: Bearer ${token}`]
      return send(port, { path: '/mcp', headers })
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

describe('the verifier for MCP', () => {
  it('accepts a token, and describes it in the terms of the SDK', async () => {
    // The SDK has its own clock, so these tokens must be current.
    const clock = { now: Date.now }
    const { watchword } = await rig({ audience: AUDIENCE, policies: POLICIES, clock })
    const issued = await watchword.issue({ ...INPUT, scopes: ['tools:*'] })
    await asking(watchword, async (ask) => {
      const { status, body } = await ask(issued.token)
      expect(status).toBe(200)
      expect(JSON.parse(body)).toEqual({
        token: issued.token,
        clientId: 'agent_7',
        // The wildcard covers the scope that the SDK looks for by name.
        scopes: ['tools:*', 'tools:call'],
        expiresAt: Math.floor(issued.expiresAt / 1000),
        resource: AUDIENCE,
        extra: { auth: expect.objectContaining({ ok: true, id: issued.id, subject: 'agent_7' }) },
      })
    })
  })

  it('rejects with the errors that the SDK knows, without a reason', async () => {
    const { watchword } = await rig({ audience: AUDIENCE, policies: POLICIES })
    const { token } = await watchword.issue({ ...INPUT, scopes: SCOPES })
    const { token: bare } = await watchword.issue(INPUT)
    await watchword.revoke({ token }, { actor: 'ops' })
    await asking(watchword, async (ask) => {
      for (const bad of [undefined, 'x', token]) {
        const { status, headers } = await ask(bad)
        expect(status).toBe(401)
        expect(headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", /)
        expect(headers['www-authenticate']).toContain(`resource_metadata="${METADATA}"`)
        expect(headers['www-authenticate']).not.toContain('revoked')
      }
      const { status, headers } = await ask(bare)
      expect(status).toBe(403)
      expect(headers['www-authenticate']).toContain('error="insufficient_scope"')
      expect(headers['www-authenticate']).toContain('scope="tools:call"')
    })
  })

  it('does not report an outage as a rejection', async () => {
    const { watchword, clock } = await rig({ audience: AUDIENCE, policies: POLICIES })
    const { token } = await watchword.issue({ ...INPUT, scopes: SCOPES })
    await watchword.close()
    clock.step(DAY)
    await asking(watchword, async (ask) => {
      expect((await ask(token)).status).toBe(500)
    })
  })
})
