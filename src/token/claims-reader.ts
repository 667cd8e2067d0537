/**
 * Reads claims by position from the bytes that {@link writeClaims} writes, without decoding them to text, which is
 * three times as fast as the general reader. Leaves all other bytes to {@link readClaims}, which returns the same
 * results.
 *
 * @module
 */
import { decodeUtf8 } from '../lib/utf8.js'
import {
  type CustomClaims,
  NO_CLAIMS,
  NO_SCOPES,
  REQUIRED,
  RESERVED_CLAIMS,
  readScopes,
  type TokenClaims,
} from './claims.js'
import { PAYLOAD_LIMITS, parseJsonObject } from './json.js'
import { timeOfParts } from './time.js'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

const ISSUER = ascii('{"iss":"')
const SUBJECT = ascii('","sub":"')
const AUDIENCE = ascii('","aud":"')
const EXPIRES_AT = ascii('","exp":"')
const ISSUED_AT = ascii('","iat":"')
const ID = ascii('","jti":"')
const NOT_BEFORE = ascii('","nbf":"')
const SCOPE = ascii('","scope":"')
const POLICY = ascii('","pol":"')
const VERSION = ascii('","ver":')
const FAMILY = ascii(',"fam":"')
const GENERATION = ascii('","gen":')

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const CLOSE = 0x7d
const ZERO = 0x30

const ULID_LENGTH = 26
const TIME_LENGTH = 24
// Every number of this many digits is a safe integer.
const MAX_DIGITS = 15

const IS_CROCKFORD = new Uint8Array(128)
for (const code of ascii('0123456789ABCDEFGHJKMNPQRSTVWXYZ')) IS_CROCKFORD[code] = 1

/** A value shared by most tokens. The last value is reused if the same bytes follow. */
interface Shared<T> {
  bytes: Uint8Array
  value: T | undefined
}

const shared = <T>(): Shared<T> => ({ bytes: new Uint8Array(0), value: undefined })

const NOTHING = Buffer.alloc(0)

/** Reads the claims of one authority's tokens. */
export class ClaimsReader {
  #bytes: Buffer = NOTHING
  #end = 0
  #at = 0
  readonly #issuer = shared<string>()
  readonly #audience = shared<string>()
  readonly #policy = shared<string>()
  readonly #scopes = shared<readonly string[]>()

  /**
   * Reads the first `length` bytes. Calls no foreign code and keeps no view of them.
   *
   * @returns `undefined` for bytes that differ from the output of {@link writeClaims}, whether they are valid or not.
   */
  read(bytes: Buffer, length: number): TokenClaims | undefined {
    this.#bytes = bytes
    this.#end = length
    this.#at = 0
    const claims = this.#claims()
    this.#bytes = NOTHING
    return claims
  }

  #claims(): TokenClaims | undefined {
    if (!this.#skip(ISSUER)) return undefined
    const issuer = this.#sharedText(this.#issuer)
    if (issuer === undefined || !this.#skip(SUBJECT)) return undefined
    const subject = this.#text()
    if (subject === undefined || !this.#skip(AUDIENCE)) return undefined
    const audience = this.#sharedText(this.#audience)
    if (audience === undefined || !this.#skip(EXPIRES_AT)) return undefined
    const expiresAt = this.#time()
    if (expiresAt === undefined || !this.#skip(ISSUED_AT)) return undefined
    const issuedAt = this.#time()
    if (issuedAt === undefined || !this.#skip(ID)) return undefined
    const idAt = this.#at
    const id = this.#ulid()
    if (id === undefined) return undefined
    const hasNotBefore = this.#skip(NOT_BEFORE)
    const notBefore = hasNotBefore ? this.#time() : null
    if (notBefore === undefined) return undefined
    const hasScopes = this.#skip(SCOPE)
    const scopes = hasScopes ? this.#scopeList() : NO_SCOPES
    if (scopes === undefined || !this.#skip(POLICY)) return undefined
    const policy = this.#sharedText(this.#policy)
    if (policy === undefined || !this.#skip(VERSION)) return undefined
    const policyVersion = this.#count()
    if (policyVersion === undefined || !this.#skip(FAMILY)) return undefined
    const family = this.#repeats(idAt) ? id : this.#ulid()
    if (family === undefined || !this.#skip(GENERATION)) return undefined
    const generation = this.#count()
    if (generation === undefined) return undefined
    const custom = this.#custom(REQUIRED + (hasNotBefore ? 1 : 0) + (hasScopes ? 1 : 0))
    if (custom === undefined) return undefined
    return {
      issuer,
      subject,
      audience,
      expiresAt,
      issuedAt,
      notBefore,
      id,
      scopes,
      policy,
      policyVersion,
      family,
      generation,
      custom,
    }
  }

  #skip(literal: Uint8Array): boolean {
    const at = this.#at
    if (!this.#matches(at, literal)) return false
    this.#at = at + literal.length
    return true
  }

  #matches(at: number, expected: Uint8Array): boolean {
    if (at + expected.length > this.#end) return false
    for (let i = 0; i < expected.length; i++) if (this.#bytes[at + i] !== expected[i]) return false
    return true
  }

  /** The index of the closing quote of the text that begins here; -1 if the text is empty, escaped, or not ASCII. */
  #endOfText(): number {
    const bytes = this.#bytes
    const start = this.#at
    for (let i = start; i < this.#end; i++) {
      const code = bytes[i] as number
      if (code === QUOTE) return i === start ? -1 : i
      if (code < 0x20 || code > 0x7e || code === BACKSLASH) return -1
    }
    return -1
  }

  #text(): string | undefined {
    const end = this.#endOfText()
    if (end < 0) return undefined
    const text = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end
    return text
  }

  #sharedText(last: Shared<string>): string | undefined {
    return this.#shared(last, (text) => text)
  }

  #scopeList(): readonly string[] | undefined {
    return this.#shared(this.#scopes, readScopes)
  }

  #shared<T>(last: Shared<T>, read: (text: string) => T | undefined): T | undefined {
    const end = this.#at + last.bytes.length
    if (
      last.value !== undefined &&
      this.#bytes[end] === QUOTE &&
      this.#matches(this.#at, last.bytes)
    ) {
      this.#at = end
      return last.value
    }
    const start = this.#at
    const text = this.#text()
    const value = text === undefined ? undefined : read(text)
    if (value === undefined) return undefined
    last.bytes = Uint8Array.prototype.slice.call(this.#bytes, start, this.#at)
    last.value = value
    return value
  }

  /** Only the form `2026-11-23T17:36:21.123Z`. */
  #time(): number | undefined {
    const at = this.#at
    const bytes = this.#bytes
    if (at + TIME_LENGTH > this.#end) return undefined
    if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d || bytes[at + 10] !== 0x54)
      return undefined
    if (bytes[at + 13] !== 0x3a || bytes[at + 16] !== 0x3a) return undefined
    if (bytes[at + 19] !== 0x2e || bytes[at + 23] !== 0x5a) return undefined
    this.#at = at + TIME_LENGTH
    const year = this.#two(at) * 100 + this.#two(at + 2)
    const ms = this.#two(at + 20) * 10 + this.#digit(at + 22)
    const month = this.#two(at + 5)
    const day = this.#two(at + 8)
    return timeOfParts(
      year,
      month,
      day,
      this.#two(at + 11),
      this.#two(at + 14),
      this.#two(at + 17),
      ms,
    )
  }

  #digit(at: number): number {
    const value = (this.#bytes[at] as number) - ZERO
    return value >= 0 && value <= 9 ? value : Number.NaN
  }

  #two(at: number): number {
    return this.#digit(at) * 10 + this.#digit(at + 1)
  }

  #ulid(): string | undefined {
    const at = this.#at
    const end = at + ULID_LENGTH
    if (end > this.#end || (this.#bytes[at] as number) > 0x37) return undefined
    for (let i = at; i < end; i++)
      if (IS_CROCKFORD[this.#bytes[i] as number] !== 1) return undefined
    this.#at = end
    return this.#bytes.toString('latin1', at, end)
  }

  /** Whether the ULID at `from` is repeated here; moves past it if so. */
  #repeats(from: number): boolean {
    if (this.#at + ULID_LENGTH > this.#end) return false
    for (let i = 0; i < ULID_LENGTH; i++)
      if (this.#bytes[this.#at + i] !== this.#bytes[from + i]) return false
    this.#at += ULID_LENGTH
    return true
  }

  #count(): number | undefined {
    const start = this.#at
    let value = 0
    while (this.#at < this.#end && this.#at - start < MAX_DIGITS) {
      const digit = (this.#bytes[this.#at] as number) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      this.#at++
    }
    const digits = this.#at - start
    const hasLeadingZero = digits > 1 && this.#bytes[start] === ZERO
    return digits === 0 || hasLeadingZero ? undefined : value
  }

  /** The custom claims after the `reserved` claims of the library, up to the end. */
  #custom(reserved: number): CustomClaims | undefined {
    const at = this.#at
    if (this.#bytes[at] === CLOSE && at === this.#end - 1) return NO_CLAIMS
    if (this.#bytes[at] !== COMMA || at >= this.#end) return undefined
    const text = decodeUtf8(this.#bytes.subarray(at + 1, this.#end))
    if (text === undefined) return undefined
    const { maxDepth, maxKeys } = PAYLOAD_LIMITS
    const custom = parseJsonObject(`{${text}`, { maxDepth, maxKeys: maxKeys - reserved })
    if (custom === undefined) return undefined
    const names = Object.keys(custom)
    // A trailing comma is not JSON, and a reserved claim at this point is a duplicate.
    return names.length > 0 && !names.some((name) => RESERVED_CLAIMS.has(name)) ? custom : undefined
  }
}
