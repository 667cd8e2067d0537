import { describe, expect, it } from 'vitest'
import { newPlacing } from '../../../../src/revocation/index/id-table.js'
import { bucketEnd, TokenBuckets } from '../../../../src/revocation/index/token-buckets.js'

const HOUR = 3_600_000
const id = (last: number) => Int32Array.of(1, 2, 3, last)

describe('the revoked tokens by the hour of their expiry', () => {
  it('belong to the hour that ends after their expiry', () => {
    expect([0, HOUR - 1, HOUR].map(bucketEnd)).toEqual([HOUR, HOUR, 2 * HOUR])
  })

  it('are found by id and hour', () => {
    const tokens = new TokenBuckets(newPlacing())
    expect(tokens.has(id(1), 0)).toBe(false)
    expect(tokens.apply(id(1), 7, true)).toBe('added')
    expect(tokens.apply(id(1), HOUR - 1, false)).toBe('known')
    expect(tokens.apply(id(2), 7, false)).toBe('refused')
    expect(tokens.has(id(1), HOUR - 1)).toBe(true)
    expect([tokens.has(id(1), HOUR), tokens.has(id(2), 7)]).toEqual([false, false])
    expect(tokens.size).toBe(1)
  })

  it('are yielded with the last millisecond of their hour', () => {
    const tokens = new TokenBuckets(newPlacing())
    for (let i = 1; i <= 3; i++) tokens.apply(id(i), i * HOUR, true)
    const held = [...tokens.held()].map((token) => [...token.id, token.expiresAt])
    expect(held).toHaveLength(3)
    const ends = Array.from(tokens.held(), (token) => [token.id[3], token.expiresAt])
    expect(ends).toEqual([1, 2, 3].map((i) => [i, (i + 1) * HOUR - 1]))
  })

  it('are dropped with their memory when their hour ends', () => {
    const tokens = new TokenBuckets(newPlacing())
    expect(tokens.bytes).toBe(0)
    for (let i = 1; i <= 3; i++) tokens.apply(id(i), 7, true)
    // Nine slots of 16 bytes, the objects of a table and of a bucket, and one reference.
    const one = 9 * 16 + 320 + 200 + 8
    expect(tokens.bytes).toBe(one)
    tokens.apply(id(4), HOUR, true)
    expect(tokens.bytes).toBe(2 * one)
    tokens.forget(HOUR - 1)
    expect(tokens.size).toBe(4)
    tokens.forget(HOUR)
    expect([tokens.size, tokens.has(id(1), 7), tokens.has(id(4), HOUR)]).toEqual([1, false, true])
    tokens.forget(2 * HOUR)
    expect([tokens.size, tokens.bytes]).toEqual([0, 0])
  })
})
