/**
 * Foreign code that calls the library while the library is calling it: schemas, listeners, clocks and getters.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type Clock,
  createWatchword,
  memoryFeed,
  type Requirement,
  type VerifyResult,
  type Watchword,
} from 'watchword'
import { manualClock } from 'watchword/testkit'
import { ready } from '../../../src/paseto.js'
import { closeAll, rig, sharedStore, verdict } from '../../support/harness.js'
import { runs } from '../../support/runs.js'

beforeAll(() => ready)
afterAll(closeAll)

/** Runs at each call of foreign code, unless it is running already too deep. */
let hook: () => void = () => {}
let depth = 0
const MAX_DEPTH = 4

function foreign(): void {
  if (depth >= MAX_DEPTH) return
  depth++
  try {
    hook()
  } finally {
    depth--
  }
}

const listener = () => foreign()
afterEach(() => {
  hook = () => {}
  for (const name of ['watchword:decision', 'watchword:audit', 'lru-cache:metrics'])
    unsubscribe(name, listener)
})

/** A schema that calls foreign code, and takes every claim as it is. */
const nosySchema: StandardSchemaV1 = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      foreign()
      return { value }
    },
  },
}

const plainSchema: StandardSchemaV1 = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** The clock of the rig, which calls foreign code each time it is read. */
function nosyClock(clock: Clock): Clock {
  return {
    now: () => {
      foreign()
      return clock.now()
    },
    monotonic: () => {
      foreign()
      return (clock.monotonic as () => number)()
    },
    setTimer: (callback, delay) => {
      foreign()
      return (clock.setTimer as NonNullable<Clock['setTimer']>)(callback, delay)
    },
  }
}

const REQUIREMENTS: ReadonlyArray<Requirement | undefined> = [
  undefined,
  { scopes: ['orders:read'] },
  { scopes: ['stock:read'] },
  {
    get scopes() {
      foreign()
      return ['orders:write'] as const
    },
  },
  new Proxy<Requirement>(
    { scopes: { anyOf: ['stock:read', 'orders:read'] } },
    {
      get: (target, key, receiver) => {
        foreign()
        return Reflect.get(target, key, receiver)
      },
    },
  ),
  { binding: 'bound' },
]

type Step =
  | { readonly kind: 'verify' | 'authenticate'; readonly token: number; readonly needs: number }
  | { readonly kind: 'issue' | 'rotate' | 'revoke' | 'require'; readonly token: number }

type Placed = Step & { readonly authority: number }

const nat = fc.nat(1000)
const step: fc.Arbitrary<Placed> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('verify' as const, 'authenticate' as const),
      token: nat,
      needs: nat,
      authority: nat,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('issue', 'rotate', 'revoke', 'require') as fc.Arbitrary<
        'issue' | 'rotate' | 'revoke' | 'require'
      >,
      token: nat,
      authority: nat,
    }),
  },
)

interface World {
  readonly authorities: readonly Watchword[]
  /** The same authorities without a cache and without foreign code: the results of a fresh process. */
  readonly twins: readonly Watchword[]
  readonly tokens: string[]
  readonly pending: Promise<unknown>[]
  readonly wrong: string[]
  /** Tokens whose revocation has begun. */
  readonly doomed: Set<string>
}

async function world(cache: false | undefined): Promise<World> {
  const clock = manualClock()
  const authorities: Watchword[] = []
  const twins: Watchword[] = []
  for (const issuer of ['https://a.example', 'https://b.example']) {
    const feed = memoryFeed()
    const shared = { store: sharedStore(), feed, clock }
    const off = cache === undefined ? {} : { cache }
    const own = { claims: nosySchema, clock: nosyClock(clock), issuer, ...off }
    const first = await rig(own, shared)
    authorities.push(first.watchword)
    const { root } = first
    const twin = await rig({ claims: plainSchema, cache: false, issuer }, { ...shared, root })
    twins.push(twin.watchword)
  }
  return { authorities, twins, tokens: [], pending: [], wrong: [], doomed: new Set() }
}

const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T

const shown = (result: VerifyResult) => JSON.stringify(result)

function perform(all: World, each: Placed): void {
  const ww = at(all.authorities, each.authority)
  const twin = at(all.twins, each.authority)
  const token = at(all.tokens, each.token)
  if (each.kind === 'verify' || each.kind === 'authenticate') {
    const needs = at(REQUIREMENTS, each.needs)
    const before = shown(quietly(() => ask(twin, token, needs)))
    const compare = (result: VerifyResult) => {
      const after = shown(quietly(() => ask(twin, token, needs)))
      // A node knows of a revocation of its own a little before its twin does.
      const early = !result.ok && result.code === 'revoked' && all.doomed.has(token)
      if (!early && ![before, after].includes(shown(result)))
        all.wrong.push(`${shown(result)} for ${before} or ${after}`)
    }
    if (each.kind === 'verify') compare(ask(ww, token, needs))
    else
      all.pending.push(
        (needs === undefined ? ww.authenticate(token) : ww.authenticate(token, needs)).then(
          compare,
        ),
      )
    return
  }
  if (each.kind === 'require') {
    ww.require({ scopes: ['orders:read'] })
    return
  }
  all.pending.push(change(all, ww, each.kind, token).catch(() => undefined))
}

function ask(ww: Watchword, token: string, needs: Requirement | undefined): VerifyResult {
  return needs === undefined ? ww.verify(token) : ww.verify(token, needs)
}

// The twin is asked without the foreign code that the requirement would run.
function quietly<T>(run: () => T): T {
  const kept = hook
  hook = () => {}
  try {
    return run()
  } finally {
    hook = kept
  }
}

async function change(
  all: World,
  ww: Watchword,
  kind: 'issue' | 'rotate' | 'revoke',
  token: string,
): Promise<void> {
  if (kind === 'revoke') {
    all.doomed.add(token)
    await ww.revoke({ token }, { actor: 'a' })
  } else if (kind === 'rotate') all.tokens.push((await ww.rotate(token, { actor: 'a' })).token)
  else all.tokens.push((await issue(ww, `s${all.tokens.length}`)).token)
}

function issue(ww: Watchword, subject: string) {
  const scopes = at([['orders:read'], ['stock:read'], ['orders:*', 'stock:read']], subject.length)
  return ww.issue({ policy: 'service', subject, actor: 'a', scopes, claims: { who: subject } })
}

describe('nested calls', () => {
  for (const cache of [undefined, false] as const) {
    it(`leave every result equal to that of a fresh process, with cache: ${cache}`, async () => {
      let nested = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
          const all = await world(cache)
          for (const ww of all.authorities)
            for (const subject of ['alice', 'bob', 'mallory'])
              all.tokens.push((await issue(ww, subject)).token)
          for (const name of ['watchword:decision', 'watchword:audit', 'lru-cache:metrics'])
            subscribe(name, listener)
          const queue = [...steps]
          hook = () => {
            const next = queue.shift()
            if (next === undefined) return
            nested++
            perform(all, next)
          }
          while (queue.length > 0) {
            perform(all, queue.shift() as Placed)
            if (queue.length % 7 === 0) await Promise.all(all.pending.splice(0))
          }
          hook = () => {}
          while (all.pending.length > 0) await Promise.all(all.pending.splice(0))
          expect(all.wrong).toEqual([])
          for (const token of all.tokens) {
            for (const [i, ww] of all.authorities.entries())
              expect(ww.verify(token)).toEqual((all.twins[i] as Watchword).verify(token))
          }
          for (const name of ['watchword:decision', 'watchword:audit', 'lru-cache:metrics'])
            unsubscribe(name, listener)
          await closeAll()
        }),
        { numRuns: runs(40, 40), endOnFailure: true },
      )
      expect(nested).toBeGreaterThan(500)
    })
  }

  it('in a schema never return one token in place of another, across authorities', async () => {
    let inner = ''
    let other: Watchword | undefined
    const claims: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          other?.verify(inner)
          return { value }
        },
      },
    }
    const one = await rig({ claims })
    const two = await rig({ issuer: 'https://b.example' })
    const admin = await one.watchword.issue({
      policy: 'service',
      subject: 'admin',
      actor: 'a',
      scopes: ['orders:*'],
    })
    const user = await two.watchword.issue({ policy: 'service', subject: 'user', actor: 'a' })
    const mine = await one.watchword.issue({ policy: 'service', subject: 'mine', actor: 'a' })
    for (const [ww, token] of [
      [two.watchword, user.token],
      [one.watchword, mine.token],
    ] as const) {
      other = ww
      inner = token
      expect(one.watchword.verify(admin.token)).toMatchObject({ subject: 'admin' })
      other = undefined
      expect(ww.verify(token)).toMatchObject({ ok: true, scopes: [] })
      expect(one.watchword.verify(admin.token)).toMatchObject({ subject: 'admin' })
    }
  })

  it('in an asynchronous schema reject the outer token and leave the inner one unchanged', async () => {
    let nested = (): void => {}
    const claims: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          nested()
          await Promise.resolve()
          nested()
          return { value }
        },
      },
    }
    const shared = await rig()
    const one = await shared.watchword.issue({ policy: 'service', subject: 'one', actor: 'a' })
    const two = await shared.watchword.issue({ policy: 'service', subject: 'two', actor: 'a' })
    const { watchword } = await rig({ claims }, shared)
    nested = () => expect(shared.watchword.verify(two.token)).toMatchObject({ subject: 'two' })
    expect(verdict(watchword.verify(one.token))).toBe('claims_invalid')
    expect(verdict(watchword.verify(two.token))).toBe('claims_invalid')
    await Promise.resolve()
    expect(shared.watchword.verify(one.token)).toMatchObject({ subject: 'one' })
    expect(shared.watchword.verify(two.token)).toMatchObject({ subject: 'two' })
  })

  it('in a schema that throws afterwards leave the other token unchanged', async () => {
    let nested = (): void => {}
    const claims: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          nested()
          return { value }
        },
      },
    }
    const { watchword } = await rig({ claims })
    const one = await watchword.issue({ policy: 'service', subject: 'one', actor: 'a' })
    const two = await watchword.issue({ policy: 'service', subject: 'two', actor: 'a' })
    nested = () => {
      nested = () => {}
      watchword.verify(two.token)
      throw new Error('refused')
    }
    expect(verdict(watchword.verify(one.token))).toBe('claims_invalid')
    expect(watchword.verify(two.token)).toMatchObject({ subject: 'two' })
    expect(watchword.verify(one.token)).toMatchObject({ subject: 'one' })
  })

  it('that revoke from inside a schema take effect in the same result', async () => {
    let nested = (): void => {}
    const claims: StandardSchemaV1 = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          nested()
          return { value }
        },
      },
    }
    const { watchword } = await rig({ claims })
    const { token, id } = await watchword.issue({ policy: 'service', subject: 'one', actor: 'a' })
    let revoked: Promise<unknown> = Promise.resolve()
    nested = () => {
      nested = () => {}
      revoked = watchword.revoke({ id }, { actor: 'a' })
    }
    watchword.verify(token)
    await revoked
    expect(verdict(watchword.verify(token))).toBe('revoked')
  })

  it('that close the authority from its clock or its schema find it closed', async () => {
    const clock = manualClock()
    let nested = (): void => {}
    const now = () => {
      nested()
      return clock.now()
    }
    for (const where of ['clock', 'schema']) {
      const claims: StandardSchemaV1 = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => {
            if (where === 'schema') nested()
            return { value }
          },
        },
      }
      const watchword = await createWatchword({
        issuer: 'i',
        audience: 'a',
        policies: { service: { ttl: '1h', scopes: [] } },
        claims,
        clock: where === 'clock' ? { ...clock, now } : clock,
      })
      const { token } = await watchword.issue({
        policy: 'service',
        subject: 's',
        actor: 'a',
        claims: {},
      })
      let closed: Promise<void> = Promise.resolve()
      nested = () => {
        nested = () => {}
        closed = watchword.close()
      }
      const result = watchword.verify(token)
      expect(result.ok ? 'ok' : result.code).toMatch(/closed|unknown_key/)
      await closed
      expect(watchword.health().cache.tokens).toBe(0)
    }
  })
})
