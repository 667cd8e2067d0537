/**
 * The pages of a long list.
 *
 * @module
 */
import type { TokenPage, TokenQuery } from '../verbs/inputs.js'
import type { ReportSource } from './source.js'

const PAGE = 1000

/** Every live token of a query, oldest first. Reads the next page while the caller works on one. */
export async function* livePages(
  source: ReportSource,
  query: TokenQuery,
): AsyncGenerator<TokenPage, void> {
  const read = (after: string | undefined) =>
    source.list({ ...query, live: true, limit: PAGE, ...(after === undefined ? {} : { after }) })
  let reading: Promise<TokenPage> | undefined = read(undefined)
  while (reading !== undefined) {
    const page: TokenPage = await reading
    reading = page.next === undefined ? undefined : read(page.next)
    // It is awaited after this page; until then, an error must not count as unhandled.
    reading?.catch(() => undefined)
    yield page
  }
}
