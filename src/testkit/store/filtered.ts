/**
 * Checks of what a filter matches.
 *
 * @module
 */
import type { Store, TokenFilter, TokenRecord } from '../../store/store.js'
import { same } from './case.js'

/** Asserts that each filter lists and counts exactly the records with these indexes. */
export async function expectFiltered(
  store: Store,
  records: readonly TokenRecord[],
  filters: readonly (readonly [TokenFilter, readonly number[]])[],
): Promise<void> {
  for (const [filter, indexes] of filters) {
    const expected = indexes.map((index) => records[index])
    const what = `the tokens by ${JSON.stringify(filter)}`
    same(await store.listTokens(filter, { limit: 99 }), expected, what)
    same(await store.countTokens(filter), expected.length, `the number of ${what}`)
  }
}
