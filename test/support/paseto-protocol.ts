/**
 * The `paseto` package's v4.local protocol over libsodium: claims, token framing, PASERK and
 * wrapping are the package's, the primitives come in through its extension API.
 *
 * The primitives are called here in the plain way, piece by piece as the specification writes them,
 * and share none of the arrangements of `v4local.ts`. So the two can be held against each other.
 *
 * @module
 */

import { randomFillSync } from 'node:crypto'
import {
  InvalidPASERKError,
  InvalidTokenError,
  LocalDecrypt,
  LocalEncrypt,
  LocalExportKey,
  LocalGenerateKey,
  LocalImportKey,
  LocalKeyID,
  LocalProtocol,
  LocalUnwrapKey,
  LocalWrapKey,
  PAE,
} from 'paseto'
import type { KeyId, LocalKey, WrappedPaserk } from '../../src/token/paserk.js'
import {
  destroyKey,
  exportKey,
  generateKey,
  importKey,
  keyAddress,
  keyId,
  unwrapKey,
  wrapKey,
} from '../../src/token/paserk.js'
import { equalBytes32, hashBytes, hashBytesWithKey, xorBytes } from '../../src/token/sodium.js'

const HEADER = Buffer.from('v4.local.', 'latin1')
const FOR_ENCRYPTION = Buffer.from('paseto-encryption-key', 'latin1')
const FOR_AUTHENTICATION = Buffer.from('paseto-auth-key-for-aead', 'latin1')

// Each is a constant of its own: composed in one expression, the version would lose its literal
// type.
const GenerateKey = LocalGenerateKey({
  version: 4,
  run: async (extractable: boolean) => generateKey(extractable),
})
const Encrypt = LocalEncrypt({ version: 4, run: encrypt })
const Decrypt = LocalDecrypt({ version: 4, run: decrypt })
const ImportKey = LocalImportKey({
  version: 4,
  run: async (paserk: string, extractable: boolean) => importKey(paserk, extractable),
})
const ExportKey = LocalExportKey({ version: 4, run: async (key: LocalKey) => exportKey(key) })
const KeyID = LocalKeyID({ version: 4, run: identify })
const WrapKey = LocalWrapKey({
  version: 4,
  run: async (key: LocalKey, wrappingKey: LocalKey) => wrapKey(wrappingKey, key),
})
const UnwrapKey = LocalUnwrapKey({
  version: 4,
  run: async (paserk: WrappedPaserk, wrappingKey: LocalKey, extractable: boolean) =>
    unwrapKey(wrappingKey, paserk, extractable),
})

/**
 * v4.local as the `paseto` package runs it, on {@link LocalKey}s. Every operation is asynchronous.
 *
 * Keys are as extractable as the package's options say, and its default is that they are not: pass
 * `{ extractable: true }` for a key that is to be exported or wrapped. `KeyID` takes a `k4.local.…`
 * text only. A bad key or PASERK throws `WatchwordError` with `ERR_INVALID_KEY`; what is wrong with
 * a token throws the package's errors.
 *
 * @example
 * ```ts
 * const wrapped = await protocol.WrapKey(key, wrappingKey)
 * const opened = await protocol.UnwrapKey(wrapped, wrappingKey, { extractable: true })
 * ```
 */
export const protocol = new LocalProtocol(
  GenerateKey,
  Encrypt,
  Decrypt,
  ImportKey,
  ExportKey,
  KeyID,
  WrapKey,
  UnwrapKey,
)

/** PASETO Version4.md, Encrypt steps 3 to 8. */
async function encrypt(
  key: LocalKey,
  message: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): Promise<Uint8Array> {
  const keyAt = keyAddress(key)
  const nonce = randomFillSync(new Uint8Array(32))
  const ciphertext = applyStream(keyAt, nonce, message)
  const tag = authenticate(keyAt, nonce, ciphertext, footer, implicitAssertion)
  return new Uint8Array(Buffer.concat([nonce, ciphertext, tag]))
}

/** PASETO Version4.md, Decrypt steps 4 to 8. */
async function decrypt(
  key: LocalKey,
  body: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): Promise<Uint8Array> {
  const keyAt = keyAddress(key)
  if (body.length < 64) throw new InvalidTokenError('The token is too short')
  const nonce = body.slice(0, 32)
  const ciphertext = body.slice(32, -32)
  const tag = authenticate(keyAt, nonce, ciphertext, footer, implicitAssertion)
  if (!equalBytes32(tag, body.slice(-32))) {
    throw new InvalidTokenError('The token is not authentic')
  }
  return applyStream(keyAt, nonce, ciphertext)
}

/** PASERK, types/lid.md. */
async function identify(paserk: string): Promise<KeyId> {
  // An identifier is taken of the key, so a wrapped text has none before it is opened.
  if (typeof paserk !== 'string' || !paserk.startsWith('k4.local.')) {
    throw new InvalidPASERKError('Expected a k4.local text')
  }
  const key = importKey(paserk)
  const id = keyId(key)
  destroyKey(key)
  return id
}

function applyStream(keyAt: number, nonce: Uint8Array, message: Uint8Array): Uint8Array {
  const derived = hashBytes(keyAt, 56, Buffer.concat([FOR_ENCRYPTION, nonce]))
  const result = xorBytes(derived, message)
  derived.fill(0)
  return result
}

function authenticate(
  keyAt: number,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  footer: Uint8Array,
  implicitAssertion: Uint8Array,
): Uint8Array {
  const derived = hashBytes(keyAt, 32, Buffer.concat([FOR_AUTHENTICATION, nonce]))
  const encoded = PAE([HEADER, nonce, ciphertext, footer, implicitAssertion])
  const tag = hashBytesWithKey(derived, 32, encoded)
  derived.fill(0)
  return tag
}
