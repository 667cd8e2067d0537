/**
 * The two PASETO packages, on the very tokens and the very key of ours.
 *
 * @module
 */
import { decrypt } from 'paseto-ts/v4'
import { exportKey } from '../src/paseto.js'
import { protocol } from '../test/support/paseto-protocol.js'
import { AUDIENCE, type Fixture, ISSUER } from './fixture.js'

type Claims = Readonly<Record<string, unknown>>

/** The key as `paseto-ts` takes it fastest: bytes, so that no text is decoded on each call. */
export function pasetoTsKey({ key }: Fixture): Uint8Array {
  const text = exportKey(key)
  const header = 'k4.local.'
  const bytes = Buffer.from(text.slice(header.length), 'base64url')
  return new Uint8Array(Buffer.concat([Buffer.from(header), bytes]))
}

/** `paseto-ts`: checks the times by itself; issuer and audience by hand. */
export function pasetoTs(fixture: Fixture): (token: string) => Claims {
  const key = pasetoTsKey(fixture)
  const options = { assertion: fixture.assertion }
  return (token) => {
    const { payload } = decrypt(key, token, options)
    if (payload.iss !== ISSUER || payload.aud !== AUDIENCE) throw new Error('not for us')
    return payload
  }
}

/** The `paseto` package over libsodium: checks times, issuer and audience by itself. */
export function pasetoLibsodium(fixture: Fixture): (token: string) => Promise<Claims> {
  const options = { implicitAssertion: fixture.assertion, issuer: ISSUER, audience: AUDIENCE }
  return async (token) => (await protocol.Decrypt(fixture.key, token, options)).claims
}
