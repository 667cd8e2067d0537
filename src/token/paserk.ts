/**
 * v4.local keys and their PASERK forms: `k4.local`, `k4.lid` and `k4.local-wrap.pie`.
 *
 * A key is an opaque object whose bytes are in libsodium's heap. Printing it shows only its identifier. It is checked
 * at each use, so raw bytes or a key of another protocol are never accepted.
 *
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { WatchwordError } from '../errors.js'
import {
  aligned,
  equalBytes32,
  hashBytes,
  hashBytesWithKey,
  libsodium,
  prepareState,
  release,
  reserve,
  STATE_BYTES,
  xorBytes,
} from './sodium.js'

const LOCAL = 'k4.local.'
const LID = 'k4.lid.'
const PIE = 'k4.local-wrap.pie.'

/** Bytes of a v4.local key. */
const KEY_BYTES = 32

// The layout of a key's slot in the heap: the bytes, then the prepared states of the two derivations.
const SLOT_ENCRYPTION = 64
const SLOT_AUTHENTICATION = SLOT_ENCRYPTION + STATE_BYTES
const SLOT_BYTES = SLOT_AUTHENTICATION + STATE_BYTES

// Only this module may create a key, although `key.constructor` is publicly accessible.
const MAKE = Symbol('make')
const ALGORITHM = Object.freeze({ name: 'v4.local' as const })

let blockOf: (key: LocalKey) => number
let endOf: (key: LocalKey) => number

/** A v4.local key, created only by {@link generateKey}, {@link importKey} and {@link unwrapKey}. */
export class LocalKey {
  /** The algorithm, part of the type: a key of another version or purpose is another type. */
  readonly algorithm: { readonly name: 'v4.local' } = ALGORITHM
  /** Whether {@link exportKey} and {@link wrapKey} accept the key. */
  readonly extractable: boolean
  /** As in Web Cryptography. */
  readonly type = 'secret'
  readonly #id: KeyId
  #block: number

  static {
    blockOf = (key) => (isObject(key) && #block in key ? key.#block : -1)
    endOf = (key) => {
      const block = key.#block
      key.#block = 0
      return block
    }
  }

  /** @internal */
  constructor(make: symbol, block: number, extractable: boolean) {
    if (make !== MAKE) throw invalidKey()
    this.#block = block
    this.#id = identify(aligned(block))
    this.extractable = extractable
    Object.freeze(this)
  }

  /** The identifier, `k4.lid.…`. Not secret; still available after the key is destroyed. */
  get id(): KeyId {
    return this.#id
  }

  toString(): string {
    return `[k4.local lid=${this.#id}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.toPrimitive](): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** The PASERK text of a v4.local key, which is secret. */
export type LocalPaserk = `k4.local.${string}`
/** The identifier of a v4.local key, for a footer's `kid`. */
export type KeyId = `k4.lid.${string}`
/** A v4.local key wrapped by another one. */
export type WrappedPaserk = `k4.local-wrap.pie.${string}`

// An unreferenced key is wiped when it is collected; destroyKey wipes it immediately.
const forgotten = new FinalizationRegistry<number>((block) => release(block, SLOT_BYTES))

/**
 * The heap addresses of a key: its 32 bytes, and its prepared states.
 *
 * @returns The address of the key's bytes.
 * @throws WatchwordError `ERR_INVALID_KEY` for anything but a usable v4.local key.
 * @internal
 */
export function keyAddress(key: LocalKey): number {
  const block = blockOf(key)
  if (block <= 0) throw block === 0 ? destroyed() : invalidKey()
  return aligned(block)
}

/** The state of the encryption-key derivation, from a {@link keyAddress}. @internal */
export function encryptionState(address: number): number {
  return address + SLOT_ENCRYPTION
}

/** The state of the authentication-key derivation, from a {@link keyAddress}. @internal */
export function authenticationState(address: number): number {
  return address + SLOT_AUTHENTICATION
}

/**
 * Generates a key with the operating system's random generator.
 *
 * @param extractable - Whether it may be exported and wrapped.
 * @throws WatchwordError `ERR_NOT_READY`.
 */
export function generateKey(extractable = true): LocalKey {
  return makeKey(extractable, (at) => {
    randomFillSync(libsodium().heap, at, KEY_BYTES)
    return true
  })
}

/**
 * Imports a `k4.local.…` text: exactly that header and exactly 32 bytes in canonical base64url.
 *
 * @param paserk - The text. It is never part of an error.
 * @param extractable - Whether the key may be exported and wrapped.
 * @throws WatchwordError `ERR_INVALID_KEY` for any other text, `ERR_NOT_READY`.
 * @see PASERK, types/local.md
 */
export function importKey(paserk: string, extractable = true): LocalKey {
  const sodium = libsodium()
  if (typeof paserk !== 'string' || paserk.length !== 52 || !paserk.startsWith(LOCAL)) {
    throw malformed(LOCAL)
  }
  const text = paserk.slice(LOCAL.length)
  return makeKey(extractable, (at) => {
    const { buffer } = sodium
    const written = buffer.write(text, at, KEY_BYTES, 'base64url')
    return written === KEY_BYTES && buffer.toString('base64url', at, at + KEY_BYTES) === text
  })
}

/**
 * Exports a key as `k4.local.…` text.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` if the key is not usable or not extractable.
 * @see PASERK, types/local.md
 */
export function exportKey(key: LocalKey): LocalPaserk {
  const at = extractableAddress(key)
  return `${LOCAL}${libsodium().buffer.toString('base64url', at, at + KEY_BYTES)}`
}

/**
 * The identifier of a key, `k4.lid.…`.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` if the key is not usable.
 * @see PASERK, types/lid.md
 */
export function keyId(key: LocalKey): KeyId {
  keyAddress(key)
  return key.id
}

/**
 * Wraps a key with another one.
 *
 * @param wrappingKey - The key that can unwrap the result.
 * @param key - The key to wrap.
 * @throws WatchwordError `ERR_INVALID_KEY` if either key is not usable, or `key` is not extractable.
 * @see PASERK, operations/Wrap/pie.md, "Wrapping, v2/v4"
 */
export function wrapKey(wrappingKey: LocalKey, key: LocalKey): WrappedPaserk {
  return wrapWithNonce(wrappingKey, key, randomFillSync(new Uint8Array(32)))
}

/**
 * {@link wrapKey} with a given nonce, for known-answer tests. Not part of the public API.
 *
 * @internal
 */
export function wrapWithNonce(
  wrappingKey: LocalKey,
  key: LocalKey,
  nonce: Uint8Array,
): WrappedPaserk {
  const wrappingAt = keyAddress(wrappingKey)
  const at = extractableAddress(key)
  const bytes = libsodium().heap.slice(at, at + KEY_BYTES)
  const stream = pieStream(wrappingAt, nonce)
  const ciphertext = xorBytes(stream, bytes)
  const tag = pieTag(wrappingAt, nonce, ciphertext)
  bytes.fill(0)
  stream.fill(0)
  return `${PIE}${Buffer.concat([tag, nonce, ciphertext]).toString('base64url')}`
}

/**
 * Unwraps a key: exactly the header and exactly 96 bytes in canonical base64url. Checks the tag first.
 *
 * @param wrappingKey - The key it was wrapped with.
 * @param paserk - The `k4.local-wrap.pie.…` text. It is never part of an error.
 * @param extractable - Whether the unwrapped key may be exported and wrapped.
 * @throws WatchwordError `ERR_INVALID_KEY` if `wrappingKey` is not usable, or the text is malformed or not authentic
 * under it.
 * @see PASERK, operations/Wrap/pie.md, "Unwrapping, v2/v4"
 */
export function unwrapKey(wrappingKey: LocalKey, paserk: string, extractable = true): LocalKey {
  const wrappingAt = keyAddress(wrappingKey)
  if (typeof paserk !== 'string' || paserk.length !== PIE.length + 128 || !paserk.startsWith(PIE)) {
    throw malformed(PIE)
  }
  const text = paserk.slice(PIE.length)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 96 || bytes.toString('base64url') !== text) throw malformed(PIE)
  const nonce = bytes.subarray(32, 64)
  const ciphertext = bytes.subarray(64)
  if (!equalBytes32(pieTag(wrappingAt, nonce, ciphertext), bytes.subarray(0, 32))) {
    throw new WatchwordError(
      'ERR_INVALID_KEY',
      'The wrapped key is not authentic under this wrapping key.',
    )
  }
  const stream = pieStream(wrappingAt, nonce)
  const opened = xorBytes(stream, ciphertext)
  stream.fill(0)
  return makeKey(extractable, (at) => {
    libsodium().heap.set(opened, at)
    opened.fill(0)
    return true
  })
}

/**
 * Derives a key for another purpose: keyed BLAKE2b-256 of the purpose's name, like PASETO's own derivations. It cannot
 * be exported, and reveals nothing about the source key.
 *
 * @param purpose - At least one character, not beginning with `paseto-`, which PASETO itself uses.
 * @throws WatchwordError `ERR_INVALID_KEY` if `key` is not usable.
 * @see PASETO, Version4.md, "Encrypt", steps 4 and 5
 */
export function deriveKey(key: LocalKey, purpose: string): LocalKey {
  const derived = hashBytes(keyAddress(key), KEY_BYTES, new TextEncoder().encode(purpose))
  return makeKey(false, (at) => {
    libsodium().heap.set(derived, at)
    derived.fill(0)
    return true
  })
}

/**
 * Wipes a key from memory. Every later use throws `ERR_INVALID_KEY`; its `id` stays readable. Idempotent.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` if the value is not a v4.local key.
 */
export function destroyKey(key: LocalKey): void {
  const block = blockOf(key)
  if (block === 0) return
  keyAddress(key)
  forgotten.unregister(key)
  release(endOf(key), SLOT_BYTES)
}

/** Fills a slot. Releases it if `fill` reports that there is no key. */
function makeKey(extractable: boolean, fill: (at: number) => boolean): LocalKey {
  const block = reserve(SLOT_BYTES)
  const at = aligned(block)
  if (!fill(at)) {
    release(block, SLOT_BYTES)
    throw malformed(LOCAL)
  }
  // PASETO Version4.md, Encrypt step 4: two derivations, separated by these texts.
  prepareState(encryptionState(at), at, 'paseto-encryption-key', 56)
  prepareState(authenticationState(at), at, 'paseto-auth-key-for-aead', 32)
  const key = new LocalKey(MAKE, block, extractable)
  forgotten.register(key, block, key)
  return key
}

/** PASERK, types/lid.md: BLAKE2b-264 of the header and the key's own PASERK. */
function identify(at: number): KeyId {
  const paserk = libsodium().buffer.toString('base64url', at, at + KEY_BYTES)
  const message = Buffer.from(`${LID}${LOCAL}${paserk}`, 'latin1')
  const digest = hashBytes(0, 33, message)
  message.fill(0)
  return `${LID}${Buffer.from(digest.buffer).toString('base64url')}`
}

/** PASERK, pie.md: the encryption key (32 bytes) and the nonce of the stream (24 bytes). */
function pieStream(wrappingAt: number, nonce: Uint8Array): Uint8Array {
  return hashBytes(wrappingAt, 56, Buffer.concat([Uint8Array.of(0x80), nonce]))
}

/** PASERK, pie.md: the tag over header, nonce and wrapped key. */
function pieTag(wrappingAt: number, nonce: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const derived = hashBytes(wrappingAt, 32, Buffer.concat([Uint8Array.of(0x81), nonce]))
  const message = Buffer.concat([Buffer.from(PIE, 'latin1'), nonce, ciphertext])
  const tag = hashBytesWithKey(derived, 32, message)
  derived.fill(0)
  return tag
}

function extractableAddress(key: LocalKey): number {
  const at = keyAddress(key)
  if (key.extractable) return at
  throw new WatchwordError('ERR_INVALID_KEY', 'The key is not extractable.')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function invalidKey(): WatchwordError {
  return new WatchwordError(
    'ERR_INVALID_KEY',
    'Not a v4.local key: create one with generateKey, importKey or unwrapKey.',
  )
}

function destroyed(): WatchwordError {
  return new WatchwordError('ERR_INVALID_KEY', 'The key was destroyed.')
}

function malformed(header: string): WatchwordError {
  return new WatchwordError('ERR_INVALID_KEY', `Not a well-formed ${header}… text.`)
}
