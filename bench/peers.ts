/**
 * The peers, each set up the fastest way it documents, with the checks by hand that it does not make itself.
 *
 * @module
 */
import { createSecretKey, webcrypto } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import type { IssuedToken } from '../src/index.js'
import { AUDIENCE, ISSUER, SCOPE } from './fixture.js'

/** What the JSON Web Tokens of the peers say: claim for claim what ours say, times as RFC 7519 writes them. */
export interface JwtClaims {
  iss: string
  sub: string
  aud: string
  exp: number
  iat: number
  jti: string
  scope: string
  pol: string
  ver: number
  fam: string
  gen: number
}

/** The claims of one of our tokens, for a JSON Web Token. */
export function jwtClaims(issued: IssuedToken): JwtClaims {
  return {
    iss: ISSUER,
    sub: issued.subject,
    aud: issued.audience,
    exp: Math.floor(issued.expiresAt / 1000),
    iat: Math.floor(issued.issuedAt / 1000),
    jti: issued.id,
    scope: issued.scopes.join(' '),
    pol: issued.policy,
    ver: 1,
    fam: issued.family,
    gen: issued.generation,
  }
}

/** One secret in the forms that the peers take. */
export interface JwtKeys {
  readonly bytes: Buffer
  readonly keyObject: ReturnType<typeof createSecretKey>
  /** Imported once: given bytes, jose imports them on every call. */
  readonly cryptoKey: webcrypto.CryptoKey
}

/** Makes a secret for HS256. */
export async function jwtKeys(): Promise<JwtKeys> {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(32)))
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const cryptoKey = await webcrypto.subtle.importKey('raw', bytes, algorithm, false, [
    'sign',
    'verify',
  ])
  return { bytes, keyObject: createSecretKey(bytes), cryptoKey }
}

/** Signs our tokens' claims as JSON Web Tokens. */
export function signAll(issued: readonly IssuedToken[], keys: JwtKeys): string[] {
  const sign = createSigner({ key: keys.bytes, algorithm: 'HS256' })
  return issued.map((one) => sign(jwtClaims(one)))
}

/** `fast-jwt` with issuer and audience checked by itself. Its cache is keyed as it does by default, unless told. */
export function fastJwt(
  keys: JwtKeys,
  cache: false | { readonly max: number; readonly keyedByToken?: boolean },
): (token: string) => JwtClaims {
  return createVerifier({
    key: keys.bytes,
    algorithms: ['HS256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    cache: cache === false ? false : cache.max,
    ...(cache !== false && cache.keyedByToken ? { cacheKeyBuilder: (token: string) => token } : {}),
  })
}

/** The checks that are left to the caller of a peer: the scope, and a list of revoked ids. */
export function permits(
  { scope, jti }: { readonly scope?: unknown; readonly jti?: unknown },
  denied: ReadonlySet<string>,
): boolean {
  if (typeof scope !== 'string' || typeof jti !== 'string' || denied.has(jti)) return false
  return scope === SCOPE || scope.split(' ').includes(SCOPE)
}

/** The list of revoked ids that the peers look in. */
export function deniedIds(revoked: readonly IssuedToken[]): ReadonlySet<string> {
  return new Set(revoked.map(({ id }) => id))
}
