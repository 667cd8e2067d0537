/** The orders of a process that counts uses, and the lines of its history. */
import type { Place } from './stores.js'

/** The orders of one process. */
export interface UsageOrders {
  readonly place: Place
  readonly rootKey: string
  readonly node: string
  readonly tokens: readonly { readonly id: string; readonly token: string }[]
  /** The file of its history: after each burst, one line with its uses. */
  readonly history: string
}

/** Uses that were accepted until this time. */
export interface Burst {
  readonly at: number
  readonly ids: readonly string[]
}

/** The number of uses in a burst. */
export const BURST = 40
