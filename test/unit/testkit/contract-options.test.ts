import { describe, expect, it } from 'vitest'
import { feedContract, storeContract } from 'watchword/testkit'

const refuse = () => expect.fail('no case may be registered')

describe('the options of a contract', () => {
  it.each([
    ['createStore', () => storeContract({ describe: refuse, it: refuse } as never)],
    ['createFeed', () => feedContract({ describe: refuse, it: refuse } as never)],
    ['describe', () => storeContract(undefined as never)],
  ])('are rejected without %s, before any case is registered', (name, call) => {
    expect(call).toThrow(`${name}: expected a function, got undefined; pass { describe, it, `)
  })
})
