/**
 * A polluted `Object.prototype`: a vulnerability in another package changes no result of this one.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Decision, type Requirement, type Watchword, WatchwordError } from 'watchword'
import { ready } from '../../../src/paseto.js'
import {
  activeKey,
  closeAll,
  failureOf,
  type Rig,
  rig,
  sharedStore,
} from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const NAMES = [
  ...['ok', 'code', 'principal', 'failure', 'claimed', 'until', 'ms', 'share', 'stale', 'missing'],
  ...['scopes', 'audience', 'subject', 'maxStaleness', 'freshness', 'binding', 'minPosition'],
  ...['allOf', 'anyOf', 'cause', 'detail', 'reason', 'headers', 'then', 'status', 'ttl', 'size'],
  ...['from', 'loose', 'id', 'token', 'all', 'key', 'family', 'live', 'limit', 'after', 'policy'],
  ...['nbf', 'scope', 'kid', 'wpk', 'claims', 'notBefore', 'waitFor', 'timeout', 'retireOn'],
  ...['method', 'route', 'generation', 'allowStale', 'issues', 'actor', 'prefix'],
  ...[
    'label',
    'owner',
    'purpose',
    'hint',
    'order',
    'revoked',
    'expiresBefore',
    'issuedBy',
    'unusedSince',
    'unusedBefore',
  ],
]

const VALUES: readonly unknown[] = [true, 'x', {}, Number.MAX_SAFE_INTEGER]

/** The content of a result, without what differs from run to run. */
function shown(result: unknown): string {
  const texts = result instanceof WatchwordError ? { code: result.code } : result
  return JSON.stringify(texts, (_, value: unknown) => value)
}

/** Calls every verb and collects the results. Prepared in advance so that it can run while the prototype is polluted. */
async function scenario({ watchword }: Rig, prepared: Prepared): Promise<string[]> {
  const results: unknown[] = []
  const needs: Requirement[] = [{}, { scopes: ['orders:read'] }, { scopes: ['admin'] }]
  needs.push({ scopes: { anyOf: ['orders:read', 'admin'] } }, { audience: 'other' })
  for (const token of prepared.tokens) {
    results.push(watchword.verify(token))
    for (const each of needs) {
      results.push(watchword.verify(token, each))
      results.push(await watchword.authenticate(token, each))
    }
    results.push(await watchword.authenticate(token, { freshness: 'store' }))
  }
  const issue = { policy: 'service', subject: 'new', actor: 'a', scopes: ['orders:read'] }
  const issued = await watchword.issue({ ...issue, claims: { list: [1, { a: 'b' }] } })
  const opened = watchword.verify(issued.token)
  results.push(opened.ok && [opened.subject, opened.scopes, opened.claims])
  const bare = await watchword.issue({ policy: 'service', subject: 'new', actor: 'a' })
  results.push([bare.token.length, (watchword.verify(bare.token) as { scopes: unknown }).scopes])
  const next = await watchword.rotate(issued.token, { actor: 'a' })
  const rotated = watchword.verify(next.token)
  results.push(rotated.ok && [rotated.generation, rotated.claims])
  results.push((await watchword.tokens.list({ subject: 'new' })).items.length)
  results.push((await watchword.tokens.list()).items.length)
  results.push(await watchword.tokens.count({ subject: 'new' }), await watchword.tokens.count())
  const updated = await watchword.tokens.update(next.id, { owner: 'team' }, { actor: 'a' })
  results.push([updated.label, updated.owner, updated.purpose])
  const receipt = await watchword.revoke({ id: next.id }, { actor: 'a' })
  results.push([receipt.kind, watchword.verify(next.token)])
  await watchword.revoke({ subject: 'new' }, { actor: 'a' })
  results.push(watchword.verify(bare.token))
  results.push(await failureOf(() => watchword.require({ scope: ['a'] } as never)))
  results.push(await failureOf(() => watchword.issue({ subject: 'x' } as never)))
  results.push(await failureOf(() => watchword.revoke({} as never, { actor: 'a' })))
  results.push(watchword.verify('v4.local.junk'), watchword.verify(undefined))
  return results.map(shown)
}

interface Prepared {
  readonly tokens: readonly string[]
}

async function prepare(watchword: Watchword): Promise<Prepared> {
  const input = { policy: 'service', subject: 'old', actor: 'a', scopes: ['orders:read'] }
  const good = await watchword.issue(input)
  const revoked = await watchword.issue(input)
  const gone = await watchword.issue({ ...input, scopes: [] })
  await watchword.revoke({ id: revoked.id }, { actor: 'a' })
  return { tokens: [good.token, revoked.token, gone.token, 'v4.local.x', ''] }
}

// Ids, keys and token texts are new in each run.
const stable = (results: readonly string[]) =>
  results.map((each) =>
    each.replace(/[0-7][0-9A-HJKMNP-TV-Z]{25}/g, 'ULID').replace(/k4\.lid\.[\w-]+/g, 'LID'),
  )

async function run(name?: string, value?: unknown): Promise<string[]> {
  const setup = await rig()
  const prepared = await prepare(setup.watchword)
  expect(activeKey(setup.watchword)).toMatch(/^k4/)
  if (name !== undefined)
    Object.defineProperty(Object.prototype, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: true,
    })
  try {
    return stable(await scenario(setup, prepared))
  } finally {
    if (name !== undefined) delete (Object.prototype as Record<string, unknown>)[name]
    await closeAll()
  }
}

describe('a polluted prototype', () => {
  it.each(NAMES)('with %s changes no result of any verb', async (name) => {
    const expected = await run()
    expect(expected.length).toBeGreaterThan(40)
    for (const value of VALUES) expect(await run(name, value), String(value)).toEqual(expected)
  })

  it('with toJSON as a function changes no claim of any token', async () => {
    const expected = await run()
    expect(await run('toJSON', undefined)).toEqual(expected)
    const { watchword } = await rig()
    let issued: { readonly token: string }
    Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'x', configurable: true })
    try {
      const claims = { list: [{ a: 1 }], nested: { b: [2] } }
      issued = await watchword.issue({ policy: 'service', subject: 's', actor: 'a', claims })
    } finally {
      delete (Object.prototype as Record<string, unknown>)['toJSON']
    }
    expect(watchword.verify(issued.token)).toMatchObject({
      subject: 's',
      claims: { list: [{ a: 1 }], nested: { b: [2] } },
    })
  })

  it('with then as a function does not change what verify returns', async () => {
    const { watchword } = await rig()
    const { tokens } = await prepare(watchword)
    const ask = () => tokens.map((token) => shown(watchword.verify(token)))
    const expected = ask()
    let polluted: string[]
    Object.defineProperty(Object.prototype, 'then', { value: () => {}, configurable: true })
    try {
      polluted = ask()
    } finally {
      delete (Object.prototype as Record<string, unknown>)['then']
    }
    expect(polluted).toEqual(expected)
  })

  it('adds nothing to a published decision', async () => {
    const said: Decision[] = []
    const listener = (message: unknown) => void said.push(message as Decision)
    const { watchword } = await rig()
    const { tokens } = await prepare(watchword)
    subscribe('watchword:decision', listener)
    Object.defineProperty(Object.prototype, 'method', { value: 'GET', configurable: true })
    try {
      await watchword.authenticate(tokens[0], {}, { route: '/a' })
    } finally {
      delete (Object.prototype as Record<string, unknown>)['method']
      unsubscribe('watchword:decision', listener)
    }
    expect(said.at(-1)?.context).toEqual({ route: '/a' })
  })

  it.each([
    ...(['policy', 'subject', 'audience', 'family', 'keyId', 'liveAt', 'after'] as const),
    ...(['max', 'maxBytes', 'ttl', 'setTimer', 'monotonic', 'burst', 'every'] as const),
  ])('with %s does not hide the contents of the store from a node that starts', async (name) => {
    const first = await rig({}, { store: { ...sharedStore(), supports: { durable: true } } })
    const input = { policy: 'service', subject: 's', actor: 'a' }
    const revoked = await first.watchword.issue(input)
    const rotated = await first.watchword.issue(input)
    await first.watchword.revoke({ id: revoked.id }, { actor: 'a' })
    const next = await first.watchword.rotate(rotated.token, { actor: 'a' })
    await first.clock.advance(120_000)
    const { clock, store, root } = first
    for (const value of ['~', 'x', 1e9]) {
      const polluted = { value, configurable: true, writable: true }
      Object.defineProperty(Object.prototype, name, polluted)
      let started: Rig
      try {
        // The log is lost, so only the store has the revocation.
        started = await rig({}, { clock, store, root })
      } finally {
        delete (Object.prototype as Record<string, unknown>)[name]
      }
      const codes = [revoked, rotated, next].map(({ token }) => {
        const result = started.watchword.verify(token)
        return result.ok ? 'ok' : result.code
      })
      expect(codes).toEqual(['revoked', 'superseded', 'ok'])
    }
  })
})
