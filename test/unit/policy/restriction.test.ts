/**
 * The states of restrictions: their one text, and their patterns.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import {
  isPattern,
  MAX_STATE_LENGTH,
  readState,
  touches,
  writeState,
} from '../../../src/policy/restriction.js'

const WHOLE = {
  enforced: { to: ['orders:read'], deny: ['*:write'], until: 5 },
  reported: { deny: ['a', 'b'], until: null },
  suspended: { until: 7 },
  issue: { until: null },
  rotate: { until: 0 },
}
const TEXT =
  '{"enforced":{"to":["orders:read"],"deny":["*:write"],"until":5},"reported":{"deny":["a","b"],"until":null},"suspended":{"until":7},"issue":{"until":null},"rotate":{"until":0}}'

describe('the text of a state', () => {
  it('has every part in a fixed order, and is read back', () => {
    expect(writeState(WHOLE)).toBe(TEXT)
    expect(readState(TEXT)).toEqual(WHOLE)
    expect(readState('{}')).toEqual({})
    expect(Object.isFrozen(readState(TEXT)?.enforced?.to)).toBe(true)
  })

  it.each([
    ['text that is not JSON', '{'],
    ['an unknown part', '{"future":{"until":null}}'],
    ['an unknown field', '{"suspended":{"until":null,"more":1}}'],
    ['another order', '{"rotate":{"until":0},"issue":{"until":null}}'],
    ['white space', '{ }'],
    ['a duplicate', '{"suspended":{"until":1},"suspended":{"until":null}}'],
    ['a part that is no object', '{"suspended":true}'],
    ['no end', '{"suspended":{}}'],
    ['an end before 1970', '{"suspended":{"until":-1}}'],
    ['an end that is no whole number', '{"suspended":{"until":1.5}}'],
    ['a limit without a list', '{"enforced":{"until":null}}'],
    ['an empty list', '{"enforced":{"to":[],"until":null}}'],
    ['a list that is none', '{"enforced":{"to":"a","until":null}}'],
    ['a scope that is none', '{"enforced":{"to":["*:write"],"until":null}}'],
    ['a pattern that is none', '{"enforced":{"deny":["a:"],"until":null}}'],
    ['scopes that are not normalised', '{"enforced":{"to":["b","a"],"until":null}}'],
    ['patterns that are not sorted', '{"enforced":{"deny":["b","a"],"until":null}}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['too long a text', `{"x":"${'x'.repeat(MAX_STATE_LENGTH)}"}`],
    [
      'too many scopes',
      writeState({
        enforced: { deny: Array.from({ length: 65 }, (_, i) => `s${100 + i}`), until: null },
      }),
    ],
  ])('is not read with %s', (_, text) => {
    expect(readState(text)).toBeUndefined()
  })

  it('is not affected by a polluted prototype', () => {
    Object.defineProperty(Object.prototype, 'suspended', {
      value: { until: null },
      writable: true,
      configurable: true,
      enumerable: true,
    })
    try {
      const state = readState('{"issue":{"until":1}}')
      expect(state?.issue).toEqual({ until: 1 })
      expect(state?.suspended).toBeUndefined()
      expect(writeState({ issue: { until: 1 } })).toBe('{"issue":{"until":1}}')
    } finally {
      Reflect.deleteProperty(Object.prototype, 'suspended')
    }
  })
})

describe('a pattern', () => {
  it.each(['orders:write', '*', '*:write', 'orders:*', 'a:*:c', '*:*'])('may be %s', (pattern) => {
    expect(isPattern(pattern)).toBe(true)
  })

  it.each([
    '',
    ':',
    'a:',
    ':a',
    'a::b',
    'a*',
    '**',
    'a b',
    'a:b:c:d:e:f:g:h:i',
    'x'.repeat(129),
    5,
    null,
  ])('may not be %j', (pattern) => {
    expect(isPattern(pattern)).toBe(false)
  })

  it.each([
    ['orders:write', 'orders:write'],
    ['*:write', 'orders:write'],
    ['*:write', 'orders:items:write'],
    ['orders:*', 'orders:items:write'],
    ['a:*:c', 'a:b:b:c'],
    ['orders:write', 'orders:*'],
    ['orders:items:write', 'orders:*'],
    ['orders:write', '*'],
    ['*:write', 'orders:*'],
    ['*', 'orders'],
  ])('%s matches a part of what %s covers', (pattern, scope) => {
    expect(touches(pattern, scope)).toBe(true)
  })

  it.each([
    ['orders:write', 'orders:read'],
    ['orders:write', 'orders'],
    ['orders', 'orders:write'],
    ['*:write', 'write'],
    ['*:write', 'orders:read'],
    ['orders:*', 'orders'],
    ['orders:*', 'users:*'],
    ['orders', 'orders:*'],
    ['a:*:c', 'a:c'],
  ])('%s matches nothing that %s covers', (pattern, scope) => {
    expect(touches(pattern, scope)).toBe(false)
  })
})
