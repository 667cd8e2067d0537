/**
 * The cache against a naive reference, and verdicts with it against verdicts without it.
 *
 * @module
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Requirement, RevokeTarget, Watchword, WatchwordError } from 'watchword'
import { type Fingerprinted, VerifiedCache } from '../../../src/cache/verified-cache.js'
import { ready } from '../../../src/paseto.js'
import { flush } from '../../support/fleet.js'
import { AUDIENCE, closeAll, DAY, HOUR, rig, verdict } from '../../support/harness.js'
import { runs } from '../../support/runs.js'

beforeAll(() => ready)
afterAll(closeAll)

type Print = readonly [number, number, number, number]

interface Entry extends Fingerprinted {
  readonly label: number
}

const entryOf = ([print0, print1, print2, print3]: Print, label: number): Entry => ({
  print0,
  print1,
  print2,
  print3,
  label,
})

const samePrint = (a: Print, b: Print): boolean => a.every((word, i) => word === b[i])

/** A slow reference of the cache: one entry per slot, a slot being the first word; the oldest use is evicted first. */
class Reference {
  readonly #max: number
  readonly #maxBytes: number
  #rows: Array<{ print: Print; entry: Entry; bytes: number }> = []

  constructor(max: number, maxBytes: number) {
    this.#max = max
    this.#maxBytes = maxBytes
  }

  get(print: Print): Entry | undefined {
    const row = this.#take(print)
    if (row === undefined) return undefined
    this.#rows.push(row)
    return samePrint(row.print, print) ? row.entry : undefined
  }

  set(print: Print, entry: Entry, bytes: number): void {
    this.#take(print)
    if (bytes > this.#maxBytes) return
    while (this.#rows.length >= this.#max || this.bytes + bytes > this.#maxBytes) this.#rows.shift()
    this.#rows.push({ print, entry, bytes })
  }

  delete(print: Print): void {
    this.#take(print)
  }

  get size(): number {
    return this.#rows.length
  }

  get bytes(): number {
    return this.#rows.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #take(print: Print): { print: Print; entry: Entry; bytes: number } | undefined {
    const at = this.#rows.findIndex((row) => row.print[0] === print[0])
    return at < 0 ? undefined : this.#rows.splice(at, 1)[0]
  }
}

interface Model {
  readonly reference: Reference
}
type Real = VerifiedCache<Entry>

class Get implements fc.Command<Model, Real> {
  readonly print: Print
  constructor(print: Print) {
    this.print = print
  }
  check = () => true
  run({ reference }: Model, cache: Real): void {
    expect(cache.get(...this.print)).toBe(reference.get(this.print))
    compare(reference, cache)
  }
  toString = () => `get(${this.print.join()})`
}

class Put implements fc.Command<Model, Real> {
  readonly print: Print
  readonly bytes: number
  readonly label: number
  constructor(print: Print, bytes: number, label: number) {
    this.print = print
    this.bytes = bytes
    this.label = label
  }
  check = () => true
  run({ reference }: Model, cache: Real): void {
    const entry = entryOf(this.print, this.label)
    cache.set(entry, this.bytes)
    reference.set(this.print, entry, this.bytes)
    compare(reference, cache)
  }
  toString = () => `set(${this.print.join()}, ${this.bytes})`
}

class Drop implements fc.Command<Model, Real> {
  readonly print: Print
  constructor(print: Print) {
    this.print = print
  }
  check = () => true
  run({ reference }: Model, cache: Real): void {
    cache.delete(entryOf(this.print, 0))
    reference.delete(this.print)
    compare(reference, cache)
  }
  toString = () => `delete(${this.print.join()})`
}

function compare(reference: Reference, cache: Real): void {
  expect(cache.size).toBe(reference.size)
  expect(cache.bytes).toBe(reference.bytes)
}

// Few words, so that prints share a first word, or all but their last one.
const word = fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31))
const print: fc.Arbitrary<Print> = fc.tuple(word, word, word, word)

describe('the cache', () => {
  it('behaves like the reference, bounded in entries and in bytes (D64, D68)', () => {
    const commands = fc.commands(
      [
        print.map((each) => new Get(each)),
        fc
          .tuple(print, fc.integer({ min: 1, max: 120 }), fc.nat())
          .map(([each, bytes, label]) => new Put(each, bytes, label)),
        print.map((each) => new Drop(each)),
      ],
      { maxCommands: 60 },
    )
    const max = fc.constantFrom(1, 2, 3, 100)
    const maxBytes = fc.constantFrom(1, 100, 250, 100_000)
    fc.assert(
      fc.property(commands, max, maxBytes, (cmds, most, mostBytes) => {
        const setup = () => ({
          model: { reference: new Reference(most, mostBytes) },
          real: new VerifiedCache<Entry>({ max: most, maxBytes: mostBytes }),
        })
        fc.modelRun(setup, cmds)
      }),
      { numRuns: runs(1000) },
    )
  })

  it('never returns the entry of another fingerprint, however much they share (D55)', () => {
    const cache = new VerifiedCache<Entry>({ max: 100, maxBytes: 10_000 })
    const bits = Array.from({ length: 128 }, (_, i) => i)
    for (const bit of bits) {
      const one: Print = [0x12345678, -0x12345678, 7, 0x7fffffff]
      const other = one.map((each, i) => (i === bit >> 5 ? each ^ (1 << (bit & 31)) : each))
      cache.clear()
      cache.set(entryOf(one, 1), 10)
      expect(cache.get(...(other as unknown as Print))).toBeUndefined()
      expect(cache.get(...one)?.label).toBe(1)
      cache.set(entryOf(other as unknown as Print, 2), 10)
      expect(cache.get(...(other as unknown as Print))?.label).toBe(2)
      expect(cache.get(...one)?.label).not.toBe(2)
    }
  })

  it('stores nothing with limits of zero', () => {
    const cache = new VerifiedCache<Entry>(undefined)
    cache.set(entryOf([1, 2, 3, 4], 1), 10)
    expect(cache.get(1, 2, 3, 4)).toBeUndefined()
    expect([cache.size, cache.bytes]).toEqual([0, 0])
  })

  it('of an authority stays within its limits while ten times as many tokens pass (D64)', async () => {
    const { watchword } = await rig({ cache: { max: 20 } })
    const bytes = await rig({ cache: { maxBytes: 20_000 } })
    for (const each of [watchword, bytes.watchword]) {
      for (let i = 0; i < 200; i++) {
        const pad = 'x'.repeat(i * 5)
        const input = { policy: 'service', subject: `s${i}`, actor: 'a', claims: { pad } }
        const { token } = await each.issue(input)
        expect(each.verify(token).ok).toBe(true)
        expect(each.verify(token).ok).toBe(true)
      }
    }
    expect(watchword.health().cache.tokens).toBe(20)
    expect(bytes.watchword.health().cache.bytes).toBeLessThanOrEqual(20_000)
    expect(bytes.watchword.health().cache.tokens).toBeGreaterThan(0)
  })
})

type Step =
  | { readonly kind: 'issue'; readonly ttl: number; readonly late: number }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'rotate' | 'revoke' | 'key' | 'rotateKey'; readonly which: number }

const time = fc.constantFrom(1, 999, 60_000, HOUR, HOUR + 1, DAY, 30 * DAY)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('issue' as const),
    ttl: fc.constantFrom(1000, 60_000, HOUR, DAY),
    late: fc.constantFrom(0, 0, 6000, 120_000),
  }),
  fc.record({
    kind: fc.constant('step' as const),
    ms: fc.oneof(
      time,
      time.map((ms) => -ms),
    ),
  }),
  fc.record({ kind: fc.constant('advance' as const), ms: time }),
  fc.record({ kind: fc.constantFrom('rotate' as const, 'revoke' as const), which: fc.nat() }),
  fc.record({ kind: fc.constantFrom('key' as const, 'rotateKey' as const), which: fc.nat() }),
)

const DEMANDS: readonly Requirement[] = [
  {},
  { scopes: ['orders:read'] },
  { scopes: ['admin'] },
  { audience: AUDIENCE },
  { audience: 'other' },
  { binding: 'x' },
]

/** Steps that bring about every verdict, however few random ones are tried. */
const EVERY_VERDICT: readonly Step[] = [
  { kind: 'issue', ttl: DAY, late: 120_000 },
  { kind: 'issue', ttl: DAY, late: 0 },
  { kind: 'rotate', which: 2 },
  { kind: 'step', ms: 60_000 },
  { kind: 'step', ms: HOUR },
  { kind: 'revoke', which: 0 },
  { kind: 'revoke', which: 1 },
]

describe('a verdict', () => {
  it('is the same hot and cold, under any changes of clock, keys and tokens (B32, D56, D58)', async () => {
    const seen = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const setup = await rig()
        const cold = await rig({ cache: false }, setup)
        const tokens: string[] = []
        const ids: string[] = []
        const issue = async (watchword: Watchword, ttl: number, late: number) => {
          const notBefore = setup.clock.now() + late
          const input = { policy: 'service', subject: `s${ids.length % 3}`, actor: 'a', ttl }
          const more = late === 0 || late >= ttl ? {} : { notBefore }
          const issued = await watchword
            .issue({ ...input, ...more, scopes: ['orders:read'] })
            .catch((error: WatchwordError) => {
              // After a step back, everything up to a time still to come may be revoked.
              if (error.code !== 'ERR_REVOKED_AHEAD') throw error
            })
          if (issued === undefined) return
          tokens.push(issued.token)
          ids.push(issued.id)
        }
        const compareAll = () => {
          for (const token of tokens) {
            for (const needs of DEMANDS) {
              const hot = setup.watchword.verify(token, needs)
              const fresh = cold.watchword.verify(token, needs)
              // Where the binding is wrong and the key dead, both refuse; which of the two is said is no matter.
              // Each node bounds a revocation that is dated ahead when it hears of it: of a token of a time to come, one may
              // say that it is revoked where the other says that it is not valid yet.
              const isAhead = [hot, fresh].some((one) => verdict(one) === 'not_yet_valid')
              if (needs.binding !== undefined || isAhead) expect(hot.ok).toBe(fresh.ok)
              else expect(hot).toEqual(fresh)
              seen.set(verdict(hot), (seen.get(verdict(hot)) ?? 0) + 1)
            }
          }
        }
        await issue(setup.watchword, HOUR, 0)
        compareAll()
        for (const each of steps) {
          await perform(each, { ...setup, tokens, ids, issue })
          // A key that was made in place of a revoked one seals at once, before the other node has read it.
          await cold.watchword.keys.refresh()
          // What it sealed in the feed is read once it is.
          while (cold.watchword.health().status !== 'live') await flush()
          compareAll()
        }
        await closeAll()
      }),
      { numRuns: runs(120, 30), examples: [[[...EVERY_VERDICT]]] },
    )
    // Every verdict that time and change can bring has been compared.
    for (const code of ['ok', 'expired', 'revoked', 'superseded', 'not_yet_valid', 'invalid']) {
      expect(seen.get(code), code).toBeGreaterThan(0)
    }
  })

  async function perform(
    each: Step,
    {
      watchword,
      clock,
      tokens,
      ids,
      issue,
    }: {
      readonly watchword: Watchword
      readonly clock: { step(ms: number): void; advance(ms: number): Promise<void> }
      readonly tokens: string[]
      readonly ids: readonly string[]
      readonly issue: (watchword: Watchword, ttl: number, late: number) => Promise<void>
    },
  ): Promise<void> {
    if (each.kind === 'issue') return issue(watchword, each.ttl, each.late)
    if (each.kind === 'step') return clock.step(each.ms)
    if (each.kind === 'advance') return clock.advance(Math.min(each.ms, 61_000))
    const at = each.which % tokens.length
    if (each.kind === 'rotate') {
      const next = await watchword
        .rotate(tokens[at] as string, { actor: 'a' })
        .catch(() => undefined)
      if (next !== undefined) tokens.push(next.token)
      return
    }
    if (each.kind === 'rotateKey') {
      await watchword.keys.rotate()
      return
    }
    const targets: RevokeTarget[] =
      each.kind === 'key'
        ? [{ key: watchword.keys.list().at(-1)?.id as string }]
        : [{ id: ids[each.which % ids.length] as string }, { subject: 's1' }, { all: true }]
    await watchword.revoke(targets[each.which % targets.length] as RevokeTarget, { actor: 'a' })
  }
})
