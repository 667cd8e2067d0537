/**
 * The two text forms of a token.
 *
 * Standard: `v4.local.` + payload + `.` + footer, where the footer is `{"kid":"k4.lid.…"}`. Branded: prefix + `_` + the
 * 44 characters of the key id + payload + six base62 digits of a CRC-32, so secret scanners can recognize the token,
 * and a mistyped one is rejected without cryptography.
 *
 * All functions return `undefined` for invalid tokens and never throw.
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
// Negated, so the expression cannot backtrack.
const FOREIGN_LETTER = /[^A-Za-z0-9_-]/

/** The length of {@link footerOf} as base64url text, the same for every key. */
export const FOOTER_TEXT_LENGTH = Math.ceil(
  (('{"kid":""}'.length + KEY_ID_HEADER.length + KEY_ID_LENGTH) * 4) / 3,
)

/** The parts of a token, not yet authenticated. */
export interface TokenParts {
  /** The base64url text of nonce, ciphertext and tag. */
  readonly body: string
  /** The key id that the token names: well-formed, but unproven. */
  readonly keyId: string
  /** The footer's bytes in the token; absent if they equal those of {@link footerOf}. */
  readonly footer: Uint8Array | undefined
}

/** The footer of tokens that are sealed with this key. */
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

const HINT_LENGTH = 4

/**
 * Four characters by which people recognize a token. The last four of a branded token: a checksum of its text. The last
 * four of a standard token's payload, because the footer is the same for all tokens of a key.
 */
export function hintOf(token: string): string {
  const end = token.startsWith(HEADER) ? token.lastIndexOf('.') : token.length
  return token.slice(end - HINT_LENGTH, end)
}

/** The number of characters that the two writers add to a body. */
export function overhead(brand: string | undefined, footerText: string): number {
  return brand === undefined
    ? HEADER.length + 1 + footerText.length
    : brand.length + KEY_ID_LENGTH + CRC_LENGTH
}

/** The loaded keys, as {@link readParts} needs them. */
export interface KnownKeys {
  /** The id of the key whose footer text equals the token's text from `footerStart` on. */
  endingOf(token: string, footerStart: number): string | undefined
  /** The key of this id, if it is loaded. */
  get(keyId: string): unknown
}

/** No keys, to check only the format. */
export const NO_KEYS: KnownKeys = { endingOf: () => undefined, get: () => undefined }

/**
 * Parses a token in either form. Any well-formed brand is accepted, because a brand proves nothing. The holder can
 * convert a token between brands and the standard form: it keeps its id, and is revoked in every form.
 *
 * @param brands - The authority's own brands with their underscores, longest first.
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
  // Four characters encode three bytes, so no base64url text has this length.
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
  // PASERK allows wrapped keys in footers (`wpk`); a token that brings its own key is rejected.
  if (json === undefined || has(json, 'wpk')) return undefined
  const keyId = has(json, 'kid') ? json.kid : undefined
  return typeof keyId === 'string' && KEY_ID.test(keyId) ? { body, keyId, footer } : undefined
}

/** The length of the longest brand, including its underscore. */
const MAX_BRAND = 33
/** The shortest branded token: a brand of two letters and its underscore, the key id, the payload, the checksum. */
const MIN_BRANDED = 3 + KEY_ID_LENGTH + MIN_BODY + CRC_LENGTH
/** No shorter text is a token in any form. */
export const MIN_TOKEN_LENGTH = Math.min(MIN_BRANDED, HEADER.length + MIN_BODY)

/** Whether a text begins like a branded token and is long enough: a cheap check before any cryptography. */
export function looksBranded(token: string): boolean {
  return token.length >= MIN_BRANDED && endOfBrand(token, 1) > 0
}

/**
 * The end of the brand at the start of the token, including its underscore, that is longer than `after`; or -1. Both
 * brands and key ids may contain underscores.
 */
function endOfBrand(token: string, after: number): number {
  for (let i = 0; i < MAX_BRAND; i++) {
    const code = codeAt(token, i)
    if (code === 0x5f) {
      // No two underscores in a row, and none at the start.
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
  // Node ignores invalid characters and spare bits, so only encoding again shows whether the text was canonical.
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
