import { describe, expect, it } from 'vitest'
import { readLives, readUsageRows } from '../../../src/store/checked-usage.js'
import type { UsageLife, UsagePage, UsageQuery, UsageRow } from '../../../src/store/usage.js'

const PAGE = 10_000

const rowOf = (id: string, from = 0): UsageRow => ({
  id,
  from,
  life: 'life-1',
  requests: 1,
  refused: {},
  firstUsedAt: from,
  lastUsedAt: from,
  scopes: [],
  callers: [],
  others: 0,
})

const LIFE: UsageLife = { life: 'life-1', node: 'one', from: 1, to: 2, endedAt: null, gaps: [] }

/** A store with this number of rows for each token, which records the queries. */
function storeOf(rowsOf: (id: string) => number) {
  const calls: { readonly ids: number; readonly after: UsagePage['after'] }[] = []
  const listRows = async ({ ids }: UsageQuery, { after, limit }: UsagePage) => {
    calls.push({ ids: ids.length, after })
    const rows = ids.flatMap((id) => Array.from({ length: rowsOf(id) }, (_, i) => rowOf(id, i)))
    const start = after === undefined ? 0 : after.from + 1
    return rows.slice(start, start + limit)
  }
  return { calls, part: { listRows } }
}

describe('the rows of usage', () => {
  it('are read in one call for up to 1,000 tokens', async () => {
    const { calls, part } = storeOf(() => 2)
    const ids = Array.from({ length: 1000 }, (_, i) => `token-${i}`)
    expect(await readUsageRows(part, ids, 5)).toHaveLength(2000)
    expect(calls).toEqual([{ ids: 1000, after: undefined }])
  })

  it('are read in halves for more tokens, in the order of the tokens', async () => {
    const { calls, part } = storeOf(() => 1)
    const ids = Array.from({ length: 2001 }, (_, i) => `token-${i}`)
    const rows = await readUsageRows(part, ids, 5)
    expect(rows.map(({ id }) => id)).toEqual(ids)
    expect(calls.map((call) => call.ids)).toEqual([501, 500, 1000])
  })

  it('are read in halves again if they fill a page, so that a fold divides no token', async () => {
    const { calls, part } = storeOf(() => PAGE / 2)
    const rows = await readUsageRows(part, ['one', 'two'], 5)
    expect(rows).toHaveLength(PAGE)
    expect(calls.map((call) => call.ids)).toEqual([2, 1, 1])
  })

  it('are read page by page if those of one token fill a page', async () => {
    const { calls, part } = storeOf(() => 2 * PAGE + 1)
    const rows = await readUsageRows(part, ['one'], 5)
    expect(rows.map(({ from }) => from)).toEqual(Array.from({ length: 2 * PAGE + 1 }, (_, i) => i))
    expect(calls.map(({ after }) => after)).toEqual([
      undefined,
      { id: 'one', from: PAGE - 1, life: 'life-1' },
      { id: 'one', from: 2 * PAGE - 1, life: 'life-1' },
    ])
  })

  it.each([
    ['a negative count', { ...rowOf('one'), requests: -1 }],
    ['a refusal that is not counted', { ...rowOf('one'), refused: { expired: 'twice' } }],
    ['nothing', null],
    ['the id of another token', rowOf('two')],
  ])('are rejected as corrupt if one has %s', async (_, row) => {
    const part = { listRows: async () => [row as UsageRow] }
    await expect(readUsageRows(part, ['one'], 0)).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
    })
  })
})

describe('the lives of usage', () => {
  it('are returned as they are stored', async () => {
    const since: number[] = []
    const listLives = async (time: number) => {
      since.push(time)
      return [LIFE, { ...LIFE, endedAt: 3, gaps: [{ from: 1, to: 2 }] }]
    }
    expect(await readLives({ listLives }, 7)).toEqual([
      LIFE,
      { ...LIFE, endedAt: 3, gaps: [{ from: 1, to: 2 }] },
    ])
    expect(since).toEqual([7])
  })

  it.each([
    ['a time that is not a whole number', { ...LIFE, to: 1.5 }],
    ['a gap without an end', { ...LIFE, gaps: [{ from: 1 }] }],
    ['no node', { ...LIFE, node: undefined }],
  ])('are rejected as corrupt if one has %s', async (_, life) => {
    const part = { listLives: async () => [life as UsageLife] }
    await expect(readLives(part, 0)).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
  })
})
