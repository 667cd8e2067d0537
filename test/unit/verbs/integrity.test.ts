import { afterEach, describe, expect, it } from 'vitest'
import type { Store, TokenRecord } from 'watchword/store'
import { fixtures } from '../../../src/testkit/store/fixtures.js'
import type { Verified } from '../../../src/types.js'
import { assertClaims } from '../../../src/verbs/integrity.js'
import { closeAll, ISSUER, MINUTE, rig, START, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const UNKNOWN_KEY = `k4.lid.${'A'.repeat(44)}`

/** Issues tokens, whose rows the store then returns as `edit` changes them. */
async function issued(count: number, edit: (row: TokenRecord, index: number) => object) {
  const inner = sharedStore()
  const ids: string[] = []
  const store: Store = {
    ...inner,
    listTokens: async (...args) => {
      const rows = await inner.listTokens(...args)
      return rows.map((row) => ({ ...row, ...edit(row, ids.indexOf(row.id)) }))
    },
  }
  const { watchword, clock } = await rig({}, { store })
  const input = { policy: 'short', subject: 'svc', actor: 'ops', scopes: ['orders:read'] }
  for (const { id } of await watchword.issueMany(Array(count).fill(input))) ids.push(id)
  return { watchword, clock, ids }
}

describe('the rows of a list', () => {
  it('are all checked, without blocking requests in between', async () => {
    const { watchword, ids } = await issued(120, (_, index) =>
      index % 60 === 59 ? { subject: 'mallory' } : {},
    )
    let turns = 0
    let isDone = false
    const count = () => {
      turns++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    const page = await watchword.tokens.list({ limit: 200 })
    isDone = true
    expect(page.items).toHaveLength(118)
    expect(new Set(page.corrupt)).toEqual(new Set([ids[59], ids[119]]))
    expect(turns).toBeGreaterThanOrEqual(2)
  })

  it('were edited if they name a key that does not exist, while their tokens have not expired', async () => {
    const { watchword, clock, ids } = await issued(2, (_, index) =>
      index === 0 ? { keyId: UNKNOWN_KEY } : {},
    )
    expect((await watchword.tokens.list()).corrupt).toEqual([ids[0]])
    // The key of an expired token may have been purged, so nothing proves an edit any more.
    await clock.advance(61 * MINUTE)
    const page = await watchword.tokens.list()
    expect([page.items.length, page.corrupt]).toEqual([2, undefined])
  })
})

describe('the claims of a token and its row', () => {
  const make = fixtures('integrity')
  const row = make.token({ scopes: ['orders:read', 'admin:all'] })
  const principalOf = (change: object = {}) =>
    ({ ...row, scopes: ['orders:read'], ...change }) as unknown as Verified<unknown>
  const check = (principal: Verified<unknown>, policies: object) => () =>
    assertClaims(
      {
        clock: { reading: () => START },
        options: { issuer: ISSUER, policies },
        trail: { noteOnce: () => undefined },
      } as unknown as Parameters<typeof assertClaims>[0],
      row,
      principal,
    )
  const granting = new Map([['job', { scopes: ['orders:*'] }]])

  it('agree if the row has those scopes that the policy still grants', () => {
    expect(check(principalOf(), granting)).not.toThrow()
    expect(check(principalOf({ scopes: row.scopes }), granting)).toThrow(/integrity tag/)
  })

  it('agree only with equal scopes where the policy of the row is not configured', () => {
    expect(check(principalOf({ scopes: row.scopes }), new Map())).not.toThrow()
    expect(check(principalOf(), new Map())).toThrow(/integrity tag/)
  })

  it('disagree if any shared field differs', () => {
    for (const field of ['subject', 'audience', 'policy', 'family', 'generation', 'expiresAt'])
      expect(check(principalOf({ [field]: 'another' }), granting)).toThrow(/integrity tag/)
  })
})
