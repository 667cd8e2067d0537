/**
 * The requirement of a route, compiled once, so each request only compares.
 *
 * @module
 */

import type { WatchwordError } from '../errors.js'
import { parseDuration } from '../lib/duration.js'
import { fieldsOf } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { allowedNames, describe, quote } from '../lib/quote.js'
import { EXPLICIT_UNDEFINED } from '../lib/undefined.js'
import { warnOnce } from '../lib/warn.js'
import { coveredByAny, isScope, uncovered } from '../policy/scopes.js'
import type { LogPosition, Rejected, Requirement, Verified } from '../types.js'
import { REJECTED } from './rejections.js'

const NONE: readonly string[] = Object.freeze([])
const NOTHING: Readonly<Record<string, unknown>> = Object.freeze(
  Object.create(null) as object,
) as Readonly<Record<string, unknown>>
const NO_SCOPES = '; to require none, omit the field'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
const FIELD_NAMES = [
  'scopes',
  'audience',
  'binding',
  'maxStaleness',
  'minPosition',
  'freshness',
] as const
const FIELDS: ReadonlySet<string> = new Set(FIELD_NAMES)

/** The longest binding, in characters. */
export const MAX_BINDING_LENGTH = 1024

/** A validated and compiled requirement. Created by `require`; pass it to `verify` and `authenticate`. */
export class CompiledRequirement {
  // An object that only imitates a requirement, by its prototype or through a proxy, was never validated.
  readonly #made = true
  readonly allOf: readonly string[]
  readonly anyOf: readonly string[]
  /** Both lists, for reporting. */
  readonly demanded: readonly string[]
  readonly audience: string | undefined
  readonly binding: string
  readonly maxStalenessMs: number | undefined
  readonly minPosition: LogPosition | undefined
  readonly fromStore: boolean

  /** @internal */
  constructor(
    allOf: readonly string[],
    anyOf: readonly string[],
    rest: {
      readonly audience: string | undefined
      readonly binding: string
      readonly maxStalenessMs: number | undefined
      readonly minPosition: LogPosition | undefined
      readonly fromStore: boolean
    },
  ) {
    this.allOf = allOf
    this.anyOf = anyOf
    this.demanded = anyOf.length === 0 ? allOf : Object.freeze([...allOf, ...anyOf])
    this.audience = rest.audience
    this.binding = rest.binding
    this.maxStalenessMs = rest.maxStalenessMs
    this.minPosition = rest.minPosition
    this.fromStore = rest.fromStore
    Object.freeze(this)
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #made in value
  }
}

/** Requires only a valid token. */
export const NO_REQUIREMENT = new CompiledRequirement(NONE, NONE, {
  audience: undefined,
  binding: '',
  maxStalenessMs: undefined,
  minPosition: undefined,
  fromStore: false,
})

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isOfClass = (value: object): boolean =>
  Object.prototype.isPrototypeOf.call(CompiledRequirement.prototype, value)

/** Validates and compiles a requirement. Throws `ERR_INVALID_ARGUMENT`, naming the field and the fix. */
export function compileRequirement(requirement: Requirement): CompiledRequirement {
  // An array has no fields that could be misspelt, so it would require nothing; the same holds for a copy of a compiled
  // one.
  if (!isObject(requirement) || Array.isArray(requirement) || isOfClass(requirement))
    throw invalidArgument('requirement', 'expected an object such as { scopes: […] }')
  // Inherited and non-enumerable fields count. `undefined` is the value of a misspelt constant.
  const fields = fieldsOf(requirement, FIELD_NAMES)
  for (const field of Object.keys(fields)) {
    if (!FIELDS.has(field)) throw unknownField('requirement', field, FIELD_NAMES)
    if (fields[field] === undefined) throw invalidArgument(field, EXPLICIT_UNDEFINED)
  }
  const { audience, binding, maxStaleness, minPosition, freshness, scopes } =
    fields as Writable<Requirement>
  if (audience !== undefined && !isName(audience, 256))
    throw invalidArgument('audience', `expected a name, got ${describe(audience)}`)
  if (binding !== undefined && !isName(binding, MAX_BINDING_LENGTH)) {
    throw invalidArgument('binding', `expected 1 to ${MAX_BINDING_LENGTH} characters`)
  }
  if (freshness !== undefined && freshness !== 'store')
    throw invalidArgument('freshness', `expected 'store', got ${describe(freshness)}`)
  const maxStalenessMs = parseDuration(maxStaleness)
  if (maxStaleness !== undefined && maxStalenessMs === undefined) {
    throw invalidArgument(
      'maxStaleness',
      `expected a duration such as '500ms' (ms, s, m, h, d or w), got ${describe(maxStaleness)}`,
    )
  }
  const { allOf, anyOf } = readScopes(scopes)
  return new CompiledRequirement(allOf, anyOf, {
    audience,
    binding: binding ?? '',
    maxStalenessMs,
    minPosition: minPosition === undefined ? undefined : readPosition(minPosition),
    fromStore: freshness === 'store',
  })
}

// Caches requirements of exactly one scope, as most inline ones are: a handful per service. All authorities share the
// cache: a compiled requirement is immutable and depends only on its scope.
const singleScopes = new Map<string, CompiledRequirement>()
const MAX_SINGLE_SCOPES = 1000

/**
 * Compiles a requirement passed inline on every request; the common form is cached. Throws like {@link
 * compileRequirement}.
 */
export function compileInline(requirement: Requirement): CompiledRequirement {
  const scope = singleScopeOf(requirement)
  if (scope === undefined) return compileRequirement(requirement)
  const known = singleScopes.get(scope)
  if (known !== undefined) return known
  const compiled = compileRequirement({ scopes: [scope] })
  if (singleScopes.size < MAX_SINGLE_SCOPES) singleScopes.set(scope, compiled)
  return compiled
}

function singleScopeOf(requirement: Requirement): string | undefined {
  if (!isObject(requirement)) return undefined
  for (const field in requirement) if (field !== 'scopes') return undefined
  const { scopes, audience, binding, maxStaleness, minPosition, freshness } = requirement
  // Inherited and non-enumerable fields count too.
  if ((audience ?? binding ?? maxStaleness ?? minPosition ?? freshness) !== undefined)
    return undefined
  if (!Array.isArray(scopes) || scopes.length !== 1) return undefined
  const [scope] = scopes as readonly unknown[]
  return typeof scope === 'string' ? scope : undefined
}

// A receipt may come from another service: other fields are ignored.
function readPosition(position: unknown): LogPosition {
  const { epoch, seq } = isObject(position) ? fieldsOf(position, ['epoch', 'seq']) : NOTHING
  if (typeof epoch === 'string' && /^[\w-]{22}$/.test(epoch) && Number.isSafeInteger(seq))
    return Object.freeze({ epoch, seq: seq as number })
  throw invalidArgument('minPosition', 'expected the position of a receipt: { epoch, seq }')
}

interface Scopes {
  readonly allOf: readonly string[]
  readonly anyOf: readonly string[]
}

const GROUPS = ['allOf', 'anyOf'] as const

function readScopes(scopes: Requirement['scopes']): Scopes {
  if (scopes === undefined) return { allOf: NONE, anyOf: NONE }
  if (Array.isArray(scopes)) return { allOf: readList(scopes, 'scopes'), anyOf: NONE }
  if (typeof scopes !== 'object' || scopes === null)
    throw invalidArgument('scopes', `expected a list, or { allOf, anyOf }, got ${describe(scopes)}`)
  const fields = fieldsOf(scopes, GROUPS)
  const names = Object.keys(fields)
  if (names.length === 0)
    throw invalidArgument('scopes', `expected allOf, anyOf or both${NO_SCOPES}`)
  for (const field of names) {
    if (field !== 'allOf' && field !== 'anyOf') throw unknownField('scopes', field, GROUPS)
    if (fields[field] === undefined) throw invalidArgument(`scopes.${field}`, EXPLICIT_UNDEFINED)
  }
  const [allOf, anyOf] = GROUPS.map((group) =>
    fields[group] === undefined ? NONE : readList(fields[group], `scopes.${group}`),
  ) as [readonly string[], readonly string[]]
  return { allOf, anyOf }
}

function readList(list: unknown, field: string): readonly string[] {
  // Validates the copy: `every` skips the holes of a sparse array, and the caller may change the array at any time.
  const scopes: unknown[] = Array.isArray(list) ? Array.from(list) : [undefined]
  if (scopes.length === 0) throw invalidArgument(field, `expected at least one scope${NO_SCOPES}`)
  const wrong = scopes.findIndex((scope) => !isScope(scope))
  if (wrong !== -1) {
    const given = describe(scopes[wrong])
    throw invalidArgument(
      `${field}.${wrong}`,
      `expected a scope such as 'orders:read', got ${given}`,
    )
  }
  return Object.freeze(scopes as string[])
}

/**
 * Whether the scopes satisfy the requirement. In an inline requirement of `verify`, entries that are not valid scopes
 * are never covered.
 */
export function satisfies(
  granted: readonly string[],
  { allOf, anyOf }: CompiledRequirement,
): boolean {
  for (let i = 0; i < allOf.length; i++) {
    if (!coveredByAny(granted, allOf[i] as string)) return false
  }
  if (anyOf.length === 0) return true
  for (let i = 0; i < anyOf.length; i++) {
    if (coveredByAny(granted, anyOf[i] as string)) return true
  }
  return false
}

/** The required scopes that are not covered; all of them for an `anyOf` that fails. */
export function missingScopes(
  granted: readonly string[],
  { allOf, anyOf }: CompiledRequirement,
): readonly string[] {
  const missing = uncovered(granted, allOf)
  if (!anyOf.some((scope) => coveredByAny(granted, scope))) missing.push(...anyOf)
  return Object.freeze(missing)
}

/** Why the token does not meet the requirement, if so. Both are immutable, so the result can be cached. */
export function unmetBy(
  { audience, scopes }: Verified<unknown>,
  requirement: CompiledRequirement,
): Rejected | undefined {
  if (requirement.audience !== undefined && requirement.audience !== audience) {
    return REJECTED.wrongAudience
  }
  return satisfies(scopes, requirement)
    ? undefined
    : insufficient(missingScopes(scopes, requirement))
}

/** The rejection of a token that lacks these scopes. */
export function insufficient(missing: readonly string[]): Rejected {
  return Object.freeze({ ok: false, code: 'insufficient_scope', missing: Object.freeze(missing) })
}

function unknownField(place: string, field: string, names: readonly string[]): WatchwordError {
  return invalidArgument(place, `unknown field ${quote(field)}${allowedNames(field, names)}`)
}

/** Warns that `verify` was called with `freshness: 'store'`, so that every token is rejected as `stale`. */
export function warnOfStoreFreshness(): void {
  warnOnce(
    'WATCHWORD_REQUIREMENT',
    "a requirement with freshness: 'store' was passed to verify, which does no I/O, so every token is rejected as stale: call await authenticate(token, requirement)",
    { about: 'freshness' },
  )
}

/** Warns about an invalid requirement, which no token meets: once for each field and kind of fault. */
export function warnOfRequirement(fault: string): void {
  const [about = ''] = fault.split(', got ', 1)
  warnOnce(
    'WATCHWORD_REQUIREMENT',
    `a requirement passed to verify is invalid, so every token is rejected: ${fault}`,
    {
      about,
      detail:
        'Compile it once with `require`, which throws. This warning is emitted once for each fault, and at most eight times.',
    },
  )
}
