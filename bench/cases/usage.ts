/**
 * Counting how tokens are used: what it adds to a hot verify, and the memory that it takes.
 *
 * @module
 */
import {
  createWatchword,
  memoryFeed,
  memoryStore,
  type UsageOptions,
  type Watchword,
  type WatchwordOptions,
} from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { accepts, demand } from '../expect.js'
import { AUDIENCE, createFixture, type Fixture, ISSUER, POLICIES, SCOPE } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { bytesInUse, cutterOfIssued } from '../heap.js'
import { cutter } from '../pool.js'
import type { Case, Figure } from '../results.js'
import { median } from '../statistics.js'

// The difference is a few nanoseconds, so it needs more rounds than other cases.
const ROUNDS = 61
const HELD = 100_000
const TIMES = 5
/** The fields of a cached token that count: `uses`, `hour` and `slot`. They exist whether or not uses are counted. */
const FIELD_BYTES = 3 * 8
const CONTEXT = { address: '192.0.2.7', route: '/orders/:id', userAgent: 'orders-worker/4.2' }

export const usage: Case = {
  name: 'usage',
  async run(settings) {
    // First, in a heap that nothing else has filled.
    const figures = await memoryFigures(settings.quick ? 1 : TIMES)
    const fixture = await createFixture()
    const { contenders, close } = await counted(fixture)
    const rounds = settings.quick ? settings.rounds : ROUNDS
    const outcome = await compete(contenders, { ...settings, rounds })
    await close()
    await fixture.close()
    return {
      name: 'usage',
      title: 'Hot verify, uses counted',
      about: [
        `${fixture.tokens.length} tokens in turn, each line with an authority of its own;`,
        `memory: ${HELD} tokens, less the same without usage, and the fields of the cached token.`,
      ],
      figures,
      ...outcome,
    }
  },
}

async function counted({ join, issued, tokens }: Fixture) {
  const authorities: Watchword[] = []
  const contender = async (name: string, option: UsageOptions | false): Promise<Contender> => {
    const authority = await join({ cache: { max: 50_000 }, usage: option })
    authorities.push(authority)
    const needs = authority.require({ scopes: [SCOPE] })
    issued.forEach((one, i) => {
      demand(name, accepts(authority.verify(tokens[i], needs), one))
    })
    const next = cutter(tokens)
    return { name, kind: 'ours', call: () => (authority.verify(next(), needs).ok ? 1 : 0) }
  }
  const contenders = [
    await contender('without usage', false),
    await contender('with usage and scopes', {}),
    await contender('without usage, again', false),
  ]
  // They share a store, which the first of them closes.
  const close = async () => {
    await Promise.allSettled(authorities.map((authority) => authority.close()))
  }
  return { contenders, close }
}

const VARIANTS = {
  none: false,
  counted: { callers: false },
  callers: { callers: true },
} as const satisfies Record<string, UsageOptions | false>

type Variant = keyof typeof VARIANTS

async function memoryFigures(times: number): Promise<Figure[]> {
  await ready
  const bytes: Record<Variant, number[]> = { none: [], counted: [], callers: [] }
  const options = {
    store: memoryStore(),
    feed: memoryFeed(),
    rootKey: exportKey(generateKey()),
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: POLICIES,
  }
  const next = await cutterOfIssued(options, HELD)
  // Closes every hour: the store then skips what authorities write when they are closed, and does not grow.
  await options.store.usage?.purge({ foldUntil: 0, removeUntil: Number.MAX_SAFE_INTEGER })
  // The first fills what exists once for a process.
  await bytesOf(options, next, 'callers')
  for (let i = 0; i < times; i++)
    for (const variant of Object.keys(VARIANTS) as Variant[])
      bytes[variant].push(await bytesOf(options, next, variant))
  const more = (variant: Variant, than: Variant) =>
    median(bytes[variant].map((total, i) => total - (bytes[than][i] as number))) / HELD
  const figure = (name: string, value: number): Figure => ({ name, kind: 'ours', value, unit: 'B' })
  return [
    figure('cached token without usage', median(bytes.none) / HELD),
    figure('usage of a cached token', more('counted', 'none') + FIELD_BYTES),
    figure('its first caller', more('callers', 'counted')),
  ]
}

/** The memory that an authority takes once it has cached and counted every token. */
async function bytesOf(options: WatchwordOptions, next: () => string, variant: Variant) {
  const before = await bytesInUse()
  const watchword = await createWatchword({
    ...options,
    cache: { max: HELD, maxBytes: 1e9 },
    usage: VARIANTS[variant] === false ? false : { ...VARIANTS[variant], flushEvery: '10m' },
  })
  const needs = watchword.require({ scopes: [SCOPE] })
  for (let i = 0; i < HELD; i++) {
    const result = await watchword.authenticate(next(), needs, CONTEXT)
    demand(variant, result.ok)
  }
  const bytes = (await bytesInUse()) - before
  demand(variant, watchword.health().cache.tokens >= HELD - 10)
  await watchword.close()
  return bytes
}
