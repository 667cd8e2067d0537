/**
 * PASETO v4.local on libsodium's heap: synchronous, and without allocations except for the returned values.
 *
 * base64url is decoded to the final place of the ciphertext; only the nonce then moves, by eight bytes. Most tokens fit
 * a fixed area of 16 KiB; a larger area is created when first needed, and kept.
 *
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { WatchwordError } from '../errors.js'
import {
  CIPHERTEXT,
  HEADER,
  NONCE,
  OVERHEAD,
  PREFIX,
  writeLength,
  writePiece,
  writePrefix,
} from './encoding.js'
import type { LocalKey } from './paserk.js'
import { authenticationState, encryptionState, keyAddress } from './paserk.js'
import type { Sodium } from './sodium.js'
import { aligned, libsodium, release, reserve, STATE_BYTES } from './sodium.js'

/** The maximum length of a token in characters, and of an implicit assertion in bytes: 1 MiB. */
export const MAX_LENGTH = 1_048_576
// Four characters encode three bytes.
const MAX_BYTES = (MAX_LENGTH / 4) * 3
const SMALL_AREA = 16_384

// Offsets in the work space.
const STATE = 0
const TAG = STATE + STATE_BYTES
const COMPUTED = TAG + 32
const AUTHENTICATION_KEY = COMPUTED + 32
const ENCRYPTION_KEY = AUTHENTICATION_KEY + 32
const POOL = ENCRYPTION_KEY + 64
const POOL_BYTES = 4096
const WORK_BYTES = POOL + POOL_BYTES

// Shared by all authorities. No function here calls foreign code; callers copy and wipe the plaintext immediately.
let work = 0
let smallArea = 0
let largeBlock = 0
let largeSize = 0
let poolUsed = POOL_BYTES
let plainAt = 0
let plainLength = 0
let windowView: Buffer | undefined
let windowAt = 0

/**
 * Authenticates and decrypts the body of a token. The tag is checked before decryption. See PASETO Version4.md,
 * "Decrypt".
 *
 * @param key - A usable key.
 * @param body - The text between `v4.local.` and the next dot or the end. Anything but canonical base64url of at least
 * 64 bytes is rejected.
 * @param footer - The decoded footer.
 * @param implicitAssertion - Authenticated data that the token does not contain, at most 1 MiB.
 * @returns The length of the plaintext, which {@link plaintext} returns until the next call, or -1.
 * @throws WatchwordError `ERR_INVALID_KEY` for an invalid key, `ERR_INVALID_ARGUMENT` for a footer or an implicit
 * assertion that is too long; never for any `body`.
 */
export function decryptInto(
  key: LocalKey,
  body: string,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): number {
  const keyAt = keyAddress(key)
  const characters = body.length
  // Four characters encode three bytes; 64 bytes of nonce and tag take 86 characters.
  const bytes = (characters * 3) >>> 2
  if (bytes < 64 || characters > MAX_LENGTH || (characters & 3) === 1) return -1
  const length = bytes - 64
  const area = areaFor(length, footer, implicitAssertion)
  const sodium = libsodium()
  const start = area + CIPHERTEXT - 32
  const { buffer } = sodium
  if (buffer.write(body, start, bytes, 'base64url') !== bytes) return -1
  // Node's decoder is lenient: the body is canonical if the decoded bytes encode to the same text.
  if (buffer.toString('base64url', start, start + bytes) !== body) return -1
  return finishOpen(sodium, keyAt, area, length, footer, implicitAssertion)
}

/**
 * {@link decryptInto} for a body as bytes instead of text: nonce, ciphertext and tag, at most as long as a token
 * allows. Returns and throws the same.
 */
export function decryptBytesInto(
  key: LocalKey,
  body: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): number {
  const keyAt = keyAddress(key)
  const length = body.length - 64
  if (length < 0 || body.length > MAX_BYTES) return -1
  const area = areaFor(length, footer, implicitAssertion)
  const sodium = libsodium()
  sodium.heap.set(body, area + CIPHERTEXT - 32)
  return finishOpen(sodium, keyAt, area, length, footer, implicitAssertion)
}

/** Verifies and decrypts the body in place. */
function finishOpen(
  sodium: Sodium,
  keyAt: number,
  area: number,
  length: number,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): number {
  const { heap } = sodium
  const at = area + CIPHERTEXT
  heap.copyWithin(area + NONCE, at - 32, at)
  heap.copyWithin(work + TAG, at + length, at + length + 32)
  authenticate(sodium, keyAt, area, length, footer, implicitAssertion, work + COMPUTED)
  if (sodium.verify32(work + COMPUTED, work + TAG) !== 0) return -1
  applyStream(sodium, keyAt, area, length)
  plainAt = at
  plainLength = length
  return length
}

/**
 * The plaintext of {@link decryptInto}: a view of the heap, valid only until the next call of this module.
 *
 * @param length - The result of `decryptInto`.
 */
export function plaintext(length: number): Buffer {
  return plaintextWindow().subarray(0, length)
}

/**
 * A fresh copy of the plaintext of {@link decryptInto}.
 *
 * @param length - The result of `decryptInto`.
 */
export function copyPlaintext(length: number): Uint8Array<ArrayBuffer> {
  return libsodium().heap.slice(plainAt, plainAt + length)
}

/**
 * A view of the heap that begins at the plaintext of {@link decryptInto}, for reading it without allocating:
 * `plaintextWindow().latin1Slice(0, length)`. It extends beyond the plaintext. Request it again after each call.
 */
export function plaintextWindow(): Buffer {
  const { buffer } = libsodium()
  if (windowView === undefined || windowAt !== plainAt || windowView.buffer !== buffer.buffer) {
    windowView = buffer.subarray(plainAt)
    windowAt = plainAt
  }
  return windowView
}

/** Zeroes the plaintext of {@link decryptInto}. */
export function wipePlaintext(): void {
  libsodium().heap.fill(0, plainAt, plainAt + plainLength)
  plainLength = 0
}

/**
 * Encrypts a payload with a random nonce from the system's generator. See PASETO Version4.md, "Encrypt".
 *
 * @param key - A usable key.
 * @param payload - Any bytes.
 * @param footer - Authenticated, not encrypted, and not part of the result.
 * @param implicitAssertion - Authenticated, and not part of the token.
 * @returns The body of the token in base64url, without header and footer.
 * @throws WatchwordError `ERR_INVALID_KEY`, `ERR_TOKEN_TOO_LONG` if the token would exceed {@link MAX_LENGTH}, or
 * `ERR_INVALID_ARGUMENT` if the implicit assertion does.
 */
export function sealBytes(
  key: LocalKey,
  payload: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): string {
  return sealPayload(keyAddress(key), undefined, payload, footer, implicitAssertion)
}

/** {@link sealBytes} for text, encoded as UTF-8 directly into the heap. A lone surrogate becomes U+FFFD. */
export function sealText(
  key: LocalKey,
  payload: string,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): string {
  const keyAt = keyAddress(key)
  const area = areaToSeal(Buffer.byteLength(payload), footer, implicitAssertion)
  const sodium = libsodium()
  const length = sodium.buffer.write(payload, area + CIPHERTEXT, 'utf8')
  takeNonce(sodium, area + NONCE)
  return finishSeal(sodium, keyAt, area, length, footer, implicitAssertion)
}

/**
 * {@link sealBytes} with a given nonce, only for known-answer tests: the self-test and the official vectors. A reused
 * nonce reveals the payloads, so no public module may export this.
 *
 * @internal
 */
export function sealWithNonce(
  key: LocalKey,
  nonce: Uint8Array,
  payload: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): string {
  const keyAt = keyAddress(key)
  if (nonce.length !== 32) throw new WatchwordError('ERR_INVALID_ARGUMENT', 'A nonce is 32 bytes.')
  return sealPayload(keyAt, nonce, payload, footer, implicitAssertion)
}

function sealPayload(
  keyAt: number,
  nonce: Uint8Array | undefined,
  payload: Uint8Array,
  footer: Uint8Array,
  implicit: Uint8Array,
): string {
  const area = areaToSeal(payload.length, footer, implicit)
  const sodium = libsodium()
  sodium.heap.set(payload, area + CIPHERTEXT)
  if (nonce === undefined) takeNonce(sodium, area + NONCE)
  else sodium.heap.set(nonce, area + NONCE)
  return finishSeal(sodium, keyAt, area, payload.length, footer, implicit)
}

/** Encrypts and encodes the plaintext in place. */
function finishSeal(
  sodium: Sodium,
  keyAt: number,
  area: number,
  length: number,
  footer: Uint8Array,
  implicit: Uint8Array,
): string {
  applyStream(sodium, keyAt, area, length)
  const { heap } = sodium
  const at = area + CIPHERTEXT
  authenticate(sodium, keyAt, area, length, footer, implicit, work + TAG)
  heap.copyWithin(at - 32, area + NONCE, area + NONCE + 32)
  heap.copyWithin(at + length, work + TAG, work + TAG + 32)
  return sodium.buffer.toString('base64url', at - 32, at + length + 32)
}

/**
 * Version4.md, Encrypt steps 4 and 5: derives key and nonce of the stream, and applies it in place.
 */
function applyStream(sodium: Sodium, keyAt: number, area: number, length: number): void {
  const at = area + CIPHERTEXT
  const derived = work + ENCRYPTION_KEY
  derive(sodium, encryptionState(keyAt), area + NONCE, derived, 56)
  sodium.xor(at, at, length, 0, derived + 32, derived)
}

/**
 * Version4.md, Encrypt steps 4, 6 and 7: completes the encoding around the ciphertext, and computes
 * the tag.
 */
function authenticate(
  sodium: Sodium,
  keyAt: number,
  area: number,
  length: number,
  footer: Uint8Array,
  implicit: Uint8Array,
  tag: number,
): void {
  const derived = work + AUTHENTICATION_KEY
  derive(sodium, authenticationState(keyAt), area + NONCE, derived, 32)
  let at = area + CIPHERTEXT
  writeLength(sodium, at - 8, length)
  at = writePiece(sodium, at + length, footer)
  at = writePiece(sodium, at, implicit)
  sodium.hash(tag, 32, area + PREFIX, at - area - PREFIX, 0, derived, 32)
}

/** BLAKE2b of a domain, already absorbed in `state`, and the nonce. */
function derive(sodium: Sodium, state: number, nonce: number, out: number, size: number): void {
  const copy = work + STATE
  sodium.heap.copyWithin(copy, state, state + STATE_BYTES)
  sodium.hashUpdate(copy, nonce, 32, 0)
  sodium.hashFinal(copy, out, size)
}

/** Moves 32 unused random bytes to `to` and wipes the originals, so none is used twice. */
function takeNonce(sodium: Sodium, to: number): void {
  const pool = work + POOL
  if (poolUsed === POOL_BYTES) {
    randomFillSync(sodium.heap, pool, POOL_BYTES)
    poolUsed = 0
  }
  const from = pool + poolUsed
  poolUsed += 32
  sodium.heap.copyWithin(to, from, from + 32)
  sodium.heap.fill(0, from, from + 32)
}

function areaToSeal(length: number, footer: Uint8Array, implicit: Uint8Array): number {
  const suffix = footer.length === 0 ? 0 : 1 + Math.ceil((footer.length * 4) / 3)
  if (HEADER.length + Math.ceil(((length + 64) * 4) / 3) + suffix > MAX_LENGTH) {
    throw new WatchwordError('ERR_TOKEN_TOO_LONG', 'The token would be longer than 1 MiB.')
  }
  return areaFor(length, footer, implicit)
}

/** Returns the address of an area for a message and its encoding, with the constant prefix in place. */
function areaFor(length: number, footer: Uint8Array, implicit: Uint8Array): number {
  const needed = length + footer.length + implicit.length + OVERHEAD
  if (needed <= SMALL_AREA && smallArea !== 0) return smallArea
  if (footer.length > MAX_LENGTH || implicit.length > MAX_LENGTH) {
    const message = 'The footer and the implicit assertion are at most 1 MiB.'
    throw new WatchwordError('ERR_INVALID_ARGUMENT', message)
  }
  if (smallArea === 0) {
    work = aligned(reserve(WORK_BYTES))
    smallArea = writePrefix(libsodium(), aligned(reserve(SMALL_AREA)))
  }
  return needed <= SMALL_AREA ? smallArea : largeAreaFor(needed)
}

function largeAreaFor(needed: number): number {
  if (needed <= largeSize) return aligned(largeBlock)
  const size = 2 ** Math.ceil(Math.log2(needed))
  const block = reserve(size)
  if (largeBlock !== 0) {
    release(largeBlock, largeSize)
    // A plaintext in the freed area must not be wiped again later.
    plainAt = smallArea + CIPHERTEXT
    plainLength = 0
  }
  largeBlock = block
  largeSize = size
  return writePrefix(libsodium(), aligned(block))
}
