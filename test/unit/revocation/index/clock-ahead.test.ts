/**
 * Revocations dated by a clock that was ahead: existing tokens stay revoked, later ones are not, and nothing else is
 * dated ahead with them.
 *
 * @module
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { ManualClock } from 'watchword/testkit'
import {
  RevocationIndex,
  type TokenFacts,
} from '../../../../src/revocation/index/revocation-index.js'
import {
  ACTOR,
  around,
  codeOf,
  DAY,
  errorOf,
  type Fleet,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  newGate,
  POLICY,
  SECOND,
  verdict,
} from '../../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

const BY_TIME = {
  subject: { subject: 'svc_billing' },
  audience: { audience: 'orders-api' },
  all: { all: true },
} as const

/** The time of a fleet, shown by a clock that is off by that much. */
const off = (clock: ManualClock, ms: number) => ({
  ...clock,
  now: () => clock.now() + ms,
  monotonic: () => clock.monotonic(),
  setTimer: (callback: () => void, delayMs: number) => clock.setTimer(callback, delayMs),
})

describe.each(Object.entries(BY_TIME))(
  'a revocation by %s from a node whose clock is ahead',
  (_, target) => {
    it.each([20 * MINUTE, 30 * DAY])(
      'by %i ms revokes existing tokens, and no later ones',
      async (ahead) => {
        fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '60d' } } })
        const [a, b] = (await fleet.nodes(2)) as [Watchword, Watchword]
        const wrong = await fleet.start({ clock: off(fleet.clock, ahead) })
        const token = await issueOn(a)
        await wrong.revoke(target, ACTOR)
        await flush()
        for (const node of [a, b]) {
          expect(verdict(node.verify(token.token))).toBe('revoked')
          expect(node.health().incidents.clock).toBeGreaterThan(0)
        }
        const error = await errorOf(issueOn(a))
        expect(error.code).toBe('ERR_REVOKED_AHEAD')
        expect((error.retryAt ?? 0) - fleet.clock.now()).toBeLessThanOrEqual(MINUTE)
        await fleet.clock.advance(MINUTE)
        const next = await issueOn(a)
        for (const node of [a, b]) {
          expect(verdict(node.verify(next.token))).toBe('ok')
          expect(verdict(node.verify(token.token))).toBe('revoked')
        }
      },
    )
  },
)

describe('a node whose clock the store shows to be wrong', () => {
  const stored = () => ({ ...around(fleet.store), now: async () => fleet.clock.now() })

  it.each([
    ['ahead', 30 * DAY],
    ['behind', -30 * DAY],
  ])('by 30 days %s dates its revocations by the time of the store', async (_, error) => {
    fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '60d' } } })
    await fleet.clock.advance(60 * DAY)
    const a = await fleet.start({ store: stored() })
    const wrong = await fleet.start({ store: stored(), clock: off(fleet.clock, error) })
    const token = await issueOn(a)
    const receipt = await wrong.revoke({ subject: token.subject }, ACTOR)
    expect(Math.abs(receipt.at - fleet.clock.now())).toBeLessThan(SECOND)
    await flush()
    expect(verdict(a.verify(token.token))).toBe('revoked')
    const [kept] = await fleet.store.listRevocations({ limit: 10 })
    expect(Math.abs((kept?.before ?? 0) - fleet.clock.now())).toBeLessThan(5 * SECOND)
    const next = await issueOn(a)
    expect(verdict(a.verify(next.token))).toBe('ok')
    expect((await a.rotate(next.token, ACTOR)).generation).toBe(1)
    expect(await codeOf(a.rotate(token.token, ACTOR))).toBe('ERR_TOKEN_REJECTED')
  })
})

describe('a glitch of the clock', () => {
  it.each([20 * MINUTE, 30 * DAY])(
    'by %i ms dates nothing ahead except the revocations made in it',
    async (ahead) => {
      fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '60d' } } })
      const a = await fleet.start()
      fleet.clock.step(ahead)
      await a.revoke({ subject: 'svc_alice' }, ACTOR)
      fleet.clock.step(-ahead)
      const now = fleet.clock.now()
      const bob = await issueOn(a, { subject: 'svc_bob' })
      expect(bob.issuedAt).toBe(now)
      await a.revoke({ audience: 'orders-api' }, ACTOR)
      expect(verdict(a.verify(bob.token))).toBe('revoked')
      const carol = await issueOn(a, { subject: 'svc_carol' })
      expect(verdict(a.verify(carol.token))).toBe('ok')
    },
  )

  it('by 30 days ends within a few minutes for the subject that was revoked in it', async () => {
    fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '60d' } } })
    const a = await fleet.start()
    const before = await issueOn(a)
    fleet.clock.step(30 * DAY)
    await a.revoke({ subject: 'svc_billing' }, ACTOR)
    fleet.clock.step(-30 * DAY)
    expect(await codeOf(issueOn(a))).toBe('ERR_REVOKED_AHEAD')
    await fleet.clock.advance(3 * MINUTE)
    const after = await issueOn(a)
    expect(after.issuedAt).toBe(fleet.clock.now())
    expect(verdict(a.verify(after.token))).toBe('ok')
    expect(verdict(a.verify(before.token))).toBe('revoked')
  })

  it.each([30 * DAY, 20 * MINUTE])(
    'by %i ms does not hide a rotation in flight from a revocation of its subject',
    async (ahead) => {
      fleet = await newFleet({ policies: { service: { ...POLICY, ttl: '60d' } } })
      const gate = newGate()
      let armed = false
      const store = around(fleet.store, async (method, call) => {
        const result = await call()
        if (armed && method === 'getToken') await gate.pass()
        return result
      })
      const a = await fleet.start({ store })
      const b = await fleet.start()
      fleet.clock.step(ahead)
      await issueOn(a, { subject: 'another subject' })
      fleet.clock.step(-ahead)
      const token = await issueOn(a)
      expect(token.issuedAt).toBe(fleet.clock.now())
      await fleet.clock.advance(10 * SECOND)
      armed = true
      const rotating = a.rotate(token.token, ACTOR).catch(() => undefined)
      await gate.reached
      await b.revoke({ subject: token.subject }, ACTOR)
      gate.open()
      const successor = await rotating
      await flush()
      for (const text of [token.token, successor?.token])
        if (text !== undefined) expect(verdict(a.verify(text))).toBe('revoked')
    },
  )
})

describe('the revocation index', () => {
  const NOW = 1_735_689_600_000
  const facts = (issuedAt: number): TokenFacts => ({
    id: '01JGFJJZ00ABCDEFGHJKMNPQRS',
    family: '7ZZZZZZZZZZZZZZZZZZZZZZZZZ',
    generation: 0,
    subject: 's',
    audience: 'a',
    keyId: 'k',
    issuedAt,
    expiresAt: NOW + 90 * DAY,
  })
  const subject = (before: number) =>
    ({ kind: 'subject', value: 's', before, expiresAt: NOW + 90 * DAY }) as const

  function index() {
    let latest = NOW
    let future = 0
    const made = new RevocationIndex({
      latest: () => latest,
      onFuture: (count) => {
        future += count
      },
    })
    const revokes = (issuedAt: number) =>
      made.deadline(facts(issuedAt)) === Number.NEGATIVE_INFINITY
    return { made, revokes, at: (time: number) => (latest = time), future: () => future }
  }

  it('clamps a watermark of the future on arrival, and reports it once', () => {
    const { made, revokes, at, future } = index()
    made.apply(subject(NOW + 30 * DAY))
    expect([revokes(NOW), revokes(NOW + 1), future()]).toEqual([true, false, 1])
    at(NOW + HOUR)
    made.apply(subject(NOW + 30 * DAY))
    expect([revokes(NOW), revokes(NOW + 1), future()]).toEqual([true, false, 1])
    expect(made.covers(subject(NOW + 30 * DAY))).toBe(true)
  })

  it('accepts a later revocation of the same target with the correct date', () => {
    const { made, revokes, at } = index()
    made.apply(subject(NOW + 30 * DAY))
    at(NOW + DAY)
    made.apply(subject(NOW + DAY))
    expect([revokes(NOW + DAY), revokes(NOW + DAY + 1)]).toEqual([true, false])
  })

  it('does not extend the entry of the glitch when its time has come', () => {
    const { made, revokes, at } = index()
    made.apply(subject(NOW + 30 * DAY))
    at(NOW + 31 * DAY)
    made.apply(subject(NOW + 30 * DAY))
    expect(revokes(NOW + DAY)).toBe(false)
  })

  it('lowers a watermark when the clock turns out to have been ahead', () => {
    const { made, revokes, at, future } = index()
    at(NOW + 30 * DAY)
    made.apply(subject(NOW + 30 * DAY))
    expect([revokes(NOW + DAY), future()]).toEqual([true, 0])
    at(NOW)
    const { version } = made
    made.clampFuture()
    expect([revokes(NOW), revokes(NOW + DAY), future()]).toEqual([true, false, 1])
    expect(made.version).not.toBe(version)
    made.clampFuture()
    expect(future()).toBe(1)
  })

  it('leaves families and keys alone, which are revoked as a whole', () => {
    const { made, future } = index()
    made.apply({ kind: 'key', value: 'k', before: NOW + DAY, expiresAt: NOW + 90 * DAY })
    made.clampFuture()
    expect([made.isKeyRevoked('k'), future()]).toEqual([true, 0])
  })
})
