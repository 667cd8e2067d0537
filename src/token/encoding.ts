/**
 * The encoding over which a token is authenticated, in libsodium's heap.
 *
 * A message is stored as its pre-authentication encoding, so one call computes the tag:
 *
 * ```
 * le64(5) le64(9) "v4.local." le64(32) nonce le64(|c|) ciphertext
 * le64(|f|) footer le64(|i|) implicit
 * ```
 *
 * @module
 */

/** The memory of the encoding. */
export interface Heap {
  readonly heap: Uint8Array
  readonly view: DataView
  readonly buffer: Buffer
}

/** The header of every token here. */
export const HEADER = 'v4.local.'
/** The offset of the encoding in its area. */
export const PREFIX = 7
/** The offset of the nonce in an area. */
export const NONCE = PREFIX + 33
/** The offset of the ciphertext, which never moves: a multiple of 16. */
export const CIPHERTEXT = 80
/** The size of an area besides ciphertext, footer and assertion: the prefix, the tag, its text form, or two lengths. */
export const OVERHEAD = CIPHERTEXT + 32

/** One piece of the encoding (Common.md, "PAE"): its length, then its bytes. Returns the address of the next one. */
export function writePiece(memory: Heap, at: number, piece: Uint8Array): number {
  const length = piece.length
  writeLength(memory, at, length)
  if (length !== 0) memory.heap.set(piece, at + 8)
  return at + 8 + length
}

/** Common.md, "LE64": 64 bits, little-endian, the highest cleared. */
export function writeLength(memory: Heap, at: number, length: number): void {
  memory.view.setUint32(at, length, true)
  memory.view.setUint32(at + 4, (length / 0x1_0000_0000) & 0x7fff_ffff, true)
}

/** The constant prefix of every message, which is never overwritten. Returns the area. */
export function writePrefix(memory: Heap, area: number): number {
  writeLength(memory, area + PREFIX, 5)
  writeLength(memory, area + PREFIX + 8, HEADER.length)
  memory.buffer.write(HEADER, area + PREFIX + 16, 'latin1')
  writeLength(memory, area + PREFIX + 25, 32)
  return area
}
