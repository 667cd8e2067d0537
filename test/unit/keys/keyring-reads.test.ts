import { beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword'
import { ready } from 'watchword/paseto'
import type { KeyRecord, Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { Keyring, type KeyringOptions } from '../../../src/keys/keyring.js'
import { resolveRootKey } from '../../../src/keys/root-key.js'
import { resolveClock } from '../../../src/lib/clock.js'
import {
  AUDIENCE,
  codeOf,
  DAY,
  errorOf,
  flush,
  HOUR,
  MINUTE,
  newGate,
  newRootKey,
  SECOND,
} from '../../support/fleet.js'

beforeAll(() => ready)

const REFRESH = 30 * MINUTE

/** A keyring on a store whose reads of the keys wait and are counted. */
async function newKeyring(change: Partial<KeyringOptions> = {}, shared: Partial<Store> = {}) {
  const source = manualClock()
  const clock = resolveClock(source)
  const inner: Store = { ...memoryStore(), ...shared }
  await inner.open()
  const reads = { count: 0, before: async () => {} }
  const events: string[] = []
  const store: Store = {
    ...inner,
    listKeys: async () => {
      reads.count++
      const rows = await inner.listKeys()
      await reads.before()
      return rows
    },
  }
  const keyring = new Keyring({
    store,
    clock,
    roots: [resolveRootKey(newRootKey())],
    audiences: [AUDIENCE],
    schedule: { rotateEveryMs: 30 * DAY, publishAheadMs: 2 * HOUR, maxTokenMs: 10 * MINUTE },
    refreshEveryMs: REFRESH,
    lookupDeadline: {
      clock,
      deadlineMs: 2 * SECOND,
      code: 'ERR_STORE_UNAVAILABLE',
      name: 'store "memory"',
    },
    assertionOf: () => new Uint8Array(),
    isRevoked: () => false,
    certainTime: () => source.now(),
    duty: () => 'schedule',
    onRevoked: () => undefined,
    call: (call) => call(),
    onEvent: (event) => events.push(event),
    draft: (action) => ({
      id: '',
      event: { v: 1, at: 0, issuer: '', action, actor: 'system' },
      rows: undefined,
    }),
    written: (event) => events.push(event.event.action),
    ...change,
  })
  return { source, store: inner, reads, events, keyring }
}

describe('the reads of a keyring', () => {
  it('are one at a time: requests during a read share the next one', async () => {
    const { keyring, reads } = await newKeyring()
    const gate = newGate()
    reads.before = gate.pass
    const refreshes = [keyring.refresh(), keyring.refresh(), keyring.refresh()]
    await gate.reached
    expect(reads.count).toBe(1)
    gate.open()
    await Promise.all(refreshes)
    expect(reads.count).toBe(2)
  })

  it('end without effect if the keyring was stopped in the meantime', async () => {
    const { keyring, reads, source } = await newKeyring()
    await keyring.start()
    const [key] = keyring.list()
    const gate = newGate()
    reads.before = gate.pass
    await source.advance(2 * REFRESH)
    await gate.reached
    keyring.stop()
    gate.open()
    await flush()
    expect(keyring.get(key?.id ?? '')).toBeUndefined()
    const { count } = reads
    await source.advance(5 * REFRESH)
    expect(reads.count).toBe(count)
  })

  it('report a key that no root key opens once, and forget it when it has expired', async () => {
    const foreign = await newKeyring()
    await foreign.keyring.start()
    const rows = (await foreign.store.listKeys()) as readonly KeyRecord[]
    let listed = rows
    const { keyring, events, source } = await newKeyring({}, { listKeys: async () => listed })
    await keyring.refresh()
    await keyring.refresh()
    expect([events, keyring.unreadable]).toEqual([['key.unreadable'], 1])
    expect(await codeOf(keyring.start())).toBe('ERR_ROOT_KEY')
    listed = []
    await source.advance(SECOND)
    await keyring.refresh()
    expect(keyring.unreadable).toBe(0)
  })
})

describe('the sealing key of a keyring', () => {
  it('is missing for an audience whose key no root key opens, and the error says so', async () => {
    const foreign = await newKeyring()
    await foreign.keyring.start()
    const { listKeys } = foreign.store
    const { keyring } = await newKeyring({ duty: () => 'need' }, { listKeys })
    expect(await codeOf(keyring.issuing(AUDIENCE))).toBe('ERR_ROOT_KEY')
  })

  it('is not created or rotated while the clock of this node is known to be wrong', async () => {
    const { keyring } = await newKeyring({ duty: () => 'none' })
    for (const work of [keyring.issuing(AUDIENCE), keyring.rotate()]) {
      const error = await errorOf(work)
      expect(error.code).toBe('ERR_NO_SIGNING_KEY')
      expect(error.message).toMatch(/the clock of this node differs/)
    }
    expect(keyring.list()).toEqual([])
  })

  it('is created by a request for any audience', async () => {
    const { keyring } = await newKeyring({ duty: () => 'need' })
    const { record } = await keyring.issuingAny()
    expect(record.audience).toBe(AUDIENCE)
    expect(keyring.issuingNow(AUDIENCE)?.record).toEqual(record)
  })
})
