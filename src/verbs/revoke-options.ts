/**
 * The options of `revoke`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Duration, HOUR, parseDuration } from '../lib/duration.js'
import { has } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { optional, strict } from '../lib/schema.js'

const text = (max: number) =>
  z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`)

/** What is recorded of a change by an administrator. */
export const recordShape = {
  actor: text(256),
  reason: optional(text(1024)),
}

/** The binding of a token. */
export const bindingText = text(1024)

/** How long a change by an administrator waits for the other nodes. */
export const publicationShape = {
  waitFor: optional(
    z.custom<'local' | 'all'>(
      (value) => value === 'local' || value === 'all',
      "expected 'local' or 'all'",
    ),
  ),
  timeout: optional(
    z.custom<Duration>((value) => {
      const ms = parseDuration(value)
      return ms !== undefined && ms <= HOUR
    }, "expected a duration of at most 1h, such as '5s' (ms, s, m, h, d or w)"),
  ),
}

const shape = {
  ...recordShape,
  ...publicationShape,
  binding: optional(bindingText),
  successors: optional(z.boolean('expected true or false')),
}

const ACTOR = "expected an object with at least actor, such as { actor: 'ops@acme.example' }"

const BOOLEAN = 'expected the boolean true or false'

const NO_DRY_RUN =
  'keys.revoke and keys.discard have no dry run: use revoke({ key }, { dryRun: true })'

/**
 * The options of a revocation. A getter that returned `true` when the kind of call was chosen and `false` now, or the
 * other way round, is refused.
 */
export const revokeSchema = strict(
  {
    ...shape,
    dryRun: optional(
      z.custom<boolean>((given) => given === false, {
        error: ({ input }) => (input === true ? `expected false; ${NO_DRY_RUN}` : BOOLEAN),
      }),
    ),
  },
  ACTOR,
)

/** The options of a dry run. `waitFor` and `timeout` have no effect on one, since it publishes nothing. */
export const dryRunSchema = strict(
  { ...shape, dryRun: z.custom<boolean>((given) => given === true, BOOLEAN) },
  ACTOR,
)

/** Validated options. */
export type RevokeSettings = Omit<z.output<typeof dryRunSchema>, 'dryRun'>

/** Throws `ERR_INVALID_ARGUMENT` if one token without its successors was asked for, and the target is not one token. */
export function refuseSuccessorsOption(target: object, { successors }: RevokeSettings): void {
  if (successors !== false || has(target, 'id') || has(target, 'token')) return
  throw invalidArgument(
    'successors',
    'expected only with { id } or { token }; every other target is more than one token',
  )
}
