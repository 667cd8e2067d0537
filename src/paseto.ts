/**
 * `watchword/paseto`: PASETO v4.local and its PASERK operations, synchronous, on libsodium.
 *
 * The functions take and return bytes; the caller handles claims, expiry and key selection. Await {@link ready} once;
 * then every function is synchronous. A token that is not authentic results in `undefined`, not in an error.
 *
 * @module
 */
import { types } from 'node:util'
import { WatchwordError } from './errors.js'
import { fieldsOf } from './lib/fields.js'
import { HEADER } from './token/encoding.js'
import type { KeyId, LocalKey, LocalPaserk, WrappedPaserk } from './token/paserk.js'
import * as paserk from './token/paserk.js'
import * as v4local from './token/v4local.js'

export type { KeyId, LocalKey, LocalPaserk, WrappedPaserk }

/** The options of {@link open}. */
export interface OpenOptions {
  /** The bytes passed to {@link seal}; empty if absent. At most 1 MiB. */
  readonly implicitAssertion?: Uint8Array | undefined
}

/** The options of {@link seal}. */
export interface SealOptions extends OpenOptions {
  /** Bytes that travel in the token, authenticated but not encrypted; empty if absent. */
  readonly footer?: Uint8Array | undefined
}

/** An authentic token, opened. */
export interface Opened {
  /** The decrypted bytes, a fresh copy. */
  readonly payload: Uint8Array<ArrayBuffer>
  /** The authenticated footer, a fresh copy; empty if the token has none. */
  readonly footer: Uint8Array<ArrayBuffer>
}

const EMPTY = new Uint8Array(0)
// 64 bytes of nonce and tag.
const SHORTEST_BODY = 86

/**
 * Resolves when libsodium is loaded and has passed its known-answer tests.
 *
 * @throws WatchwordError `ERR_SELF_TEST` if a known-answer test fails.
 *
 * @example
 * ```ts
 * import { generateKey, ready } from 'watchword/paseto'
 *
 * await ready
 * console.log(String(generateKey()))
 * ```
 */
export { ready } from './token/self-test.js'

/**
 * Generates a random key.
 *
 * @throws WatchwordError `ERR_NOT_READY` before {@link ready}.
 *
 * @example
 * ```ts
 * import { exportKey, generateKey, ready } from 'watchword/paseto'
 *
 * await ready
 * const secret: string = exportKey(generateKey())
 * ```
 */
export function generateKey(): LocalKey {
  return paserk.generateKey()
}

/**
 * Imports a key from its PASERK text, `k4.local.…`. See PASERK, types/local.md.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` for any other text, which is never part of the error; `ERR_NOT_READY`.
 *
 * @example
 * ```ts
 * import { importKey, ready } from 'watchword/paseto'
 *
 * await ready
 * const key = importKey(process.env.TOKEN_KEY ?? '')
 * ```
 */
export function importKey(text: string): LocalKey {
  return paserk.importKey(text)
}

/**
 * Exports a key as PASERK text, `k4.local.…`, which is secret. See PASERK, types/local.md.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` for anything but a key of this module.
 *
 * @example
 * ```ts
 * import { exportKey, generateKey, importKey, ready } from 'watchword/paseto'
 *
 * await ready
 * const same = importKey(exportKey(generateKey()))
 * ```
 */
export function exportKey(key: LocalKey): LocalPaserk {
  return paserk.exportKey(key)
}

/**
 * Returns the identifier of a key, `k4.lid.…`. It is not secret and may be used in a footer. See PASERK, types/lid.md.
 *
 * @throws WatchwordError `ERR_INVALID_KEY` for anything but a key of this module.
 *
 * @example
 * ```ts
 * import { generateKey, keyId, ready } from 'watchword/paseto'
 *
 * await ready
 * const footer = new TextEncoder().encode(JSON.stringify({ kid: keyId(generateKey()) }))
 * ```
 */
export function keyId(key: LocalKey): KeyId {
  return paserk.keyId(key)
}

/**
 * Encrypts a key with another one, as `k4.local-wrap.pie.…`. See PASERK, operations/Wrap/pie.md.
 *
 * @param wrappingKey - The key that can unwrap the result.
 * @param key - The key to wrap.
 * @throws WatchwordError `ERR_INVALID_KEY` for anything but two keys of this module.
 *
 * @example
 * ```ts
 * import { generateKey, ready, unwrapKey, wrapKey } from 'watchword/paseto'
 *
 * await ready
 * const root = generateKey()
 * const stored: string = wrapKey(root, generateKey())
 * const key = unwrapKey(root, stored)
 * ```
 */
export function wrapKey(wrappingKey: LocalKey, key: LocalKey): WrappedPaserk {
  return paserk.wrapKey(wrappingKey, key)
}

/**
 * Unwraps a key that {@link wrapKey} wrapped. See PASERK, operations/Wrap/pie.md.
 *
 * @param wrappingKey - The key it was wrapped with.
 * @param text - `k4.local-wrap.pie.…`; never part of an error.
 * @throws WatchwordError `ERR_INVALID_KEY` if the text is malformed or not authentic under `wrappingKey`.
 *
 * @example
 * ```ts
 * import { generateKey, keyId, ready, unwrapKey, wrapKey } from 'watchword/paseto'
 *
 * await ready
 * const root = generateKey()
 * const key = generateKey()
 * console.log(keyId(unwrapKey(root, wrapKey(root, key))) === keyId(key))
 * ```
 */
export function unwrapKey(wrappingKey: LocalKey, text: string): LocalKey {
  return paserk.unwrapKey(wrappingKey, text)
}

/**
 * Creates a token with a random nonce. See PASETO Version4.md, "Encrypt".
 *
 * @param key - The key that can open it.
 * @param payload - Any bytes; they are encrypted.
 * @param options - A footer and an implicit assertion; both are authenticated.
 * @returns The token, at most 1 MiB.
 * @throws WatchwordError `ERR_INVALID_KEY`; `ERR_INVALID_ARGUMENT` for a payload or an option that is not bytes, or an
 * implicit assertion longer than 1 MiB; `ERR_TOKEN_TOO_LONG`.
 *
 * @example
 * ```ts
 * import { generateKey, ready, seal } from 'watchword/paseto'
 *
 * await ready
 * const bytes = new TextEncoder().encode('{"sub":"svc_mail"}')
 * const token: string = seal(generateKey(), bytes, { implicitAssertion: bytes })
 * ```
 */
export function seal(
  key: LocalKey,
  payload: Uint8Array,
  ...options: readonly [options?: SealOptions]
): string {
  paserk.keyAddress(key)
  const clear = copyBytes(payload, 'payload')
  const given: SealOptions = checkOptions(options, ['footer', 'implicitAssertion'])
  const footer = optionalBytes(given, 'footer')
  const implicitAssertion = optionalBytes(given, 'implicitAssertion')
  const body = v4local.sealBytes(key, clear, footer, implicitAssertion)
  clear.fill(0)
  const token = `${HEADER}${body}`
  return footer.length === 0 ? token : `${token}.${asBuffer(footer).toString('base64url')}`
}

/**
 * Opens a token. Returns `undefined` if it is malformed, too long, of another version, modified, sealed with another
 * key or bound to another assertion, without distinguishing these cases. See PASETO Version4.md, "Decrypt".
 *
 * @param key - The key that sealed it.
 * @param token - The client's value, of any type; never causes an error.
 * @param options - The implicit assertion of the token.
 * @throws WatchwordError `ERR_INVALID_KEY`; `ERR_INVALID_ARGUMENT` for an option that is not bytes or longer than 1
 * MiB.
 *
 * @example
 * ```ts
 * import { generateKey, open, ready, seal } from 'watchword/paseto'
 *
 * await ready
 * const key = generateKey()
 * const opened = open(key, seal(key, new TextEncoder().encode('hello')))
 * console.log(opened === undefined ? 'refused' : new TextDecoder().decode(opened.payload))
 * ```
 */
export function open(
  key: LocalKey,
  token: string,
  ...options: readonly [options?: OpenOptions]
): Opened | undefined {
  paserk.keyAddress(key)
  const given: OpenOptions = checkOptions(options, ['implicitAssertion'])
  const implicitAssertion = optionalBytes(given, 'implicitAssertion')
  // The length is checked first and nothing is split: hostile text costs at most one scan.
  if (typeof token !== 'string' || token.length > v4local.MAX_LENGTH) return undefined
  if (!token.startsWith(HEADER)) return undefined
  const start = HEADER.length
  const dot = token.indexOf('.', start)
  const end = dot < 0 ? token.length : dot
  if (end - start < SHORTEST_BODY) return undefined
  const footer = dot < 0 ? EMPTY : decodeFooter(token, dot + 1)
  if (footer === undefined) return undefined
  const body = token.slice(start, end)
  const length = v4local.decryptInto(key, body, footer, implicitAssertion)
  if (length < 0) return undefined
  const payload = v4local.copyPlaintext(length)
  v4local.wipePlaintext()
  return { payload, footer: new Uint8Array(footer) }
}

/** A footer segment must not be empty and has one valid encoding: canonical base64url without a dot. */
function decodeFooter(token: string, start: number): Uint8Array | undefined {
  if (start === token.length || token.indexOf('.', start) >= 0) return undefined
  const text = token.slice(start)
  const footer = Buffer.from(text, 'base64url')
  return footer.toString('base64url') === text ? footer : undefined
}

function checkOptions<T extends object>(
  given: readonly [options?: T],
  names: readonly string[],
): T {
  if (given.length === 0) return Object.create(null) as T
  const [options] = given
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new WatchwordError('ERR_INVALID_ARGUMENT', '`options` must be an object.')
  }
  const fields = fieldsOf(options, names)
  for (const name of Object.keys(fields)) {
    // The caller chose the name of an unknown field, which may be a secret passed in the wrong place.
    if (!names.includes(name)) {
      const known = names.map((known) => `\`${known}\``).join(' and ')
      throw new WatchwordError('ERR_INVALID_ARGUMENT', `\`options\` takes ${known} only.`)
    }
  }
  return fields as T
}

function optionalBytes(options: SealOptions, name: keyof SealOptions): Uint8Array {
  if (!Object.hasOwn(options, name)) return EMPTY
  const bytes = copyBytes(options[name], name)
  if (bytes.length <= v4local.MAX_LENGTH) return bytes
  throw new WatchwordError('ERR_INVALID_ARGUMENT', `\`${name}\` must be at most 1 MiB.`)
}

/**
 * A plain copy of the array's own memory: a subclass may report a wrong length, which must not cause an overflow.
 * Shared memory is rejected, because another thread could change it.
 */
function copyBytes(value: unknown, name: string): Uint8Array<ArrayBuffer> {
  if (types.isUint8Array(value) && types.isArrayBuffer(value.buffer)) return new Uint8Array(value)
  throw new WatchwordError('ERR_INVALID_ARGUMENT', `\`${name}\` must be a Uint8Array.`)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
