/**
 * Seals: authenticated encryption of events, heads and snapshot chunks. The feed can neither read nor forge them.
 *
 * Each seal is a plaintext header, which a node needs to follow the log, and a PASETO v4.local body that authenticates
 * the header and encrypts the rest. The key is derived from a keyring key for this purpose only; the header names the
 * keyring key.
 *
 * ```
 * 0 version  1 type  2 key id (33)  35 epoch (16)  51 seq (6)  57 link (16)  73 sealed at (6)
 * 79 first number (6)  85 second number (6)  91 writer or snapshot (16)  107 nonce (32), ciphertext, tag (32)
 * ```
 *
 * @module
 */

import crypto from 'node:crypto'
import { MAX_EVENT_BYTES, type SealedEvent, type SealedHead, sameBytes } from '../../feed/feed.js'
import { has } from '../../lib/fields.js'
import type { LocalKey } from '../../token/paserk.js'
import { copyPlaintext, decryptBytesInto, sealBytes, wipePlaintext } from '../../token/v4local.js'

/** The keys for sealing and opening; see the keyring. */
export interface SealKeys {
  /** The current key for sealing, with its id. Throws `ERR_NO_SIGNING_KEY`. */
  sealing(): { readonly id: string; readonly key: LocalKey }
  /** The key with this id, if it is loaded. */
  opening(id: string): LocalKey | undefined
}

/** The types of sealed messages. */
export type SealType = 'event' | 'head' | 'chunk'

/** The plaintext, authenticated header. */
export interface SealHeader {
  readonly epoch: string
  readonly seq: number
  /** For an event: the link of the previous one. Otherwise: the link at `seq`. */
  readonly link: Uint8Array
  /** Unix milliseconds. */
  readonly at: number
  /** For an event: when its last entry expires. For a head: the floor. For a chunk: its number. */
  readonly first: number
  /** For a head: the `seq` of the snapshot that has the trimmed events, or 0. For a chunk: 1 if it is the last one. */
  readonly second: number
  /** The node that wrote the seal; for a chunk, the snapshot to which it belongs. 16 bytes. */
  readonly writer: Uint8Array
}

/** A seal that was opened and authenticated. */
export interface Opened extends SealHeader {
  readonly payload: Uint8Array
}

/**
 * Why a seal was rejected. `forged`: not made with the key that it names. `unknown_key`: its key is not loaded, so its
 * header is unverified.
 */
export type Unopened =
  | { readonly failure: 'forged' }
  | { readonly failure: 'unknown_key'; readonly claimed: SealHeader }

/** Bytes of a link, an epoch and a writer. */
const LINK_BYTES = 16
/** The link of a log without events. */
export const ZERO_LINK = new Uint8Array(LINK_BYTES)

const HEADER_BYTES = 107
const SEAL_BYTES = 64
const TIME_BYTES = 6
const VERSION = 1
const TYPES: readonly SealType[] = ['event', 'head', 'chunk']
const PURPOSE = new TextEncoder().encode('watchword-feed-v1')
const KEY_ID = 'k4.lid.'

/** The maximum body size of an event or a chunk. */
export const MAX_PAYLOAD = MAX_EVENT_BYTES - HEADER_BYTES - SEAL_BYTES

/** Seals. Throws `ERR_NO_SIGNING_KEY`. */
export function seal(
  keys: SealKeys,
  type: SealType,
  header: SealHeader,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const { id, key } = keys.sealing()
  const clear = writeHeader(id, type, header)
  const body = sealBytes(key, payload, clear, PURPOSE)
  const sealed = new Uint8Array(HEADER_BYTES + SEAL_BYTES + payload.length)
  sealed.set(clear)
  Buffer.from(sealed.buffer).write(body, HEADER_BYTES, 'base64url')
  return sealed
}

/** Opens a seal of the given type. Never throws. */
export function open(keys: SealKeys, type: SealType, sealed: Uint8Array): Opened | Unopened {
  const size = sealed.length
  if (size < HEADER_BYTES + SEAL_BYTES || size > MAX_EVENT_BYTES) return FORGED
  if (sealed[0] !== VERSION || TYPES[(sealed[1] as number) - 1] !== type) return FORGED
  const header = readHeader(sealed)
  const key = keys.opening(KEY_IDS.of(sealed, 2))
  if (key === undefined) return { failure: 'unknown_key', claimed: header }
  const clear = sealed.subarray(0, HEADER_BYTES)
  const length = decryptBytesInto(key, sealed.subarray(HEADER_BYTES), clear, PURPOSE)
  if (length < 0) return FORGED
  const payload = copyPlaintext(length)
  wipePlaintext()
  return { ...header, payload }
}

const FORGED: Unopened = Object.freeze({ failure: 'forged' })

/** Whether an event claims this position in a log. Does not authenticate the event. */
export function claimsPlace(event: SealedEvent, epoch: string, link: Uint8Array): boolean {
  const { bytes, seq } = event
  if (bytes.length < HEADER_BYTES + SEAL_BYTES || bytes.length > MAX_EVENT_BYTES) return false
  const header = readHeader(bytes)
  return header.seq === seq && header.epoch === epoch && sameBytes(header.link, link)
}

/**
 * Seals a head. Throws `ERR_NO_SIGNING_KEY`.
 *
 * @param vouched - The time that the writer vouches for (Unix milliseconds). Default: the time of the seal.
 */
export function sealHead(keys: SealKeys, header: SealHeader, vouched?: number): SealedHead {
  const { epoch, seq, link, at, first } = header
  const payload = new Uint8Array(vouched === undefined ? 0 : TIME_BYTES)
  if (vouched !== undefined) Buffer.from(payload.buffer).writeUIntBE(vouched, 0, TIME_BYTES)
  const bytes = seal(keys, 'head', header, payload)
  return { epoch, seq, link, floor: first, beaconAt: at, bytes }
}

/** The time that the writer of a head vouches for (Unix milliseconds). */
export function vouchedIn({ payload, at }: Opened): number {
  return payload.length === TIME_BYTES ? readNumber(payload, 0) : at
}

/** Opens a head: its seal must be valid and cover exactly the position that the adapter reported. */
export function openHead(keys: SealKeys, head: SealedHead): Opened | Unopened {
  const opened = open(keys, 'head', head.bytes)
  if (has(opened, 'failure')) return opened
  const { epoch, seq, link } = opened
  return epoch === head.epoch && seq === head.seq && sameBytes(link, head.link) ? opened : FORGED
}

/**
 * The link of an event: a hash over the event, which includes the link of its predecessor and so covers all events
 * before it.
 */
export function linkOf(sealed: Uint8Array): Uint8Array {
  // A single call with hexadecimal output is by far the fastest way to hash so few bytes.
  const digits = crypto.hash('sha256', sealed, 'hex').slice(0, 2 * LINK_BYTES)
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

function writeHeader(keyId: string, type: SealType, header: SealHeader): Uint8Array {
  const clear = Buffer.alloc(HEADER_BYTES)
  clear[0] = VERSION
  clear[1] = TYPES.indexOf(type) + 1
  clear.write(keyId.slice(KEY_ID.length), 2, 33, 'base64url')
  clear.write(header.epoch, 35, 16, 'base64url')
  clear.writeUIntBE(header.seq, 51, 6)
  clear.set(header.link, 57)
  clear.writeUIntBE(header.at, 73, 6)
  clear.writeUIntBE(header.first, 79, 6)
  clear.writeUIntBE(header.second, 85, 6)
  clear.set(header.writer, 91)
  return clear
}

function readHeader(sealed: Uint8Array): SealHeader {
  return {
    epoch: EPOCHS.of(sealed, 35),
    seq: readNumber(sealed, 51),
    link: sealed.subarray(57, 73),
    at: readNumber(sealed, 73),
    first: readNumber(sealed, 79),
    second: readNumber(sealed, 85),
    writer: sealed.subarray(91, HEADER_BYTES),
  }
}

// Reads six bytes like DataView and Buffer do, without allocating a view.
function readNumber(bytes: Uint8Array, at: number): number {
  let number = 0
  for (let i = at; i < at + 6; i++) number = number * 256 + (bytes[i] as number)
  return number
}

/** Caches the text of the last header bytes, which mostly repeat. */
class RecentText {
  readonly #prefix: string
  readonly #bytes: Uint8Array
  #text = ''

  constructor(prefix: string, size: number) {
    this.#prefix = prefix
    this.#bytes = new Uint8Array(size)
  }

  of(from: Uint8Array, at: number): string {
    const bytes = this.#bytes
    let same = this.#text !== ''
    for (let i = 0; i < bytes.length && same; i++) same = bytes[i] === from[at + i]
    if (same) return this.#text
    bytes.set(from.subarray(at, at + bytes.length))
    this.#text = this.#prefix + Buffer.from(bytes).toString('base64url')
    return this.#text
  }
}

// Shared: each call compares and copies bytes without running foreign code, and returns an immutable string.
const KEY_IDS = new RecentText(KEY_ID, 33)
const EPOCHS = new RecentText('', 16)
