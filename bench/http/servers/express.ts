/**
 * Express, bare and guarded.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express'
import { type AuthResult, auth } from 'express-oauth2-jwt-bearer'
import { authOf, requireToken } from '../../../src/http/express.js'
import { AUDIENCE, ISSUER, SCOPE } from '../../fixture.js'
import { ANYONE, type Contender, PATH } from '../kit.js'

export const EXPRESS: readonly Contender[] = [
  { name: 'bare', kind: 'bare', serve: () => serve(() => ANYONE) },
  { name: 'watchword', kind: 'ours', serve: ({ cached }) => serve(said, guard(cached)) },
  {
    name: 'watchword, no cache',
    kind: 'ours',
    serve: ({ uncached }) => serve(said, guard(uncached)),
  },
  {
    name: 'express-oauth2-jwt-bearer',
    kind: 'peer',
    serve: ({ secret, permits }) =>
      serve(
        (request) => {
          // Another package declares what `auth` is as well, and the compiler took its word.
          const { payload } = request.auth as unknown as AuthResult
          return permits(payload) ? payload.sub : undefined
        },
        auth({ secret, tokenSigningAlg: 'HS256', issuer: ISSUER, audience: AUDIENCE }),
      ),
  },
]

const said = (request: Request): string => authOf(request).subject

const guard = (authority: Parameters<typeof requireToken>[0]): RequestHandler =>
  requireToken(authority, { scopes: [SCOPE] })

// As in its README: a rejection has the status and the headers of the error.
const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status = 500, headers = {} } = error as {
    readonly status?: number
    readonly headers?: Record<string, string>
  }
  response.status(status).set(headers).end()
}

async function serve(
  subjectOf: (request: Request) => string | undefined,
  ...guards: readonly RequestHandler[]
): Promise<number> {
  const app = express()
  app.get(PATH, ...guards, (request, response) => {
    const subject = subjectOf(request)
    if (subject === undefined) response.sendStatus(403)
    else response.json({ subject })
  })
  app.use(answerError)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
