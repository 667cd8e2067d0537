import { describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword'
import type { Store } from 'watchword/store'
import {
  corruptIdsOf,
  readChanges,
  readKeys,
  readToken,
  readTokens,
  recordsOf,
  writeRevocation,
  writeSuccession,
} from '../../../src/store/checked.js'
import { fixtures } from '../../../src/testkit/store/fixtures.js'

const make = fixtures('checked')

/** A store with some methods replaced by ones that return anything. */
function storeWith(changes: { readonly [K in keyof Store]?: () => Promise<unknown> }): Store {
  return { ...memoryStore(), ...changes } as Store
}

const corrupt = (detail: string) =>
  expect.objectContaining({
    code: 'ERR_STORE_CORRUPT',
    message: 'the store returned a record that does not parse',
    detail,
  })

describe('a read of one token', () => {
  const [token, other] = [make.token(), make.token()]
  const reading = (row: unknown) => readToken(storeWith({ getToken: async () => row }), token.id)

  it('returns the record, or undefined if there is none', async () => {
    expect(await reading(token)).toEqual(token)
    expect(await reading(undefined)).toBeUndefined()
  })

  it('rejects a record that does not parse, and the record of another token', async () => {
    for (const row of [null, 'row', {}, { ...token, generation: '0' }, other])
      await expect(reading(row)).rejects.toEqual(corrupt(`token ${token.id}`))
  })
})

describe('a read of a list', () => {
  it('separates the records from the ids of rows that do not parse', async () => {
    const token = make.token()
    const rows = [token, { ...make.token(), id: 'broken', scopes: 'all' }, null, 7, { id: 7 }]
    const listTokens = async () => rows
    const checked = await readTokens(storeWith({ listTokens }), {}, { limit: 9 })
    expect(recordsOf(checked)).toEqual([token])
    expect(corruptIdsOf(checked)).toEqual(['broken', '?', '?', '?'])
  })

  it('returns every key that parses', async () => {
    const key = make.key()
    const listKeys = async () => [key, { ...make.key(), id: 'broken', expiresAt: null }]
    const checked = await readKeys(storeWith({ listKeys }))
    expect(recordsOf(checked)).toEqual([key])
    expect(corruptIdsOf(checked)).toEqual(['broken'])
  })
})

describe('a read of changes', () => {
  const page = { revocations: [], superseded: [], restrictions: [], cursor: 'next', more: true }
  const reading = (result: object) =>
    readChanges(storeWith({ changes: async () => result }), 'cursor', 9)

  it('returns the page', async () => {
    expect(await reading(page)).toEqual(page)
    const last = { ...page, cursor: 'cursor', more: false }
    expect(await reading(last)).toEqual(last)
  })

  it('rejects a page without a cursor, and one that would be read again without end', async () => {
    for (const change of [{ cursor: 7 }, { more: 'yes' }, { cursor: 'cursor' }])
      await expect(reading({ ...page, ...change })).rejects.toEqual(
        corrupt('page of changes cursor'),
      )
  })
})

describe('a write of a revocation', () => {
  const revocation = make.revocation('subject', 'user:1')
  const writing = (result: unknown) =>
    writeRevocation(storeWith({ revoke: async () => result }), revocation)

  it('returns the number of matched records', async () => {
    expect(await writing({ matched: 3 })).toBe(3)
  })

  it('rejects a result that is not a number of records', async () => {
    for (const result of [undefined, {}, { matched: -1 }, { matched: '3' }])
      await expect(writing(result)).rejects.toEqual(
        corrupt(`result of the revocation ${revocation.id}`),
      )
  })
})

describe('a write of a succession', () => {
  const predecessor = make.token()
  const successor = make.successor(predecessor)
  const writing = (result: object) =>
    writeSuccession(
      storeWith({ succeed: async () => result }),
      predecessor.id,
      make.successor(predecessor),
      null,
    )

  it('returns the outcome, with both records if an earlier call linked them', async () => {
    for (const result of [
      { outcome: 'succeeded' },
      { outcome: 'missing' },
      { outcome: 'already', predecessor, successor },
    ])
      expect(await writing(result)).toEqual(result)
  })

  it('rejects records that do not parse, and the predecessor of another token', async () => {
    for (const change of [
      { predecessor: undefined },
      { predecessor: make.token() },
      { successor: undefined },
      { successor: { ...successor, family: '' } },
    ])
      await expect(
        writing({ outcome: 'already', predecessor, successor, ...change }),
      ).rejects.toEqual(corrupt(`token ${predecessor.id}`))
  })
})
