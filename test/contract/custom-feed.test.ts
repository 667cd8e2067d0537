import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import type { RevocationFeed } from 'watchword/feed'
import { feedContract } from 'watchword/testkit'
import { folderFeed } from '../../examples/custom-feed.js'

const folder = mkdtempSync(join(tmpdir(), 'watchword-custom-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the feed of examples/custom-feed.ts', () => {
  const folders = new WeakMap<RevocationFeed, string>()
  const at = (path: string) => {
    const feed = folderFeed(path)
    folders.set(feed, path)
    return feed
  }
  feedContract({
    describe,
    it,
    createFeed: async () => at(join(folder, randomUUID())),
    createTwin: async (feed) => at(folders.get(feed) as string),
  })
})
