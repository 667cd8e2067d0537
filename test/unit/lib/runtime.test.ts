import { afterEach, describe, expect, it, vi } from 'vitest'

afterEach(() => {
  vi.doUnmock('node:zlib')
  vi.resetModules()
})

describe('the check of the runtime', () => {
  it('throws on import where Node.js has no crc32, and names the version it needs', async () => {
    vi.resetModules()
    vi.doMock('node:zlib', () => ({ default: {} }))
    await expect(import('../../../src/lib/runtime.js')).rejects.toThrow(
      `watchword requires Node.js 20.19 or later, but this is Node.js ${process.versions.node}: update Node.js`,
    )
  })

  it('provides the CRC-32 of a text on a supported runtime', async () => {
    const { crc32 } = await import('../../../src/lib/runtime.js')
    // The check value of CRC-32/ISO-HDLC.
    expect(crc32('123456789')).toBe(0xcbf43926)
  })
})
