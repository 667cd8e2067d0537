/**
 * Validation of custom claims with the caller's schema.
 *
 * @module
 */
import { types } from 'node:util'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { has, readField } from '../lib/fields.js'
import { freezeForeign } from '../lib/freeze.js'
import { pathOf } from '../lib/plain.js'

/** The result of the schema: the returned claims, frozen, or the reason for the rejection. */
export type CheckedClaims =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: string }

/**
 * Runs a caller's schema and freezes what it returns. Never throws. The fault names the path and the schema's message,
 * and no value of a claim.
 */
export function validateClaims(schema: StandardSchemaV1, claims: unknown): CheckedClaims {
  try {
    return outcomeOf(schema['~standard'].validate(claims), claims)
  } catch {
    // The thrown value may contain claims.
    return refused('claims: the schema threw an error; it must return issues instead')
  }
}

const refused = (fault: string): CheckedClaims => ({ ok: false, fault })

function outcomeOf(
  result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>,
  claims: unknown,
): CheckedClaims {
  if (types.isPromise(result) || typeof readField(result, 'then') === 'function') {
    if (types.isPromise(result)) result.catch(() => undefined)
    return refused(
      'claims: the schema is asynchronous; use one that validates without returning a promise',
    )
  }
  const issues = readField(result, 'issues')
  if (issues !== undefined) return refused(faultOf(issues, claims))
  const value = has(result, 'value') ? result.value : undefined
  // A schema that returns nothing has accepted nothing.
  if (value === undefined) return refused('claims: the schema returned no value')
  // From here on the object is shared between requests.
  const stuck = freezeForeign(value)
  if (stuck === undefined) return { ok: true, value }
  return refused(
    `${stuck.path}: the schema returned ${stuck.what}, which cannot be frozen; return plain objects, arrays and primitives`,
  )
}

const MAX_ISSUES = 3
const MAX_MESSAGE = 200

function faultOf(issues: unknown, claims: unknown): string {
  const texts: string[] = []
  for (const issue of Array.from(issues as Iterable<StandardSchemaV1.Issue>).slice(0, MAX_ISSUES)) {
    const steps = Array.from(issue.path ?? [], (step) =>
      typeof step === 'object' ? step.key : step,
    )
    const message = withoutValues(String(issue.message), claims).slice(0, MAX_MESSAGE)
    texts.push(`${pathOf('claims', steps.map(asIndex))}: ${message}`)
  }
  return `${texts.join('; ')} (from your schema)`
}

const asIndex = (step: PropertyKey): PropertyKey =>
  typeof step === 'string' && /^\d+$/.test(step) ? Number(step) : step

// Some schemas quote the rejected value.
function withoutValues(message: string, claims: unknown): string {
  let text = message
  for (const value of textsIn(claims)) text = text.replaceAll(value, '…')
  return text
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') {
    const text = String(value)
    return text === '' ? [] : [text]
  }
  if (typeof value !== 'object' || value === null) return []
  // Longest first, so no part of a value is left.
  return Object.values(value)
    .flatMap(textsIn)
    .sort((a, b) => b.length - a.length)
}
