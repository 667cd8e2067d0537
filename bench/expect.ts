/**
 * Checks of the results, made before anything is timed.
 *
 * @module
 */
import type { VerifyResult } from '../src/index.js'

/** Demands that every one of these holds, naming the contender that breaks the first one. */
export function demand(name: string, ...conditions: readonly boolean[]): void {
  const at = conditions.indexOf(false)
  if (at >= 0) throw new Error(`${name}: result ${at + 1} is not the expected one`)
}

/** Whether this is an acceptance of this subject, whose token has this id. */
export function accepts(
  result: VerifyResult,
  { subject, id }: { readonly subject: string; readonly id: string },
): boolean {
  return result.ok && result.subject === subject && result.id === id
}

/** Whether this is a refusal with this code. */
export function refuses(result: VerifyResult, code: string): boolean {
  return !result.ok && result.code === code
}

/** Whether the call throws, as the peers refuse. */
export function throws(call: () => unknown): boolean {
  try {
    call()
    return false
  } catch {
    return true
  }
}
