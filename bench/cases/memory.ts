/**
 * Memory: what a cached token takes, measured after a full collection.
 *
 * @module
 */
import { createWatchword, memoryFeed, memoryStore } from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { demand } from '../expect.js'
import { AUDIENCE, ISSUER, issueMany, POLICIES } from '../fixture.js'
import { bytesInUse, cutterOfIssued } from '../heap.js'
import { fastJwt, type JwtKeys, jwtKeys, signAll } from '../peers.js'
import { cutter } from '../pool.js'
import type { Case, Figure } from '../results.js'

const TOKENS = 100_000
const CLAIMS = { tenant: 'acme', tier: 'gold', region: 'eu-central-1', seats: 25 }
const MEGABYTE = 1_000_000

export const memory: Case = {
  name: 'memory',
  async run(settings) {
    const figures = await ours('watchword')
    if (!settings.quick) {
      figures.push(...(await ours('watchword, four custom claims', CLAIMS)), await fastJwtCache())
    }
    return {
      name: 'memory',
      title: 'Memory of the cache',
      about: [
        `Heap and memory outside it, after a collection, with ${TOKENS} tokens cached less before; the`,
        'first use of each is noted and due to be written, which counts here and goes within a minute.',
      ],
      timings: [],
      ratios: {},
      figures,
    }
  },
}

async function ours(name: string, claims?: typeof CLAIMS): Promise<Figure[]> {
  await ready
  const rootKey = exportKey(generateKey())
  const shared = { store: memoryStore(), feed: memoryFeed(), rootKey }
  const options = { ...shared, issuer: ISSUER, audience: AUDIENCE, policies: POLICIES }
  const next = await cutterOfIssued(options, TOKENS, claims)
  const before = await bytesInUse()
  // One that starts empty, so that what the cache takes when it is made is counted.
  const cache = { max: TOKENS, maxBytes: 1e9 }
  const verifier = await createWatchword({ ...options, cache })
  for (let i = 0; i < TOKENS; i++) demand(name, verifier.verify(next()).ok)
  const withUses = (await bytesInUse()) - before
  const { tokens, bytes } = verifier.health().cache
  // Two of so many may want the same slot of the cache; then it keeps one.
  demand(name, tokens >= TOKENS - 10)
  // Also keeps the tokens' bytes alive until here: they were counted before.
  demand(name, verifier.verify(next()).ok)
  await verifier.close()
  return [
    { name, kind: 'ours', value: withUses / MEGABYTE, unit: 'MB' },
    { name: `${name}: its own estimate`, kind: 'ours', value: bytes / MEGABYTE, unit: 'MB' },
  ]
}

async function fastJwtCache(): Promise<Figure> {
  const name = 'fast-jwt'
  const keys = await jwtKeys()
  const next = await jwtsOf(keys)
  const before = await bytesInUse()
  const verify = fastJwt(keys, { max: TOKENS })
  for (let i = 0; i < TOKENS; i++) demand(name, verify(next()).aud === AUDIENCE)
  const value = ((await bytesInUse()) - before) / MEGABYTE
  demand(name, verify(next()).aud === AUDIENCE)
  return { name, kind: 'peer', value, unit: 'MB' }
}

async function jwtsOf(keys: JwtKeys): Promise<() => string> {
  const watchword = await createWatchword({
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: POLICIES,
  })
  const issued = await issueMany(watchword, TOKENS)
  await watchword.close()
  return cutter(signAll(issued, keys))
}
