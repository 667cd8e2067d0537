/**
 * What every server of the bench is made from, and what a contender is.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { createSigner } from 'fast-jwt'
import { createWatchword, memoryFeed, memoryStore, type Watchword } from '../../src/index.js'
import { AUDIENCE, createFixture, type Fixture, ISSUER, issueMany, POLICIES } from '../fixture.js'
import { deniedIds, jwtClaims, permits } from '../peers.js'
import { tampered } from '../pool.js'

/** Where the guarded handler is, in every server. */
export const PATH = '/orders'
/** Whom the bare servers take everybody for: as long as the subjects of the tokens. */
export const ANYONE = 'svc_anyon'

/** The frameworks, in the order of the table. */
export const FRAMEWORKS = ['express', 'koa', 'fastify'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** A server that is timed. */
export interface Contender {
  readonly name: string
  readonly kind: 'bare' | 'ours' | 'peer'
  /** Starts it on a free port of this machine, and resolves with the port. */
  serve(kit: Kit): Promise<number>
}

/** What a server checks its tokens with. */
export interface Kit {
  /** Caches verified tokens: room for all of them, and more. */
  readonly cached: Watchword
  /** Opens every token anew. */
  readonly uncached: Watchword
  /** The secret of the JSON Web Tokens, in the form that all peers take. */
  readonly secret: string
  /** What is left to the caller of a peer: the scope, and a list of revoked ids. */
  permits(claims: { readonly scope?: unknown; readonly jti?: unknown }): boolean
}

/** The tokens that a server is asked with. */
export interface Tokens {
  /** To be accepted, in the order of their subjects. */
  readonly good: readonly string[]
  readonly revoked: readonly string[]
  /** Altered, sealed with another key, or cut off: must be rejected with 401. */
  readonly forged: readonly string[]
}

/** Makes the kit and the tokens of one server: JSON Web Tokens for a peer, our own for all others. */
export async function makeKit(
  kind: Contender['kind'],
): Promise<{ readonly kit: Kit; readonly tokens: Tokens }> {
  const fixture = await createFixture()
  const { cached, uncached, revoked } = fixture
  const secret = randomBytes(32).toString('hex')
  const denied = deniedIds(revoked)
  const kit = { cached, uncached, secret, permits: (claims: object) => permits(claims, denied) }
  return { kit, tokens: kind === 'peer' ? jwts(fixture, secret) : await ours(fixture) }
}

async function ours({ tokens, revoked }: Fixture): Promise<Tokens> {
  // The same names and another key: what a thief makes who has the library.
  const stranger = await createWatchword({
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: POLICIES,
    store: memoryStore(),
    feed: memoryFeed(),
  })
  const foreign = await issueMany(stranger, tokens.length)
  await stranger.close()
  return {
    good: tokens,
    revoked: revoked.map(({ token }) => token),
    forged: forgeries(
      tokens,
      foreign.map(({ token }) => token),
    ),
  }
}

function jwts({ issued, revoked }: Fixture, secret: string): Tokens {
  const sign = createSigner({ key: secret, algorithm: 'HS256' })
  const signForeign = createSigner({ key: `${secret}?`, algorithm: 'HS256' })
  const good = issued.map((one) => sign(jwtClaims(one)))
  return {
    good,
    revoked: revoked.map((one) => sign(jwtClaims(one))),
    forged: forgeries(
      good,
      issued.map((one) => signForeign(jwtClaims(one))),
    ),
  }
}

/** As many forgeries, of three kinds in turn. */
function forgeries(good: readonly string[], foreign: readonly string[]): string[] {
  return good.map((token, i) => {
    if (i % 3 === 0) return tampered(token)
    return i % 3 === 1 ? (foreign[i] as string) : token.slice(0, -10)
  })
}
