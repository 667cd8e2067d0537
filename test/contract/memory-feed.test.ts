import { describe, it } from 'vitest'
import { memoryFeed } from 'watchword/feed/memory'
import { feedContract } from 'watchword/testkit'

describe('memoryFeed', () => {
  feedContract({ describe, it, createFeed: async () => memoryFeed() })
})
