/**
 * Guards for `(request, response, next)`: Express, Connect and similar routers, and `node:http`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { keepAuth, keepNamed } from './auth.js'
import type { Guard, Outcome } from './bearer.js'
import { cutResponse } from './cut.js'
import { hasFunctions, wrongCaller } from './framework-check.js'
import { send, setHeaders } from './incoming.js'
import { refusalError } from './refusal.js'

/**
 * A guard in the form of Connect. It calls `next()` to let the request pass; otherwise it responds, or, with
 * `throwErrors`, calls `next` with a `RefusalError`.
 */
export type ConnectGuard = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Adapts a guard to Connect. With a response of `node:http` it never throws and never rejects, because `node:http` does
 * not catch the one, and Express 4 not the other.
 */
export function connectGuard<Request extends IncomingMessage, Claims>(
  guard: Guard<Request, Claims>,
  subpath: 'express' | 'node',
): ConnectGuard {
  const { property, throwErrors } = guard.options
  return function requireToken(request, response, next) {
    if (!hasFunctions(response, 'setHeader'))
      throw wrongCaller(subpath, 'a response of node:http', response)
    const settle = (outcome: Outcome<Claims>): void => {
      const refused = guard.admit(request as Request, outcome, (passed) => {
        keepAuth(request, passed)
        keepNamed(request, property, passed)
        setHeaders(response, passed.headers)
        cutResponse(passed.life, request, response)
      })
      // Outside of every try block: the guard must not catch errors of the handlers behind `next`.
      if (refused === undefined) next()
      else if (throwErrors) next(refusalError(refused))
      else send(response, refused)
    }
    const outcome = guard.check(request as Request)
    if (outcome instanceof Promise) void outcome.then(settle)
    else settle(outcome)
  }
}
