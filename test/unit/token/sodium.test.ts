import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { fingerprint, words } from '../../../src/token/fingerprint.js'
import { ready } from '../../../src/token/self-test.js'
import { aligned, equalBytes32, libsodium, release, reserve } from '../../../src/token/sodium.js'
import { newGate } from '../../support/fleet.js'

beforeAll(() => ready)
afterEach(() => {
  vi.doUnmock('libsodium-sumo')
  vi.doUnmock('../../../src/token/v4local.js')
  vi.resetModules()
})

/** Allocates more than the heap has left, as another user of the same libsodium could. */
function growHeap(): number {
  const { heap, module } = libsodium()
  const block = module._malloc(heap.length)
  expect(heap.length).toBe(0)
  return block
}

describe('the heap of libsodium', () => {
  it('is viewed anew after it has grown', () => {
    const block = growHeap()
    const { heap, buffer, view, module } = libsodium()
    expect(heap).toBe(module.HEAPU8)
    expect(heap.length).toBeGreaterThan(0)
    expect([buffer.length, view.byteLength]).toEqual([heap.length, heap.length])
    module._free(block)
  })

  it('clears a block on its release, also if the heap has grown since it was reserved', () => {
    const reserved = reserve(64)
    const at = aligned(reserved)
    libsodium().heap.fill(0xee, at, at + 64)
    const block = growHeap()
    release(reserved, 64)
    const { heap, module } = libsodium()
    // The allocator writes its own links into the first bytes of a free block.
    expect(heap.slice(at + 16, at + 64)).toEqual(new Uint8Array(48))
    module._free(block)
  })

  it('rejects a size that does not fit', () => {
    expect(() => reserve(0xf000_0000)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: 'The input does not fit in memory.',
      }),
    )
  })

  it('keeps the key of the fingerprints when it grows', () => {
    expect(fingerprint('a token')).toBe(true)
    const before = [...words]
    const block = growHeap()
    expect(fingerprint('a token')).toBe(true)
    expect([...words]).toEqual(before)
    expect(fingerprint('no töken')).toBe(false)
    libsodium().module._free(block)
  })
})

describe('the comparison in constant time', () => {
  it('accepts equal arrays of 32 bytes only', () => {
    const bytes = new Uint8Array(32).fill(7)
    expect(equalBytes32(bytes, bytes.slice())).toBe(true)
    expect(equalBytes32(bytes, bytes.with(31, 8))).toBe(false)
    expect(equalBytes32(bytes, bytes.slice(1))).toBe(false)
    expect(equalBytes32(bytes.slice(1), bytes.slice(1))).toBe(false)
  })
})

describe('the self-test', () => {
  it('disables the library if a token does not open', async () => {
    vi.resetModules()
    vi.doMock('../../../src/token/v4local.js', async (original) => ({
      ...(await original<object>()),
      decryptInto: () => -1,
    }))
    const broken = await import('../../../src/token/self-test.js')
    await expect(broken.ready).rejects.toMatchObject({ code: 'ERR_SELF_TEST', detail: 'open' })
    const { libsodium: disabled } = await import('../../../src/token/sodium.js')
    expect(disabled).toThrow(expect.objectContaining({ code: 'ERR_SELF_TEST' }))
  })

  it('disables the library if BLAKE2b states have another size', async () => {
    const { module } = libsodium()
    vi.resetModules()
    const changed = Object.assign(Object.create(module) as object, {
      _crypto_generichash_statebytes: () => 385,
    })
    // Loads once the self-test listens, as it does where modules are evaluated in one turn.
    const gate = newGate()
    vi.doMock('libsodium-sumo', () => ({ default: () => gate.pass().then(() => changed) }))
    const broken = await import('../../../src/token/self-test.js')
    gate.open()
    await expect(broken.ready).rejects.toMatchObject({
      code: 'ERR_SELF_TEST',
      message: "libsodium's BLAKE2b state has an unexpected layout.",
    })
  })
})
