/**
 * Revokes tokens: the revocation endpoint of RFC 7009, and the public endpoint for leak reports.
 *
 * Responses do not distinguish a revoked token from one that is unknown, foreign, expired or malformed.
 *
 * @module
 */
import crypto from 'node:crypto'
import { type Fields, isForm, isJson, readForm, readJson } from './body.js'
import {
  bindingOf,
  type Endpoint,
  MAX_FORM_BYTES,
  readCall,
  rejectionOf,
  type Shared,
  type Step,
  type Visit,
} from './endpoint.js'
import { authorizedForm } from './form.js'
import { type LeakOptions, type RevocationOptions, reasonOf } from './options.js'
import { DONE, invalidRequest, tooMany, unsupportedType } from './responses.js'

/** The endpoint of RFC 7009. */
export function revocation<Request, Claims>(
  shared: Shared<Request, Claims>,
  options: RevocationOptions<Request>,
): Endpoint<Request> {
  return {
    name: 'revocation',
    maxBytes: MAX_FORM_BYTES,
    async serve(visit) {
      const form = await authorizedForm(visit, options)
      if (!form.ok) return form.response
      const { token, caller, read } = form.value
      const bound = await bindingOf(shared, read, visit.request)
      if (!bound.ok) return bound.response
      await kill(shared, { token, ...bound.value }, { actor: caller.actor })
      return DONE
    },
  }
}

/** The maximum number of tokens per report. */
const MAX_TOKENS = 100
// Enough for as many tokens of the default length, with their JSON syntax.
const MAX_REPORT_BYTES = 512 * 1024
const MAX_REMEMBERED = 10_000
const MALFORMED = invalidRequest(
  `Send \`token\` once, or in JSON \`tokens\`: a list of 1 to ${MAX_TOKENS}.`,
)
const TYPES = unsupportedType('application/x-www-form-urlencoded or application/json')

/** The endpoint for leak reports. */
export function leak<Request, Claims>(
  shared: Shared<Request, Claims>,
  options: LeakOptions,
): Endpoint<Request> {
  const record = { actor: 'leak-report', reason: reasonOf(options) }
  // Each token is revoked once: otherwise the holder of one token could grow the log without limit.
  const killed = new Set<string>()

  const report = async (target: Target): Promise<void> => {
    const print = crypto.hash('sha256', target.token)
    if (killed.has(print) || !(await kill(shared, target, record))) return
    if (killed.size >= MAX_REMEMBERED) killed.clear()
    killed.add(print)
  }

  return {
    name: 'leak',
    maxBytes: MAX_REPORT_BYTES,
    async serve(visit) {
      const { request, call, meter } = visit
      const reported = reportOf(visit)
      if (!reported.ok) return reported.response
      const { tokens, fields } = reported.value
      const waitMs = Math.max(...tokens.map((token) => meter.token(token)))
      if (waitMs > 0) return tooMany(waitMs)
      const bound = await bindingOf(shared, readCall(call, fields), request)
      if (!bound.ok) return bound.response
      const { value: known } = bound
      // Concurrent: this node rejects all of them from this tick on, and the log receives them together.
      const results = await Promise.allSettled(tokens.map((token) => report({ token, ...known })))
      for (const result of results) if (result.status === 'rejected') throw result.reason
      return DONE
    },
  }
}

interface Target {
  readonly token: string
  readonly binding?: string
}

/** Revokes a token permanently. Resolves with whether it existed. Rejects if the revocation is uncertain. */
async function kill<Request, Claims>(
  { authority }: Shared<Request, Claims>,
  target: Target,
  record: { readonly actor: string; readonly reason?: string },
): Promise<boolean> {
  const { token, ...bound } = target
  try {
    await authority.revoke({ token }, { ...record, ...bound })
    return true
  } catch (error) {
    if (rejectionOf(error) === undefined) throw error
    return false
  }
}

interface Report {
  /** Without duplicates. */
  readonly tokens: readonly string[]
  readonly fields: Fields
}

function reportOf<Request>({ contentType, body }: Visit<Request>): Step<Report> {
  if (isForm(contentType)) {
    const fields = readForm(body)
    const tokens = tokensOf([fields?.['token']])
    if (fields !== undefined && tokens !== undefined) return { ok: true, value: { tokens, fields } }
  } else if (isJson(contentType)) {
    const { token, tokens: list } = readJson(body) ?? {}
    // Exactly one of the two must be present.
    const tokens = tokensOf(token === undefined ? list : list === undefined ? [token] : undefined)
    if (tokens !== undefined) return { ok: true, value: { tokens, fields: {} } }
  } else return { ok: false, response: TYPES }
  return { ok: false, response: MALFORMED }
}

function tokensOf(list: unknown): readonly string[] | undefined {
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_TOKENS) return undefined
  const areTexts = list.every((each) => typeof each === 'string' && each !== '')
  return areTexts ? [...new Set(list as string[])] : undefined
}
