import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IssuedToken, KeyInfo, Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import type { ManualClock } from 'watchword/testkit'
import {
  issuingKey,
  type KeySchedule,
  keyState,
  MAX_SKEW_MS,
  nextKey,
  rotationDueAt,
} from '../../../src/keys/rotation.js'
import {
  around,
  DAY,
  drive,
  type Fleet,
  feedOver,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  outcome,
  verdict,
} from '../../support/fleet.js'
import { runs } from '../../support/runs.js'

type KeyRecord = Parameters<typeof issuingKey>[0][number]

describe('a schedule of keys', () => {
  const schedule = fc
    .record({
      rotateEveryMs: fc.integer({ min: HOUR, max: 60 * DAY }),
      share: fc.double({ min: 0.001, max: 0.249, noNaN: true }),
      maxTokenMs: fc.integer({ min: 1000, max: 400 * DAY }),
    })
    .map(
      ({ rotateEveryMs, share, maxTokenMs }): KeySchedule => ({
        rotateEveryMs,
        publishAheadMs: Math.max(1, Math.floor(rotateEveryMs * share)),
        maxTokenMs,
      }),
    )
  const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  /** The next step: time passes, an operator rotates early, or a key is revoked. */
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ pass: fc.double({ min: 0, max: 0.2, noNaN: true }) }) },
    // To just before the key that issues retires, when its successor is published but not active.
    { weight: 3, arbitrary: fc.record({ edge: fc.double({ min: 0, max: 1.5, noNaN: true }) }) },
    { weight: 2, arbitrary: fc.constant({ rotate: true as const }) },
    { weight: 1, arbitrary: fc.record({ revoke: fc.nat({ max: 3 }) }) },
  )
  const START = 1_767_225_600_000

  function made(
    records: readonly KeyRecord[],
    rules: KeySchedule,
    now: number,
    at: 'due' | 'soon',
  ) {
    const next = nextKey(records, rules, now, at)
    const id = `k${next.generation}`
    const rest = { id, audience: 'a', wrapped: '', wrappedBy: '', revokedAt: null, tag: '' }
    return { ...next, ...rest } satisfies KeyRecord
  }

  /** Until when the keys that are there seal without a gap. */
  function coveredUntil(records: readonly KeyRecord[], now: number): number {
    let until = now
    for (;;) {
      const key = issuingKey(records, until)
      if (key === undefined) return until
      const next = records
        .filter(({ activatesAt, revokedAt }) => revokedAt === null && activatesAt > until)
        .map(({ activatesAt }) => activatesAt)
      until = Math.min(key.retiresAt, ...next)
    }
  }

  it('has one issuing key at each moment, published in advance, and none that ends before its tokens', () => {
    fc.assert(
      fc.property(
        schedule,
        share,
        fc.array(step, { maxLength: 60, size: 'max' }),
        (rules, node, steps) => {
          let now = START
          let records: readonly KeyRecord[] = []
          const add = (at: 'due' | 'soon') => {
            const covered = coveredUntil(records, now)
            const key = made(records, rules, now, at)
            // Published ahead, unless waiting for that would leave nothing to issue with.
            if (key.activatesAt < now + rules.publishAheadMs)
              expect(covered).toBeLessThan(now + rules.publishAheadMs)
            // Never a gap.
            if (covered > now) expect(key.activatesAt).toBeLessThanOrEqual(covered)
            else expect(key.activatesAt).toBeLessThanOrEqual(now - MAX_SKEW_MS)
            expect(key.retiresAt).toBeGreaterThanOrEqual(now + rules.rotateEveryMs)
            expect(key.expiresAt - key.retiresAt).toBe(rules.maxTokenMs + MAX_SKEW_MS)
            expect(records.map(({ generation }) => generation)).not.toContain(key.generation)
            records = [...records, key]
          }
          const rotateIfDue = () => {
            if (now >= rotationDueAt(records, rules, node, now)) add('due')
          }
          rotateIfDue()
          for (const each of steps) {
            if ('pass' in each || 'edge' in each) {
              const { retiresAt } = issuingKey(records, now) as KeyRecord
              const until =
                'pass' in each
                  ? now + Math.floor(each.pass * rules.rotateEveryMs)
                  : Math.max(now, retiresAt - Math.floor(each.edge * rules.publishAheadMs) - 1)
              // The node looks in twice in each publishing period.
              const look = Math.max(1, Math.floor(rules.publishAheadMs / 2))
              while (now < until) {
                now = Math.min(until, now + look)
                expect(issuingKey(records, now)).toBeDefined()
                rotateIfDue()
                if (rules.publishAheadMs < rules.rotateEveryMs / 100) now = until
              }
            } else if ('rotate' in each) add('soon')
            else {
              const doomed = records.at(-1 - each.revoke)
              records = records.map((key) => (key === doomed ? { ...key, revokedAt: now } : key))
            }
            rotateIfDue()
            const states = records.map((key) => keyState(key, records, now))
            expect(states.filter((state) => state === 'active')).toHaveLength(1)
          }
        },
      ),
      { numRuns: runs(400, 100) },
    )
  })
})

const AUDIENCES = ['orders-api', 'users-api'] as const
const TTL = 20 * DAY
const PUBLISH_AHEAD = 2 * DAY
const YEARS = 2 * 365 * DAY

/** A generator of numbers in [0, 1) that a seed determines. */
function generator(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The manual clock, but housekeeping by the minute runs late, as on a node that sleeps: two years have a million minutes. */
function sleepy(clock: ManualClock): ManualClock {
  return {
    ...clock,
    setTimer: (callback, delayMs) =>
      clock.setTimer(callback, delayMs === MINUTE ? 12 * HOUR : delayMs),
  }
}

interface World {
  readonly fleet: Fleet
  readonly random: () => number
  readonly store: Store
  readonly nodes: (Watchword | undefined)[]
  readonly tokens: IssuedToken[]
  outageUntil: number
  verified: number
  made: number
}

/** A store that takes its time with every call, fails now and then, and is down for hours on end. */
function unreliable(fleet: Fleet, random: () => number, isDown: () => boolean): Store {
  const wait = () =>
    new Promise<void>((resolve) => void fleet.clock.setTimer(resolve, Math.floor(random() * 700)))
  return around(fleet.store, async (_, call) => {
    await wait()
    if (isDown() || random() < 0.02) throw new Error('connection reset')
    const result = await call()
    await wait()
    // It was written, but the caller never learns of it.
    if (random() < 0.01) throw new Error('connection reset')
    return result
  })
}

async function startNode(world: World): Promise<Watchword | undefined> {
  const { fleet, store } = world
  const { value } = await outcome(drive(fleet.clock, fleet.start({ store })))
  return value
}

function boundaries(nodes: readonly (Watchword | undefined)[], now: number): number[] {
  return nodes
    .flatMap((node) => node?.keys.list() ?? [])
    .flatMap(({ activatesAt, retiresAt, expiresAt }) => [activatesAt, retiresAt, expiresAt])
    .filter((at) => at > now)
}

/** A random step, which likes to land on the very instants where keys change, and next to them. */
function stepOf({ fleet, random, nodes }: World): number {
  const now = fleet.clock.now()
  const next = Math.min(...boundaries(nodes, now))
  if (random() < 0.3 && next - now < 2 * DAY)
    return Math.max(1, next - now + Math.floor(random() * 3) - 1)
  return 1 + Math.floor(random() * 1.5 * DAY)
}

function checkKeys({ nodes, fleet }: World): void {
  const now = fleet.clock.now()
  for (const audience of AUDIENCES) {
    const active = new Set<string>()
    for (const node of nodes) {
      const keys = (node?.keys.list() ?? []).filter((key) => key.audience === audience)
      const issuing = keys.filter(({ state }) => state === 'active')
      expect(issuing.length).toBeLessThanOrEqual(1)
      for (const { id } of issuing) active.add(id)
      for (const key of keys) checkUse(key, now)
    }
    expect(active.size).toBe(1)
  }
}

function checkUse(key: KeyInfo, now: number): void {
  const { state, activatesAt, retiresAt, expiresAt } = key
  expect(expiresAt).toBe(retiresAt + TTL + MINUTE)
  if (now >= expiresAt) expect(state).toBe('expired')
  else if (now >= retiresAt) expect(state).toBe('verifying')
  else if (now < activatesAt) expect(state).toBe('pending')
}

async function issueEverywhere(world: World): Promise<void> {
  const { fleet, nodes, random, tokens } = world
  for (const node of nodes) {
    if (node === undefined || random() < 0.4) continue
    const audience = AUDIENCES[Math.floor(random() * 2)] as string
    const { value, code } = await outcome(drive(fleet.clock, issueOn(node, { audience })))
    if (value === undefined) expect(code).toBe('ERR_STORE_UNAVAILABLE')
    else {
      // A token that was cut short, or that outlives its key, would be refused before its time.
      expect(value.expiresAt - value.issuedAt).toBe(TTL)
      tokens.push(value)
    }
  }
}

async function verifyEverywhere(world: World): Promise<void> {
  const { fleet, nodes, random } = world
  const live = world.tokens.filter(({ expiresAt }) => expiresAt > fleet.clock.now())
  world.tokens.splice(0, world.tokens.length, ...live)
  for (const node of nodes) {
    if (node === undefined) continue
    const picks = Array.from({ length: 4 }, () => Math.floor(random() * live.length))
    for (const i of [0, live.length - 1, ...picks]) {
      const token = live[i]
      if (token === undefined || fleet.clock.now() >= token.expiresAt) continue
      expect(verdict(node.verify(token.token))).toBe('ok')
      expect(verdict(await node.authenticate(token.token))).toBe('ok')
      world.verified++
    }
  }
}

async function upsAndDowns(world: World): Promise<void> {
  const { fleet, nodes, random } = world
  const now = fleet.clock.now()
  if (random() < 0.03) world.outageUntil = now + Math.floor(random() * DAY)
  const i = Math.floor(random() * nodes.length)
  const running = nodes.filter((node) => node !== undefined).length
  if (random() < 0.05 && running > 2) {
    const closing = nodes[i]?.close().catch(() => undefined)
    nodes[i] = undefined
    if (closing !== undefined) await drive(fleet.clock, closing)
  }
  if (random() < 0.3) nodes[i] ??= await startNode(world)
  if (random() < 0.01 && nodes[i] !== undefined) {
    const { code } = await outcome(drive(fleet.clock, nodes[i].keys.rotate()))
    if (code !== undefined) expect(code).toBe('ERR_STORE_UNAVAILABLE')
  }
}

async function simulate(seed: number): Promise<World> {
  const random = generator(seed)
  const base = await newFleet({
    audience: AUDIENCES,
    policies: { service: { ttl: TTL, scopes: ['orders:*', 'users:read'] } },
    keys: { rotateEvery: 30 * DAY, publishAhead: PUBLISH_AHEAD, refreshEvery: '6h' },
    maxStaleness: '1h',
  })
  const { clock } = base
  const slowFeed = feedOver(base.feed, { info: { ...base.feed.info, suggestedPollMs: 12 * HOUR } })
  // Counted here, because the first node makes keys as well, and its store never fails.
  const store = around(base.store, async (method, call) => {
    const result = await call()
    if (method === 'insertKey' && result === true) world.made++
    return result
  })
  const fleet: Fleet = {
    ...base,
    store,
    start: (options) => base.start({ clock: sleepy(clock), feed: slowFeed, store, ...options }),
  }
  const isDown = () => clock.now() < world.outageUntil
  const world: World = {
    fleet,
    random,
    store: unreliable(fleet, random, isDown),
    nodes: [undefined, undefined, undefined, undefined, undefined],
    tokens: [],
    outageUntil: 0,
    verified: 0,
    made: 0,
  }
  world.nodes[0] = await fleet.start()
  const end = clock.now() + YEARS
  while (clock.now() < end) {
    await clock.advance(stepOf(world))
    await upsAndDowns(world)
    await issueEverywhere(world)
    checkKeys(world)
    await verifyEverywhere(world)
  }
  world.outageUntil = 0
  await drive(clock, fleet.close())
  return world
}

const KEPT = 2 * (30 * DAY + PUBLISH_AHEAD)

describe('five authorities on one slow and failing store, over two years', () => {
  it('reject no valid token and agree on the issuing key', {
    timeout: 400_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const { fleet, verified, made } = await simulate(seed)
        expect(verified).toBeGreaterThan(5000)
        // About one a month for each audience; rotating ahead of time adds a few.
        expect(made).toBeGreaterThan(40)
        expect(made).toBeLessThan(120)
        // Nothing is kept once it is past its use: a key's events in the feed may concern the tokens of its successor.
        const now = fleet.clock.now()
        const keys = await fleet.store.listKeys()
        expect(keys.filter(({ expiresAt }) => expiresAt + KEPT + 2 * DAY < now)).toEqual([])
      }),
      { numRuns: runs(3, 1), endOnFailure: true },
    )
  })
})
