/**
 * The description of a key for operators.
 *
 * @module
 */
import type { KeyState } from './rotation.js'

/** The description of a key for operators. */
export interface KeyInfo {
  readonly id: string
  readonly audience: string
  readonly generation: number
  readonly state: KeyState
  readonly createdAt: number
  readonly activatesAt: number
  readonly retiresAt: number
  readonly expiresAt: number
  readonly revokedAt: number | null
  /** The id of the root key that wraps it at rest. */
  readonly wrappedBy: string
}
