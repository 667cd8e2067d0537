import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CompactRange, hashesOf, leafHash } from '../../../../src/observe/audit/tree.js'
import { runs } from '../../../support/runs.js'

const sha256 = (...parts: readonly Uint8Array[]) => hash('sha256', Buffer.concat(parts), 'buffer')

/** The definition of RFC 6962, section 2.1. */
function rootOf(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return sha256(Buffer.from([0]), leaves[0] as Uint8Array)
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  return sha256(Buffer.from([1]), rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)))
}

describe('the Merkle tree', () => {
  it('has the root of the recursive definition at every size', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 70 }), (leaves) => {
        const range = new CompactRange()
        for (const [size, leaf] of leaves.entries()) {
          range.append(leafHash(leaf))
          expect(range.root()).toBe(rootOf(leaves.slice(0, size + 1)).toString('hex'))
          expect(range.hashes.length).toBe(hashesOf(range.size))
        }
      }),
      { numRuns: runs(100) },
    )
  })
})
