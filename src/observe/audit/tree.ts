/**
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256: leaf and node hashes, and the root of a growing list.
 *
 * @module
 */
import { hash } from 'node:crypto'

/** Bytes of a hash. */
export const HASH_BYTES = 32

const LEAF = Buffer.from([0])

/** The leaf hash: SHA-256 over a zero byte and the data. */
export function leafHash(data: string | Uint8Array): Buffer {
  const input = typeof data === 'string' ? `\0${data}` : Buffer.concat([LEAF, data])
  return hash('sha256', input, 'buffer')
}

/** The leaf hash in hexadecimal. */
export function leafHex(data: string): string {
  return hash('sha256', `\0${data}`, 'hex')
}

/** The hash of the body of a row, in hexadecimal. */
export function bodyHash(body: string): string {
  return hash('sha256', body, 'hex')
}

// Overwritten by each call, which runs no foreign code.
const node = Buffer.alloc(1 + 2 * HASH_BYTES, 1)

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node.set(left, 1)
  node.set(right, 1 + HASH_BYTES)
  return hash('sha256', node, 'buffer')
}

/**
 * The roots of the largest complete subtrees of a tree, from left to right: a compact range. It suffices to append
 * leaves and to compute the root, and has at most one hash for each bit of the size.
 */
export class CompactRange {
  #size: number
  readonly #hashes: Uint8Array[]

  /** @param hashes - As many as the size has bits that are set. Default: the empty tree. */
  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    this.#size = size
    this.#hashes = [...hashes]
  }

  /** The number of leaves. */
  get size(): number {
    return this.#size
  }

  /** The roots of the complete subtrees, the largest first. */
  get hashes(): readonly Uint8Array[] {
    return this.#hashes
  }

  /** A range that grows independently. */
  copy(): CompactRange {
    return new CompactRange(this.#size, this.#hashes)
  }

  /** Appends a leaf hash. */
  append(leaf: Uint8Array): void {
    this.#appendTree(leaf, 1)
  }

  /** Appends the root of a complete subtree. The size is a multiple of its number of leaves. */
  #appendTree(root: Uint8Array, leaves: number): void {
    let hashed = root
    // Each trailing one bit is a complete subtree as large as the one that ends here.
    for (let rest = this.#size / leaves; rest % 2 === 1; rest = Math.floor(rest / 2))
      hashed = nodeHash(this.#hashes.pop() as Uint8Array, hashed)
    this.#hashes.push(hashed)
    this.#size += leaves
  }

  /** Appends equal leaf hashes until the tree has this size, in as many steps as the size has bits. */
  fill(leaf: Uint8Array, size: number): void {
    // Of complete subtrees of such leaves, by height.
    const roots = [leaf]
    while (this.#size < size) {
      let height = 0
      while (this.#size % 2 ** (height + 1) === 0 && this.#size + 2 ** (height + 1) <= size)
        height++
      for (let at = roots.length; at <= height; at++) {
        const half = roots[at - 1] as Uint8Array
        roots.push(nodeHash(half, half))
      }
      this.#appendTree(roots[height] as Uint8Array, 2 ** height)
    }
  }

  /** The root of the tree, in hexadecimal. */
  root(): string {
    const last = this.#hashes.at(-1)
    if (last === undefined) return hash('sha256', '', 'hex')
    let root = last
    for (let i = this.#hashes.length - 2; i >= 0; i--)
      root = nodeHash(this.#hashes[i] as Uint8Array, root)
    return Buffer.from(root).toString('hex')
  }
}

/** The number of hashes of a compact range of this size. */
export function hashesOf(size: number): number {
  let count = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2
  return count
}
