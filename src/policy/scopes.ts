/**
 * The scope language.
 *
 * A scope is one to eight segments joined by `:`, such as `orders:read`. A segment consists of letters, digits, `.`,
 * `_`, `-` or `~` and is case-sensitive. Only the whole last segment may be `*`: `orders:*` covers every scope that
 * begins with `orders:` (`orders:read`, `orders:items:read`, `orders:items:*`), but not `orders`; `*` alone covers all.
 * A token without scopes has no rights.
 *
 * @module
 */
import { codeAt } from '../lib/char-code.js'

const SCOPE = /^(?:[A-Za-z0-9._~-]+:){0,7}(?:[A-Za-z0-9._~-]+|\*)$/

/** The maximum length of a scope, in characters. */
export const MAX_SCOPE_LENGTH = 128
/** The maximum number of scopes in one token. */
export const MAX_SCOPES = 64

/** Whether the text is a scope of this language. */
export function isScope(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_SCOPE_LENGTH && SCOPE.test(text)
}

/** Whether a granted scope covers a required scope. Both must be well-formed. */
export function covers(granted: string, demanded: string): boolean {
  if (granted === demanded) return true
  const stem = granted.length - 1
  // Only a well-formed wildcard ends in an asterisk, so what precedes it is empty or ends in a colon.
  if (codeAt(granted, stem) !== 0x2a) return false
  return demanded.length > stem && demanded.startsWith(granted.slice(0, stem))
}

/** Whether any granted scope covers the required one. */
export function coveredByAny(granted: readonly string[], demanded: string): boolean {
  for (let i = 0; i < granted.length; i++) {
    if (covers(granted[i] as string, demanded)) return true
  }
  return false
}

function coversAll(granted: readonly string[], demanded: readonly string[]): boolean {
  for (let i = 0; i < demanded.length; i++) {
    if (!coveredByAny(granted, demanded[i] as string)) return false
  }
  return true
}

/** The required scopes that no granted scope covers. */
export function uncovered(granted: readonly string[], demanded: readonly string[]): string[] {
  return demanded.filter((scope) => !coveredByAny(granted, scope))
}

/**
 * The scopes that both lists cover: `orders:*` within `orders:read` is `orders:read`. A list that is covered as a whole
 * is returned unchanged.
 */
export function intersectScopes(
  granted: readonly string[],
  bounds: readonly string[],
): readonly string[] {
  if (coversAll(bounds, granted)) return granted
  const common: string[] = []
  for (const scope of granted) {
    if (coveredByAny(bounds, scope)) common.push(scope)
    else common.push(...bounds.filter((bound) => covers(scope, bound)))
  }
  return Object.freeze(normaliseScopes(common))
}

/** Sorted, without duplicates and without scopes that another one of the list already covers. */
export function normaliseScopes(scopes: readonly string[]): string[] {
  const unique = [...new Set(scopes)].sort()
  return unique.filter((scope) => !unique.some((other) => other !== scope && covers(other, scope)))
}
