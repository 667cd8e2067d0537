import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Fingerprinted, VerifiedCache } from '../../../src/cache/verified-cache.js'

const entry = (print0: number, print1 = 2, print2 = 3, print3 = 4): Fingerprinted => ({
  print0,
  print1,
  print2,
  print3,
})

describe('the cache of verified tokens', () => {
  it('returns an entry only for all four words of its fingerprint', () => {
    const cache = new VerifiedCache({ max: 4, maxBytes: 100 })
    const cached = entry(1)
    cache.set(cached, 10)
    expect(cache.get(1, 2, 3, 4)).toBe(cached)
    expect(cache.get(9, 2, 3, 4)).toBeUndefined()
    expect(cache.get(1, 9, 3, 4)).toBeUndefined()
    expect(cache.get(1, 2, 9, 4)).toBeUndefined()
    expect(cache.get(1, 2, 3, 9)).toBeUndefined()
  })

  it('counts entries and their bytes, and forgets what is removed', () => {
    const cache = new VerifiedCache({ max: 4, maxBytes: 100 })
    const [first, second] = [entry(1), entry(2)]
    cache.set(first, 10)
    cache.set(second, 20)
    expect([cache.enabled, cache.size, cache.bytes]).toEqual([true, 2, 30])
    cache.delete(first)
    expect([cache.size, cache.bytes, cache.get(1, 2, 3, 4)]).toEqual([1, 20, undefined])
    cache.clear()
    expect([cache.size, cache.bytes]).toEqual([0, 0])
  })

  it('counts look-ups that found an entry, and those that did not', () => {
    const cache = new VerifiedCache({ max: 4, maxBytes: 100 })
    cache.get(1, 2, 3, 4)
    cache.set(entry(1), 10)
    cache.get(1, 2, 3, 4)
    cache.get(1, 2, 3, 4)
    cache.get(1, 2, 3, 9)
    expect(cache.lookups).toEqual({ hits: 2, misses: 2 })
  })

  it('evicts the least recently used entry beyond either limit', () => {
    const cache = new VerifiedCache({ max: 2, maxBytes: 100 })
    cache.set(entry(1), 10)
    cache.set(entry(2), 10)
    cache.get(1, 2, 3, 4)
    cache.set(entry(3), 10)
    expect([1, 2, 3].map((each) => cache.get(each, 2, 3, 4) !== undefined)).toEqual([
      true,
      false,
      true,
    ])
    cache.set(entry(4), 95)
    expect([cache.size, cache.bytes]).toEqual([1, 95])
    cache.set(entry(5), 101)
    expect(cache.get(5, 2, 3, 4)).toBeUndefined()
  })

  it('keeps an entry regardless of its age', async () => {
    const cache = new VerifiedCache({ max: 4, maxBytes: 100 })
    cache.set(entry(1), 10)
    await sleep(20)
    expect(cache.get(1, 2, 3, 4)).toEqual(entry(1))
  })

  it('reports each lookup on the channel of lru-cache in an object of its own', () => {
    const cache = new VerifiedCache({ max: 4, maxBytes: 100 })
    cache.set(entry(1), 10)
    const reports: unknown[] = []
    const keep = (report: unknown) => void reports.push(report)
    subscribe('lru-cache:metrics', keep)
    cache.get(1, 2, 3, 4)
    cache.get(9, 2, 3, 4)
    unsubscribe('lru-cache:metrics', keep)
    cache.get(8, 2, 3, 4)
    expect(reports).toMatchObject([
      { op: 'get', key: 1, get: 'hit' },
      { op: 'get', key: 9, get: 'miss' },
    ])
  })

  it('holds nothing when it is disabled', () => {
    const cache = new VerifiedCache(undefined)
    cache.set(entry(1), 10)
    cache.delete(entry(1))
    cache.clear()
    expect([cache.enabled, cache.size, cache.bytes]).toEqual([false, 0, 0])
    expect(cache.get(1, 2, 3, 4)).toBeUndefined()
  })
})
