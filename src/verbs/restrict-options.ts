/**
 * The options of `suspend`, `restrict`, `restore`, `freeze` and `unfreeze`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Duration, parseDuration, SECOND } from '../lib/duration.js'
import { optional, strict } from '../lib/schema.js'
import { isPattern } from '../policy/restriction.js'
import { isScope, MAX_SCOPES } from '../policy/scopes.js'
import { bindingText, publicationShape, recordShape } from './revoke-options.js'

const ACTOR = "expected an object with at least actor, such as { actor: 'ops@acme.example' }"

const term = {
  for: optional(
    z.custom<Duration>(
      (value) => (parseDuration(value) ?? 0) >= SECOND,
      "expected a duration of at least 1s, such as '24h' (ms, s, m, h, d or w)",
    ),
  ),
}
const binding = { binding: optional(bindingText) }

/** An empty list would look like no limit. */
const scopeList = (isMember: (text: unknown) => text is string, example: string) =>
  z
    .array(z.custom<string>(isMember, `expected ${example}`), 'expected a list of scopes')
    .check(
      z.minLength(1, 'expected at least one scope; to refuse every request, use suspend'),
      z.maxLength(MAX_SCOPES, `expected at most ${MAX_SCOPES} scopes`),
    )

/** The options of `suspend`. */
export const suspendSchema = strict(
  { ...recordShape, ...publicationShape, ...binding, ...term },
  ACTOR,
)

/** The options of `restrict`. */
export const restrictSchema = strict(
  {
    ...recordShape,
    ...publicationShape,
    ...binding,
    ...term,
    to: optional(scopeList(isScope, "a scope such as 'orders:read' or 'orders:*'")),
    deny: optional(
      scopeList(isPattern, "a scope such as 'orders:write', in which every segment may be '*'"),
    ),
    mode: optional(
      z.custom<'enforce' | 'report'>(
        (value) => value === 'enforce' || value === 'report',
        "expected 'enforce' or 'report'",
      ),
    ),
  },
  "expected an object with at least actor and one of to and deny, such as { actor: 'ops@acme.example', to: ['orders:read'] }",
)

/** The options of `restore`. */
export const restoreSchema = strict({ ...recordShape, ...publicationShape, ...binding }, ACTOR)

/** The options of `freeze`. */
export const freezeSchema = strict({ ...recordShape, ...publicationShape, ...term }, ACTOR)

/** The options of `unfreeze`. */
export const unfreezeSchema = strict({ ...recordShape, ...publicationShape }, ACTOR)

/** What `freeze` freezes. */
export const frozenSchema = strict(
  {
    issue: optional(z.boolean('expected true or false')),
    rotate: optional(z.boolean('expected true or false')),
  },
  'expected an object such as { issue: true, rotate: true }',
)
