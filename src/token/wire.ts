/**
 * The two spellings of a token as text.
 *
 * Standard: `v4.local.` + payload + `.` + footer, where the footer is `{"kid":"k4.lid.…"}`.
 * Branded: prefix + `_` + the 44 characters of the key id + payload + six base62 digits of a CRC-32, so that a secret
 * scanner can recognize the token, and a mistyped one is rejected before any cryptography.
 *
 * Everything here is total: it returns `undefined` for invalid tokens and never throws.
 *
 * @module
 */
import { codeAt } from '../lib/char-code.js'
import { has } from '../lib/fields.js'
import { crc32 } from '../lib/runtime.js'
import { parseJsonObject } from './json.js'

/** PASETO's header for this version and purpose. */
export const HEADER = 'v4.local.'
/** The length of a `k4.lid.` without its header: 33 bytes in base64url. */
const KEY_ID_LENGTH = 44
const KEY_ID_HEADER = 'k4.lid.'
const KEY_ID = /^k4\.lid\.[A-Za-z0-9_-]{44}$/
const CRC_LENGTH = 6
/** The shortest payload: 32 bytes of nonce and 32 of tag, in base64url. */
const MIN_BODY = 86
const MAX_FOOTER_BYTES = 512
const MAX_FOOTER_TEXT = Math.ceil((MAX_FOOTER_BYTES * 4) / 3)
// Text that begins with a brace begins with an `e` in base64url, so most invalid footers need not be decoded.
const BRACE = 'e'
// Asked the other way round, so that there is nothing to backtrack over.
const FOREIGN_LETTER = /[^A-Za-z0-9_-]/

/** The length of {@link footerOf} as base64url text, for whichever key. */
export const FOOTER_TEXT_LENGTH = Math.ceil(
  (('{"kid":""}'.length + KEY_ID_HEADER.length + KEY_ID_LENGTH) * 4) / 3,
)

/** A token taken apart, nothing of it authentic yet. */
export interface TokenParts {
  /** The base64url text of nonce, ciphertext and tag. */
  readonly body: string
  /** The key that the token says it was sealed with: well-formed, and no more than a claim. */
  readonly keyId: string
  /** The footer's bytes as they stand in the token; absent where they are what {@link footerOf} makes. */
  readonly footer: Uint8Array | undefined
}

/** The footer that tokens of this key carry. */
export function footerOf(keyId: string): Uint8Array {
  return new TextEncoder().encode(`{"kid":"${keyId}"}`)
}

/** Writes the standard form. */
export function writeStandard(body: string, footerText: string): string {
  return `${HEADER}${body}.${footerText}`
}

/** Writes the branded form. `brand` is the prefix with its underscore. */
export function writeBranded(brand: string, keyId: string, body: string): string {
  const text = `${brand}${keyId.slice(KEY_ID_HEADER.length)}${body}`
  return text + checksum(text)
}

/** The length of what the two writers make around a body. */
export function overhead(brand: string | undefined, footerText: string): number {
  return brand === undefined
    ? HEADER.length + 1 + footerText.length
    : brand.length + KEY_ID_LENGTH + CRC_LENGTH
}

/** The loaded keys, as {@link readParts} needs them. */
export interface KnownKeys {
  /** The id of the key whose footer the token has from `footerStart` on, to the letter. */
  endingOf(token: string, footerStart: number): string | undefined
  /** The key of this id, if it is loaded. */
  get(keyId: string): unknown
}

/** No keys at all, for the outline alone. */
export const NO_KEYS: KnownKeys = { endingOf: () => undefined, get: () => undefined }

/**
 * Takes a token apart, in whichever form it is. Any well-formed brand will do: it says who issued the token, and proves
 * nothing. A token is the same under another brand or in the standard form, which anyone who has it can write: it has
 * one id, and is revoked in every spelling.
 *
 * @param brands - Those that this authority issues, with their underscores, the longest first.
 */
export function readParts(
  token: string,
  known: KnownKeys,
  brands: readonly string[],
): TokenParts | undefined {
  return token.startsWith(HEADER) ? readStandard(token, known) : readBranded(token, known, brands)
}

function readStandard(token: string, known: KnownKeys): TokenParts | undefined {
  const dot = token.indexOf('.', HEADER.length)
  if (dot < HEADER.length + MIN_BODY || token.length - dot - 1 > MAX_FOOTER_TEXT) return undefined
  // Four characters hold three bytes: no text of this length is the end of any.
  if ((dot - HEADER.length) % 4 === 1) return undefined
  const body = token.slice(HEADER.length, dot)
  const keyId = known.endingOf(token, dot + 1)
  if (keyId !== undefined) return { body, keyId, footer: undefined }
  return readForeignFooter(body, token.slice(dot + 1))
}

// The footer has another encoding, or names a key that is not loaded.
function readForeignFooter(body: string, footerText: string): TokenParts | undefined {
  if (!footerText.startsWith(BRACE) || FOREIGN_LETTER.test(footerText)) return undefined
  const footer = decodeBase64url(footerText)
  if (footer === undefined || footer.length === 0) return undefined
  const text = footer.every((byte) => byte < 0x80) ? footer.toString('latin1') : undefined
  const json = text === undefined ? undefined : parseJsonObject(text, { maxDepth: 1, maxKeys: 8 })
  // Wrapped keys travel in footers too (PASERK `wpk`); a token that brings its own key is not for us to open.
  if (json === undefined || has(json, 'wpk')) return undefined
  const keyId = has(json, 'kid') ? json.kid : undefined
  return typeof keyId === 'string' && KEY_ID.test(keyId) ? { body, keyId, footer } : undefined
}

/** The characters of the longest brand, its underscore included. */
const MAX_BRAND = 33
/** The shortest branded token: a brand of two letters and its underscore, the key id, the payload, the checksum. */
const MIN_BRANDED = 3 + KEY_ID_LENGTH + MIN_BODY + CRC_LENGTH
/** No text that is shorter than this is a token, in any form. */
export const MIN_TOKEN_LENGTH = Math.min(MIN_BRANDED, HEADER.length + MIN_BODY)

/** Whether a text begins like a branded token and is long enough for one: cheap, and before any cryptography. */
export function looksBranded(token: string): boolean {
  return token.length >= MIN_BRANDED && endOfBrand(token, 1) > 0
}

/**
 * The end of a brand that begins the token, its underscore included, and that is longer than `after`; or -1. Brands may
 * have underscores themselves, and so may key ids.
 */
function endOfBrand(token: string, after: number): number {
  for (let i = 0; i < MAX_BRAND; i++) {
    const code = codeAt(token, i)
    if (code === 0x5f) {
      // No two in a row, and none at the start.
      if (i < 2 ? i === 0 : codeAt(token, i - 1) === 0x5f) return -1
      if (i >= 2 && i >= after) return i + 1
    } else if (!(isLetter(code) || (i > 0 && code >= 0x30 && code <= 0x39))) return -1
  }
  return -1
}

const isLetter = (code: number): boolean => code >= 0x61 && code <= 0x7a

function readBranded(
  token: string,
  known: KnownKeys,
  brands: readonly string[],
): TokenParts | undefined {
  const end = token.length - CRC_LENGTH
  if (token.length < MIN_BRANDED || token.slice(end) !== checksum(token.slice(0, end)))
    return undefined
  const own = brands.find((brand) => token.startsWith(brand))
  let likely: TokenParts | undefined
  // The loaded key determines where the brand ends. Without one: a brand of this authority, or the longest one.
  for (let brand = endOfBrand(token, 1); brand > 0; brand = endOfBrand(token, brand)) {
    const parts = partsAfter(token, brand, end)
    if (parts !== undefined && known.get(parts.keyId) !== undefined) return parts
    if (own === undefined ? parts !== undefined : brand === own.length) likely = parts
  }
  return likely
}

function partsAfter(token: string, brand: number, end: number): TokenParts | undefined {
  const start = brand + KEY_ID_LENGTH
  const keyId = KEY_ID_HEADER + token.slice(brand, start)
  return end - start >= MIN_BODY && KEY_ID.test(keyId)
    ? { body: token.slice(start, end), keyId, footer: undefined }
    : undefined
}

/** Decodes canonical, unpadded base64url; returns `undefined` for anything else. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  // Node passes over what it cannot read and over spare bits, so only the way back shows what was really there.
  return bytes.toString('base64url') === text ? bytes : undefined
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let i = 0; i < CRC_LENGTH; i++) {
    digits = (BASE62[rest % 62] as string) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
