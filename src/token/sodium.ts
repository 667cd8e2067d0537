/**
 * libsodium, loaded once, and its heap.
 *
 * All secrets are in the WebAssembly heap, and all data of the hot path is there at fixed addresses, so a call copies
 * as little as possible and allocates nothing. The heap may move when it grows. Each entry point therefore calls
 * {@link libsodium} for the handle, which renews outdated views.
 *
 * This module makes no decisions about tokens. The tested start of the library is `ready` in `self-test.ts`.
 *
 * @module
 */
// @ts-expect-error The package ships no types; its two shapes are distinguished below.
import imported from 'libsodium-sumo'
import { WatchwordError } from '../errors.js'

/** The used functions of libsodium, as WebAssembly exports them: pointers, and 64-bit lengths in two halves. */
interface SodiumModule {
  readonly HEAPU8: Uint8Array<ArrayBuffer>
  _malloc(size: number): number
  _free(at: number): void
  _crypto_generichash_statebytes(): number
  _crypto_generichash_init(state: number, key: number, keyLength: number, outLength: number): number
  _crypto_generichash_update(state: number, input: number, low: number, high: number): number
  _crypto_generichash_final(state: number, out: number, outLength: number): number
  _crypto_generichash(
    out: number,
    outLength: number,
    input: number,
    low: number,
    high: number,
    key: number,
    keyLength: number,
  ): number
  _crypto_stream_xchacha20_xor(
    out: number,
    input: number,
    low: number,
    high: number,
    nonce: number,
    key: number,
  ): number
  _crypto_verify_32(left: number, right: number): number
  _crypto_shorthash_siphashx24(
    out: number,
    input: number,
    low: number,
    high: number,
    key: number,
  ): number
}

/** libsodium and current views of its heap. Addresses are byte offsets into `heap`. */
export interface Sodium {
  /** The whole heap. Never keep it across calls, because it is replaced when the heap grows. */
  heap: Uint8Array<ArrayBuffer>
  /** The same memory, for base64url and text. */
  buffer: Buffer<ArrayBuffer>
  /** The same memory, for little-endian lengths. */
  view: DataView<ArrayBuffer>
  readonly hash: SodiumModule['_crypto_generichash']
  readonly hashInit: SodiumModule['_crypto_generichash_init']
  readonly hashUpdate: SodiumModule['_crypto_generichash_update']
  readonly hashFinal: SodiumModule['_crypto_generichash_final']
  xor: SodiumModule['_crypto_stream_xchacha20_xor']
  readonly verify32: SodiumModule['_crypto_verify_32']
  readonly sipHash: SodiumModule['_crypto_shorthash_siphashx24']
  readonly module: SodiumModule
}

/** The size of a `crypto_generichash_state` in bytes. */
export const STATE_BYTES = 384

// The layout of libsodium's BLAKE2b state: h[8] t[2] f[2] buf[256] buflen last_node.
const STATE_BUF = 96
const STATE_BUFLEN = 352
const BLOCK = 128

let handle: Sodium | undefined
let failure: WatchwordError | undefined
let midStates = false
let domainAt = 0

/**
 * Resolves when libsodium is loaded, before any self-test has run. Only the self-test waits for
 * this; await `ready` of `self-test.ts` instead.
 */
export const loaded: Promise<void> = load()

/**
 * The loaded library, with current views of the heap.
 *
 * @throws WatchwordError `ERR_NOT_READY` before it is loaded, `ERR_SELF_TEST` after {@link disable}.
 */
export function libsodium(): Sodium {
  if (handle === undefined) throw notReady()
  // A grown heap detaches the old buffer, regardless of which copy grew it: the CommonJS copy may have other
  // users.
  if (handle.heap.length === 0) renewViews(handle)
  return handle
}

/** Disables the library in this process after a failed self-test. */
export function disable(reason: WatchwordError): void {
  failure = reason
  handle = undefined
}

/**
 * Reserves zeroed heap memory with room to align it to 64 bytes, as libsodium's states require.
 *
 * @param size - The size in bytes.
 * @returns The address for `release`; the address to use is its {@link aligned} one.
 * @throws WatchwordError `ERR_INVALID_ARGUMENT` if the heap cannot grow that far.
 */
export function reserve(size: number): number {
  const sodium = libsodium()
  const block = sodium.module._malloc(size + 63)
  if (sodium.heap.length === 0) renewViews(sodium)
  if (block === 0)
    throw new WatchwordError('ERR_INVALID_ARGUMENT', 'The input does not fit in memory.')
  sodium.heap.fill(0, block, block + size + 63)
  return block
}

/** The first address in a reserved block that is a multiple of 64. */
export function aligned(block: number): number {
  return (block + 63) & -64
}

/** Zeroes and frees a block from {@link reserve}. */
export function release(block: number, size: number): void {
  const sodium = handle
  // After the library was disabled, there is no heap.
  if (sodium === undefined) return
  if (sodium.heap.length === 0) renewViews(sodium)
  sodium.heap.fill(0, block, block + size + 63)
  sodium.module._free(block)
}

/**
 * Prepares the keyed BLAKE2b state at `state` that has absorbed `domain`. A call of the hot path copies it, adds the
 * nonce and finishes.
 *
 * libsodium buffers two blocks, so it would compress the block of the key again in every copy. This function compresses
 * it once and reads `h` and `t` back. A check at load proves that the result is the same; if it fails, the plain state
 * is used.
 *
 * @param state - Address of {@link STATE_BYTES} bytes.
 * @param key - Address of the 32-byte key.
 * @param domain - The domain separation, ASCII, shorter than a block.
 * @param outLength - The length of the digest in bytes.
 */
export function prepareState(state: number, key: number, domain: string, outLength: number): void {
  writeState(libsodium(), state, key, domain, outLength, midStates)
}

/**
 * BLAKE2b outside of the hot path: copies in, hashes, copies out.
 *
 * @param key - Address of a 32-byte key, or 0 for none.
 * @param outLength - The length of the digest in bytes, 16 to 64.
 * @param message - Any bytes.
 * @returns The digest, a fresh array.
 */
export function hashBytes(key: number, outLength: number, message: Uint8Array): Uint8Array {
  const size = 64 + message.length
  const block = reserve(size)
  const sodium = libsodium()
  const at = aligned(block)
  sodium.heap.set(message, at + 64)
  sodium.hash(at, outLength, at + 64, message.length, 0, key, key === 0 ? 0 : 32)
  const digest = sodium.heap.slice(at, at + outLength)
  release(block, size)
  return digest
}

/**
 * {@link hashBytes} with a key that is not in the heap yet, such as a derived one.
 *
 * @param key - 32 bytes.
 */
export function hashBytesWithKey(
  key: Uint8Array,
  outLength: number,
  message: Uint8Array,
): Uint8Array {
  const block = reserve(64)
  const at = aligned(block)
  libsodium().heap.set(key, at)
  const digest = hashBytes(at, outLength, message)
  release(block, 64)
  return digest
}

/**
 * XChaCha20 outside of the hot path: copies in, applies the key stream, copies out.
 *
 * @param keyAndNonce - 56 bytes: the key (32), then the nonce (24).
 * @param message - Any bytes.
 */
export function xorBytes(keyAndNonce: Uint8Array, message: Uint8Array): Uint8Array {
  const size = 64 + message.length
  const block = reserve(size)
  const sodium = libsodium()
  const at = aligned(block)
  sodium.heap.set(keyAndNonce, at)
  sodium.heap.set(message, at + 64)
  sodium.xor(at + 64, at + 64, message.length, 0, at + 32, at)
  const result = sodium.heap.slice(at + 64, at + size)
  release(block, size)
  return result
}

/**
 * Compares two 32-byte arrays in constant time. Arrays of another length are unequal.
 */
export function equalBytes32(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== 32 || right.length !== 32) return false
  const block = reserve(64)
  const sodium = libsodium()
  const at = aligned(block)
  sodium.heap.set(left, at)
  sodium.heap.set(right, at + 32)
  const equal = sodium.verify32(at, at + 32) === 0
  release(block, 64)
  return equal
}

async function load(): Promise<void> {
  const module = await instantiate(imported)
  const sodium: Sodium = {
    heap: module.HEAPU8,
    buffer: Buffer.from(module.HEAPU8.buffer),
    view: new DataView(module.HEAPU8.buffer),
    hash: module._crypto_generichash,
    hashInit: module._crypto_generichash_init,
    hashUpdate: module._crypto_generichash_update,
    hashFinal: module._crypto_generichash_final,
    xor: module._crypto_stream_xchacha20_xor,
    verify32: module._crypto_verify_32,
    sipHash: module._crypto_shorthash_siphashx24,
    module,
  }
  if (module._crypto_generichash_statebytes() !== STATE_BYTES) {
    throw new WatchwordError('ERR_SELF_TEST', "libsodium's BLAKE2b state has an unexpected layout.")
  }
  handle = sodium
  domainAt = aligned(reserve(2 * BLOCK))
  midStates = provesMidStates(sodium)
}

/**
 * The ES module exports an asynchronous factory; the CommonJS one exports an object that initializes itself and has
 * `ready`.
 */
async function instantiate(source: unknown): Promise<SodiumModule> {
  if (typeof source === 'function') return (await source()) as SodiumModule
  const module = source as SodiumModule & {
    readonly ready?: Promise<void>
    readonly default?: unknown
  }
  if (module.ready === undefined && module.default !== undefined) return instantiate(module.default)
  await module.ready
  return module
}

function notReady(): WatchwordError {
  // A new error each time: a shared one would have the stack of the first caller.
  if (failure !== undefined) return new WatchwordError('ERR_SELF_TEST', failure.message)
  return new WatchwordError(
    'ERR_NOT_READY',
    'The cryptography is not loaded yet: await `ready` first.',
  )
}

function renewViews(sodium: Sodium): void {
  sodium.heap = sodium.module.HEAPU8
  sodium.buffer = Buffer.from(sodium.heap.buffer)
  sodium.view = new DataView(sodium.heap.buffer)
}

function writeState(
  sodium: Sodium,
  state: number,
  key: number,
  domain: string,
  outLength: number,
  compressed: boolean,
): void {
  sodium.hashInit(state, key, 32, outLength)
  if (!compressed) {
    sodium.buffer.write(domain, domainAt, 'latin1')
    sodium.hashUpdate(state, domainAt, domain.length, 0)
    return
  }
  // One byte more than the buffer size makes libsodium compress its first block, which is the key's. The other bytes
  // are not compressed yet, so the domain can replace them.
  sodium.hashUpdate(state, domainAt, BLOCK + 1, 0)
  sodium.heap.fill(0, state + STATE_BUF, state + STATE_BUFLEN)
  sodium.buffer.write(domain, state + STATE_BUF, 'latin1')
  sodium.view.setUint32(state + STATE_BUFLEN, domain.length, true)
}

/** Whether a manually compressed state gives the same digests as a plain one. */
function provesMidStates(sodium: Sodium): boolean {
  const size = 2 * STATE_BYTES + 256
  const block = reserve(size)
  const states = aligned(block)
  const key = states + 2 * STATE_BYTES
  const digests = key + 64
  let proved = true
  for (let round = 0; round < 4; round++) {
    sodium.heap.fill(0x51 + 37 * round, key, digests)
    const outLength = round % 2 === 0 ? 56 : 32
    for (const compressed of [false, true]) {
      const state = compressed ? states : states + STATE_BYTES
      writeState(sodium, state, key, `mid-state check ${round}`, outLength, compressed)
      sodium.hashUpdate(state, key + 32, 32, 0)
      sodium.hashFinal(state, compressed ? digests : digests + 64, outLength)
    }
    const fast = sodium.buffer.subarray(digests, digests + outLength)
    const plain = sodium.buffer.subarray(digests + 64, digests + 64 + outLength)
    proved = proved && fast.equals(plain)
  }
  release(block, size)
  return proved
}
