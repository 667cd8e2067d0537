/**
 * Queries of the audit that a caller got wrong: each is an error that names the fix, and none is an empty page.
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditAction, AuditListQuery, Watchword } from 'watchword'
import { ready } from 'watchword/paseto'
import type { AuditEntry, AuditRow, AuditStore } from 'watchword/store'
import { ACTIONS } from '../../../../src/observe/audit/actions.js'
import { closeAll, failureOf, rig, sharedStore } from '../../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const INPUT = { policy: 'service', subject: 'svc_billing', scopes: ['orders:read'], actor: 'bot' }

async function audited(): Promise<Watchword> {
  const { watchword } = await rig()
  for (let i = 0; i < 3; i++) await watchword.issue(INPUT)
  await watchword.audit.checkpoint()
  return watchword
}

const CASES: readonly (readonly [string, object, string])[] = [
  [
    'a misspelt action',
    { action: 'token.isued' },
    "action: expected an action of the audit (did you mean 'token.issued'?), got 'token.isued'",
  ],
  ['an action without its kind', { action: 'issued' }, "(did you mean 'token.issued'?)"],
  ['an incident without its kind', { action: 'reconciled' }, "(did you mean 'feed.reconciled'?)"],
  [
    'an action far from any other',
    { action: 'login' },
    'action: expected an action of the audit (allowed: token.issued, token.rotated',
  ],
  ['an action that is no text', { action: 5 }, 'action: expected an action of the audit, got 5'],
  ['an empty position', { after: '' }, 'after: expected `next` of the previous page, 1 to 1024'],
  ['a position of no page', { after: 'x' }, "after: expected `next` of the previous page, got 'x'"],
  [
    'a position of another list',
    { after: '3' },
    "after: expected `next` of the previous page, got '3'",
  ],
  ['an empty id', { token: '' }, 'token: expected the id of a token, 1 to 64 characters'],
  [
    'the text of a token',
    { token: `v4.local.${'A'.repeat(200)}` },
    'token: expected the id of a token, 1 to 64 characters, got a string of 209 characters',
  ],
]

describe('a query of the audit', () => {
  it.each(CASES)('is refused for %s, with the fix', async (_, query, message) => {
    const { audit } = await audited()
    expect(await failureOf(() => audit.list(query as AuditListQuery))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })

  it.each(['token.isued', 'login'])('is refused by read for the action %s', async (action) => {
    const { audit } = await audited()
    const query = { action: action as AuditAction }
    expect(await failureOf(() => audit.read(query).next())).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
  })

  it('accepts every action of the reference', async () => {
    const { audit } = await audited()
    for (const action of ACTIONS as readonly AuditAction[])
      expect((await audit.list({ action })).items.length, action).toBeLessThanOrEqual(3)
  })

  it('accepts the next of every page, also if its last row was inserted by an attacker', async () => {
    const inner = sharedStore()
    const part = inner.audit as AuditStore
    const { watchword } = await rig({}, { store: inner })
    for (let i = 0; i < 3; i++) await watchword.issue(INPUT)
    const [entry] = await part.list({}, { limit: 1 })
    const forged = { ...(entry?.row as AuditRow), id: `${entry?.id.slice(0, 20)} forged` }
    await part.write([forged])
    const seen: string[] = []
    let page = await watchword.audit.list({ limit: 1 })
    for (;;) {
      seen.push(...page.items.map(({ id }) => id), ...(page.corrupt ?? []))
      if (page.next === undefined) break
      page = await watchword.audit.list({ limit: 1, after: page.next })
    }
    expect(seen).toContain(forged.id)
    expect(new Set(seen).size).toBe(5)
    expect(await failureOf(() => watchword.audit.read().next())).toMatchObject({
      code: 'ERR_STORE_CORRUPT',
      detail: `audit ${forged.id}`,
    })
  })

  it('refuses the next of a page whose last row has no id', async () => {
    const inner = sharedStore()
    const part = inner.audit as AuditStore
    const audit = { ...part, list: async () => [null, null] as unknown as AuditEntry[] }
    const { watchword } = await rig({}, { store: { ...inner, audit } })
    const page = await watchword.audit.list({ limit: 1 })
    expect(page).toEqual({ items: [], next: '?', corrupt: ['?'] })
    const again = () => watchword.audit.list({ limit: 1, after: page.next as string })
    expect(await failureOf(again)).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})

describe('a checkpoint for a verification', () => {
  it.each<[string, (watchword: Watchword) => Promise<unknown>, string]>([
    [
      'a checkpoint in place of its text',
      async ({ audit }) => ({ checkpoint: await audit.checkpoint() }),
      'checkpoint: expected the text of a checkpoint, got a checkpoint: pass its field text',
    ],
    [
      'a checkpoint in place of the options',
      ({ audit }) => audit.checkpoint(),
      'options: expected { checkpoint }, got a checkpoint: pass its field text',
    ],
    [
      'the bytes of a text',
      async ({ audit }) => ({ checkpoint: Buffer.from((await audit.checkpoint()).text) }),
      "checkpoint: expected the text of a checkpoint, got bytes: read the file with the encoding 'utf8'",
    ],
    [
      'the name of a file',
      async () => ({ checkpoint: 'checkpoints/newest.txt' }),
      "each on a line; got 'checkpoints/newest.txt'",
    ],
    ['a number', async () => ({ checkpoint: 5 }), 'expected the text of a checkpoint, got 5'],
    [
      'a checkpoint of another issuer',
      async ({ audit }) => ({
        checkpoint: (await audit.checkpoint()).text.replace('acme', 'other'),
      }),
      'the issuer of this authority, got one of another',
    ],
  ])('is refused for %s, with the fix', async (_, options, message) => {
    const watchword = await audited()
    const given = (await options(watchword)) as { checkpoint: string }
    expect(await failureOf(() => watchword.audit.verify(given))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })
})
