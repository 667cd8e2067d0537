/**
 * The introspection endpoint of RFC 7662: reports the claims of a token to authorized callers.
 *
 * @module
 */
import { invalidArgument } from '../../lib/invalid.js'
import type { Verified } from '../../types.js'
import type { Answer } from '../problem.js'
import { bindingOf, type Endpoint, MAX_FORM_BYTES, type Shared } from './endpoint.js'
import { authorizedForm } from './form.js'
import type { IntrospectionOptions } from './options.js'
import { json, tooMany, UNAVAILABLE } from './responses.js'

/** The response for every token that is not active for this caller. */
const INACTIVE = Object.freeze(json({ active: false }))

/** The endpoint of RFC 7662. */
export function introspection<Request, Claims>(
  shared: Shared<Request, Claims>,
  options: IntrospectionOptions<Request, Claims>,
): Endpoint<Request> {
  return {
    name: 'introspection',
    maxBytes: MAX_FORM_BYTES,
    async serve(visit) {
      const form = await authorizedForm(visit, options)
      if (!form.ok) return form.response
      const { token, caller, read } = form.value
      const waitMs = visit.meter.token(token)
      if (waitMs > 0) return tooMany(waitMs)
      const bound = await bindingOf(shared, read, visit.request)
      if (!bound.ok) return bound.response
      const result = await shared.authority.authenticate(token, bound.value, visit.call)
      if (result.ok !== true)
        return ['stale', 'closed'].includes(result.code) ? UNAVAILABLE : INACTIVE
      // Callers on other services need a definite result, regardless of `onStale`.
      if (result.stale === true) return UNAVAILABLE
      const { audiences } = caller
      const mayAsk = audiences === undefined || audiences.includes(result.audience)
      return mayAsk ? active(result, options) : INACTIVE
    },
  }
}

function active<Request, Claims>(
  auth: Verified<Claims>,
  { issuer, claims }: IntrospectionOptions<Request, Claims>,
): Answer {
  const { id, subject, audience, scopes, issuedAt, expiresAt } = auth
  const more: unknown = claims?.(auth) ?? {}
  if (typeof more !== 'object') {
    throw invalidArgument('claims', 'expected it to return an object')
  }
  // Members without a value are omitted, and a hook's member of the same name cannot replace them.
  return json({
    ...more,
    active: true,
    scope: scopes.length === 0 ? undefined : scopes.join(' '),
    token_type: 'Bearer',
    sub: subject,
    aud: audience,
    iss: issuer,
    exp: seconds(expiresAt),
    iat: seconds(issuedAt),
    nbf: undefined,
    jti: id,
  })
}

const seconds = (ms: number): number => Math.floor(ms / 1000)
