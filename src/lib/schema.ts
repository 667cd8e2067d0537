/**
 * Schemas for objects of options, inputs, targets and filters.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { bare, fieldsOf } from './fields.js'
import { issueText } from './issue-text.js'
import { EXPLICIT_UNDEFINED, REQUIRED_UNDEFINED } from './undefined.js'

/**
 * An object of exactly these fields. A present field must be valid, and `undefined` is not. Each field is read once.
 * `Object.prototype` adds no fields to the input or the output.
 */
export function strict<S extends z.core.$ZodLooseShape>(shape: S, message = 'expected an object') {
  const known = Object.keys(shape)
  const read = z.transform((input: unknown, ctx) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
    const fields = fieldsOf(input, known)
    for (const field of known) {
      if (Object.hasOwn(fields, field) && fields[field] === undefined) {
        const isOptional = (shape[field] as z.core.$ZodType)._zod.optin === 'optional'
        const message = isOptional ? EXPLICIT_UNDEFINED : REQUIRED_UNDEFINED
        const issue = { code: 'custom', path: [field], message, input }
        ctx.issues.push(issue as z.core.$ZodRawIssue)
      }
    }
    return fields
  })
  const object = z.strictObject(shape, message)
  type Output = z.output<typeof object>
  return z.pipe(
    z.pipe(read as z.ZodMiniType<z.input<typeof object>>, object),
    z.transform((value) => bare(value as object) as Output),
  )
}

/** A field that may be omitted, but must not be `undefined`. */
export const optional = z.exactOptional

/**
 * Checks the input of a verb. Throws `ERR_INVALID_ARGUMENT`, naming the field and the fix.
 *
 * @param root - The name of the parameter, for the message.
 * @param hints - What to do about fields that callers expect, but that the schema does not have, by name.
 */
export function parseInput<T>(
  schema: z.ZodMiniType<T>,
  input: unknown,
  root = 'input',
  hints: Readonly<Record<string, string>> = {},
): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const checked = { schema, input, root, noun: 'field', hints }
  throw new WatchwordError('ERR_INVALID_ARGUMENT', issueText(parsed.error.issues, checked))
}
