/**
 * The root key: wraps the keys of the keyring at rest.
 *
 * @module
 */
import { timingSafeEqual } from 'node:crypto'
import { WatchwordError } from '../errors.js'
import { failure } from '../lib/failure-text.js'
import { invalidOption } from '../lib/invalid.js'
import type { KeyRecord } from '../store/store.js'
import {
  destroyKey,
  exportKey,
  generateKey,
  importKey,
  keyId,
  type LocalKey,
  unwrapKey,
  wrapKey,
} from '../token/paserk.js'
import { decodeBase64url } from '../token/wire.js'

/**
 * A root key that stays in a KMS or a vault.
 *
 * @example
 * ```ts
 * import type { KeyWrapper } from 'watchword'
 *
 * declare const kms: { encrypt(text: string): Promise<string>; decrypt(text: string): Promise<string> }
 * const rootKey: KeyWrapper = {
 *   id: 'kms:alias/tokens',
 *   wrap: (paserk) => kms.encrypt(paserk),
 *   unwrap: (wrapped) => kms.decrypt(wrapped),
 * }
 * ```
 */
export interface KeyWrapper {
  /** The permanent name of the root key: it is stored with each key that it wraps. */
  readonly id: string
  /** Wraps a `k4.local.…` text. The result is stored and must not reveal it. */
  wrap(paserk: string): Promise<string>
  /** The reverse of `wrap`. Rejects for input that `wrap` did not produce. */
  unwrap(wrapped: string): Promise<string>
}

/** A root key from either kind of option. */
export interface RootKey {
  readonly id: string
  seal(key: LocalKey): Promise<string>
  /** Rejects with `ERR_INVALID_KEY`, or like the caller's wrapper. */
  open(wrapped: string): Promise<LocalKey>
}

/**
 * Converts the option to a root key. `previous` is its index in `previousRootKeys`, if it is from there. Throws
 * `ERR_INVALID_OPTION` without showing the value.
 */
export function resolveRootKey(option: string | KeyWrapper, previous?: number): RootKey {
  if (typeof option !== 'string') return fromWrapper(option)
  const field = previous === undefined ? 'rootKey' : `previousRootKeys.${previous}`
  if (isPublishedKey(option)) {
    throw invalidOption(field, `this key is printed in the PASETO test vectors; ${MAKE_A_KEY}`)
  }
  try {
    return fromKey(importKey(option))
  } catch (cause) {
    if (cause instanceof WatchwordError && cause.code === 'ERR_NOT_READY') throw cause
    throw invalidOption(field, `${mistakeIn(option)}`)
  }
}

/** How to create a root key, for messages. */
export const MAKE_A_KEY =
  'make one with: node -e "import(\'watchword/paseto\').then(async (p) => { await p.ready; console.log(p.exportKey(p.generateKey())) })"'

const LENGTH = 'k4.local.'.length + 43

/** Describes the fault in the text of a root key, without showing any of it. */
function mistakeIn(text: string): string {
  const wanted = `expected the text of a 'k4.local.…' key, or { id, wrap, unwrap }, got`
  if (text === '')
    return `${wanted} an empty string; is the environment variable set? Otherwise ${MAKE_A_KEY}`
  if (text.trim() !== text && text.trim().startsWith('k4.local.'))
    return `${wanted} one with white space around it, such as the line break at the end of a file; pass text.trim()`
  if (/^(?:[0-9a-f]{2})+$/i.test(text))
    return `${wanted} ${text.length} hexadecimal digits; ${MAKE_A_KEY}`
  const [kind] = /^k\d\.[a-z-]{1,24}\./.exec(text) ?? []
  if (kind !== undefined && kind !== 'k4.local.') return `${wanted} a '${kind}…' one; ${MAKE_A_KEY}`
  if (kind !== undefined && text.length !== LENGTH)
    return `${wanted} one of ${text.length} instead of ${LENGTH} characters; is it cut short?`
  return `${wanted} a string of ${text.length} characters that is not a key; ${MAKE_A_KEY}`
}

/** A root key for the lifetime of the process, for an in-memory store. */
export function ephemeralRootKey(): RootKey {
  return fromKey(generateKey())
}

function fromKey(root: LocalKey): RootKey {
  return {
    id: keyId(root),
    seal: async (key) => wrapKey(root, key),
    open: async (wrapped) => unwrapKey(root, wrapped),
  }
}

function fromWrapper(wrapper: KeyWrapper): RootKey {
  return {
    id: wrapper.id,
    seal: (key) => wrapWith(wrapper, exportKey(key)),
    open: async (wrapped) => importKey(await wrapper.unwrap(wrapped)),
  }
}

async function wrapWith(wrapper: KeyWrapper, paserk: string): Promise<string> {
  let wrapped: unknown
  try {
    wrapped = await wrapper.wrap(paserk)
  } catch (cause) {
    throw failure('ERR_ROOT_KEY', 'rootKey: wrapping a key', cause)
  }
  // A wrapper that returns its input would store the key in plaintext.
  if (typeof wrapped === 'string' && wrapped !== '' && !wrapped.includes(paserk)) return wrapped
  throw new WatchwordError('ERR_ROOT_KEY', 'rootKey: wrap() returned no wrapped key')
}

// The official vectors use 70 71 … 8f and all zeros. A published key protects nothing.
const PUBLISHED: readonly Uint8Array[] = [
  Uint8Array.from({ length: 32 }, (_, i) => 0x70 + i),
  new Uint8Array(32),
  new Uint8Array(32).fill(0xff),
]

function isPublishedKey(paserk: string): boolean {
  const bytes = paserk.startsWith('k4.local.') ? decodeBase64url(paserk.slice(9)) : undefined
  return bytes?.length === 32 && PUBLISHED.some((known) => timingSafeEqual(known, bytes))
}

/**
 * Opens a stored key. Resolves with `undefined` if none of the root keys wrapped it, or if it is not the key that its
 * row names. Rejects with `ERR_ROOT_KEY` if a wrapper fails.
 */
export async function openKey(
  record: KeyRecord,
  roots: readonly RootKey[],
): Promise<LocalKey | undefined> {
  const root = roots.find(({ id }) => id === record.wrappedBy)
  if (root === undefined) return undefined
  const key = await root.open(record.wrapped).catch((cause: unknown) => {
    // Only a wrong key is a definite result; a KMS that does not respond is an outage.
    if (cause instanceof WatchwordError && cause.code === 'ERR_INVALID_KEY') return undefined
    if (cause instanceof WatchwordError && cause.code === 'ERR_ROOT_KEY') throw cause
    throw failure('ERR_ROOT_KEY', 'rootKey: unwrapping a key', cause)
  })
  // The wrapping does not bind the key to its row, so two rows with swapped wrappings would both open.
  if (key === undefined || keyId(key) === record.id) return key
  destroyKey(key)
  return undefined
}
