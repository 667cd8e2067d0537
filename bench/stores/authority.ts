/**
 * The authorities whose stores are timed.
 *
 * @module
 */
import { createWatchword, type IssuedToken, memoryFeed, type Watchword } from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import type { Store } from '../../src/store/store.js'
import { AUDIENCE, ISSUER, SCOPE } from '../fixture.js'

const POLICIES = {
  service: { ttl: '30d', scopes: ['orders:*'] },
  // Never reached: what is timed is the counting.
  limited: { ttl: '30d', scopes: ['orders:*'], maxActivePerSubject: 1_000_000 },
} as const

export type PolicyName = keyof typeof POLICIES

let rootKey: string | undefined

/** Starts an authority over a store; all of one run have the same root key, so they may share a store. */
export async function startAuthority(store: Store): Promise<Watchword> {
  await ready
  rootKey ??= exportKey(generateKey())
  return createWatchword({
    store,
    feed: memoryFeed(),
    rootKey,
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: POLICIES,
    // A machine that is busy with something else is to give a slow sample, not a failure.
    timeout: '30s',
  })
}

let count = 0

/** What to issue next, to as many subjects as there are calls. */
export function nextInput(policy: PolicyName = 'service') {
  const subject = `new_${String(count++ % 100_000).padStart(5, '0')}`
  return { policy, subject, scopes: [SCOPE], actor: 'bench' }
}

/** Issues tokens in as few steps as can be. */
export async function issueFresh(authority: Watchword, wanted: number): Promise<IssuedToken[]> {
  const issued: IssuedToken[] = []
  while (issued.length < wanted) {
    const size = Math.min(1000, wanted - issued.length)
    issued.push(...(await authority.issueMany(Array.from({ length: size }, () => nextInput()))))
  }
  return issued
}
