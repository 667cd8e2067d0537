import { describe, expect, it } from 'vitest'
import type { Caller, Demand } from '../../../../src/observe/usage/counted.js'
import { Detail, exercised, isPlain, scopesOf } from '../../../../src/observe/usage/detail.js'

const NONE = { uses: 0, lastUsedAt: 0 }
const all = (...allOf: string[]): Demand => ({ allOf, anyOf: [] })
const callerOf = (change: Partial<Caller> = {}): Caller => ({
  address: '192.0.2.1',
  route: '/orders',
  userAgent: 'curl',
  ...change,
})

describe('the scopes that a requirement exercises', () => {
  it('are those of allOf, and of anyOf those that the token has, each once', () => {
    const demand = { allOf: ['a:read'], anyOf: ['a:read', 'a:write', 'b:read'] }
    expect(exercised(demand, ['a:*'])).toEqual(['a:read', 'a:write'])
    expect(exercised(all('a:read'), [])).toEqual(['a:read'])
  })

  it('can be counted as they are if there is no anyOf, no duplicate and at most 64 of them', () => {
    const many = (count: number) => all(...Array.from({ length: count }, (_, i) => `a:${i}`))
    expect(isPlain(many(64))).toBe(true)
    expect(isPlain(many(65))).toBe(false)
    expect(isPlain(all('a:read', 'a:read'))).toBe(false)
    expect(isPlain({ allOf: [], anyOf: ['a:read'] })).toBe(false)
  })

  it('are none if there were no requests', () => {
    expect(scopesOf(all('a:read'), 0, 5)).toEqual([])
    expect(scopesOf(all('a:read'), 2, 5)).toEqual([{ scope: 'a:read', uses: 2, lastUsedAt: 5 }])
  })
})

describe('the details of a token and hour', () => {
  it('are empty at first', () => {
    const detail = new Detail()
    expect(detail.scopes(3, 5)).toEqual([])
    expect([detail.refused, detail.callers, detail.others]).toEqual([{}, [], 0])
  })

  it('count by requests alone while there is one requirement', () => {
    const detail = new Detail()
    const demand = all('a:read')
    detail.begin(demand)
    expect([detail.isOnly(demand), detail.isOnly(all('a:read'))]).toEqual([true, false])
    expect(detail.scopes(7, 5)).toEqual([{ scope: 'a:read', uses: 7, lastUsedAt: 5 }])
  })

  it('add uses with the latest time of each scope', () => {
    const detail = new Detail()
    const granted = ['a:*']
    detail.addScopes({ demand: all('a:read'), granted, uses: 2, lastUsedAt: 9 }, NONE)
    detail.addScopes({ demand: all('a:read'), granted, uses: 1, lastUsedAt: 5 }, NONE)
    expect(detail.scopes(3, 9)).toEqual([{ scope: 'a:read', uses: 3, lastUsedAt: 9 }])
  })

  it('count more than 64 scopes by grant, and a scope without one by itself', () => {
    const detail = new Detail()
    const granted = ['a:*', 'b:*']
    const demand = all(...Array.from({ length: 62 }, (_, i) => `a:${i}`), 'b:1', 'b:2', 'c:1')
    detail.addScopes({ demand, granted, uses: 1, lastUsedAt: 5 }, NONE)
    expect(detail.scopes(1, 5)).toEqual([
      { scope: 'a:*', uses: 62, lastUsedAt: 5 },
      { scope: 'b:*', uses: 2, lastUsedAt: 5 },
      { scope: 'c:1', uses: 1, lastUsedAt: 5 },
    ])
  })

  it('count refusals by code, up to 64 codes', () => {
    const detail = new Detail()
    for (let i = 0; i < 70; i++) detail.refuse(`code-${i}`)
    detail.refuse('code-0')
    expect(Object.keys(detail.refused)).toHaveLength(64)
    expect(detail.refused).toMatchObject({ 'code-0': 2, 'code-63': 1 })
  })

  it('tell callers apart by address, route and user agent', () => {
    const detail = new Detail()
    const others = [{ address: '192.0.2.2' }, { route: '/stock' }, { userAgent: 'node' }]
    for (const change of [{}, {}, ...others, ...others]) detail.call(callerOf(change))
    expect(detail.callers).toEqual([
      { ...callerOf(), requests: 2 },
      ...others.map((change) => ({ ...callerOf(change), requests: 2 })),
    ])
    expect(detail.others).toBe(0)
  })

  it('keep eight callers and count the requests of the others', () => {
    const detail = new Detail()
    for (let i = 0; i < 10; i++) detail.call(callerOf({ address: `192.0.2.${i}` }))
    expect([detail.callers.length, detail.others]).toEqual([8, 2])
  })
})
