import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IssuedToken, PolicyOptions, VerifyResult, Watchword } from 'watchword'
import {
  ACTOR,
  type Fleet,
  flush,
  issueOn,
  MINUTE,
  newFleet,
  type Outcome,
  outcome,
  SECOND,
} from '../../support/fleet.js'
import { runs } from '../../support/runs.js'

/** The policy under test, as the model knows it. */
interface Rules {
  readonly graceMs: number
  readonly reuse: 'observe' | 'alert' | 'revoke-family'
  readonly retireOn: 'grace' | 'first-use'
}

const TTL = 10 * MINUTE
const MAX_LIFETIME = 25 * MINUTE
const BURST = 3
const EVERY = 10 * SECOND
const SUBJECTS = ['svc_mail', 'svc_billing'] as const
const SCOPE_SETS = [['orders:*', 'users:read'], ['orders:read'], ['users:read'], []] as const

/** A token as the model knows it: plain facts, changed in place. */
interface Known {
  /** Every copy that was handed out. */
  readonly copies: string[]
  readonly id: string
  readonly subject: string
  readonly scopes: readonly string[]
  readonly generation: number
  readonly predecessor: Known | undefined
  readonly family: {
    dead: boolean
    readonly bornAt: number
    readonly endsAt: number
    readonly id: string
  }
  readonly expiresAt: number
  successor: Known | undefined
  supersededAt: number
  /** The same in the store, which counts from the time that the successor is stamped with. */
  storedEnd: number
  revoked: boolean
}

interface Model {
  readonly rules: Rules
  now: number
  readonly tokens: Known[]
}

interface Real {
  readonly fleet: Fleet
  readonly nodes: readonly [Watchword, Watchword]
}

const isRevoked = (token: Known) => token.revoked || token.family.dead

function verdictOf({ now }: Model, token: Known): string {
  if (now >= token.expiresAt) return 'expired'
  if (isRevoked(token)) return 'revoked'
  return now >= token.supersededAt ? 'superseded' : 'ok'
}

const isLiveInStore = ({ now }: Model, token: Known) =>
  now < token.expiresAt && now < token.storedEnd && !isRevoked(token)

const covered = (granted: readonly string[], scope: string) =>
  granted.includes(scope) || (granted.includes('orders:*') && scope.startsWith('orders:'))

// A token is stamped now, or just after the last revocation of its subject, which reaches past now by half of the clock
// tolerance, and a little further each time it is repeated.
const SKEW = 2500 + 100
const isStamp = ({ now }: Model, issuedAt: number) => issuedAt >= now && issuedAt < now + SKEW

type Expected = Outcome<'successor' | Known>

/** The expected result of `rotate`, and its effect on the model, except for the successor itself. */
function rotateModel(model: Model, token: Known, scopes: readonly string[] | undefined): Expected {
  const { now, rules } = model
  if (now >= token.expiresAt) {
    return now >= token.family.endsAt && !isRevoked(token)
      ? { code: 'ERR_FAMILY_ENDED' }
      : { code: 'ERR_TOKEN_REJECTED', reason: 'expired' }
  }
  const { successor } = token
  const isReuse =
    successor !== undefined && (now >= token.supersededAt || successor.successor !== undefined)
  if (isReuse) {
    if (rules.reuse === 'revoke-family') token.family.dead = true
    return { code: 'ERR_TOKEN_REUSED', reason: 'superseded' }
  }
  if (isRevoked(token)) return { code: 'ERR_TOKEN_REJECTED', reason: 'revoked' }
  if (successor !== undefined) {
    if (successor.revoked) return { code: 'ERR_TOKEN_REJECTED', reason: 'revoked' }
    if (now >= successor.expiresAt) return { code: 'ERR_TOKEN_REJECTED', reason: 'superseded' }
    return { value: successor }
  }
  const age = Math.max(0, now - token.family.bornAt)
  if (token.generation >= BURST + Math.floor(age / EVERY)) return { code: 'ERR_ROTATION_LIMIT' }
  if (scopes?.some((scope) => !covered(token.scopes, scope)))
    return { code: 'ERR_SCOPE_NOT_GRANTABLE' }
  return { value: 'successor' }
}

function endAt(token: Known, at: number, stored: number): void {
  token.supersededAt = Math.min(token.supersededAt, at)
  token.storedEnd = Math.min(token.storedEnd, stored)
}

function link(model: Model, token: Known, issued: IssuedToken): Known {
  const { rules } = model
  const { issuedAt } = issued
  expect(isStamp(model, issuedAt)).toBe(true)
  const successor: Known = {
    copies: [issued.token],
    id: issued.id,
    subject: token.subject,
    scopes: issued.scopes,
    generation: token.generation + 1,
    predecessor: token,
    family: token.family,
    expiresAt: Math.min(issuedAt + TTL, token.family.endsAt),
    successor: undefined,
    supersededAt: Number.POSITIVE_INFINITY,
    storedEnd: Number.POSITIVE_INFINITY,
    revoked: false,
  }
  token.successor = successor
  if (rules.retireOn === 'grace') endAt(token, issuedAt + rules.graceMs, issuedAt + rules.graceMs)
  // At once, even when the successor is stamped a little ahead.
  if (token.predecessor !== undefined) endAt(token.predecessor, model.now, issuedAt)
  model.tokens.push(successor)
  return successor
}

type Step = fc.AsyncCommand<Model, Real>

const always = () => true

class Issue implements Step {
  check = always
  readonly node: 0 | 1
  readonly subject: (typeof SUBJECTS)[number]
  readonly scopes: readonly string[]

  constructor(node: 0 | 1, subject: (typeof SUBJECTS)[number], scopes: readonly string[]) {
    this.node = node
    this.subject = subject
    this.scopes = scopes
  }

  async run(model: Model, { nodes }: Real): Promise<void> {
    const { subject, scopes } = this
    const issued = await issueOn(nodes[this.node], { subject, scopes })
    expect(issued.generation).toBe(0)
    model.tokens.push({
      copies: [issued.token],
      id: issued.id,
      subject,
      scopes: issued.scopes,
      generation: 0,
      predecessor: undefined,
      family: {
        dead: false,
        bornAt: issued.issuedAt,
        endsAt: issued.issuedAt + MAX_LIFETIME,
        id: issued.id,
      },
      expiresAt: issued.issuedAt + TTL,
      successor: undefined,
      supersededAt: Number.POSITIVE_INFINITY,
      storedEnd: Number.POSITIVE_INFINITY,
      revoked: false,
    })
    expect(isStamp(model, issued.issuedAt)).toBe(true)
  }

  toString = () => `issue on ${this.node} to ${this.subject} [${this.scopes}]`
}

function pickOf(model: Readonly<Model>, pick: number): Known {
  // Late tokens are picked more often than the picks alone would have it: chains matter most.
  return model.tokens[Math.max(0, model.tokens.length - 1 - pick)] as Known
}

class Rotate implements Step {
  readonly pick: number
  readonly copy: number
  /** One call for each; all of them at once. */
  readonly calls: readonly (0 | 1)[]
  readonly scopes: readonly string[] | undefined

  constructor(
    pick: number,
    copy: number,
    calls: readonly (0 | 1)[],
    scopes: readonly string[] | undefined,
  ) {
    this.pick = pick
    this.copy = copy
    this.calls = calls
    this.scopes = scopes
  }

  check({ tokens, rules }: Readonly<Model>): boolean {
    // Without a grace, the second of two concurrent calls is already reuse, and either may be the second.
    return tokens.length > 0 && (this.calls.length === 1 || rules.graceMs > 0)
  }

  async run(model: Model, { nodes }: Real): Promise<void> {
    const token = pickOf(model, this.pick)
    const text = token.copies[this.copy % token.copies.length] as string
    const options = { ...ACTOR, ...(this.scopes === undefined ? {} : { scopes: this.scopes }) }
    const expected = rotateModel(model, token, this.scopes)
    const results = await Promise.all(
      this.calls.map((node) => outcome(nodes[node].rotate(text, options))),
    )
    let known = typeof expected.value === 'object' ? expected.value : undefined
    for (const { value: issued, ...error } of results) {
      if (expected.value === undefined || issued === undefined) {
        // Of concurrent reuses the later ones may find the family dead already.
        if (expected.code !== 'ERR_TOKEN_REUSED' || error.code !== 'ERR_TOKEN_REJECTED')
          expect(error).toEqual({ ...expected })
        continue
      }
      known ??= link(model, token, issued)
      expect(issued.id).toBe(known.id)
      expect(issued.expiresAt).toBe(known.expiresAt)
      expect(issued.subject).toBe(token.subject)
      expect(issued.scopes).toEqual(known.scopes)
      for (const scope of issued.scopes) expect(covered(token.scopes, scope)).toBe(true)
      if (!known.copies.includes(issued.token)) known.copies.push(issued.token)
    }
  }

  toString = () =>
    `rotate -${this.pick} on ${this.calls}${this.scopes === undefined ? '' : ` to [${this.scopes}]`}`
}

class Advance implements Step {
  readonly ms: number
  check = always
  constructor(ms: number) {
    this.ms = ms
  }

  async run(model: Model, { fleet }: Real): Promise<void> {
    await fleet.clock.advance(this.ms)
    model.now += this.ms
    expect(fleet.clock.now()).toBe(model.now)
  }

  toString = () => `advance ${this.ms}`
}

class Revoke implements Step {
  readonly node: 0 | 1
  readonly kind: 'token' | 'id' | 'alone' | 'family' | 'subject'
  readonly pick: number

  constructor(node: 0 | 1, kind: 'token' | 'id' | 'alone' | 'family' | 'subject', pick: number) {
    this.node = node
    this.kind = kind
    this.pick = pick
  }

  check = ({ tokens }: Readonly<Model>) => tokens.length > 0

  async run(model: Model, { nodes }: Real): Promise<void> {
    const token = pickOf(model, this.pick)
    const target = {
      token: { token: token.copies.at(-1) as string },
      id: { id: token.id },
      alone: { id: token.id },
      family: { family: token.family.id },
      subject: { subject: token.subject },
    }[this.kind]
    const successors = this.kind !== 'alone'
    const options = successors ? ACTOR : { ...ACTOR, successors }
    const receipt = await nodes[this.node].revoke(target, options)
    expect(receipt.kind).toBe(
      this.kind === 'family' || this.kind === 'subject' ? this.kind : 'token',
    )
    if (this.kind === 'family') token.family.dead = true
    else if (this.kind === 'subject') {
      for (const each of model.tokens) if (each.subject === token.subject) each.family.dead = true
    } else {
      const successors = model.tokens.filter(
        ({ family, generation }) =>
          family === token.family && generation > token.generation && this.kind !== 'alone',
      )
      const covered = [token, ...successors]
      expect(receipt.matched).toBe(covered.filter((each) => isLiveInStore(model, each)).length)
      for (const each of covered) each.revoked = true
    }
  }

  toString = () => `revoke ${this.kind} of -${this.pick} on ${this.node}`
}

class VerifyAll implements Step {
  readonly node: 0 | 1
  check = always
  constructor(node: 0 | 1) {
    this.node = node
  }

  async run(model: Model, { nodes }: Real): Promise<void> {
    for (const token of [...model.tokens]) {
      for (const text of token.copies) {
        const expected = verdictOf(model, token)
        const result: VerifyResult = nodes[this.node].verify(text)
        expect(result.ok ? 'ok' : result.code).toBe(expected)
        if (!result.ok) continue
        expect(result.scopes).toEqual(token.scopes)
        expect(result.generation).toBe(token.generation)
        if (model.rules.retireOn !== 'first-use' || token.predecessor === undefined) continue
        const { predecessor } = token
        endAt(predecessor, model.now, model.now)
        await flush()
      }
    }
  }

  toString = () => `verify all on ${this.node}`
}

const node = fc.constantFrom<0 | 1>(0, 1)
const pick = fc.nat({ max: 4 })

function steps(rules: Rules) {
  const { graceMs } = rules
  const moves = [1, graceMs - 1, graceMs, graceMs + 1, 20 * SECOND, 4 * MINUTE, TTL, TTL + 90_000]
  return fc.commands<Model, Real, false>(
    [
      fc
        .tuple(node, fc.constantFrom(...SUBJECTS), fc.constantFrom(...SCOPE_SETS))
        .map((args) => new Issue(...args)),
      ...Array.from({ length: 3 }, () =>
        fc
          .tuple(
            pick,
            fc.nat({ max: 3 }),
            fc.oneof(
              { weight: 3, arbitrary: fc.tuple(node) },
              { weight: 1, arbitrary: fc.array(node, { minLength: 2, maxLength: 6 }) },
            ),
            fc.option(fc.constantFrom(...SCOPE_SETS), { nil: undefined, freq: 2 }),
          )
          .map((args) => new Rotate(...args)),
      ),
      fc.constantFrom(...moves.filter((ms) => ms > 0)).map((ms) => new Advance(ms)),
      fc
        .tuple(node, fc.constantFrom('token', 'id', 'alone', 'family', 'subject' as const), pick)
        .map((args) => new Revoke(...args)),
      node.map((each) => new VerifyAll(each)),
    ],
    { size: 'large', maxCommands: 60 },
  )
}

async function start(rules: Rules): Promise<{ model: Model; real: Real }> {
  const policy: PolicyOptions = {
    ttl: TTL,
    maxLifetime: MAX_LIFETIME,
    scopes: ['orders:*', 'users:read'],
    grace: rules.graceMs,
    rotations: { burst: BURST, every: EVERY },
    reuse: rules.reuse,
    retireOn: rules.retireOn,
  }
  const fleet = await newFleet({ policies: { service: policy } })
  const [a, b] = await fleet.nodes(2)
  return {
    model: { rules, now: fleet.clock.now(), tokens: [] },
    real: { fleet, nodes: [a as Watchword, b as Watchword] },
  }
}

describe.each(['observe', 'alert', 'revoke-family'] as const)('rotation with reuse %s', (reuse) => {
  it.each([
    ['grace', 0],
    ['grace', MINUTE],
    ['first-use', MINUTE],
  ] as const)('obeys its laws with retireOn %s and a grace of %i ms', async (retireOn, graceMs) => {
    const rules: Rules = { graceMs, reuse, retireOn }
    await fc.assert(
      fc.asyncProperty(steps(rules), async (commands) => {
        const { model, real } = await start(rules)
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands)
          for (const each of [0, 1] as const) await new VerifyAll(each).run(model, real)
        } finally {
          await real.fleet.close()
        }
      }),
      { numRuns: runs(40, 10) },
    )
  })
})
