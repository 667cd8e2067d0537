/**
 * The canonical text of the state of a restriction, and the patterns of scopes in it.
 *
 * @module
 */
import { bare } from '../lib/fields.js'
import type { RestrictionState, ScopeLimit, Term } from './limits.js'
import { isScope, MAX_SCOPE_LENGTH, MAX_SCOPES, normaliseScopes } from './scopes.js'

/** The longest text of a state, in characters. */
export const MAX_STATE_LENGTH = 16_384
/** The text of a register that restricts nothing. */
export const LIFTED = '{}'

const NO_END: Term = Object.freeze(bare({ until: null }))
/** The state in place of one that is lost. */
export const SUSPENDED: RestrictionState = Object.freeze(bare({ suspended: NO_END }))
/** The state in place of one that is lost, of the register of the freeze. */
export const FROZEN: RestrictionState = Object.freeze(bare({ issue: NO_END, rotate: NO_END }))

const TERMS = ['suspended', 'issue', 'rotate'] as const
const LIMITS = ['enforced', 'reported'] as const
const PATTERN = /^(?:(?:[A-Za-z0-9._~-]+|\*)(?::(?!$)|$)){1,8}$/

/**
 * Whether the text is a pattern of scopes: a scope in which every segment may be `*`, which stands for one or more
 * segments. `*:write` matches `orders:write` and `orders:items:write`.
 */
export function isPattern(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_SCOPE_LENGTH && PATTERN.test(text)
}

/** Whether a pattern matches any scope that the given scope covers. Both must be well-formed. */
export function touches(pattern: string, scope: string): boolean {
  return meet(pattern.split(':'), 0, scope.split(':'), 0)
}

function meet(pattern: readonly string[], p: number, scope: readonly string[], s: number): boolean {
  if (p === pattern.length || s === scope.length) return p === pattern.length && s === scope.length
  // The wildcard of a scope stands for any further segments, so also for those that the rest of the pattern requires.
  if (scope[s] === '*') return true
  if (pattern[p] !== '*') return pattern[p] === scope[s] && meet(pattern, p + 1, scope, s + 1)
  for (let next = s + 1; next <= scope.length; next++)
    if (meet(pattern, p + 1, scope, next)) return true
  return false
}

/** The canonical form of patterns. */
export const normalisePatterns = (patterns: readonly string[]): string[] =>
  [...new Set(patterns)].sort()

/** The canonical text of a state. */
export function writeState(given: RestrictionState): string {
  const state = bare(given)
  const parts: string[] = []
  for (const name of LIMITS) {
    const limit = state[name]
    if (limit !== undefined) parts.push(`"${name}":${writeLimit(limit)}`)
  }
  for (const name of TERMS) {
    const term = state[name]
    if (term !== undefined) parts.push(`"${name}":{"until":${term.until}}`)
  }
  return `{${parts.join(',')}}`
}

function writeLimit(given: ScopeLimit): string {
  const { to, deny, until } = bare(given)
  const lists = [
    ...(to === undefined ? [] : [`"to":${writeList(to)}`]),
    ...(deny === undefined ? [] : [`"deny":${writeList(deny)}`]),
  ]
  return `{${[...lists, `"until":${until}`].join(',')}}`
}

// No character of a scope needs an escape.
const writeList = (scopes: readonly string[]): string =>
  `[${scopes.map((scope) => `"${scope}"`).join(',')}]`

/** Reads a text. Returns `undefined` for one that this version does not write. Never throws. */
export function readState(text: string): RestrictionState | undefined {
  if (text === LIFTED) return NOTHING
  if (text.length > MAX_STATE_LENGTH) return undefined
  try {
    const state = stateOf(JSON.parse(text) as unknown)
    // Also excludes unknown fields, duplicates and every other order.
    return writeState(state) === text ? state : undefined
  } catch {
    return undefined
  }
}

const NOTHING: RestrictionState = Object.freeze(bare({}))

function stateOf(raw: unknown): RestrictionState {
  const state: { -readonly [Part in keyof RestrictionState]: RestrictionState[Part] } = bare({})
  for (const name of LIMITS) {
    const part = ownField(raw, name)
    if (part !== undefined) state[name] = limitOf(part)
  }
  for (const name of TERMS) {
    const part = ownField(raw, name)
    if (part !== undefined) state[name] = Object.freeze(bare({ until: untilOf(part) }))
  }
  return Object.freeze(state)
}

function limitOf(raw: unknown): ScopeLimit {
  const [to, deny] = [ownField(raw, 'to'), ownField(raw, 'deny')]
  if (to === undefined && deny === undefined) throw new TypeError('a limit without a list')
  const limit: ScopeLimit = {
    ...(to === undefined ? {} : { to: listOf(to, isScope, normaliseScopes) }),
    ...(deny === undefined ? {} : { deny: listOf(deny, isPattern, normalisePatterns) }),
    until: untilOf(raw),
  }
  return Object.freeze(bare(limit))
}

function listOf(
  raw: unknown,
  isMember: (text: unknown) => text is string,
  normalise: (list: readonly string[]) => string[],
): readonly string[] {
  const isList = Array.isArray(raw) && raw.length > 0 && raw.length <= MAX_SCOPES
  if (!isList || !raw.every(isMember)) throw new TypeError('not a list of scopes')
  return Object.freeze(normalise(raw))
}

function untilOf(raw: unknown): number | null {
  const until = ownField(raw, 'until')
  if (until === null || (Number.isSafeInteger(until) && (until as number) >= 0))
    return until as number | null
  throw new TypeError('not a time')
}

function ownField(raw: unknown, name: string): unknown {
  if (typeof raw !== 'object' || raw === null) throw new TypeError('not an object')
  return Object.hasOwn(raw, name) ? (raw as Readonly<Record<string, unknown>>)[name] : undefined
}
