/**
 * The rotation endpoint: exchanges the presented token for its successor.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import type { RejectionCode } from '../../types.js'
import { formatChallenge } from '../challenge.js'
import { isWellFormed, readBearer } from '../credentials.js'
import { type Answer, problem } from '../problem.js'
import { inTime } from '../promises.js'
import { makeRefusals, type Refusals } from '../refusal.js'
import { isSecure, type RequestAdapter } from '../request-adapter.js'
import { type Fields, isForm, readForm } from './body.js'
import {
  bindingOf,
  type Endpoint,
  type EndpointAdapter,
  MAX_FORM_BYTES,
  readCall,
  rejectionOf,
  type Shared,
} from './endpoint.js'
import type { EndpointAuthority, RotationOptions } from './options.js'
import { invalidRequest, json, tooMany } from './responses.js'

type Successor = Awaited<ReturnType<EndpointAuthority['rotate']>>

/** A request that presents a token, with its form. */
interface Presented<Request> {
  readonly request: Request
  readonly form: Fields
}

// The recorded actor of the rotation; the record itself has the subject.
const ACTOR = 'holder'
const MALFORMED = invalidRequest('Send each parameter once, or no form at all.')
const INSECURE = problem({
  status: 403,
  code: 'https_required',
  detail: 'Use HTTPS: tokens are not sent over plain HTTP.',
})
const NO_SCOPE = problem({
  status: 403,
  code: 'insufficient_scope',
  detail: 'The policy no longer grants any scope of the token. Request a new token.',
})
const NOT_ROTATABLE = problem({
  status: 403,
  code: 'not_rotatable',
  detail: 'This token cannot be rotated. Request a new one before it expires.',
})
/** The endpoint. */
export function rotation<Request, Claims>(
  shared: Shared<Request, Claims>,
  { allowHttp = false, realm = 'api', reasons = false }: RotationOptions,
): Endpoint<Request> {
  const { options, adapter, clock } = shared
  const presented = presentedIn(adapter)
  const refusals = makeRefusals({ realm, reasons, scope: '', resourceMetadata: undefined })
  const ended = familyEnded(realm)
  const { timeoutMs } = options
  return {
    name: 'rotation',
    maxBytes: MAX_FORM_BYTES,
    async serve({ request, call, contentType, body, meter }) {
      if (!allowHttp && !isSecure(adapter, request)) return INSECURE
      const form = isForm(contentType) ? readForm(body) : {}
      if (form === undefined) return MALFORMED
      const bound = await bindingOf(shared, readCall(call, form), request)
      if (!bound.ok) return bound.response
      const token = readBearer(presented, { request, form }, refusals)
      if (token === undefined) return refusals.missing
      if (typeof token !== 'string') return token
      const waitMs = meter.token(token)
      if (waitMs > 0) return tooMany(waitMs)
      const exchanged = exchange(shared, { token, ...bound.value }, { refusals, ended })
      return inTime(clock, timeoutMs, exchanged, () => late(timeoutMs))
    },
  }
}

const late = (ms: number) =>
  new WatchwordError('ERR_STORE_UNAVAILABLE', `the token was not rotated within ${ms} ms`)

function presentedIn<Request>(
  adapter: EndpointAdapter<Request>,
): RequestAdapter<Presented<Request>> {
  return {
    authorization: ({ request }) => adapter.authorization(request),
    url: ({ request }) => adapter.url(request),
    form: ({ form }) => form,
    isSecure: ({ request }) => adapter.isSecure(request),
    context: ({ request }) => adapter.context(request),
  }
}

interface Presentation {
  readonly token: string
  readonly binding?: string
}

interface Responses {
  readonly refusals: Refusals
  /** The response to a token whose family has ended. */
  readonly ended: Answer
}

/** Exchanges a token for its successor. Rejects if the result is uncertain. */
async function exchange<Request, Claims>(
  shared: Shared<Request, Claims>,
  { token, ...bound }: Presentation,
  { refusals, ended }: Responses,
): Promise<Answer> {
  try {
    return granted(shared, await shared.authority.rotate(token, { actor: ACTOR, ...bound }))
  } catch (error) {
    if (!(error instanceof WatchwordError)) throw error
    const response = responseTo(error, shared.clock.now(), ended)
    if (response !== undefined) return response
    const code = refusalOf(error)
    // Checked last, since a valid token is well-formed.
    return isWellFormed(token) ? refusals.of(code) : refusals.malformed
  }
}

/** The response to a valid token that cannot be rotated; `undefined` for every other error. */
function responseTo(error: WatchwordError, now: number, ended: Answer): Answer | undefined {
  if (error.code === 'ERR_FROZEN') return frozen(error.retryAt, now)
  if (error.retryAt !== undefined) return tooMany(error.retryAt - now)
  if (error.code === 'ERR_FAMILY_ENDED') return ended
  if (error.code === 'ERR_NOT_ROTATABLE') return NOT_ROTATABLE
  return error.code === 'ERR_SCOPE_NOT_GRANTABLE' ? NO_SCOPE : undefined
}

/** No token can be rotated at present. Without a known end, the client decides when to try again. */
function frozen(retryAt: number | undefined, now: number): Answer {
  const seconds = retryAt === undefined ? undefined : Math.max(1, Math.ceil((retryAt - now) / 1000))
  return problem({
    status: 503,
    code: 'temporarily_unavailable',
    detail: 'Tokens cannot be rotated at present. The token stays valid. Try again later.',
    headers: seconds === undefined ? {} : { 'retry-after': String(seconds) },
  })
}

/** The rejection code for an error of `rotate`; rethrows other errors. */
function refusalOf(error: WatchwordError): RejectionCode {
  const reason = rejectionOf(error)
  if (reason !== undefined) return reason as RejectionCode
  if (error.code === 'ERR_TOKEN_REUSED') return 'superseded'
  // As with `freshness: 'store'`: a token that is missing from the store is rejected.
  if (error.code === 'ERR_TOKEN_UNKNOWN') return 'revoked'
  throw error
}

/** RFC 6749, section 5.1. */
function granted<Request, Claims>(
  { clock }: Shared<Request, Claims>,
  { token, scopes, expiresAt }: Successor,
): Answer {
  const response = {
    access_token: token,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.floor((expiresAt - clock.now()) / 1000)),
    scope: scopes.length === 0 ? undefined : scopes.join(' '),
  }
  return json(response, { pragma: 'no-cache' })
}

/**
 * The only rejection that states its reason: the token is invalid as with any 401, but a client that knows the reason
 * requests a new token instead of looking for its own mistake.
 */
function familyEnded(realm: string): Answer {
  return problem({
    status: 401,
    code: 'family_ended',
    detail: 'The token can no longer be rotated. Request a new one.',
    headers: { 'www-authenticate': formatChallenge({ realm, error: 'invalid_token' }) },
  })
}
