/**
 * Guards for `(request, response, next)`: Express, Connect and similar routers, and `node:http`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { keepAuth, keepNamed } from './auth.js'
import type { Guard, Outcome } from './bearer.js'
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

/** Adapts a guard to Connect. Never throws and never rejects, because Express 4 would not catch either. */
export function connectGuard<Request extends IncomingMessage, Claims>(
  guard: Guard<Request, Claims>,
): ConnectGuard {
  const { property, throwErrors } = guard.options
  return function requireToken(request, response, next) {
    const settle = (outcome: Outcome<Claims>): void => {
      const refused = guard.admit(request as Request, outcome, (passed) => {
        keepAuth(request, passed)
        keepNamed(request, property, passed)
        setHeaders(response, passed.headers)
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
