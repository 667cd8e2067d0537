/**
 * The common steps of every token endpoint: check the limit, read the body, do the work within the timeout, and
 * respond.
 *
 * @module
 */

import { WatchwordError } from '../../errors.js'
import { type ResolvedClock, SYSTEM_CLOCK } from '../../lib/clock.js'
import { type Deadline, withDeadline } from '../../lib/deadline.js'
import { parseDuration, SECOND } from '../../lib/duration.js'
import { bare, fieldsOf } from '../../lib/fields.js'
import { invalidArgument } from '../../lib/invalid.js'
import { isName } from '../../lib/name.js'
import { directOf } from '../../verbs/direct.js'
import { MAX_BINDING_LENGTH } from '../../verbs/requirement.js'
import type { Answer } from '../problem.js'
import { ignoreRejection } from '../promises.js'
import type { RequestAdapter } from '../request-adapter.js'
import type { Body, Fields } from './body.js'
import { Meter } from './meter.js'
import {
  type AuthorizedOptions,
  type Caller,
  challengeOf,
  type EndpointAuthority,
  type EndpointCall,
  type EndpointName,
  type ReadCall,
  type ResolvedEndpointsOptions,
} from './options.js'
import {
  BAD_BINDING,
  NO_BODY,
  NOT_POST,
  TOO_LONG,
  tooMany,
  UNAVAILABLE,
  unknownCaller,
} from './responses.js'

/** Reads a framework's request, including its body. */
export interface EndpointAdapter<Request> extends RequestAdapter<Request> {
  method(request: Request): string | undefined
  header(request: Request, name: 'content-type' | 'content-length'): string | undefined
  /** The body, or a marker that it is too long. Rejects if it does not arrive. */
  body(request: Request, maxBytes: number): Promise<Body>
}

/** The shared state of one authority's endpoints. */
export interface Shared<Request, Claims> {
  readonly authority: EndpointAuthority<Claims>
  readonly options: ResolvedEndpointsOptions<Request>
  readonly adapter: EndpointAdapter<Request>
  readonly clock: ResolvedClock
}

interface Metered<Request, Claims> extends Shared<Request, Claims> {
  readonly meter: Meter
}

/** A request whose body was read. */
export interface Visit<Request> {
  readonly request: Request
  readonly call: EndpointCall
  /** As named in the request; empty if it names none. */
  readonly contentType: string
  readonly body: Exclude<Body, string>
  /** Counts the calls about a token. */
  readonly meter: Pick<Meter, 'token'>
}

/** The result of a step: a value to continue with, or the response. */
export type Step<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly response: Answer }

/** One endpoint. */
export interface Endpoint<Request> {
  readonly name: EndpointName
  readonly maxBytes: number
  /** The endpoint's own work. If it rejects, the response is 503. */
  serve(visit: Visit<Request>): Promise<Answer>
}

/** The maximum length of a form, in bytes. */
export const MAX_FORM_BYTES = 16 * 1024
// Revoking a token is harmless, so a report does not wait long for a limiter that may itself be under attack.
const LEAK_LIMIT_MS = SECOND

/** The clock of an authority; for a wrapped one, the machine's. */
export function clockOf<Claims>({ authenticate }: EndpointAuthority<Claims>): ResolvedClock {
  return directOf(authenticate)?.clock ?? SYSTEM_CLOCK
}

/** Creates the request handler of an endpoint. It never throws and never rejects. */
export function requestHandler<Request, Claims>(
  shared: Shared<Request, Claims>,
  endpoint: Endpoint<Request>,
): (request: Request) => Promise<Answer> {
  const meter = new Meter(shared.options.budgets[endpoint.name], shared.clock)
  return async (request) => {
    try {
      return await respond({ ...shared, meter }, endpoint, request)
    } catch (error) {
      tell(shared, error, request)
      return UNAVAILABLE
    }
  }
}

async function respond<Request, Claims>(
  shared: Metered<Request, Claims>,
  endpoint: Endpoint<Request>,
  request: Request,
): Promise<Answer> {
  const admitted = await admit(shared, endpoint.name, request)
  if (!admitted.ok) return admitted.response
  const { adapter } = shared
  if (adapter.method(request) !== 'POST') return NOT_POST
  const body = await read(shared, endpoint, request)
  if (body === undefined) return NO_BODY
  if (body === 'too_long') return TOO_LONG
  const contentType = adapter.header(request, 'content-type') ?? ''
  const { meter } = shared
  const visit = { request, call: admitted.value, contentType, body, meter }
  return within(shared, `the ${endpoint.name} endpoint`, async () => endpoint.serve(visit))
}

/** Checks the limit; returns the call context, or the response if the call may not proceed. */
async function admit<Request, Claims>(
  shared: Metered<Request, Claims>,
  endpoint: EndpointName,
  request: Request,
): Promise<Step<EndpointCall>> {
  const { options, adapter } = shared
  let call: EndpointCall = { endpoint }
  try {
    const known = adapter.context(request)
    call = Object.freeze({ ...known, ...options.context?.(request), endpoint })
    const refused = await overLimit(shared, call, request)
    return refused === undefined ? { ok: true, value: call } : { ok: false, response: refused }
  } catch (error) {
    if (endpoint !== 'leak') throw error
    tell(shared, error, request)
    return { ok: true, value: call }
  }
}

async function overLimit<Request, Claims>(
  shared: Metered<Request, Claims>,
  call: EndpointCall,
  request: Request,
): Promise<Answer | undefined> {
  const { limit, timeoutMs } = shared.options
  if (limit === undefined) {
    const waitMs = shared.meter.call(call.address)
    return waitMs === 0 ? undefined : tooMany(waitMs)
  }
  const deadlineMs = call.endpoint === 'leak' ? Math.min(timeoutMs, LEAK_LIMIT_MS) : timeoutMs
  const allowed: unknown = await within(
    shared,
    'limit',
    async () => limit(call, request),
    deadlineMs,
  )
  if (allowed === true) return undefined
  if (allowed === false) return tooMany(0)
  const { retryAfter } = Object(allowed) as { retryAfter?: unknown }
  // Limiters count in fractions of a millisecond.
  const ms = parseDuration(typeof retryAfter === 'number' ? Math.ceil(retryAfter) : retryAfter)
  if (ms === undefined) throw wrong('limit', 'true, false or { retryAfter }')
  return tooMany(ms)
}

/** Reads the body; `undefined` if it does not arrive, which is a client error. */
async function read<Request, Claims>(
  shared: Shared<Request, Claims>,
  { maxBytes }: Endpoint<Request>,
  request: Request,
): Promise<Body | undefined> {
  const { adapter } = shared
  if (Number(adapter.header(request, 'content-length')) > maxBytes) return 'too_long'
  const reading = within(shared, 'the body', async () => adapter.body(request, maxBytes))
  return reading.catch(() => undefined)
}

/** The caller, or the response to a caller without access. */
export async function authorized<Request>(
  { authorize, ...options }: AuthorizedOptions<Request>,
  call: ReadCall,
  request: Request,
): Promise<Step<Caller>> {
  const caller = await authorize(call, request)
  // A hook in plain JavaScript may return this instead of `undefined`.
  if (caller === undefined || caller === null || (caller as unknown) === false) {
    return { ok: false, response: unknownCaller(challengeOf(options)) }
  }
  // Inherited fields count, and an explicit `undefined` does not grant access to every audience.
  const fields = fieldsOf(Object(caller) as object, ['actor', 'audiences'])
  const [actor, audiences] = [fields['actor'], fields['audiences']]
  const isList = !Object.hasOwn(fields, 'audiences') || Array.isArray(audiences)
  if (!isName(actor, 256) || !isList) {
    throw wrong('authorize', '{ actor } with 1 to 256 characters, and audiences in a list')
  }
  return {
    ok: true,
    value: Array.isArray(audiences) ? bare({ actor, audiences }) : bare({ actor }),
  }
}

/**
 * The token's binding as an option of the verbs. A hook may return text of the client, so text that is no binding is
 * the client's fault.
 */
export async function bindingOf<Request, Claims>(
  { options }: Shared<Request, Claims>,
  call: ReadCall,
  request: Request,
): Promise<Step<{ readonly binding?: string }>> {
  const binding: unknown = await options.binding?.(call, request)
  if (binding === undefined || binding === null) return { ok: true, value: {} }
  if (typeof binding !== 'string') throw wrong('binding', 'text, or undefined')
  if (!isName(binding, MAX_BINDING_LENGTH)) return { ok: false, response: BAD_BINDING }
  return { ok: true, value: { binding } }
}

/** The call with the fields of its form, without the token, which no hook needs. */
export function readCall(call: EndpointCall, form: Fields): ReadCall {
  const fields: Record<string, string> = Object.assign(Object.create(null), form)
  delete fields['token']
  return Object.freeze({ ...call, fields: Object.freeze(fields) })
}

/** Why a verb rejected a token; `undefined` for every other error, which is an outage. */
export function rejectionOf(error: unknown): string | undefined {
  if (!(error instanceof WatchwordError) || error.code !== 'ERR_TOKEN_REJECTED') return undefined
  // A closed node cannot decide about any token.
  return error.reason === 'stale' || error.reason === 'closed' ? undefined : error.reason
}

function within<Request, Claims, T>(
  { clock, options }: Shared<Request, Claims>,
  name: string,
  run: () => Promise<T>,
  deadlineMs: number = options.timeoutMs,
): Promise<T> {
  const deadline: Deadline = { clock, deadlineMs, code: 'ERR_STORE_UNAVAILABLE', name }
  return withDeadline(deadline, run)
}

function tell<Request, Claims>(
  { options }: Shared<Request, Claims>,
  error: unknown,
  request: Request,
): void {
  try {
    ignoreRejection(options.onError?.(error, request))
  } catch {
    // Errors of the hook are ignored.
  }
}

function wrong(hook: string, expected: string): WatchwordError<'ERR_INVALID_ARGUMENT'> {
  return invalidArgument(hook, `expected it to return ${expected}`)
}
