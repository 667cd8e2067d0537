import { beforeAll, describe, expect, it } from 'vitest'
import { exportKey, generateKey, keyId, type LocalKey, ready } from 'watchword/paseto'
import { Ring } from '../../../src/keys/ring.js'
import { fixtures, NOW } from '../../../src/testkit/store/fixtures.js'
import { footerOf } from '../../../src/token/wire.js'

beforeAll(() => ready)

const make = fixtures('ring')

function added(ring: Ring, activatesAt: number) {
  const key = generateKey()
  const record = make.key({ id: keyId(key), activatesAt })
  ring.add(record, key)
  return { id: record.id, key, footerText: Buffer.from(footerOf(record.id)).toString('base64url') }
}

const isWiped = (key: LocalKey) => {
  try {
    exportKey(key)
    return false
  } catch {
    return true
  }
}

describe('a ring of keys', () => {
  it('finds a key by the footer of its tokens, among few keys and among many', () => {
    const ring = new Ring(() => new Uint8Array(0))
    const keys = [1, 2, 3, 4, 5].map((hour) => added(ring, NOW + hour))
    const found = keys.map(({ footerText }) => ring.endingOf(`v4.local.body.${footerText}`, 14))
    expect(found).toEqual(keys.map(({ id }) => id))
    expect(ring.endingOf('v4.local.body.another', 14)).toBeUndefined()
    const [first] = keys
    expect(ring.endingOf(`v4.local.body.x${first?.footerText}`, 14)).toBeUndefined()
  })

  it('forgets and wipes a key that is dropped, and ignores an id that it does not have', () => {
    const ring = new Ring(() => new Uint8Array(0))
    const [kept, dropped] = [added(ring, NOW), added(ring, NOW + 1)]
    ring.drop('k4.lid.another')
    expect(ring.ids()).toEqual([kept.id, dropped.id])
    ring.drop(dropped.id)
    ring.drop(dropped.id)
    expect(ring.ids()).toEqual([kept.id])
    expect(ring.get(dropped.id)).toBeUndefined()
    expect(ring.endingOf(`x.${dropped.footerText}`, 2)).toBeUndefined()
    expect([isWiped(kept.key), isWiped(dropped.key)]).toEqual([false, true])
  })
})
