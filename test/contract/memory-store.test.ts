import { describe, it } from 'vitest'
import { memoryStore } from 'watchword/store/memory'
import { storeContract } from 'watchword/testkit'

describe('memoryStore', () => {
  storeContract({ describe, it, createStore: async () => memoryStore() })
})
