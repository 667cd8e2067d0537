/**
 * The form for revocation and introspection: `token`, optionally `token_type_hint`, and fields that identify the
 * caller.
 *
 * @module
 */
import { invalidRequest, unsupportedType } from './answers.js'
import { type Fields, isForm, readForm } from './body.js'
import type { Step, Visit } from './endpoint.js'

const MALFORMED = invalidRequest('Send each parameter once, and `token` among them.')
const TYPE = unsupportedType('application/x-www-form-urlencoded')

/** A form that names a token. */
export interface Form {
  readonly token: string
  readonly fields: Fields
}

/** The form, or the response to a request without one. A parameter without a value counts as omitted. */
export function formOf<Request>({ contentType, body }: Visit<Request>): Step<Form> {
  if (!isForm(contentType)) return { ok: false, answer: TYPE }
  const fields = readForm(body)
  const token = fields?.['token']
  if (fields === undefined || token === undefined || token === '') {
    return { ok: false, answer: MALFORMED }
  }
  return { ok: true, value: { token, fields } }
}
