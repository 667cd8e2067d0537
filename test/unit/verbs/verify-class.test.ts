import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { VerifiedCache } from '../../../src/cache/verified-cache.js'
import { Ring } from '../../../src/keys/ring.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { ready } from '../../../src/paseto.js'
import { RevocationIndex } from '../../../src/revocation/index/revocation-index.js'
import { fixtures } from '../../../src/testkit/store/fixtures.js'
import { generateKey, keyId } from '../../../src/token/paserk.js'
import { sealText } from '../../../src/token/v4local.js'
import { footerOf, writeStandard } from '../../../src/token/wire.js'
import type { Requirement, VerifyResult } from '../../../src/types.js'
import type { Entry } from '../../../src/verbs/entry.js'
import { compileRequirement, NO_REQUIREMENT } from '../../../src/verbs/requirement.js'
import { Verifier, type VerifierOptions } from '../../../src/verbs/verify.js'
import {
  AUDIENCE,
  assertionOf,
  claimsText,
  HOUR,
  ISSUER,
  isDeepFrozen,
  MINUTE,
  START,
} from '../../support/harness.js'

beforeAll(() => ready)

const make = fixtures('verify')
const ID = '01KDVDM4000000000000000000'
const EPOCH = 'AAAAAAAAAAAAAAAAAAAAAA'
const NEXT_ID = '01KDVDM4000000000000000001'

interface Change extends Partial<VerifierOptions> {
  readonly keyExpiresAt?: number
}

/** A verifier with one key, and what it depends on; `state` is the state of the node. */
function setup({ keyExpiresAt = START + 2 * HOUR, ...change }: Change = {}) {
  const key = generateKey()
  const kid = keyId(key)
  const assertion = (audience: string, binding = '') => assertionOf(ISSUER, audience, binding)
  const ring = new Ring(assertion)
  ring.add(make.key({ id: kid, audience: AUDIENCE, expiresAt: keyExpiresAt }), key)
  const state = { now: START, fresh: true, proven: true, renews: false, position: 10 }
  const uses: Array<readonly [string, number]> = []
  const firstUses: Array<{ readonly id: string; readonly again: () => void }> = []
  const index = new RevocationIndex({ max: 10 })
  const verifier = new Verifier({
    node: 'node-1',
    issuer: ISSUER,
    policies: new Map(),
    claims: undefined,
    maxTokenLength: 4096,
    clockToleranceMs: 0,
    maxStalenessMs: 5000,
    onStale: 'reject',
    clock: resolveClock({ now: () => state.now }),
    keyring: { get: (id) => ring.get(id), endingOf: ring.endingOf, hint: () => {} },
    cache: new VerifiedCache<Entry>({ max: 100, maxBytes: 1_000_000 }),
    index,
    follower: {
      freshness: {
        within: (limit) => state.fresh && limit > 0,
        get proven() {
          return state.proven
        },
      },
      renew: () => state.renews,
      reached: ({ seq }) => seq <= state.position,
    },
    assertionOf: assertion,
    probe: { observer: undefined },
    onUse: (id, at) => void uses.push([id, at]),
    usage: undefined,
    onFirstUse: ({ id }, again) => void firstUses.push({ id, again }),
    ...change,
  })
  const footer = footerOf(kid)
  const token = (claims: Readonly<Record<string, unknown>> = {}) => {
    const body = sealText(key, claimsText(claims), footer, assertion(AUDIENCE))
    return writeStandard(body, Buffer.from(footer).toString('base64url'))
  }
  const entry = (claims: Readonly<Record<string, unknown>> = {}): Entry => {
    const found = verifier.find(token(claims), '')
    if (!found.ok) throw new Error(found.code)
    return found
  }
  const verify = (text: unknown, requirement: Requirement = {}) =>
    verdict(verifier.verify(text, compileRequirement(requirement)))
  return { verifier, state, ring, kid, index, uses, firstUses, token, entry, verify }
}

/** The code of a rejection, or `ok`. */
const verdict = (result: VerifyResult<unknown>): string => (result.ok ? 'ok' : result.code)
const iso = (ms: number): string => new Date(ms).toISOString()
const REVOKED = { kind: 'token', value: ID, expiresAt: START + HOUR } as const
const ROTATED = {
  kind: 'rotated',
  value: ID,
  generation: 0,
  from: START + MINUTE,
  expiresAt: START + HOUR,
} as const

/** Revokes other subjects until the index rejects one. */
function fill(index: RevocationIndex): void {
  for (let i = 0; !index.full; i++)
    index.apply({ kind: 'subject', value: `s${i}`, before: START - HOUR, expiresAt: START + HOUR })
}

describe('an overdue token', () => {
  it('is expired from the exact end of its lifetime on', () => {
    const { state, token, verify } = setup()
    const text = token()
    state.now = START + HOUR - 1
    expect(verify(text)).toBe('ok')
    state.now = START + HOUR
    expect(verify(text)).toBe('expired')
  })

  it('has an unknown key from the exact end of its key on, even if it was cached', () => {
    const keyExpiresAt = START + MINUTE
    const { state, token, verify } = setup({ keyExpiresAt })
    const text = token()
    state.now = keyExpiresAt - 1
    expect(verify(text)).toBe('ok')
    state.now = keyExpiresAt
    expect(verify(text)).toBe('unknown_key')
  })

  it('has an unknown key once its key is no longer loaded', () => {
    const { state, ring, kid, token, verify } = setup()
    const text = token()
    expect(verify(text)).toBe('ok')
    ring.drop(kid)
    state.now = START + HOUR
    expect(verify(text)).toBe('unknown_key')
  })

  it('is revoked, or superseded if a rotation ended it', () => {
    const { index, token, verify, state } = setup()
    const text = token()
    expect(verify(text)).toBe('ok')
    index.apply(ROTATED)
    state.now = START + MINUTE
    const afterRotation = verify(text)
    index.apply(REVOKED)
    expect([afterRotation, verify(text)]).toEqual(['superseded', 'revoked'])
  })

  it('may be rotated only if nothing else than a rotation has ended it', () => {
    const { verifier, index, state, entry } = setup()
    const found = entry()
    expect(verifier.stateForRotation(found)).toBeUndefined()
    index.apply(ROTATED)
    state.now = START + MINUTE
    expect(verifier.stateForRotation(found)).toBeUndefined()
    index.apply(REVOKED)
    expect(verifier.stateForRotation(found)).toEqual({ ok: false, code: 'revoked' })
    state.now = START + HOUR
    expect(verifier.stateForRotation(found)).toEqual({ ok: false, code: 'expired' })
  })
})

describe('a token that is not valid yet', () => {
  it('becomes valid in the exact millisecond of its start, also from the cache', () => {
    const { state, token, verify } = setup()
    const text = token({ nbf: iso(START + MINUTE) })
    expect(verify(text)).toBe('not_yet_valid')
    state.now = START + MINUTE - 1
    expect(verify(text)).toBe('not_yet_valid')
    state.now = START + MINUTE
    expect(verify(text)).toBe('ok')
    const other = setup()
    other.state.now = START + MINUTE
    expect(other.verify(other.token({ nbf: iso(START + MINUTE) }))).toBe('ok')
  })
})

describe('a token on a node that may have missed a revocation', () => {
  it('is stale, unless the log can be proven current at once', () => {
    const { state, token, verify } = setup()
    const text = token()
    state.fresh = false
    expect(verify(text)).toBe('stale')
    state.renews = true
    expect(verify(text)).toBe('ok')
  })

  it('is stale under the stricter limit of its requirement', () => {
    const { token, verify } = setup()
    expect(verify(token(), { maxStaleness: 0 })).toBe('stale')
    expect(verify(token(), { maxStaleness: 1 })).toBe('ok')
    const strict = setup({ maxStalenessMs: 0 })
    expect(strict.verify(strict.token())).toBe('stale')
  })

  it('is stale until the node has applied the position that is required', () => {
    const { state, token, verify } = setup()
    const requirement = { minPosition: { epoch: EPOCH, seq: 11 } }
    expect(verify(token(), requirement)).toBe('stale')
    state.position = 11
    expect(verify(token(), requirement)).toBe('ok')
  })

  it('is stale if the requirement demands to read the store, which verify cannot do', () => {
    const { verifier, entry, token, verify } = setup()
    const requirement = { freshness: 'store' } as const
    expect(verify(token(), requirement)).toBe('stale')
    expect(verdict(verifier.decide(entry(), compileRequirement(requirement), true))).toBe('ok')
  })

  it('is stale once the index had to reject a revocation', () => {
    const { index, token, verify } = setup()
    fill(index)
    expect(verify(token())).toBe('stale')
  })

  it('is accepted and flagged with `onStale: accept`, but for no stricter requirement', () => {
    const { verifier, index, state, token, verify } = setup({ onStale: 'accept' })
    state.fresh = false
    const result = verifier.verify(token(), NO_REQUIREMENT)
    expect(result).toMatchObject({ ok: true, stale: true })
    expect(isDeepFrozen(result)).toBe(true)
    expect(verify(token(), { maxStaleness: 0 })).toBe('ok')
    expect(verify(token(), { freshness: 'store' })).toBe('stale')
    expect(verify(token(), { minPosition: { epoch: EPOCH, seq: 11 } })).toBe('stale')
    fill(index)
    expect(verify(token())).toBe('stale')
  })

  it('is accepted after a lenient start only until the log was read once', () => {
    const { verifier, state, token, verify } = setup()
    Object.assign(state, { fresh: false, proven: false })
    expect(verify(token())).toBe('stale')
    verifier.lenient = true
    expect(verify(token())).toBe('ok')
    state.proven = true
    expect(verify(token())).toBe('stale')
  })
})

describe('the use of a token', () => {
  it('is reported once a minute, with the time', () => {
    const { state, uses, token, verify } = setup()
    const text = token()
    for (const time of [0, 1, MINUTE - 1, MINUTE, MINUTE + 1]) {
      state.now = START + time
      expect(verify(text)).toBe('ok')
    }
    expect(uses).toEqual([
      [ID, START],
      [ID, START + MINUTE],
    ])
  })

  it('is not reported if it is rejected for any reason', () => {
    const { state, index, uses, firstUses, token, verify } = setup(FIRST_USE)
    const text = token({ gen: 1 })
    expect(verify(text, { scopes: ['admin'] })).toBe('insufficient_scope')
    state.fresh = false
    expect(verify(text)).toBe('stale')
    index.apply(REVOKED)
    expect(verify(text)).toBe('revoked')
    expect([uses, firstUses]).toEqual([[], []])
  })
})

const FIRST_USE: Change = {
  policies: new Map([
    [
      'service',
      {
        name: 'service',
        brand: undefined,
        ttlMs: HOUR,
        scopes: ['orders:*'],
        rotateAfter: { share: 0.5 },
        graceMs: MINUTE,
        rotations: { burst: 10, everyMs: HOUR },
        maxLifetimeMs: 24 * HOUR,
        maxActivePerSubject: undefined,
        require: [],
        auditRequired: false,
        version: 1,
        minVersion: 1,
        reuse: 'alert',
        retireOn: 'first-use',
      },
    ],
  ]),
}

describe('the first use of a successor under a first-use policy', () => {
  it('is reported once, also if the successor is opened anew', () => {
    const { firstUses, token, verify } = setup(FIRST_USE)
    const [text, copy] = [token({ gen: 1 }), token({ gen: 1 })]
    for (const each of [text, text, copy, copy]) expect(verify(each)).toBe('ok')
    expect(firstUses.map(({ id }) => id)).toEqual([ID])
  })

  it('is reported again on the next use after it could not be handled', () => {
    const { firstUses, token, verify } = setup(FIRST_USE)
    const text = token({ gen: 1 })
    expect(verify(text)).toBe('ok')
    firstUses[0]?.again()
    expect(verify(text)).toBe('ok')
    expect(verify(text)).toBe('ok')
    expect(firstUses.map(({ id }) => id)).toEqual([ID, ID])
  })

  it('is not reported for a token that is no successor', () => {
    const { firstUses, token, verify } = setup(FIRST_USE)
    expect(verify(token())).toBe('ok')
    expect(verify(token({ jti: NEXT_ID }))).toBe('ok')
    expect(firstUses).toEqual([])
  })

  it('is remembered for ten thousand successors', () => {
    const { verifier, firstUses, entry } = setup(FIRST_USE)
    const cached = entry({ gen: 1 })
    const successor = (i: number): Entry => ({
      ...cached,
      principal: { ...cached.principal, id: `successor ${i}` },
    })
    const reported = (each: Entry) => {
      const before = firstUses.length
      expect(verifier.decide(each, NO_REQUIREMENT).ok).toBe(true)
      return firstUses.length - before
    }
    const first = successor(0)
    expect(reported(first)).toBe(1)
    for (let i = 1; i < 10_000; i++) reported(successor(i))
    expect(firstUses).toHaveLength(10_000)
    expect(reported(successor(0))).toBe(0)
    expect(reported(successor(10_000))).toBe(1)
    expect(reported(successor(10_000))).toBe(0)
    expect(reported(first)).toBe(0)
    expect(reported(successor(0))).toBe(1)
  })
})

describe('the decisions of a node', () => {
  /** What is published while `run` runs. */
  function published(run: () => void): unknown[] {
    const messages: unknown[] = []
    const keep = (message: unknown) => void messages.push(message)
    subscribe('watchword:decision', keep)
    try {
      run()
    } finally {
      unsubscribe('watchword:decision', keep)
    }
    return messages
  }

  it('are published with what is authentic about the token', () => {
    const { token, verify } = setup()
    const decided = { at: START, issuer: ISSUER, node: 'node-1' }
    const about = { id: ID, subject: 'svc_billing', audience: AUDIENCE, policy: 'service' }
    const messages = published(() => {
      verify(token())
      verify(token(), { scopes: ['admin'] })
      verify('abc', { scopes: ['admin'] })
    })
    expect(messages).toEqual([
      { ...decided, ...about, family: ID, generation: 0, outcome: 'ok', required: [] },
      {
        ...decided,
        ...about,
        family: ID,
        generation: 0,
        outcome: 'insufficient_scope',
        required: ['admin'],
      },
      { ...decided, outcome: 'malformed', required: ['admin'] },
    ])
  })

  it('read the clock once more only for a subscriber and a token that is not authentic', () => {
    let readings = 0
    const clock = {
      ...resolveClock({ now: () => START }),
      reading: () => {
        readings++
        return START
      },
    }
    const { verifier, token, verify } = setup({ clock })
    const decide = () => {
      verify(token())
      verify('abc')
      verifier.refuse('scopes: expected a list')
    }
    decide()
    expect(readings).toBe(0)
    // The check of an authentic token has read the clock, and dates the decision.
    expect(published(decide)).toMatchObject([{ at: START }, { at: START }, { at: START }])
    expect(readings).toBe(2)
  })

  it('include the rejection of an invalid requirement, which is also warned of', async () => {
    vi.resetModules()
    const { Verifier } = await import('../../../src/verbs/verify.js')
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      const verifier = new Verifier({
        issuer: ISSUER,
        node: 'node-1',
        policies: new Map(),
        clock: resolveClock({ now: () => START }),
        probe: { observer: undefined },
      } as unknown as VerifierOptions)
      const results: unknown[] = []
      const messages = published(() => results.push(verifier.refuse('scopes: expected a list')))
      expect(results).toEqual([{ ok: false, code: 'insufficient_scope', missing: [] }])
      expect(messages).toEqual([
        {
          at: START,
          issuer: ISSUER,
          node: 'node-1',
          outcome: 'insufficient_scope',
          invalidRequirement: 'scopes: expected a list',
        },
      ])
      expect(emit).toHaveBeenCalledOnce()
    } finally {
      emit.mockRestore()
    }
  })
})
