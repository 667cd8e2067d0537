/**
 * The authority, the tokens and the revocations that the cases share.
 *
 * @module
 */
import { PAE } from 'paseto'
import {
  createWatchword,
  type IssuedToken,
  memoryFeed,
  memoryStore,
  type Watchword,
  type WatchwordOptions,
} from '../src/index.js'
import { exportKey, generateKey, type LocalKey, open, ready, unwrapKey } from '../src/paseto.js'

export const ISSUER = 'https://auth.acme.example'
export const AUDIENCE = 'orders-api'
export const SCOPE = 'orders:read'
/** How many different tokens each contender goes through. */
export const TOKENS = 10_000
/** How many revoked tokens there are to look through, on both sides. */
const REVOKED = 1000

/** Authorities that share a store, so that each verifies what the other issued, and what went into them. */
export interface Fixture {
  /** Caches verified tokens: room for all of them, and more. */
  readonly cached: Watchword
  /** Opens every token anew. */
  readonly uncached: Watchword
  readonly issued: readonly IssuedToken[]
  readonly tokens: readonly string[]
  readonly revoked: readonly IssuedToken[]
  /** The key that sealed the tokens, for contenders that open the very same ones. */
  readonly key: LocalKey
  readonly assertion: Uint8Array
  /** Starts another authority over the same store. */
  readonly join: (more: Partial<WatchwordOptions>) => Promise<Watchword>
  /** The mean size of a token's claims, in bytes. */
  readonly claimBytes: number
  close(): Promise<void>
}

/** Starts the authorities and issues the tokens. */
export async function createFixture(): Promise<Fixture> {
  await ready
  const root = generateKey()
  const store = memoryStore()
  const rootKey = exportKey(root)
  const shared = { store, feed: memoryFeed(), rootKey }
  const options = { ...shared, issuer: ISSUER, audience: AUDIENCE, policies: POLICIES }
  const cached = await createWatchword({ ...options, cache: { max: 50_000 } })
  const issued = await issueMany(cached, TOKENS)
  const revoked = await issueMany(cached, REVOKED)
  for (const { id } of revoked) await cached.revoke({ id }, { reason: 'bench', actor: 'bench' })
  // Started after the revocations, so that it has read every one of them.
  const join = (more: Partial<WatchwordOptions>) => createWatchword({ ...options, ...more })
  const uncached = await join({ cache: false })
  const [record] = await store.listKeys()
  if (record === undefined) throw new Error('the authority made no key')
  const key = unwrapKey(root, record.wrapped)
  const assertion = PAE([ISSUER, AUDIENCE, ''].map((piece) => Buffer.from(piece)))
  const tokens = issued.map(({ token }) => token)
  const claimBytes = meanClaims(key, tokens, assertion)
  // They share a store, which the first of them closes: the last uses that the other would note there are lost.
  const close = async () => void (await Promise.allSettled([cached.close(), uncached.close()]))
  return { cached, uncached, issued, tokens, revoked, key, assertion, join, claimBytes, close }
}

export const POLICIES = {
  service: { ttl: '30d', scopes: ['orders:*'] },
  brief: { ttl: '1s', scopes: ['orders:*'] },
} as const

/** Issues tokens to as many subjects. */
export async function issueMany(
  watchword: Watchword,
  count: number,
  extra: { readonly policy?: 'brief'; readonly claims?: Readonly<Record<string, unknown>> } = {},
): Promise<IssuedToken[]> {
  const issued: IssuedToken[] = []
  for (let i = 0; i < count; i++) {
    const subject = `svc_${String(i).padStart(5, '0')}`
    const input = { policy: 'service', subject, scopes: [SCOPE], actor: 'bench', ...extra }
    issued.push(await watchword.issue(input))
  }
  return issued
}

function meanClaims(key: LocalKey, tokens: readonly string[], assertion: Uint8Array): number {
  let total = 0
  for (const token of tokens) {
    total += open(key, token, { implicitAssertion: assertion })?.payload.length ?? Number.NaN
  }
  return Math.round(total / tokens.length)
}
