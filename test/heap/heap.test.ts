/**
 * Memory: no token stays in the heap after it was verified, and a flood of bad tokens moves nothing.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { exportKey, generateKey, ready } from 'watchword/paseto'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TIMEOUT = 240_000

async function run(...args: readonly string[]): Promise<unknown> {
  const command = ['.config/run.mjs', 'test/heap/child.ts', ...args]
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT })
  return JSON.parse(stdout)
}

interface Found {
  /** Tokens of which the snapshot holds the whole text. */
  readonly whole: number
  /** Tokens of which it holds part of the body, at any place. */
  readonly pieces: number
  readonly told: unknown
}

/** Has a process verify 200 tokens, and looks for them in its heap. */
async function search(mode: string): Promise<Found> {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-heap-'))
  try {
    const told = await run(mode, folder)
    const tokens = readFileSync(join(folder, 'tokens'), 'utf8').split('\n')
    const snapshot = readFileSync(join(folder, 'snapshot'), 'latin1')
    expect(tokens).toHaveLength(200)
    // The snapshot does hold the strings of this process: the ids of the cached tokens' subjects among them.
    expect(snapshot).toContain('"svc_123"')
    const whole = tokens.filter((token) => snapshot.includes(token))
    const pieces = tokens.filter((token) => {
      const body = token.split('.')[2] as string
      const starts = [0, Math.floor(body.length / 2), body.length - 32]
      return starts.some((at) => snapshot.includes(body.slice(at, at + 32)))
    })
    return { whole: whole.length, pieces: pieces.length, told }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the heap', () => {
  it(
    'holds no token after verification, neither whole nor in part (D69, G95)',
    async () => {
      const { whole, pieces, told } = await search('leak')
      expect(told).toEqual({ accepted: 600, cached: 200, held: 0 })
      expect(whole).toBe(0)
      expect(pieces).toBe(0)
    },
    TIMEOUT,
  )

  it(
    'would be caught holding one, or a slice that keeps one (D69)',
    async () => {
      expect(await search('hold')).toMatchObject({ whole: 1, pieces: 1, told: { held: 1 } })
      expect(await search('slice')).toMatchObject({ whole: 1, told: { held: 1 } })
    },
    TIMEOUT,
  )
})

describe('the text of a root key', () => {
  it(
    'is not in the heap once the authority has started',
    async () => {
      await ready
      const folder = mkdtempSync(join(tmpdir(), 'watchword-heap-'))
      try {
        const names = ['root', 'previous', 'kept'] as const
        for (const name of names) writeFileSync(join(folder, name), exportKey(generateKey()))
        expect(await run('root', folder)).toEqual({ status: 'live', held: 1 })
        const snapshot = readFileSync(join(folder, 'snapshot'), 'latin1')
        const found = names.filter((name) =>
          snapshot.includes(readFileSync(join(folder, name), 'latin1').slice(9)),
        )
        // The text that the process keeps shows that the search finds one.
        expect(found).toEqual(['kept'])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    TIMEOUT,
  )
})

interface Flooded {
  readonly before: { readonly cache: unknown; readonly heap: number }
  readonly after: { readonly cache: unknown; readonly heap: number }
  readonly hits: number
  readonly accepted: number
  readonly codes: Readonly<Record<string, number>>
}

describe('a flood of a million forged and malformed tokens (D63)', () => {
  it(
    'changes neither the cache, nor what good tokens meet there, nor the memory',
    async () => {
      const { before, after, hits, accepted, codes } = (await run('flood')) as Flooded
      expect(codes['ok']).toBeUndefined()
      expect(codes['invalid']).toBeGreaterThanOrEqual(200_000)
      expect(codes['malformed']).toBeGreaterThan(500_000)
      expect(accepted).toBe(1000)
      expect(before.cache).toMatchObject({ tokens: 1000 })
      expect(after.cache).toEqual(before.cache)
      expect(hits).toBe(1000)
      // An entry takes some 600 bytes, so one kept token in a hundred would show.
      expect(after.heap - before.heap).toBeLessThan(3 * 1024 * 1024)
    },
    TIMEOUT,
  )
})
