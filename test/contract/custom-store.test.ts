import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { storeContract } from 'watchword/testkit'
import { jsonFileStore } from '../../examples/custom-store.js'

const folder = mkdtempSync(join(tmpdir(), 'watchword-custom-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the store of examples/custom-store.ts', () => {
  storeContract({
    describe,
    it,
    createStore: async () => jsonFileStore(join(folder, `${randomUUID()}.json`)),
  })
})
