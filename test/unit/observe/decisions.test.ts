/**
 * What the library publishes: the time, the actor and the reason of each decision and each change, and never a secret in
 * a message, an error or the store.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEvent, Decision, RevokeTarget, Watchword } from 'watchword'
import type { Store } from 'watchword/store'
import { importKey, open, ready } from '../../../src/paseto.js'
import {
  AUDIENCE,
  activeKey,
  assertionOf,
  claimsText,
  closeAll,
  cuttableFeed,
  failureOf,
  HOUR,
  ISSUER,
  MINUTE,
  rig,
  SECOND,
  START,
  sealed,
  sharedStore,
  verdict,
} from '../../support/harness.js'

const said: Decision[] = []
const audited: AuditEvent[] = []
const onDecision = (message: unknown) => void said.push(message as Decision)
const onAudit = (message: unknown) => void audited.push(message as AuditEvent)

beforeAll(() => ready)
beforeEach(() => {
  said.length = 0
  audited.length = 0
  subscribe('watchword:decision', onDecision)
  subscribe('watchword:audit', onAudit)
})
afterEach(async () => {
  await closeAll()
  unsubscribe('watchword:decision', onDecision)
  unsubscribe('watchword:audit', onAudit)
})

const CANARY = 'canary-9f3b-claim-value'
const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'deploy-bot',
  scopes: ['orders:read'],
  claims: { note: CANARY },
} as const
const WHO = { subject: 'svc_billing', audience: AUDIENCE, policy: 'service' }

describe('a decision', () => {
  it('publishes the token, the time and the reason, for a hit as for a miss', async () => {
    const { watchword, clock } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    await clock.advance(SECOND)
    watchword.verify(token)
    watchword.verify(token)
    watchword.verify(token, { scopes: ['admin'] })
    watchword.verify(token, { audience: 'other' })
    watchword.verify('nonsense')
    watchword.verify('x'.repeat(9999))
    await watchword.revoke({ token }, { actor: 'ops' })
    watchword.verify(token)
    const { node } = watchword.health()
    const at = { at: START + SECOND, issuer: ISSUER, node, required: [] }
    const who = { id, family: id, generation: 0, ...WHO }
    expect(said).toEqual([
      { ...at, outcome: 'ok', ...who },
      { ...at, outcome: 'ok', ...who },
      { ...at, outcome: 'insufficient_scope', required: ['admin'], ...who },
      { ...at, outcome: 'wrong_audience', ...who },
      { ...at, outcome: 'malformed' },
      { ...at, outcome: 'too_long' },
      { ...at, outcome: 'revoked', ...who },
    ])
  })

  it('is published by authenticate as well, with the final result', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    await watchword.authenticate(token)
    expect(said.at(-1)).toMatchObject({ at: START, issuer: ISSUER, outcome: 'ok', id, ...WHO })
    await watchword.authenticate(token, { freshness: 'store' })
    expect(said.at(-1)?.outcome).toBe('ok')
  })

  it('names no subject for a token that is not authentic', async () => {
    const setup = await rig()
    const { token } = await setup.watchword.issue(INPUT)
    for (const bad of [`${token.slice(0, 60)}AAAA${token.slice(64)}`, token.slice(0, -1)]) {
      setup.watchword.verify(bad)
      expect(Object.keys(said.at(-1) ?? {})).toEqual([
        'at',
        'issuer',
        'node',
        'outcome',
        'required',
      ])
    }
    setup.watchword.verify(sealed(setup, claimsText({ exp: undefined })))
    expect(Object.keys(said.at(-1) ?? {})).not.toContain('id')
    expect(said.at(-1)).toMatchObject({ at: START, issuer: ISSUER, outcome: 'claims_invalid' })
  })
})

describe('a change', () => {
  it('publishes the actor, the time and the change itself', async () => {
    const { watchword, clock } = await rig()
    const key = activeKey(watchword)
    const at = { v: 1, at: START, issuer: ISSUER }
    expect(audited).toEqual([
      { ...at, action: 'key.created', actor: 'system', keyId: key, audience: AUDIENCE },
    ])
    const issued = await watchword.issue(INPUT)
    const made = { ...WHO, family: issued.id, keyId: key }
    expect(audited.at(-1)).toEqual({
      ...at,
      action: 'token.issued',
      actor: 'deploy-bot',
      id: issued.id,
      ...made,
    })
    const next = await watchword.rotate(issued.token, { actor: 'cron' })
    expect(audited.at(-1)).toEqual({
      ...at,
      action: 'token.rotated',
      actor: 'cron',
      id: next.id,
      predecessor: issued.id,
      ...made,
    })
    await watchword.revoke({ id: next.id }, { actor: 'ops', reason: 'left the company' })
    expect(audited.at(-1)).toMatchObject({
      ...at,
      action: 'revoked',
      actor: 'ops',
      target: 'token',
      reason: 'left the company',
    })
    const other = await watchword.issue(INPUT)
    await watchword.rotate(other.token, { actor: 'cron' })
    await clock.advance(2 * MINUTE)
    await failureOf(() => watchword.rotate(other.token, { actor: 'thief' }))
    const reuse = audited.filter(({ action }) => action === 'token.reused')
    expect(reuse).toMatchObject([{ actor: 'thief', id: other.id, family: other.id }])
    expect(audited.some(({ action, target }) => action === 'revoked' && target === 'family')).toBe(
      true,
    )
  })

  it('that was rejected is not published', async () => {
    const { watchword } = await rig()
    audited.length = 0
    await failureOf(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    await failureOf(() => watchword.issue({ ...INPUT, policy: 'none' }))
    await failureOf(() => watchword.rotate('nonsense', { actor: 'a' }))
    await failureOf(() => watchword.revoke({ token: 'nonsense' }, { actor: 'a' }))
    expect(audited).toEqual([])
  })
})

/** Everything that a value can show. */
function shown(value: unknown): string {
  const error = value as Error & { detail?: unknown }
  const all = { showHidden: true, depth: 12, maxStringLength: null, maxArrayLength: null } as const
  return [
    inspect(value, all),
    inspect(value, { ...all, customInspect: false, getters: true }),
    JSON.stringify(value),
    String(error.message),
    String(error.stack),
    String(error.detail),
    inspect(error.cause, all),
  ].join('\n')
}

describe('secrets (G96)', () => {
  it('appear in no message and in no error of any call that fails', async () => {
    const feed = cuttableFeed()
    const inner = sharedStore()
    let down = false
    const store = new Proxy(inner, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (!down || typeof method !== 'function' || name === 'close') return method
        return async () => {
          throw new Error('connection refused')
        }
      },
    }) as Store
    const policies = {
      service: { ttl: '30d', scopes: ['orders:*'], maxActivePerSubject: 3 },
      brief: { ttl: '1h', scopes: [] },
    }
    const setup = await rig({ policies }, { store, feed })
    const { watchword, root, clock } = setup
    const issued = await watchword.issue(INPUT)
    const bound = await watchword.issue({ ...INPUT, subject: 'b', binding: 'thumb' })
    const rotated = await watchword.issue(INPUT)
    const next = await watchword.rotate(rotated.token, { actor: 'cron' })
    const { token } = issued
    const failures: unknown[] = []
    const fails = async (run: () => unknown) => failures.push(await failureOf(run))
    const wrong = [
      token.slice(0, -1),
      `${token.slice(0, 60)}AAAA${token.slice(64)}`,
      `${token} `,
      `Bearer ${token}`,
      bound.token,
    ]
    const actor = 'a'
    for (const bad of wrong) {
      watchword.verify(bad)
      await fails(() => watchword.rotate(bad, { actor }))
      await fails(() => watchword.revoke({ token: bad }, { actor }))
      await fails(() => watchword.revoke({ id: bad }, { actor }))
      await fails(() => watchword.revoke({ key: bad }, { actor }))
      await fails(() =>
        watchword.rotate(token, { actor, [bad.slice(0, 2)]: bad } as { actor: string }),
      )
      await fails(() => watchword.require({ scopes: [bad] }))
      await fails(() => watchword.require({ audience: `${bad}\n` }))
      await fails(() => watchword.tokens.list({ family: bad }))
      await fails(() => watchword.issue({ ...INPUT, policy: bad.slice(0, 60) }))
      await fails(() => watchword.issue({ ...INPUT, audience: bad.slice(0, 200) }))
    }
    await fails(() => watchword.issue(INPUT).then(() => watchword.issue(INPUT)))
    for (const claims of [{ exp: CANARY }, { a: CANARY, b: 1n }, { a: CANARY, b: '\ud800' }]) {
      await fails(() => watchword.issue({ ...INPUT, claims }))
    }
    await fails(() => watchword.issue({ ...INPUT, claims: { a: CANARY.repeat(400) } }))
    await fails(() => watchword.issue({ ...INPUT, scopes: ['admin'] }))
    await fails(() => watchword.issue({ ...INPUT, ttl: '31d' }))
    await clock.advance(2 * MINUTE)
    await fails(() => watchword.rotate(rotated.token, { actor }))
    await fails(() => watchword.rotate(next.token, { actor }))
    down = true
    await fails(() => watchword.issue({ ...INPUT, subject: 'c' }))
    await fails(() => watchword.rotate(token, { actor }))
    await fails(() => watchword.authenticate(token, { freshness: 'store' }))
    down = false
    feed.cut = true
    await fails(() => watchword.revoke({ token }, { actor }))
    watchword.verify(token)
    await clock.advance(HOUR)
    watchword.verify(token)
    await watchword.close().catch(() => undefined)
    await fails(() => watchword.issue(INPUT))

    expect(failures.length).toBeGreaterThan(60)
    expect(said.length).toBeGreaterThan(5)
    expect(audited.length).toBeGreaterThan(5)
    const text = [...failures, ...said, ...audited].map(shown).join('\n')
    const secrets = [issued, bound, rotated, next].map(({ token: secret }) => secret.slice(9, 60))
    for (const paserk of root.seen) secrets.push(paserk, paserk.slice(9))
    secrets.push(CANARY, 'k4.local.')
    for (const secret of secrets) expect(text).not.toContain(secret)
    // Proves that the check can fail: values that may appear are found.
    expect(text).toContain(issued.id)
  })
})

describe('the store (G97)', () => {
  async function dump(store: Store, watchword: Watchword): Promise<string> {
    const rows = [
      await store.listTokens({}, { limit: 1000 }),
      await store.listKeys(),
      await store.listRevocations({ limit: 1000 }),
      (await watchword.tokens.list()).items,
      watchword.keys.list(),
      watchword.health(),
    ]
    return rows.map(shown).join('\n')
  }

  it('holds no token, key or claim, and nothing in it opens a token', async () => {
    const { exportKey, generateKey } = await import('../../../src/paseto.js')
    const rootKey = exportKey(generateKey())
    const setup = await rig({ rootKey })
    const { watchword, store, clock } = setup
    const targets: RevokeTarget[] = [{ subject: 'x' }, { audience: 'other' }]
    const issued = await watchword.issue({ ...INPUT, binding: 'thumbprint-of-a-certificate' })
    const needs = { binding: 'thumbprint-of-a-certificate' }
    const next = await watchword.rotate(issued.token, { actor: 'cron', ...needs })
    expect(verdict(watchword.verify(next.token, needs))).toBe('ok')
    for (const target of targets) await watchword.revoke(target, { actor: 'ops', reason: 'why' })
    await watchword.keys.rotate()
    await clock.advance(2 * MINUTE)
    const text = await dump(store, watchword)
    expect(text).toContain(issued.id)
    expect(text).toContain('k4.local-wrap.pie.')
    for (const { token } of [issued, next]) {
      const [, , body = ''] = token.split('.')
      for (let at = 0; at + 24 <= body.length; at += 12) {
        expect(text).not.toContain(body.slice(at, at + 24))
      }
    }
    expect(text).not.toContain(CANARY)
    expect(text).not.toContain('thumbprint')
    expect(text).not.toContain('k4.local.')
    expect(text).not.toContain(rootKey.slice(9))
    const implicitAssertion = assertionOf(ISSUER, AUDIENCE, needs.binding)
    const candidates = new Set(text.match(/[A-Za-z0-9_-]{43}/g))
    expect(candidates.size).toBeGreaterThan(3)
    let tried = 0
    for (const candidate of candidates) {
      // The first 32 bytes of any text, as a key.
      const bytes = Buffer.from(candidate, 'base64url')
      const key = importKey(`k4.local.${bytes.toString('base64url')}`)
      tried++
      expect(open(key, next.token, { implicitAssertion })).toBeUndefined()
    }
    expect(tried).toBe(candidates.size)
  })
})

describe('an invalid requirement', () => {
  it('is published with its error, for each token that it rejects', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const { node } = watchword.health()
    for (const needs of [{ scope: ['orders:read'] }, { scopes: 'orders:read' }, null]) {
      said.length = 0
      expect(verdict(watchword.verify(token, needs as never))).toBe('insufficient_scope')
      expect(said).toHaveLength(1)
      expect(said[0]).toMatchObject({
        at: START,
        issuer: ISSUER,
        node,
        outcome: 'insufficient_scope',
      })
      expect(said[0]?.invalidRequirement).toMatch(/^(scope|scopes|requirement): /)
      await expect(watchword.authenticate(token, needs as never)).rejects.toThrow(/scope|object/)
      expect(said).toHaveLength(1)
    }
  })

  it('emits one warning for each field and kind of fault, however often and with whichever value', async () => {
    const tick = () => new Promise((resolve) => setImmediate(resolve))
    const warnings: Error[] = []
    const onWarning = (warning: Error) => void warnings.push(warning)
    // Warnings of earlier tests are emitted in a later tick.
    await tick()
    process.on('warning', onWarning)
    const { watchword } = await rig()
    for (let i = 0; i < 5; i++) {
      for (const needs of [{ audience: i }, { maxStaleness: `${i} fortnights` }, { audience: [i] }])
        expect(watchword.verify('x', needs as never)).toMatchObject({ ok: false })
    }
    await tick()
    process.off('warning', onWarning)
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/every token is rejected: audience: expected a name, got 0$/),
      expect.stringMatching(/every token is rejected: maxStaleness: expected a duration such as/),
    ])
  })
})
