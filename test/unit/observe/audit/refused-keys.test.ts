/** Refused calls of `keys`, in the kept audit. */
import { afterEach, beforeAll, expect, it } from 'vitest'
import { ready } from 'watchword/paseto'
import type { Store } from 'watchword/store'
import { activeKey, closeAll, codeOf, rig, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const POLICIES = { service: { ttl: '30d', scopes: ['orders:*'] } } as const

/** A store that returns an invalid number of revoked tokens. */
function refusing(): Store {
  return { ...sharedStore(), revoke: async () => ({ matched: 'x' }) as never }
}

it('has one row for each refused call of keys, and none for an invalid argument', async () => {
  const { watchword, store } = await rig({}, { store: sharedStore() })
  const { keys, audit } = watchword
  const options = { actor: 'ops', reason: 'left' }
  const codes = [
    await codeOf(() => keys.rotate('another-api' as never)),
    await codeOf(() => keys.rotate('k4.secret.not-an-audience' as never)),
    // The key opens, so its tokens are valid.
    await codeOf(() => keys.discard(activeKey(watchword), options)),
  ]
  expect(codes).toEqual(['ERR_UNKNOWN_AUDIENCE', 'ERR_UNKNOWN_AUDIENCE', 'ERR_INVALID_ARGUMENT'])
  // Writes the rows that wait.
  await audit.checkpoint()
  const { items } = await audit.list({ action: 'refused' })
  expect(items.map(({ event: { operation, code, actor } }) => [operation, code, actor])).toEqual([
    ['keys.rotate', 'ERR_UNKNOWN_AUDIENCE', 'unknown'],
    ['keys.rotate', 'ERR_UNKNOWN_AUDIENCE', 'unknown'],
  ])
  expect(JSON.stringify(items)).not.toContain('k4.secret')
  expect((await store.listKeys()).length).toBe(1)
})

it('names the key of a refused revocation', async () => {
  const { watchword } = await rig({ policies: POLICIES }, { store: refusing() })
  const id = activeKey(watchword)
  expect(await codeOf(() => watchword.keys.revoke(id, { actor: 'ops' }))).toBe('ERR_STORE_CORRUPT')
  await watchword.audit.checkpoint()
  const { items } = await watchword.audit.list({ action: 'refused' })
  expect(items.map(({ event: { operation, keyId, actor } }) => [operation, keyId, actor])).toEqual([
    ['keys.revoke', id, 'ops'],
  ])
})
