/**
 * Fastify, bare and guarded.
 *
 * @module
 */
import type { AddressInfo } from 'node:net'
import fastifyJwt from '@fastify/jwt'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { authOf, requireToken, type TokenAuthority } from '../../../src/http/fastify.js'
import { AUDIENCE, ISSUER, SCOPE } from '../../fixture.js'
import type { JwtClaims } from '../../peers.js'
import { ANYONE, type Contender, type Kit, PATH } from '../kit.js'

export const FASTIFY: readonly Contender[] = [
  { name: 'bare', kind: 'bare', serve: () => serve(fastify(), () => ANYONE) },
  { name: 'watchword', kind: 'ours', serve: ({ cached }) => guarded(cached) },
  { name: 'watchword, no cache', kind: 'ours', serve: ({ uncached }) => guarded(uncached) },
  { name: '@fastify/jwt, cached', kind: 'peer', serve: (kit) => withJwt(kit, 50_000) },
  { name: '@fastify/jwt', kind: 'peer', serve: (kit) => withJwt(kit, false) },
]

function guarded(authority: TokenAuthority): Promise<number> {
  const app = fastify()
  app.addHook('onRequest', requireToken(authority, { scopes: [SCOPE] }))
  return serve(app, (request) => authOf(request).subject)
}

async function withJwt({ secret, permits }: Kit, cache: number | false): Promise<number> {
  const app = fastify()
  await app.register(fastifyJwt, {
    secret,
    verify: { algorithms: ['HS256'], allowedIss: ISSUER, allowedAud: AUDIENCE, cache },
  })
  app.addHook('onRequest', async (request) => void (await request.jwtVerify()))
  return serve(app, ({ user }) => {
    const claims = user as JwtClaims
    return permits(claims) ? claims.sub : undefined
  })
}

async function serve(
  app: FastifyInstance,
  subjectOf: (request: FastifyRequest) => string | undefined,
): Promise<number> {
  app.get(PATH, async (request, reply) => {
    const subject = subjectOf(request)
    return subject === undefined ? reply.code(403).send() : { subject }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}
