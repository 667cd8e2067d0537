import { describe, expect, it } from 'vitest'
import { WatchwordError } from '../../../src/errors.js'
import { throwAtInput } from '../../../src/verbs/input-place.js'

describe('an error of one input among several', () => {
  it('names the place of the input that caused it', () => {
    const error = new WatchwordError('ERR_UNKNOWN_POLICY', 'policy "x" is not configured')
    expect(() => throwAtInput(3, error)).toThrow(
      new WatchwordError('ERR_UNKNOWN_POLICY', 'inputs.3: policy "x" is not configured'),
    )
  })

  it.each([
    new WatchwordError('ERR_STORE_UNAVAILABLE', 'the store is down'),
    new TypeError('x is not a function'),
    'no error',
  ])('is thrown unchanged if no input caused it: %s', (error) => {
    let thrown: unknown
    try {
      throwAtInput(0, error)
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toBe(error)
  })
})
