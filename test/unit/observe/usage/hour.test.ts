import { describe, expect, it } from 'vitest'
import type { Counted, Demand } from '../../../../src/observe/usage/counted.js'
import { Hour } from '../../../../src/observe/usage/hour.js'
import { UNUSED } from '../../../../src/testkit/store/usage-fixtures.js'
import { HOUR, MINUTE, SECOND } from '../../../support/constants.js'

const FROM = Date.UTC(2026, 0, 1, 12)
const READ: Demand = { allOf: ['orders:read'], anyOf: [] }
const WRITE: Demand = { allOf: ['orders:write'], anyOf: [] }
const EITHER: Demand = { allOf: [], anyOf: ['orders:read', 'users:read'] }
const CALLER = { address: '192.0.2.1', route: '/orders', userAgent: 'curl' }

type Cached = { -readonly [K in keyof Counted]: Counted[K] }

const cached = (id = 'one', met: Demand | undefined = READ): Cached => ({
  principal: { id, scopes: ['orders:*'] },
  met,
  uses: 0,
  reportedMinute: -1,
  hour: undefined,
  slot: 0,
})

const newHour = (keepsScopes = true) => new Hour(FROM, 'life-1', keepsScopes)

/** Counts uses that began in the minute of `now`. */
function use(hour: Hour, token: Cached, uses: number, now: number, met = token.met): void {
  token.met = met
  token.reportedMinute = Math.floor(now / MINUTE)
  token.uses = uses
  hour.collect(token, now)
}

/** An hour with one open token. */
function opened(keepsScopes = true, met: Demand | undefined = READ) {
  const hour = newHour(keepsScopes)
  const token = cached('one', met)
  const slot = hour.add('one')
  hour.open(token, slot, FROM)
  return { hour, token, slot, row: () => hour.take('one', slot) }
}

describe('the counters of an hour', () => {
  it('have a place for each token that was added, also beyond one block', () => {
    const hour = newHour()
    for (let i = 0; i < 1025; i++) expect(hour.add(`token-${i}`)).toBe(i)
    expect([hour.size, hour.find('token-1024'), hour.find('other')]).toEqual([1025, 1024, -1])
    expect([...hour.slots].at(-1)).toEqual(['token-1024', 1024])
    hour.refuse(1024, 'expired')
    expect([hour.isChanged(0), hour.isChanged(1024)]).toEqual([false, true])
    expect(hour.to).toBe(FROM + HOUR)
  })

  it('return an empty row for a token that was never used', () => {
    const { hour, row } = opened()
    expect(row()).toEqual({ id: 'one', from: FROM, life: 'life-1', ...UNUSED })
    expect(hour.isChanged(0)).toBe(false)
  })

  it('date the first use by its time and the last one by the end of its minute', () => {
    const { hour, token, row } = opened()
    use(hour, token, 3, FROM)
    hour.collect(token, FROM + 5 * MINUTE)
    expect(row()).toMatchObject({ requests: 3, firstUsedAt: FROM, lastUsedAt: FROM })
    token.uses = 1
    hour.collect(token, FROM + 5 * MINUTE)
    expect(row()).toMatchObject({ requests: 4, lastUsedAt: FROM + MINUTE - 1 })
  })

  it('never date the last use before an earlier one or before the first, if the clock steps back', () => {
    const { hour, token, row } = opened()
    use(hour, token, 1, FROM + 10 * MINUTE)
    use(hour, token, 1, FROM + 5 * MINUTE)
    expect(row()).toMatchObject({ requests: 2, lastUsedAt: FROM + 10 * MINUTE })
    const late = cached('two')
    const slot = hour.add('two')
    hour.open(late, slot, FROM + 30 * MINUTE)
    use(hour, late, 1, FROM + 20 * MINUTE)
    expect(hour.take('two', slot)).toMatchObject({
      firstUsedAt: FROM + 30 * MINUTE,
      lastUsedAt: FROM + 30 * MINUTE,
    })
  })

  it('change nothing when a token without new uses is collected', () => {
    const { hour, token, slot } = opened()
    hour.collect(token, FROM)
    expect(hour.isChanged(slot)).toBe(false)
    use(hour, token, 1, FROM)
    expect([hour.isChanged(slot), token.uses]).toEqual([true, 0])
  })

  it('stop at the largest number that fits in place of starting again at zero', () => {
    const { hour, token, row } = opened()
    use(hour, token, 2 ** 32 - 2, FROM)
    use(hour, token, 5, FROM)
    expect(row().requests).toBe(2 ** 32 - 1)
  })

  it('collect the uses of a token that is closed, which reports its next use again', () => {
    const { hour, token, slot, row } = opened()
    token.uses = 2
    token.reportedMinute = FROM / MINUTE
    hour.close(token, FROM)
    expect([token.hour, token.reportedMinute, hour.openAt(slot)]).toEqual([
      undefined,
      -1,
      undefined,
    ])
    expect(row().requests).toBe(2)
  })

  it('collect the uses of an object that another one of the same token replaces', () => {
    const { hour, token, slot, row } = opened()
    token.uses = 2
    token.reportedMinute = FROM / MINUTE
    const other = cached()
    hour.open(other, slot, FROM + SECOND)
    expect([token.uses, token.hour]).toEqual([0, undefined])
    hour.open(other, slot, FROM + SECOND)
    expect([other.hour, hour.openAt(slot)]).toEqual([hour, other])
    expect(row()).toMatchObject({ requests: 2, firstUsedAt: FROM })
    hour.close(token, FROM + SECOND)
    expect(hour.openAt(slot)).toBe(other)
  })

  it('count the scopes of one requirement by the requests alone', () => {
    const { hour, token, row } = opened()
    use(hour, token, 2, FROM)
    use(hour, token, 3, FROM + MINUTE)
    const lastUsedAt = FROM + MINUTE
    expect(row().scopes).toEqual([{ scope: 'orders:read', uses: 5, lastUsedAt }])
  })

  it('count each scope by itself once a second requirement is met', () => {
    const { hour, token, row } = opened()
    use(hour, token, 2, FROM)
    use(hour, token, 3, FROM + MINUTE, WRITE)
    use(hour, token, 1, FROM + 2 * MINUTE, READ)
    expect(row().scopes).toEqual([
      { scope: 'orders:read', uses: 3, lastUsedAt: FROM + 2 * MINUTE },
      { scope: 'orders:write', uses: 3, lastUsedAt: FROM + MINUTE },
    ])
  })

  it('count of anyOf the scopes that the token has', () => {
    const { hour, token, row } = opened()
    use(hour, token, 2, FROM, EITHER)
    expect(row().scopes).toEqual([{ scope: 'orders:read', uses: 2, lastUsedAt: FROM }])
  })

  it('count no scopes if they are not kept, or for requests without a requirement', () => {
    const unkept = opened(false)
    use(unkept.hour, unkept.token, 2, FROM)
    expect(unkept.row()).toMatchObject({ requests: 2, scopes: [] })
    const { hour, token, row } = opened()
    token.met = undefined
    use(hour, token, 2, FROM)
    expect(row()).toMatchObject({ requests: 2, scopes: [] })
    use(hour, token, 1, FROM, READ)
    expect(row().scopes).toEqual([{ scope: 'orders:read', uses: 1, lastUsedAt: FROM }])
  })

  it('count refusals and callers next to the scopes of one requirement', () => {
    const { hour, token, slot, row } = opened()
    hour.refuse(slot, 'expired')
    use(hour, token, 2, FROM)
    hour.call(slot, CALLER)
    use(hour, token, 1, FROM)
    expect(row()).toMatchObject({
      refused: { expired: 1 },
      scopes: [{ scope: 'orders:read', uses: 3 }],
      callers: [{ ...CALLER, requests: 1 }],
      others: 0,
    })
  })

  it('keep the scopes of earlier requests when a caller is counted', () => {
    const { hour, token, slot, row } = opened()
    use(hour, token, 2, FROM)
    hour.call(slot, CALLER)
    expect(hour.isChanged(slot)).toBe(true)
    expect(row()).toMatchObject({ scopes: [{ uses: 2 }], callers: [{ requests: 1 }] })
  })

  it('mark rows as changed that could not be written, and ignore those of other tokens', () => {
    const { hour, slot, token, row } = opened()
    use(hour, token, 1, FROM)
    const taken = row()
    expect(hour.isChanged(slot)).toBe(false)
    hour.restore([taken, { ...taken, id: 'other' }])
    expect([hour.isChanged(slot), hour.size]).toEqual([true, 1])
  })
})
