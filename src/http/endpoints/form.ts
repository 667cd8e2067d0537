/**
 * The form for revocation and introspection: `token`, optionally `token_type_hint`, and fields that identify the
 * caller.
 *
 * @module
 */

import { type Fields, isForm, readForm } from './body.js'
import { authorized, readCall, type Step, type Visit } from './endpoint.js'
import type { AuthorizedOptions, Caller, ReadCall } from './options.js'
import { invalidRequest, unsupportedType } from './responses.js'

const MALFORMED = invalidRequest('Send each parameter once, and `token` among them.')
const TYPE = unsupportedType('application/x-www-form-urlencoded')

/** A request of an authorized caller about one token. */
export interface TokenCall {
  readonly token: string
  readonly caller: Caller
  /** The call, as passed to the hooks. */
  readonly read: ReadCall
}

/** Reads the form and authorizes its caller. Returns the response if either fails. */
export async function authorizedForm<Request>(
  visit: Visit<Request>,
  options: AuthorizedOptions<Request>,
): Promise<Step<TokenCall>> {
  const form = formOf(visit)
  if (!form.ok) return form
  const { token, fields } = form.value
  const read = readCall(visit.call, fields)
  const caller = await authorized(options, read, visit.request)
  return caller.ok ? { ok: true, value: { token, caller: caller.value, read } } : caller
}

interface Form {
  readonly token: string
  readonly fields: Fields
}

// A parameter without a value counts as omitted.
function formOf<Request>({ contentType, body }: Visit<Request>): Step<Form> {
  if (!isForm(contentType)) return { ok: false, response: TYPE }
  const fields = readForm(body)
  const token = fields?.['token']
  if (fields === undefined || token === undefined || token === '') {
    return { ok: false, response: MALFORMED }
  }
  return { ok: true, value: { token, fields } }
}
