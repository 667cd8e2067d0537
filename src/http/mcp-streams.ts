/**
 * The Model Context Protocol over streamable HTTP: ends an open stream with its token.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { bare } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import type { Requirement, Verified } from '../types.js'
import { checkAuthority, optionsOf } from './authority-check.js'
import { noWatch } from './bearer.js'
import { cutResponse } from './cut.js'
import { send } from './incoming.js'
import { optionFields, type TokenAuthority } from './options.js'
import { own } from './own.js'
import { makeRefusals } from './refusal.js'

/** Express middleware that runs after the SDK's `requireBearerAuth`. */
export type McpStreamGuard = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Creates middleware that destroys a response when its token ends, as `cut` of the guards does. The SDK checks a token
 * only when a request arrives, and its streams of events stay open indefinitely. It runs after `requireBearerAuth` with
 * {@link mcpVerifier}, and calls `next` with `ERR_INVALID_ARGUMENT` for a request without the result of that verifier.
 *
 * `requirement` is what the token must go on to meet: pass the scopes of the verifier, so that a restriction below them
 * ends the stream as well. Default: that the token is valid. A rotation does not end a stream. Throws
 * `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
 * import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
 * import express from 'express'
 * import { cutStreams, mcpVerifier } from 'watchword/mcp'
 *
 * const scopes = ['tools:call']
 * const verifier = mcpVerifier(watchword, { errors, scopes })
 * const app = express()
 * app.use('/mcp', requireBearerAuth({ verifier }), cutStreams(watchword, { scopes }))
 * ```
 */
export function cutStreams<Claims>(
  authority: TokenAuthority<Claims>,
  ...requirement: [requirement?: Requirement]
): McpStreamGuard {
  checkAuthority(authority, 'cutStreams')
  const needs = authority.require(bare({ ...optionFields(optionsOf(requirement, 'cutStreams')) }))
  if (typeof authority.watch !== 'function') throw noWatch()
  const scope = needs.allOf.join(' ')
  const refusals = makeRefusals({
    realm: 'api',
    resourceMetadata: undefined,
    reasons: false,
    scope,
  })
  return function cutStreams(request, response, next) {
    const auth = own(own(own(request, 'auth'), 'extra'), 'auth')
    if (own(auth, 'ok') !== true) {
      next(noResult())
      return
    }
    const life = authority.watch?.(auth as Verified<Claims>, { requirement: needs })
    if (life?.aborted) {
      send(response, refusals.of(own(life.reason, 'code')))
      return
    }
    cutResponse(life, request, response)
    next()
  }
}

const noResult = () =>
  invalidArgument(
    'request',
    'cutStreams found no result in request.auth.extra.auth; put it after requireBearerAuth({ verifier: mcpVerifier(watchword, …) })',
  )
