/**
 * The details that a successor inherits.
 *
 * @module
 */
import type { TokenRecord } from './store.js'

const INHERITED = ['label', 'owner', 'purpose', 'hint'] as const

/** Whether a successor has the details of its predecessor. */
export function hasSameDetails(
  predecessor: Pick<TokenRecord, (typeof INHERITED)[number]>,
  successor: Pick<TokenRecord, (typeof INHERITED)[number]>,
): boolean {
  return INHERITED.every((field) => predecessor[field] === successor[field])
}
