import { describe, expect, it } from 'vitest'
import type { TokenEntry } from '../../../../src/revocation/index/entries.js'
import { UnknownExpiry } from '../../../../src/revocation/index/unknown-expiry.js'

const entry = (value: string, expiresAt: number): TokenEntry => ({
  kind: 'token',
  value,
  expiresAt,
})

describe('the revoked tokens of unknown expiry', () => {
  it('keep the later of two expiries', () => {
    const tokens = new UnknownExpiry()
    expect(tokens.apply(entry('a', 5), true)).toBe('added')
    expect(tokens.apply(entry('a', 9), true)).toBe('known')
    expect(tokens.apply(entry('a', 7), false)).toBe('known')
    expect([...tokens.entries()]).toEqual([{ ...entry('a', 9), loose: true }])
    expect([tokens.size, tokens.bytes]).toEqual([1, 140])
  })

  it('refuse one more without room', () => {
    const tokens = new UnknownExpiry()
    expect(tokens.apply(entry('a', 5), false)).toBe('refused')
    expect([tokens.size, tokens.has('a')]).toEqual([0, false])
  })

  it('cover an entry up to their own expiry', () => {
    const tokens = new UnknownExpiry()
    tokens.apply(entry('a', 5), true)
    expect([4, 5, 6].map((expiresAt) => tokens.covers(entry('a', expiresAt)))).toEqual([
      true,
      true,
      false,
    ])
    expect(tokens.covers(entry('b', 0))).toBe(false)
  })

  it('are dropped at their expiry and not a millisecond earlier', () => {
    const tokens = new UnknownExpiry()
    tokens.apply(entry('a', 5), true)
    tokens.forget(4)
    expect(tokens.has('a')).toBe(true)
    tokens.forget(5)
    expect(tokens.has('a')).toBe(false)
  })
})
