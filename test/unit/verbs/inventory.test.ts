import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword'
import type { TokenFilter } from 'watchword/store'
import { rarelyPolled } from '../../support/fleet.js'
import { closeAll, codeOf, rig, START } from '../../support/harness.js'

const HOUR = 3_600_000
const INPUT = { policy: 'service', subject: 'svc_mail', actor: 'ops' }

afterEach(closeAll)

describe('tokens.list and tokens.count', () => {
  it('filter by owner, issuer, revocation and expiry', async () => {
    const { watchword } = await rig()
    const mine = await watchword.issue({ ...INPUT, owner: 'me' })
    const short = await watchword.issue({ ...INPUT, policy: 'short', actor: 'robot' })
    const revoked = await watchword.issue({ ...INPUT, owner: 'you' })
    await watchword.revoke({ id: revoked.id }, { actor: 'ops' })
    const queries = [
      [{ owner: 'me' }, [mine]],
      [{ issuedBy: 'robot' }, [short]],
      [{ issuedBy: 'ops', revoked: false }, [mine]],
      [{ revoked: true }, [revoked]],
      [{ expiresBefore: START + HOUR + 1 }, [short]],
      [{ expiresBefore: START + HOUR }, []],
      [{ revoked: true, live: true }, []],
      [{ owner: 'nobody' }, []],
    ] as const
    for (const [query, expected] of queries) {
      const { items } = await watchword.tokens.list(query)
      expect(items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
      expect(await watchword.tokens.count(query)).toBe(expected.length)
    }
    expect(await watchword.tokens.count()).toBe(3)
  })

  it('filter by the last reported use', async () => {
    const { watchword, clock } = await rig({ maxStaleness: '1h' }, { feed: rarelyPolled() })
    const DAY = 24 * HOUR
    const used = await watchword.issue(INPUT)
    const unused = await watchword.issue(INPUT)
    await clock.advance(2 * DAY)
    const late = await watchword.issue(INPUT)
    expect(watchword.verify(used.token).ok).toBe(true)
    await clock.advance(2 * 60_000)
    const iso = (time: number) => new Date(time).toISOString()
    const queries = [
      [{ unusedSince: '1d' }, [unused]],
      [{ unusedSince: DAY }, [unused]],
      [{ unusedSince: '5d' }, []],
      [{ unusedSince: 0 }, [used, unused, late]],
      [{ unusedSince: iso(START + 1) }, [unused]],
      [{ unusedSince: iso(START) }, []],
      [{ unusedSince: iso(START + 9 * DAY).slice(0, 10) }, [used, unused, late]],
      [{ unusedSince: '1d', subject: 'other' }, []],
    ] as const
    for (const [query, expected] of queries) {
      const { items } = await watchword.tokens.list(query)
      expect(items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
      expect(await watchword.tokens.count(query)).toBe(expected.length)
    }
  })

  it('list the newest first, in pages that inserts do not move', async () => {
    const { watchword } = await rig()
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.push((await watchword.issue(INPUT)).id)
    const seen: string[] = []
    let next: string | undefined
    do {
      const after = next === undefined ? {} : { after: next }
      const page = await watchword.tokens.list({ order: 'newest', limit: 3, ...after })
      seen.push(...page.items.map(({ id }) => id))
      next = page.next
      await watchword.issue({ ...INPUT, subject: 'late' })
    } while (next !== undefined)
    expect(seen).toEqual(ids.reverse())
    const { items } = await watchword.tokens.list({ order: 'oldest', subject: 'svc_mail' })
    expect(items.map(({ id }) => id)).toEqual([...ids].reverse())
  })

  it.each([
    ...[{ owner: '' }, { owner: 'x'.repeat(257) }, { issuedBy: '' }, { revoked: 'yes' }],
    ...[{ expiresBefore: -1 }, { expiresBefore: '1h' }, { expiresBefore: Number.NaN }],
    ...[{ owner: undefined }, { issuedBy: undefined }, { revoked: undefined }],
    ...[{ expiresBefore: undefined }, { unknown: 1 }, { unusedSince: undefined }],
    ...[{ unusedSince: -1 }, { unusedSince: 'soon' }, { unusedSince: 1.7e12 }, { unusedSince: '' }],
    ...[{ unusedSince: '2026-13-01' }, { unusedSince: '2026-03-01T00:00:00' }],
    ...[{ unusedSince: '1969-12-31' }, { unusedBefore: 1 }],
  ])('reject %o', async (query) => {
    const { watchword } = await rig()
    for (const call of [watchword.tokens.list, watchword.tokens.count])
      expect(await codeOf(() => call(query as never))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('reject an order that does not exist, and a page of a count', async () => {
    const { watchword } = await rig()
    const { list, count } = watchword.tokens
    const calls = [
      ...['', 'desc', undefined, null].map((order) => () => list({ order } as never)),
      ...[{ limit: 1 }, { order: 'newest' }, { after: 'x' }, undefined, null, []].map(
        (query) => () => count(query as never),
      ),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('ERR_INVALID_ARGUMENT')
  })

  it('rejects a count that is not a number', async () => {
    const bad = [Number.NaN, -1, 1.5, '1', undefined, null]
    let returned: unknown
    const store = { ...memoryStore(), countTokens: async (_: TokenFilter) => returned as number }
    const { watchword } = await rig({}, { store })
    for (returned of bad)
      expect(await codeOf(() => watchword.tokens.count())).toBe('ERR_STORE_CORRUPT')
  })
})
