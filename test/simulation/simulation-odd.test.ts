/** The worlds of `simulation.test.ts` with odd numbers, in a separate process. */
import { beforeAll, describe, it } from 'vitest'
import { ready } from '../../src/token/self-test.js'
import { expectPromisesKept } from './worlds.js'

const MINUTES = 60_000

beforeAll(() => ready)

describe('the revocation feed', () => {
  it('keeps every promise in every world with an odd number', { timeout: 60 * MINUTES }, () =>
    expectPromisesKept(1),
  )
})
