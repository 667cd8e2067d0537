/**
 * Koa, bare and guarded.
 *
 * @module
 */
import { createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Koa, { type Context, type Middleware } from 'koa'
import jwt from 'koa-jwt'
import { authOf, requireToken } from '../../../src/http/koa.js'
import { AUDIENCE, ISSUER, SCOPE } from '../../fixture.js'
import type { JwtClaims } from '../../peers.js'
import { ANYONE, type Contender, PATH } from '../kit.js'

export const KOA: readonly Contender[] = [
  { name: 'bare', kind: 'bare', serve: () => serve(() => ANYONE) },
  { name: 'watchword', kind: 'ours', serve: ({ cached }) => serve(said, guard(cached)) },
  {
    name: 'watchword, no cache',
    kind: 'ours',
    serve: ({ uncached }) => serve(said, guard(uncached)),
  },
  {
    name: 'koa-jwt',
    kind: 'peer',
    serve: ({ secret, permits }) =>
      serve(
        ({ state }) => {
          const claims = state['user'] as JwtClaims
          return permits(claims) ? claims.sub : undefined
        },
        jwt({
          // A key that is made once, though the types want text: of text, and of bytes, jsonwebtoken first tries on each
          // call to make a public key, and that failure takes fifty times as long as the check itself.
          secret: createSecretKey(Buffer.from(secret)) as unknown as Buffer,
          algorithms: ['HS256'],
          issuer: ISSUER,
          audience: AUDIENCE,
        }),
      ),
  },
]

const said = (context: Context): string => authOf(context).subject

const guard = (authority: Parameters<typeof requireToken>[0]): Middleware =>
  requireToken(authority, { scopes: [SCOPE] })

async function serve(
  subjectOf: (context: Context) => string | undefined,
  ...guards: readonly Middleware[]
): Promise<number> {
  const app = new Koa()
  app.silent = true
  for (const middleware of guards) app.use(middleware)
  app.use((context) => {
    if (context.path !== PATH) return
    const subject = subjectOf(context)
    if (subject === undefined) context.status = 403
    else context.body = { subject }
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
