/**
 * Concurrent calls.
 *
 * @module
 */
import type { Store, TokenRecord } from '../../store/store.js'

/** Runs the calls concurrently, alternating between the instances. */
export function atOnce<T, R>(
  [store, other]: readonly [Store, Store],
  items: readonly T[],
  call: (store: Store, item: T, index: number) => Promise<R>,
): Promise<R[]> {
  return Promise.all(items.map((item, index) => call(index % 2 === 0 ? store : other, item, index)))
}

/** Lists every record. */
export async function allTokens(store: Store): Promise<readonly TokenRecord[]> {
  return await store.listTokens({}, { limit: 999 })
}

/** Counts the matching items. */
export function count<T>(items: readonly T[], matches: (item: T) => boolean): number {
  return items.filter(matches).length
}
