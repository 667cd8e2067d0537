/**
 * The claims of a token: writing them, and reading them after the token was authenticated.
 *
 * @module
 */
import { isScope, MAX_SCOPES } from '../policy/scopes.js'
import { PAYLOAD_LIMITS, parseJsonObject } from './json.js'
import { writePlainJson } from './plain-json.js'
import { formatTime, parseTime } from './time.js'

/** Reserved names of the library and of PASETO, which custom claims must not use. */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
  ...['scope', 'pol', 'ver', 'fam', 'gen'],
  '__proto__',
])

/** The claims of a token, with times in Unix milliseconds. */
export interface TokenClaims {
  readonly issuer: string
  readonly subject: string
  readonly audience: string
  readonly expiresAt: number
  readonly issuedAt: number
  readonly notBefore: number | null
  readonly id: string
  readonly scopes: readonly string[]
  readonly policy: string
  readonly policyVersion: number
  readonly family: string
  readonly generation: number
  readonly custom: CustomClaims
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
/** Custom claims, exactly as they were written. */
export type CustomClaims = Readonly<Record<string, unknown>>

/** No custom claims. */
export const NO_CLAIMS: CustomClaims = Object.freeze({})
/** No scopes. */
export const NO_SCOPES: readonly string[] = Object.freeze([])

/** Whether the text is a ULID in its canonical, upper-case form. */
export function isUlid(text: unknown): text is string {
  return typeof text === 'string' && ULID.test(text)
}

/** The token fields that {@link writeClaims} needs; a record has all of them. */
export type WritableClaims = Omit<TokenClaims, 'issuer' | 'custom'>

/** Writes the claims as the JSON text of a payload. */
export function writeClaims(
  issuer: string,
  token: WritableClaims,
  custom: TokenClaims['custom'],
): string {
  const claims: Record<string, unknown> = {
    iss: issuer,
    sub: token.subject,
    aud: token.audience,
    exp: formatTime(token.expiresAt),
    iat: formatTime(token.issuedAt),
    jti: token.id,
    ...(token.notBefore === null ? {} : { nbf: formatTime(token.notBefore) }),
    ...(token.scopes.length === 0 ? {} : { scope: token.scopes.join(' ') }),
    pol: token.policy,
    ver: token.policyVersion,
    fam: token.family,
    gen: token.generation,
  }
  for (const name of Object.keys(custom)) claims[name] = custom[name]
  return writePlainJson(claims)
}

/** Reads an authentic payload. Returns `undefined` if any claim is missing, duplicated or malformed. */
export function readClaims(text: string): TokenClaims | undefined {
  const json = parseJsonObject(text, PAYLOAD_LIMITS)
  if (json === undefined) return undefined
  const { iss, sub, aud, jti, pol, ver, fam, gen } = json
  const expiresAt = parseTime(json['exp'])
  const issuedAt = parseTime(json['iat'])
  // A present but invalid claim is rejected, never treated as absent.
  const hasNotBefore = Object.hasOwn(json, 'nbf')
  const notBefore = hasNotBefore ? parseTime(json['nbf']) : null
  const hasScopes = Object.hasOwn(json, 'scope')
  const scopes = hasScopes ? readScopes(json['scope']) : NO_SCOPES
  if (
    expiresAt === undefined ||
    issuedAt === undefined ||
    notBefore === undefined ||
    scopes === undefined
  )
    return undefined
  if (!isText(iss) || !isText(sub) || !isText(aud) || !isText(pol)) return undefined
  if (!isUlid(jti) || (fam !== jti && !isUlid(fam)) || !isCount(ver) || !isCount(gen))
    return undefined
  // Counted, so no reserved claim can come from a polluted prototype.
  const { custom, reserved } = split(json)
  if (reserved !== REQUIRED + (hasNotBefore ? 1 : 0) + (hasScopes ? 1 : 0)) return undefined
  return {
    issuer: iss,
    subject: sub,
    audience: aud,
    expiresAt,
    issuedAt,
    notBefore,
    id: jti,
    scopes,
    policy: pol,
    policyVersion: ver,
    // Equal ids share one string, which halves the text of a cache entry.
    family: fam === jti ? jti : (fam as string),
    generation: gen,
    custom,
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

/**
 * The number of claims that every token has: `iss`, `sub`, `aud`, `exp`, `iat`, `jti`, `pol`, `ver`, `fam` and `gen`.
 */
export const REQUIRED = 10

interface Split {
  readonly custom: Readonly<Record<string, unknown>>
  /** The number of reserved claims. */
  readonly reserved: number
}

function split(json: Readonly<Record<string, unknown>>): Split {
  let custom: Record<string, unknown> | undefined
  let reserved = 0
  for (const name of Object.keys(json)) {
    if (RESERVED_CLAIMS.has(name)) {
      reserved++
      continue
    }
    custom ??= {}
    custom[name] = json[name]
  }
  return { custom: custom ?? NO_CLAIMS, reserved }
}

// Most tokens have one of a few scope lists, so equal lists are shared, which saves most of an entry's memory. Bounded,
// and filled only from authentic tokens.
const knownScopes = new Map<string, readonly string[]>()
const MAX_KNOWN_SCOPES = 1000

/**
 * Reads a list of scopes. Returns one shared object for each list, or `undefined` if the value is not a list of scopes.
 */
export function readScopes(value: unknown): readonly string[] | undefined {
  if (!isText(value)) return undefined
  const known = knownScopes.get(value)
  if (known !== undefined) return known
  const scopes = value.split(' ')
  if (scopes.length > MAX_SCOPES || !scopes.every(isScope)) return undefined
  Object.freeze(scopes)
  if (knownScopes.size < MAX_KNOWN_SCOPES) knownScopes.set(value, scopes)
  return scopes
}
