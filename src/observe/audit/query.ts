/**
 * What operators ask of the audit: the queries and their checks.
 *
 * @module
 */
import * as z from 'zod/mini'
import { invalidArgument } from '../../lib/invalid.js'
import { nameText, pageShape, timeField } from '../../lib/query.js'
import { allowedNames, describe } from '../../lib/quote.js'
import { optional, strict } from '../../lib/schema.js'
import type { AuditAction } from '../channels.js'
import { ACTIONS } from './actions.js'
import { type AuditCheckpoint, parseCheckpoint } from './checkpoint.js'

/** A filter of events: equality on each field, unless its comment says otherwise. Default: all events. */
export interface AuditReadQuery {
  /** The change, such as `'token.issued'`. Default: every one. */
  readonly action?: AuditAction
  /** The actor of the change; `system` for changes made by the library itself. Default: every one. */
  readonly actor?: string
  /** The subject that the change concerns. Default: every one. */
  readonly subject?: string
  /** The id of the token that the change concerns. Default: every one. */
  readonly token?: string
  /** The id of the first token of the family that the change concerns. Default: every one. */
  readonly family?: string
  /** Only events at this time or later, in Unix milliseconds. Default: from the first one. */
  readonly since?: number
  /** Only events before this time, in Unix milliseconds. Default: up to the last one. */
  readonly until?: number
}

/** A filter and a page of events. */
export interface AuditListQuery extends AuditReadQuery {
  /** The order by time; `after` continues in the same order. Default: `'oldest'` first. */
  readonly order?: 'oldest' | 'newest'
  /** The maximum number of events, from 1 to 1000. Default: 100. */
  readonly limit?: number
  /** The `next` of the previous page. Default: none. */
  readonly after?: string
}

const TEXT = 'expected the text of a checkpoint'

// A misspelt action would match no event, and the empty page would look like good news.
const action = z.custom<AuditAction>((value) => ACTIONS.includes(value as string), {
  error: ({ input }) =>
    `expected an action of the audit${typeof input === 'string' ? suggested(input) : ''}`,
})

function suggested(input: string): string {
  const ending = ACTIONS.find((name) => name.endsWith(`.${input}`))
  return ending === undefined ? allowedNames(input, ACTIONS) : ` (did you mean '${ending}'?)`
}

const filterShape = {
  action: optional(action),
  actor: nameText(256),
  subject: nameText(1024),
  token: nameText(64, 'the id of a token'),
  family: nameText(64, 'the id of a family'),
  since: timeField('Date.UTC(2026, 0, 1)'),
  until: timeField('Date.UTC(2026, 0, 1)'),
}

/** The schema of {@link AuditReadQuery}. */
export const readSchema = strict(filterShape)

/** The schema of {@link AuditListQuery}. */
export const listSchema = strict({ ...filterShape, ...pageShape })

/** The schema of the options of `audit.verify`. */
export const verifySchema = strict({
  checkpoint: optional(z.string({ error: ({ input }) => TEXT + hintAt(input) })),
})

function hintAt(input: unknown): string {
  if (input instanceof Uint8Array) return ", got bytes: read the file with the encoding 'utf8'"
  return isCheckpoint(input) ? ', got a checkpoint: pass its field text' : ''
}

const isCheckpoint = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ['root', 'text'].every((name) => name in value)

/** Throws `ERR_INVALID_ARGUMENT` for a checkpoint in place of the options. */
export function refuseCheckpoint(options: unknown): void {
  if (!isCheckpoint(options)) return
  throw invalidArgument('options', 'expected { checkpoint }, got a checkpoint: pass its field text')
}

/** The checkpoint of a text. Throws `ERR_INVALID_ARGUMENT` for another text, and for one of another issuer. */
export function checkpointIn(text: string, origin: string): AuditCheckpoint {
  const checkpoint = parseCheckpoint(text)
  if (checkpoint?.origin === origin) return checkpoint
  throw invalidArgument(
    'options.checkpoint',
    checkpoint === undefined
      ? `${TEXT}: the issuer, the size and the root in base64, each on a line; got ${describe(text)}`
      : `expected a checkpoint of ${JSON.stringify(origin)}, the issuer of this authority, got one of another`,
  )
}
