import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { strangenessOf } from '../../../src/lib/plain.js'

class Account {}
class Items extends Array {}

describe('the description of a strange value', () => {
  it('is missing for plain data', () => {
    const ofAnotherRealm: unknown[] = ['({ a: 1 })', '[1]'].map((code) => runInNewContext(code))
    const plain = [{}, [], Object.create(null), ...ofAnotherRealm, 'x', 1, null]
    expect(plain.map(strangenessOf)).toEqual(plain.map(() => undefined))
  })

  it('names a function, a Proxy, or the class of an object', () => {
    expect(strangenessOf(() => 1)).toBe('a function')
    expect(strangenessOf(new Proxy({}, {}))).toBe('a Proxy')
    expect(strangenessOf(new Account())).toBe('an Account')
    expect(strangenessOf(new Map())).toBe('a Map')
    expect(strangenessOf(new Items())).toBe('an Items')
  })

  it('names no class without a name that is a word', () => {
    const named = (name: unknown) => {
      class Strange {}
      Object.defineProperty(Strange, 'name', { value: name })
      return new Strange()
    }
    for (const value of [
      Object.create({}),
      Object.create({ constructor: 'text' }),
      named('a b'),
      named('x'.repeat(41)),
      named(7),
    ])
      expect(strangenessOf(value)).toBe('an instance of a class')
  })

  it('runs no code of the class', () => {
    const prototype = {
      get constructor(): never {
        throw new Error('ran')
      },
    }
    expect(strangenessOf(Object.create(prototype))).toBe('an instance of a class')
  })
})
