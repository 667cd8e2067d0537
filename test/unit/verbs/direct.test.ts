import { describe, expect, it, vi } from 'vitest'
import { type Direct, directOf, registerDirect } from '../../../src/verbs/direct.js'

const newDirect = (): Direct<unknown> => ({
  check: () => {
    throw new Error('not called')
  },
  keepsCallers: false,
  accepts: () => false,
  clock: {} as Direct<unknown>['clock'],
  timeoutMs: 1000,
  graceMs: () => 0,
})

describe('the direct path of an authenticate function', () => {
  it('belongs to the registered function itself, and to no wrapper, copy or primitive', () => {
    const authenticate = () => undefined
    const direct = newDirect()
    registerDirect(authenticate, direct)
    expect(directOf(authenticate)).toBe(direct)
    const others = [
      authenticate.bind(undefined),
      new Proxy(authenticate, {}),
      () => authenticate(),
      { ...authenticate },
      undefined,
      null,
      'authenticate',
    ]
    expect(others.map((other) => directOf(other))).toEqual(others.map(() => undefined))
  })

  it('is found by another copy of the library in the same process', async () => {
    const authenticate = () => undefined
    const direct = newDirect()
    registerDirect(authenticate, direct)
    vi.resetModules()
    const copy = await import('../../../src/verbs/direct.js')
    expect(copy.directOf).not.toBe(directOf)
    expect(copy.directOf(authenticate)).toBe(direct)
  })
})
