/**
 * What the tests of an authority share: a frozen clock, a root key that tells the test which keys it wrapped, a feed
 * that fails on command, and a way to seal payloads that no authority would write.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { PAE } from 'paseto'
import {
  createWatchword,
  type KeyWrapper,
  memoryFeed,
  memoryStore,
  type Watchword,
  WatchwordError,
  type WatchwordErrorCode,
  type WatchwordOptions,
} from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { importKey, keyId, type LocalKey } from '../../src/token/paserk.js'
import { sealText } from '../../src/token/v4local.js'
import { footerOf, writeBranded, writeStandard } from '../../src/token/wire.js'
import { AUDIENCE, DAY, HOUR, MINUTE, SECOND, SMALL_CACHE } from './constants.js'
import { verdict } from './fleet.js'

export const START = Date.UTC(2026, 0, 1)
export { AUDIENCE, DAY, HOUR, MINUTE, SECOND, verdict }

export const ISSUER = 'https://auth.acme.example'

/** A root key that keeps what it wraps in the open, so that a test can have the keys. */
export interface GlassRoot extends KeyWrapper {
  /** The texts of the keys that it wrapped. */
  readonly seen: readonly string[]
  /** The key of this id. */
  key(id: string): LocalKey
}

export function glassRoot(id = 'glass'): GlassRoot {
  const seen: string[] = []
  return {
    id,
    seen,
    wrap: async (paserk) => {
      seen.push(paserk)
      return `${id}:${seen.length - 1}`
    },
    unwrap: async (wrapped) => {
      const paserk = seen[Number(wrapped.slice(id.length + 1))]
      if (paserk === undefined) throw new Error('not wrapped here')
      return paserk
    },
    key: (kid) => {
      const paserk = seen.find((text) => keyId(importKey(text)) === kid)
      if (paserk === undefined) throw new Error('no such key')
      return importKey(paserk)
    },
  }
}

const POLICIES = {
  service: { ttl: '30d', scopes: ['orders:*', 'stock:read'] },
  short: { ttl: '1h', scopes: ['orders:*'] },
} as const

/** One authority and everything around it. */
export interface Rig {
  readonly watchword: Watchword
  readonly clock: ReturnType<typeof manualClock>
  readonly store: Store
  readonly feed: RevocationFeed
  readonly root: GlassRoot
}

export type RigOptions = Partial<WatchwordOptions<StandardSchemaV1 | undefined>>

const started: Watchword[] = []

/** Starts an authority on a frozen clock, a store, a feed and a root key of its own or of `shared`. */
export async function rig(options: RigOptions = {}, shared: Partial<Rig> = {}): Promise<Rig> {
  const clock = shared.clock ?? manualClock(START)
  const store = shared.store ?? sharedStore()
  const feed = shared.feed ?? memoryFeed()
  const root = shared.root ?? glassRoot()
  const watchword = (await createWatchword<StandardSchemaV1 | undefined>({
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: POLICIES,
    clock,
    store,
    feed,
    rootKey: root,
    cache: SMALL_CACHE,
    ...options,
  })) as Watchword
  started.push(watchword)
  return { watchword, clock, store, feed, root }
}

/** A memory store that outlives the first authority that closes it. */
export function sharedStore(): Store {
  return { ...memoryStore(), close: async () => {} }
}

/** Closes every authority that {@link rig} started. */
export async function closeAll(): Promise<void> {
  await Promise.allSettled(started.splice(0).map((watchword) => watchword.close()))
}

/** A memory feed that can be cut off, and that gives no lease for nothing: it has no `peek`. */
export function cuttableFeed(): RevocationFeed & { cut: boolean } {
  const { peek: _, ...inner } = memoryFeed()
  const feed = {
    ...inner,
    cut: false,
    open: async (...args: Parameters<RevocationFeed['open']>) => inner.open(...reachable(args)),
    head: async (...args: Parameters<RevocationFeed['head']>) => inner.head(...reachable(args)),
    read: async (...args: Parameters<RevocationFeed['read']>) => inner.read(...reachable(args)),
    append: async (...args: Parameters<RevocationFeed['append']>) =>
      inner.append(...reachable(args)),
  }
  function reachable<T>(args: T): T {
    if (feed.cut) throw new Error('the feed is cut off')
    return args
  }
  return feed
}

/** PASETO's implicit assertion of an authority's tokens, built from the specification's own PAE. */
export function assertionOf(issuer: string, audience: string, binding = ''): Uint8Array {
  return PAE([issuer, audience, binding].map((piece) => new TextEncoder().encode(piece)))
}

/** Seals any text as the payload of an authentic token. */
export function sealed(
  { root, watchword }: Rig,
  payload: string,
  {
    issuer = ISSUER,
    audience = AUDIENCE,
    binding = '',
    brand,
    footer,
  }: {
    issuer?: string
    audience?: string
    binding?: string
    brand?: string
    footer?: Uint8Array
  } = {},
): string {
  const kid = activeKey(watchword, audience)
  const bytes = footer ?? footerOf(kid)
  const body = sealText(root.key(kid), payload, bytes, assertionOf(issuer, audience, binding))
  return brand === undefined
    ? writeStandard(body, Buffer.from(bytes).toString('base64url'))
    : writeBranded(brand, kid, body)
}

/** The id of the key that seals for this audience. */
export function activeKey(watchword: Watchword, audience = AUDIENCE): string {
  const key = watchword.keys
    .list()
    .find((each) => each.state === 'active' && each.audience === audience)
  if (key === undefined) throw new Error('no active key')
  return key.id
}

/** Claims that an authority accepts, as PASETO text; `undefined` takes a claim out. */
export function claimsText(change: Readonly<Record<string, unknown>> = {}): string {
  const id = '01KDVDM4000000000000000000'
  return JSON.stringify({
    iss: ISSUER,
    sub: 'svc_billing',
    aud: AUDIENCE,
    exp: new Date(START + HOUR).toISOString(),
    iat: new Date(START).toISOString(),
    jti: id,
    scope: 'orders:read',
    pol: 'service',
    ver: 1,
    fam: id,
    gen: 0,
    ...change,
  })
}

/** The error that a promise rejects with, or that a function throws. */
export async function failureOf(run: () => unknown): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The code of the error that a call ends with. */
export async function codeOf(run: () => unknown): Promise<WatchwordErrorCode> {
  const error = await failureOf(run)
  if (!(error instanceof WatchwordError)) throw error
  return error.code
}

/** Whether a value is frozen through and through. */
export function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen)
}
