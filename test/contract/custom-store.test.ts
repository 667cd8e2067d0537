import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import type { Store } from 'watchword/store'
import { storeContract } from 'watchword/testkit'
import { jsonFileStore } from '../../examples/custom-store.js'

const folder = mkdtempSync(join(tmpdir(), 'watchword-custom-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the store of examples/custom-store.ts', () => {
  const files = new WeakMap<Store, string>()
  const at = (file: string) => {
    const store = jsonFileStore(file)
    files.set(store, file)
    return store
  }
  storeContract({
    describe,
    it,
    createStore: async () => at(join(folder, `${randomUUID()}.json`)),
    createTwin: async (store) => at(files.get(store) as string),
  })
})
