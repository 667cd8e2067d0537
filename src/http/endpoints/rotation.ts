/**
 * The rotation endpoint: whoever presents a token exchanges it for its successor.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import type { Rejected, Verified, VerifyResult } from '../../types.js'
import { REJECTED } from '../../verbs/rejections.js'
import { makeGuard } from '../bearer.js'
import { formatChallenge } from '../challenge.js'
import type { Answer } from '../refusal.js'
import { type Carrier, isSecure } from '../request-adapter.js'
import { invalidRequest, json, problem, tooMany } from './answers.js'
import { type Fields, isForm, readForm } from './body.js'
import {
  bindingOf,
  type Endpoint,
  type EndpointCarrier,
  MAX_FORM_BYTES,
  readCall,
  rejectionOf,
  type Shared,
} from './endpoint.js'
import type { EndpointAuthority, RotationOptions } from './options.js'

type Successor = Awaited<ReturnType<EndpointAuthority['rotate']>>

/** A request that presents a token, with the form that came along. */
interface Presented<Request> {
  readonly request: Request
  readonly form: Fields
}

/** What became of a token that was presented. */
interface Exchange {
  successor: Successor | undefined
  /** What to answer instead of a guard's refusal. */
  answer: Answer | undefined
}

// Who rotates, for the record; the record itself has the subject.
const ACTOR = 'holder'
const MALFORMED = invalidRequest('Send each parameter once, or no form at all.')
const INSECURE = problem({
  status: 403,
  code: 'https_required',
  detail: 'Use HTTPS: no token is handed out in the open.',
})
const NO_SCOPE = problem({
  status: 403,
  code: 'insufficient_scope',
  detail: 'The policy of the token grants none of its scopes any more. Ask for a new token.',
})
const NOT_ROTATABLE = problem({
  status: 403,
  code: 'not_rotatable',
  detail: 'This token cannot be rotated. Ask for a new one before it expires.',
})
// All that the guard asks of a result.
const PASSED = Object.freeze({ ok: true })

/** The endpoint. */
export function rotation<Request, Claims>(
  shared: Shared<Request, Claims>,
  { allowHttp = false, realm = 'api', reasons = false }: RotationOptions,
): Endpoint<Request> {
  const { authority, options, carrier } = shared
  const reader = presentedIn(carrier)
  const ended = familyEnded(realm)
  return {
    name: 'rotation',
    maxBytes: MAX_FORM_BYTES,
    async serve({ request, call, contentType, body, meter }) {
      if (!allowHttp && !isSecure(carrier, request)) return INSECURE
      const form = isForm(contentType) ? readForm(body) : {}
      if (form === undefined) return MALFORMED
      const bound = await bindingOf(shared, readCall(call, form), request)
      const exchange: Exchange = { successor: undefined, answer: undefined }
      // The rules and the refusals of a guard, of which rotating is the check; the binding is this request's own.
      const guard = makeGuard<Presented<Request>, Claims>(
        {
          require: (requirement) => authority.require(requirement),
          authenticate: async (presented) => {
            const token = presented as string
            const waitMs = meter.token(token)
            if (waitMs === 0) return exchanging(shared, { token, ...bound }, { exchange, ended })
            exchange.answer = tooMany(waitMs)
            return REJECTED.expired
          },
        },
        [{ realm, reasons, timeout: options.timeoutMs }],
        reader,
      )
      const outcome = await guard.check({ request, form })
      if (exchange.successor !== undefined) return granted(shared, exchange.successor)
      if (exchange.answer !== undefined) return exchange.answer
      if (outcome.ok || outcome.status === 503) throw (outcome as { cause?: unknown }).cause
      return outcome
    },
  }
}

function presentedIn<Request>(carrier: EndpointCarrier<Request>): Carrier<Presented<Request>> {
  return {
    authorization: ({ request }) => carrier.authorization(request),
    url: ({ request }) => carrier.url(request),
    form: ({ form }) => form,
    isSecure: ({ request }) => carrier.isSecure(request),
    context: ({ request }) => carrier.context(request),
  }
}

interface Presentation {
  readonly token: string
  readonly binding?: string
}

/** Rotates in the form of `authenticate`, and notes what became of it. Rejects when that is not certain. */
async function exchanging<Request, Claims>(
  { authority, clock }: Shared<Request, Claims>,
  { token, ...bound }: Presentation,
  { exchange, ended }: { readonly exchange: Exchange; readonly ended: Answer },
): Promise<VerifyResult<Claims>> {
  try {
    exchange.successor = await authority.rotate(token, { actor: ACTOR, ...bound })
    return PASSED as Verified<Claims>
  } catch (error) {
    exchange.answer = answerTo(error, clock.now(), ended)
    return exchange.answer === undefined ? refusalOf(error) : REJECTED.expired
  }
}

/** The answer to a token that is valid and is not rotated; `undefined` for every other error. */
function answerTo(error: unknown, now: number, ended: Answer): Answer | undefined {
  if (!(error instanceof WatchwordError)) return undefined
  if (error.retryAt !== undefined) return tooMany(error.retryAt - now)
  if (error.code === 'ERR_FAMILY_ENDED') return ended
  if (error.code === 'ERR_NOT_ROTATABLE') return NOT_ROTATABLE
  return error.code === 'ERR_SCOPE_NOT_GRANTABLE' ? NO_SCOPE : undefined
}

const codeOf = (error: unknown) => (error instanceof WatchwordError ? error.code : undefined)

/** The rejection that an error of `rotate` stands for; throws what stands for none. */
function refusalOf(error: unknown): Rejected {
  const reason = rejectionOf(error)
  if (reason !== undefined)
    return { ok: false, code: reason as Exclude<Rejected['code'], 'insufficient_scope'> }
  const code = codeOf(error)
  if (code === 'ERR_TOKEN_REUSED') return REJECTED.superseded
  if (code === 'ERR_FAMILY_ENDED') return REJECTED.expired
  // As `authenticate` has it with `freshness: 'store'`: what the store does not know of is dead.
  if (code === 'ERR_TOKEN_UNKNOWN') return REJECTED.revoked
  throw error
}

/** RFC 6749, section 5.1. */
function granted<Request, Claims>(
  { clock }: Shared<Request, Claims>,
  { token, scopes, expiresAt }: Successor,
): Answer {
  const answer = {
    access_token: token,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.floor((expiresAt - clock.now()) / 1000)),
    scope: scopes.length === 0 ? undefined : scopes.join(' '),
  }
  return json(answer, { pragma: 'no-cache' })
}

/**
 * The one refusal that says why: the token is invalid like any other that is answered 401, but a client that knows the
 * reason asks for a new token instead of looking for its mistake.
 */
function familyEnded(realm: string): Answer {
  return problem({
    status: 401,
    code: 'family_ended',
    detail: 'The token cannot be rotated any more. Ask for a new one.',
    headers: { 'www-authenticate': formatChallenge({ realm, error: 'invalid_token' }) },
  })
}
