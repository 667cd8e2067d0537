import { describe, expect, it } from 'vitest'
import { CompactRange, hashesOf, leafHash } from '../../../../src/observe/audit/tree.js'

// The reference trees of Certificate Transparency (RFC 6962 and RFC 9162 leave known answers to it).
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((digits) => Buffer.from(digits, 'hex'))
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

describe('the Merkle tree', () => {
  it('has the roots of the reference trees with up to eight leaves', () => {
    const range = new CompactRange()
    const roots = [range.root()]
    for (const leaf of LEAVES) {
      range.append(leafHash(leaf))
      roots.push(range.root())
    }
    expect(roots).toEqual(ROOTS)
  })

  it('hashes a leaf of text as its UTF-8', () => {
    expect(leafHash('é')).toEqual(leafHash(Buffer.from('é')))
    expect(leafHash('').toString('hex')).toBe(ROOTS[1])
  })

  it('continues from the hashes of its range, and a copy grows independently', () => {
    const range = new CompactRange()
    for (const leaf of LEAVES.slice(0, 5)) range.append(leafHash(leaf))
    const resumed = new CompactRange(range.size, range.hashes)
    const copy = range.copy()
    for (const leaf of LEAVES.slice(5)) resumed.append(leafHash(leaf))
    expect([resumed.size, resumed.root()]).toEqual([8, ROOTS[8]])
    expect([copy.size, copy.root(), range.root()]).toEqual([5, ROOTS[5], ROOTS[5]])
  })

  it('needs one hash for each bit of its size that is set', () => {
    expect([0, 1, 2, 3, 7, 8, 2 ** 40 + 1].map(hashesOf)).toEqual([0, 1, 1, 2, 3, 1, 2])
  })
})

describe('a tree that is filled', () => {
  it('is the tree of as many equal leaves, at any start and size', () => {
    const leaf = leafHash('')
    for (let start = 0; start <= 33; start++) {
      for (let size = start; size <= start + 40; size++) {
        const [filled, appended] = [new CompactRange(), new CompactRange()]
        for (let i = 0; i < start; i++) {
          filled.append(leafHash(String(i)))
          appended.append(leafHash(String(i)))
        }
        filled.fill(leaf, size)
        while (appended.size < size) appended.append(leaf)
        expect([filled.size, filled.root()]).toEqual([size, appended.root()])
        expect(filled.hashes.length).toBe(hashesOf(size))
      }
    }
  })
})
