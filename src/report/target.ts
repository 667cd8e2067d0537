/**
 * The live tokens of a target, page by page.
 *
 * @module
 */
import * as z from 'zod/mini'
import { has } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { isUlid } from '../token/claims.js'
import type { TokenInfo, TokenQuery } from '../verbs/inputs.js'
import { livePages } from './pages.js'
import type { ReportSource } from './source.js'

/** The tokens that a report is about: exactly one of these. */
export type ReportTarget =
  /** A token and its successors. */
  | { readonly id: string }
  | { readonly family: string }
  | { readonly subject: string }
  | { readonly policy: string }
  /** The id of a key: `k4.lid.…`. */
  | { readonly key: string }
  | { readonly audience: string }
  | { readonly all: true }

const NAMES = ['id', 'family', 'subject', 'policy', 'key', 'audience', 'all'] as const

const text = (max: number) =>
  optional(z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`))
const ulid = optional(z.custom<string>(isUlid, 'expected a ULID'))

const schema = strict({
  id: ulid,
  family: ulid,
  subject: text(1024),
  policy: text(64),
  key: text(64),
  audience: text(256),
  all: optional(z.literal(true, 'expected true')),
})

const HINTS = {
  token: 'pass { id }, such as the id of the issued token or of the result of verify',
}

type Target = z.output<typeof schema>

/** Checks a target. Throws `ERR_INVALID_ARGUMENT`. */
export function parseReportTarget(raw: unknown): Target {
  const target = parseInput(schema, raw, 'target', HINTS)
  const given = NAMES.filter((name) => has(target, name))
  if (given.length === 1) return target
  throw invalidArgument(
    'target',
    `expected exactly one of ${NAMES.join(', ')}, got ${given.length === 0 ? 'none' : given.join(' and ')}`,
  )
}

/** Every live token of a target, in pages of up to 1,000. */
export async function* pagesOf(
  source: ReportSource,
  target: Target,
): AsyncGenerator<readonly TokenInfo[]> {
  const aim = await aimOf(source, target)
  if (aim === undefined) return
  for await (const { items } of livePages(source, aim.query))
    yield items.filter(({ generation }) => generation >= aim.fromGeneration)
}

interface TargetAim {
  readonly query: TokenQuery
  readonly fromGeneration: number
}

async function aimOf(source: ReportSource, target: Target): Promise<TargetAim | undefined> {
  const { id, family, subject, policy, key, audience } = target
  const every = (query: TokenQuery) => ({ query, fromGeneration: 0 })
  if (id !== undefined) {
    const token = await source.get(id)
    if (token === undefined) return undefined
    return { query: { family: token.family }, fromGeneration: token.generation }
  }
  if (family !== undefined) return every({ family })
  if (subject !== undefined) return every({ subject })
  if (policy !== undefined) return every({ policy })
  if (key !== undefined) return every({ keyId: key })
  return every(audience === undefined ? {} : { audience })
}

/** The query that counts the live tokens of a target, for progress: of `id` and its successors, those of the family. */
export async function countOf(source: ReportSource, target: Target): Promise<number> {
  const aim = await aimOf(source, target)
  return aim === undefined ? 0 : source.count({ ...aim.query, live: true })
}
