import { EventEmitter, once } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type {
  Rejected,
  RejectionCode,
  Verified,
  WatchOptions,
  WatchSignal,
  Watchword,
} from 'watchword'

import {
  ACTOR,
  DAY,
  type Fleet,
  feedOver,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  POLICY,
  rarelyPolled,
  SECOND,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

const LONG = { ttl: '2000d', scopes: ['orders:*', 'users:read'], grace: '10s' } as const

/** A fleet whose tokens live longer than a timer of Node can run. */
const patientFleet = () =>
  newFleet({ policies: { service: LONG }, maxStaleness: '1h', feed: rarelyPolled() })

async function accepted(watchword: Watchword, token: string): Promise<Verified> {
  const result = watchword.verify(token)
  if (!result.ok) throw new Error(result.code)
  return result
}

/** Resolves with the code for which the signal has aborted. */
async function endOf(life: WatchSignal): Promise<RejectionCode> {
  await vi.waitFor(() => expect(life.aborted).toBe(true))
  return life.reason.code
}

/** Long enough for a pass over the watches that was due. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await flush()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function watched(options?: WatchOptions, ttl = '10m') {
  const issued = await (await nodeOf()).issue({
    policy: 'service',
    subject: 'svc_billing',
    scopes: ['orders:read'],
    actor: 'ops',
    ttl: ttl as '10m',
  })
  const node = await nodeOf()
  const result = await accepted(node, issued.token)
  const life = options === undefined ? node.watch(result) : node.watch(result, options)
  return { issued, node, result, life }
}

let node: Watchword | undefined
async function nodeOf(): Promise<Watchword> {
  node ??= await fleet.start()
  return node
}
afterEach(() => {
  node = undefined
})

describe('a watch', () => {
  it.each([
    ['id', (t: Verified) => ({ id: t.id })],
    ['family', (t: Verified) => ({ family: t.family })],
    ['subject', (t: Verified) => ({ subject: t.subject })],
    ['key', (t: Verified) => ({ key: t.keyId })],
    ['audience', (t: Verified) => ({ audience: t.audience })],
    ['all', () => ({ all: true as const })],
  ] as const)('aborts on a revocation by %s from another node', async (_, targetOf) => {
    fleet = await newFleet()
    const { life, result } = await watched()
    const other = await fleet.start()
    await settled()
    expect(life.aborted).toBe(false)
    await other.revoke(targetOf(result), ACTOR)
    expect(await endOf(life)).toBe('revoked')
    expect(node?.health().connections.watched).toBe(0)
  })

  it('stays while other tokens are revoked', async () => {
    fleet = await newFleet()
    const { life, node } = await watched()
    for (let i = 0; i < 20; i++) {
      const other = await issueOn(node)
      await node.revoke({ id: other.id }, ACTOR)
    }
    await settled()
    expect(life.aborted).toBe(false)
    expect(node.health().connections.watched).toBe(1)
  })

  it('aborts at the millisecond of expiry, also beyond the range of setTimeout', async () => {
    fleet = await patientFleet()
    const { life, result } = await watched(undefined, '1500d')
    const left = result.expiresAt - fleet.clock.now()
    expect(left).toBeGreaterThan(2 ** 31)
    // The manual clock runs each timer, so most of the time is skipped in one step.
    fleet.clock.step(left - 2 * MINUTE)
    await fleet.clock.advance(2 * MINUTE - 1)
    expect(life.aborted).toBe(false)
    await fleet.clock.advance(1)
    expect(life.aborted).toBe(true)
    expect(life.reason).toEqual({ ok: false, code: 'expired' })
  })

  it('aborts within a minute after the wall clock was set past the expiry', async () => {
    fleet = await patientFleet()
    const { life } = await watched({ stale: 'keep' }, '1h')
    fleet.clock.step(2 * HOUR)
    await fleet.clock.advance(MINUTE)
    expect(life.reason).toEqual({ ok: false, code: 'expired' })
  })

  it('aborts earlier by its margin, and at once if that has passed', async () => {
    fleet = await newFleet()
    const { life, result, node } = await watched({ margin: '30s' })
    await fleet.clock.advance(result.expiresAt - fleet.clock.now() - 30 * SECOND - 1)
    expect(life.aborted).toBe(false)
    await fleet.clock.advance(1)
    expect(life.reason).toEqual({ ok: false, code: 'expired' })
    expect(node.watch(result, { margin: '30s' }).reason).toEqual({ ok: false, code: 'expired' })
    expect(node.watch(result).aborted).toBe(false)
  })

  it('aborts when the authority is closed, and is aborted if it was', async () => {
    fleet = await newFleet()
    const { life, result, node } = await watched()
    await node.close()
    expect(life.reason).toEqual({ ok: false, code: 'closed' })
    expect(node.watch(result).reason).toEqual({ ok: false, code: 'closed' })
  })

  it('of a rejected result is aborted with that result', async () => {
    fleet = await newFleet()
    const node = await fleet.start()
    const rejected = node.verify('no token') as Rejected
    const life = node.watch(rejected)
    expect(life.reason).toEqual(rejected)
    expect(() => life[Symbol.dispose]()).not.toThrow()
    expect(node.health().connections.watched).toBe(0)
  })

  it('of a token that no longer meets its requirement is aborted', async () => {
    fleet = await newFleet()
    const requirement = { scopes: ['orders:write'] }
    const { life, node, result } = await watched({ requirement })
    expect(life.reason).toEqual({
      ok: false,
      code: 'insufficient_scope',
      missing: ['orders:write'],
    })
    const audience = { requirement: { audience: 'other' } }
    expect(node.watch(result, audience).reason.code).toBe('wrong_audience')
    const compiled = node.require({ scopes: ['orders:read'] })
    expect(node.watch(result, { requirement: compiled }).aborted).toBe(false)
  })

  it('has a signal that every API takes', async () => {
    fleet = await newFleet()
    const { life, node, issued } = await watched()
    expect(life).toBeInstanceOf(AbortSignal)
    expect(Object.keys(life)).toEqual([])
    const any = AbortSignal.any([life, new AbortController().signal])
    const waiting = once(new EventEmitter(), 'never', { signal: life })
    const piping = new ReadableStream().pipeTo(new WritableStream(), { signal: life })
    await node.revoke({ id: issued.id }, ACTOR)
    await expect(waiting).rejects.toMatchObject({ cause: { code: 'revoked' } })
    await expect(piping).rejects.toEqual({ ok: false, code: 'revoked' })
    expect(any.reason).toBe(life.reason)
    const request = fetch('http://127.0.0.1:1/', { signal: life })
    await expect(request).rejects.toMatchObject({ ok: false, code: 'revoked' })
  })

  it('calls no listener and holds nothing once it is disposed', async () => {
    fleet = await newFleet()
    const { life, issued, node } = await watched()
    const onAbort = vi.fn()
    life.addEventListener('abort', onAbort)
    life[Symbol.dispose]()
    life[Symbol.dispose]()
    expect(node.health().connections.watched).toBe(0)
    await node.revoke({ id: issued.id }, ACTOR)
    await settled()
    expect(life.aborted).toBe(false)
    expect(onAbort).not.toHaveBeenCalled()
  })

  it('may be disposed, and others started, by the listener of another one', async () => {
    fleet = await newFleet()
    const { life, result, issued, node } = await watched()
    const second = node.watch(result)
    const made: WatchSignal[] = []
    life.addEventListener('abort', () => {
      second[Symbol.dispose]()
      made.push(node.watch(result))
    })
    await node.revoke({ id: issued.id }, ACTOR)
    expect(await endOf(life)).toBe('revoked')
    await settled()
    expect(second.aborted).toBe(false)
    expect(made.map(({ reason }) => reason)).toEqual([{ ok: false, code: 'revoked' }])
    expect(node.health().connections.watched).toBe(0)
  })

  it('is ended by one revocation with every other of the token, however many there are', async () => {
    fleet = await newFleet()
    const { result, node } = await watched()
    const other = await accepted(node, (await issueOn(node)).token)
    const lives = Array.from({ length: 3500 }, (_, i) => node.watch(i % 2 === 0 ? result : other))
    await node.revoke({ id: result.id }, ACTOR)
    await vi.waitFor(() => expect(lives.filter(({ aborted }) => aborted)).toHaveLength(1750))
    expect(lives.every(({ aborted }, i) => aborted === (i % 2 === 0))).toBe(true)
  })
})

describe('a watch on a node that is stale', () => {
  const cut = async () => {
    let isCut = false
    const feed = rarelyPolled()
    const { peek: _, ...unpeeked } = feed
    fleet = await newFleet({
      maxStaleness: '10s',
      feed: feedOver(unpeeked, {
        head: async (...args) => {
          if (isCut) throw new Error('cut off')
          return feed.head(...args)
        },
        touch: async (...args) => {
          if (isCut) throw new Error('cut off')
          return feed.touch?.(...args) ?? false
        },
      }),
    })
    return () => {
      isCut = true
    }
  }

  it('aborts within a second after the lease has ended, and stays where `keep` is asked for', async () => {
    const cutOff = await cut()
    const { life, result, node } = await watched()
    const kept = node.watch(result, { stale: 'keep' })
    const patient = node.watch(result, { requirement: { maxStaleness: '1m' } })
    cutOff()
    await fleet.clock.advance(9 * SECOND)
    expect(life.aborted).toBe(false)
    await fleet.clock.advance(3 * SECOND)
    expect(await endOf(life)).toBe('stale')
    expect(node.watch(result).reason.code).toBe('stale')
    expect([kept.aborted, patient.aborted]).toEqual([false, false])
    await fleet.clock.advance(52 * SECOND)
    expect(await endOf(patient)).toBe('stale')
    expect(kept.aborted).toBe(false)
  })
})

describe('a watch of a token that is rotated', () => {
  it('goes on with the successor, and ends with it', async () => {
    fleet = await newFleet()
    const { life, issued, node } = await watched()
    const second = await node.rotate(issued.token, ACTOR)
    await fleet.clock.advance(2 * MINUTE)
    await settled()
    expect(node.verify(issued.token)).toEqual({ ok: false, code: 'superseded' })
    expect(life.aborted).toBe(false)
    const third = await node.rotate(second.token, ACTOR)
    await fleet.clock.advance(2 * MINUTE)
    await settled()
    expect(life.aborted).toBe(false)
    await node.revoke({ id: third.id }, ACTOR)
    expect(await endOf(life)).toBe('revoked')
  })

  it('follows several rotations at once, on a node that saw none of them', async () => {
    fleet = await newFleet()
    const { life, issued } = await watched()
    const other = await fleet.start()
    let { token } = issued
    for (let i = 0; i < 4; i++) token = (await other.rotate(token, ACTOR)).token
    await fleet.clock.advance(2 * MINUTE)
    await settled()
    expect(life.aborted).toBe(false)
    const last = await accepted(other, token)
    await fleet.clock.advance(last.expiresAt - fleet.clock.now() - 1)
    await settled()
    expect(life.aborted).toBe(false)
    await fleet.clock.advance(1)
    expect(await endOf(life)).toBe('expired')
  })

  it('ends if the successor no longer meets the requirement', async () => {
    fleet = await newFleet()
    const node = await fleet.start()
    const issued = await node.issue({
      policy: 'service',
      subject: 'svc_billing',
      scopes: ['orders:read', 'users:read'],
      actor: 'ops',
    })
    const life = node.watch(await accepted(node, issued.token), {
      requirement: { scopes: ['users:read'] },
    })
    await node.rotate(issued.token, { ...ACTOR, scopes: ['orders:read'] })
    await fleet.clock.advance(2 * MINUTE)
    expect(await endOf(life)).toBe('insufficient_scope')
  })

  it('ends with the family while its successor is looked up', async () => {
    fleet = await newFleet({ timeout: '20s' })
    const hang: (() => void)[] = []
    let isHung = false
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        if (isHung) await new Promise<void>((resolve) => hang.push(resolve))
        return fleet.store.getToken(id)
      },
    }
    node = await fleet.start({ store })
    const { life, issued } = await watched()
    const other = await fleet.start()
    await other.rotate(issued.token, ACTOR)
    isHung = true
    await fleet.clock.advance(65 * SECOND)
    await settled()
    expect(life.aborted).toBe(false)
    await other.revoke({ family: issued.family }, ACTOR)
    expect(await endOf(life)).toBe('revoked')
    for (const go of hang) go()
    await settled()
    expect(life.reason.code).toBe('revoked')
  })

  it('ends as superseded if no successor can be read in time, and goes on if the store recovers', async () => {
    fleet = await newFleet({ timeout: '5s' })
    let isDown = false
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        if (isDown) throw new Error('connection refused')
        return fleet.store.getToken(id)
      },
    }
    node = await fleet.start({ store })
    const { life, issued } = await watched()
    const { life: lucky, issued: first } = await watched()
    const other = await fleet.start()
    isDown = true
    await other.rotate(first.token, ACTOR)
    await fleet.clock.advance(62 * SECOND)
    await settled()
    isDown = false
    await fleet.clock.advance(SECOND)
    await settled()
    isDown = true
    await other.rotate(issued.token, ACTOR)
    await fleet.clock.advance(62 * SECOND)
    await settled()
    expect(life.aborted).toBe(false)
    await fleet.clock.advance(5 * SECOND)
    expect(await endOf(life)).toBe('superseded')
    expect(lucky.aborted).toBe(false)
  })

  it('ends as superseded if the row of the token or of its successor was edited', async () => {
    fleet = await newFleet()
    let edit: string | undefined
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        const record = await fleet.store.getToken(id)
        return record !== undefined && id === edit
          ? { ...record, expiresAt: record.expiresAt + DAY }
          : record
      },
    }
    node = await fleet.start({ store })
    const { life, issued } = await watched()
    const { life: other, issued: second } = await watched()
    const successor = await node.rotate(issued.token, ACTOR)
    edit = successor.id
    await fleet.clock.advance(2 * MINUTE)
    expect(await endOf(life)).toBe('superseded')
    await node.rotate(second.token, ACTOR)
    edit = second.id
    await fleet.clock.advance(2 * MINUTE)
    expect(await endOf(other)).toBe('superseded')
  })

  it('searches for at most sixteen successors at a time, and finds every one', async () => {
    fleet = await newFleet({ timeout: '20s' })
    let running = 0
    let most = 0
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        running++
        most = Math.max(most, running)
        await flush()
        running--
        return fleet.store.getToken(id)
      },
    }
    node = await fleet.start({ store })
    const all = await Promise.all(Array.from({ length: 60 }, () => watched()))
    for (const { issued } of all) await node.rotate(issued.token, ACTOR)
    most = 0
    await fleet.clock.advance(2 * MINUTE)
    await vi.waitFor(() => expect(running).toBe(0))
    await settled()
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(16)
    expect(all.filter(({ life }) => life.aborted)).toEqual([])
  })
})

describe('invalid arguments of watch', () => {
  it.each([
    ['nothing', undefined],
    ['a token', 'v4.local.abc'],
    ['an empty object', {}],
    ['an acceptance without the fields of a token', { ok: true, id: 'x' }],
    ['a rejection without a code', { ok: false }],
    ['a list', []],
  ])('are refused: %s instead of a result', async (_, given) => {
    fleet = await newFleet()
    const node = await fleet.start()
    expect(() => node.watch(given as unknown as Rejected)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringContaining('expected the result of verify or authenticate'),
      }),
    )
  })

  it.each([
    [{ margin: 'soon' }, /margin/],
    [{ margin: undefined }, /margin/],
    [{ stale: 'drop' }, /stale.*'end' or 'keep'/],
    [{ requirement: 5 }, /requirement/],
    [{ requirement: { scope: 'a' } }, /scope/],
    [{ stael: 'end' }, /stael.*stale/],
    ['30s', /options/],
  ])('are refused: options %j', async (options, message) => {
    fleet = await newFleet()
    const { result, node } = await watched()
    expect(() => node.watch(result, options as WatchOptions)).toThrow(message)
    expect(node.health().connections.watched).toBe(1)
  })

  it('do not include a copy of a result, which is watched as it was', async () => {
    fleet = await newFleet({ policies: { service: POLICY } })
    const { result, node } = await watched()
    const copy = { ...result }
    const life = node.watch(copy)
    copy.id = 'changed'
    await node.revoke({ id: result.id }, ACTOR)
    expect(await endOf(life)).toBe('revoked')
  })
})

describe('watches in large numbers', () => {
  it('of one token share the search for its successor', async () => {
    fleet = await newFleet({ timeout: '2s' })
    let reads = 0
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        reads++
        await flush()
        return fleet.store.getToken(id)
      },
    }
    node = await fleet.start({ store })
    const { issued, result } = await watched()
    const lives = Array.from({ length: 2000 }, () => nodeNow().watch(result))
    await node.rotate(issued.token, ACTOR)
    reads = 0
    await fleet.clock.advance(62 * SECOND)
    await settled()
    expect(lives.filter(({ aborted }) => aborted)).toEqual([])
    expect(reads).toBeLessThanOrEqual(10)
  })

  it('wait for their turn to be searched for, without losing time', async () => {
    fleet = await newFleet({ timeout: '2s' })
    const { clock } = fleet
    let isSlow = false
    const store = {
      ...fleet.store,
      getToken: async (id: string) => {
        if (isSlow) await new Promise<void>((resolve) => clock.setTimer(resolve, 400))
        return fleet.store.getToken(id)
      },
    }
    node = await fleet.start({ store })
    const all = await Promise.all(Array.from({ length: 100 }, () => watched()))
    for (const { issued } of all) await node.rotate(issued.token, ACTOR)
    isSlow = true
    await clock.advance(75 * SECOND)
    await settled()
    expect(all.filter(({ life }) => life.aborted)).toEqual([])
  })

  it('end a slice at a time when all of them expire at once', async () => {
    fleet = await newFleet()
    const { result, life } = await watched()
    const lives = Array.from({ length: 1200 }, () => nodeNow().watch(result))
    await fleet.clock.advance(result.expiresAt - fleet.clock.now())
    await fleet.clock.advance(1)
    expect([life, ...lives].every(({ aborted }) => aborted)).toBe(true)
  })

  it('are judged although one of them throws', async () => {
    fleet = await newFleet()
    const { result, life } = await watched()
    const node = nodeNow()
    let isBroken = false
    const scopes = new Proxy([...result.scopes], {
      get(target, name): unknown {
        if (isBroken) throw new Error('boom')
        return Reflect.get(target, name)
      },
    })
    const options = { requirement: { scopes: ['orders:read'] } }
    const broken = node.watch(Object.freeze({ ...result, scopes }), options)
    const other = await issueOn(node)
    isBroken = true
    await node.revoke({ id: other.id }, ACTOR)
    expect(await endOf(broken)).toBe('invalid')
    expect(life.aborted).toBe(false)
    await node.revoke({ id: result.id }, ACTOR)
    expect(await endOf(life)).toBe('revoked')
  })
})

describe('a watch of a restricted token', () => {
  it('lives as long as verify accepts the token, also with a part of a wildcard denied', async () => {
    fleet = await newFleet()
    node = await fleet.start()
    const issued = await issueOn(node, { scopes: ['orders:*'] })
    await node.restrict({ id: issued.id }, { deny: ['orders:write'], ...ACTOR })
    const requirement = { scopes: ['orders:read'] }
    const result = node.verify(issued.token, requirement)
    expect(result.ok).toBe(true)
    const life = node.watch(result, { requirement })
    await settled()
    expect(life.aborted).toBe(false)
    await node.restrict({ id: issued.id }, { deny: ['orders:*'], ...ACTOR })
    expect(await endOf(life)).toBe('insufficient_scope')
  })

  it('ends with a suspension, which its restoration does not undo', async () => {
    fleet = await newFleet()
    const { life, result, node } = await watched()
    await node.suspend({ subject: result.subject }, { ...ACTOR, for: '1h' })
    expect(await endOf(life)).toBe('suspended')
    await node.restore({ subject: result.subject }, ACTOR)
    expect(life.aborted).toBe(true)
    expect(node.watch(result).aborted).toBe(false)
  })
})

function nodeNow(): Watchword {
  if (node === undefined) throw new Error('no node was started')
  return node
}
