/**
 * The caller's schema of custom claims.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { freezeForeign } from './freeze.js'

/**
 * Runs a caller's schema and freezes what it makes. Answers `undefined` when it refuses, throws, wants to take its time,
 * or makes what cannot be frozen.
 */
export function validateClaims(
  schema: StandardSchemaV1,
  claims: unknown,
): { readonly value: unknown } | undefined {
  try {
    const result = schema['~standard'].validate(claims)
    if (result instanceof Promise) {
      result.catch(() => undefined)
      return undefined
    }
    // Shared between requests from here on. A schema that makes nothing of the claims has let nothing through.
    return result.issues === undefined && result.value !== undefined
      ? { value: freezeForeign(result.value) }
      : undefined
  } catch {
    return undefined
  }
}
