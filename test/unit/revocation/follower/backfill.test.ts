import { describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword'
import type { Store, TokenRecord } from 'watchword/store'
import {
  backfillChanges,
  backfillIndex,
  backfillRevocations,
  type ReadBackOptions,
  type RowInspector,
} from '../../../../src/revocation/follower/backfill.js'
import { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { fixtures, HOUR, MINUTE, NOW } from '../../../../src/testkit/store/fixtures.js'

const make = fixtures('backfill')
const HORIZON = NOW + 48 * HOUR
const MAX = 10_000

interface Parts {
  readonly store?: Store
  readonly inspect?: RowInspector
  readonly known?: RevocationIndex
}

function reading({ store = memoryStore(), ...parts }: Parts = {}): ReadBackOptions {
  const index = new RevocationIndex({ max: MAX })
  return { store, index, call: (call) => call(), horizon: () => HORIZON, ...parts }
}

async function opened(): Promise<Store> {
  const store = memoryStore()
  await store.open()
  return store
}

const tokenEntry = ({ id: value, expiresAt }: TokenRecord) =>
  ({ kind: 'token', value, expiresAt }) as const

/** Finds every row edited, except those that `isIntact` names. */
const inspector = (isIntact: (id: string) => boolean = () => false): RowInspector => ({
  restriction: async () => 'intact' as const,
  revocation: async ({ id }) => isIntact(id),
  token: async ({ id }) => isIntact(id),
})

describe('a backfill of everything', () => {
  it('reads more revocations than fit in one page', async () => {
    const store = await opened()
    const revocations = Array.from({ length: 1050 }, (_, number) =>
      make.revocation('subject', `user:${number}`),
    )
    for (const revocation of revocations) await store.revoke(revocation)
    const options = reading({ store })
    await backfillIndex({ ...options, now: NOW })
    const missing = revocations.filter(
      ({ value, before, expiresAt }) =>
        !options.index.covers({ kind: 'subject', value, before, expiresAt }),
    )
    expect(missing).toEqual([])
  })

  it('takes the marks of the covered records if the row of a revocation was edited', async () => {
    const store = await opened()
    const [live, past] = [make.token(), make.token({ expiresAt: NOW + MINUTE })]
    await store.insertTokens([live, past])
    await store.revoke(make.revocation('subject', live.subject))
    const options = reading({ store, inspect: inspector((id) => id === live.id || id === past.id) })
    await backfillIndex({ ...options, now: NOW + 2 * MINUTE })
    expect(options.index.covers(tokenEntry(live))).toBe(true)
    expect(options.index.covers(tokenEntry(past))).toBe(false)
  })

  it('ends a marked token of an edited record at the horizon, and skips an id of no token', async () => {
    const store = await opened()
    const edited = make.token()
    const marked = { revokedAt: NOW, revokedBy: 'operator', revokedReason: null }
    await store.insertTokens([
      { ...edited, ...marked },
      { ...make.token({ id: 'no ULID' }), ...marked },
    ])
    await store.revoke(make.revocation('subject', 'another one'))
    const options = reading({ store, inspect: inspector() })
    await backfillIndex({ ...options, now: NOW })
    const { id: value } = edited
    const entry = { kind: 'token', value, expiresAt: HORIZON, loose: true } as const
    expect(options.index.covers(entry)).toBe(true)
  })

  it('rejects if a row does not parse, and names it', async () => {
    const store = await opened()
    const revocation = make.revocation('subject', 'user:1')
    const listRevocations = async () => [{ ...revocation, before: -1 }]
    const options = reading({ store: { ...store, listRevocations } })
    await expect(backfillIndex({ ...options, now: NOW })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
      detail: `row ${revocation.id}`,
    })
  })
})

describe('a backfill since a time', () => {
  it('takes the marks of the covered records if a row since then was edited', async () => {
    const store = await opened()
    const token = make.token()
    await store.insertTokens([token])
    await store.revoke(make.revocation('subject', token.subject))
    const options = reading({ store, inspect: inspector((id) => id === token.id) })
    await backfillRevocations(options, NOW)
    expect(options.index.covers(tokenEntry(token))).toBe(true)
  })
})

describe('a backfill of changes', () => {
  async function since(store: Store): Promise<string> {
    return (await store.changes(null, 1)).cursor
  }

  it('continues over several pages and resolves with the cursor after the last one', async () => {
    const store = await opened()
    const cursor = await since(store)
    const revocations = Array.from({ length: 1020 }, (_, number) =>
      make.revocation('subject', `user:${number}`),
    )
    for (const revocation of revocations) await store.revoke(revocation)
    const options = reading({ store })
    expect(await backfillChanges(options, cursor)).toBe(await since(store))
    const { value, before, expiresAt } = revocations.at(-1) ?? make.revocation('all', '')
    expect(options.index.covers({ kind: 'subject', value, before, expiresAt })).toBe(true)
  })

  it('does not inspect rows that add nothing to what the node knows', async () => {
    const store = await opened()
    const cursor = await since(store)
    const [first, second] = [make.token(), make.token()]
    await store.insertTokens([first, second])
    await store.succeed(first.id, make.successor(first), NOW + MINUTE)
    // The first token of a family that stays valid until its successor is used supersedes nothing.
    await store.succeed(second.id, make.successor(second), null)
    const revocation = make.revocation('subject', 'user:9')
    await store.revoke(revocation)
    const known = new RevocationIndex({ max: MAX })
    const inspected: string[] = []
    const inspect: RowInspector = {
      restriction: async () => 'intact' as const,
      revocation: async ({ id }) => inspected.push(id) > 0,
      token: async ({ id }) => inspected.push(id) > 0,
    }
    const options = reading({ store, known, inspect })
    await backfillChanges(options, cursor)
    expect(inspected).toEqual([revocation.id, first.id])
    const { value, before, expiresAt } = revocation
    known.apply({ kind: 'subject', value, before, expiresAt })
    known.apply({
      kind: 'rotated',
      value: first.family,
      generation: 0,
      from: NOW + MINUTE,
      expiresAt: first.expiresAt,
    })
    await backfillChanges(options, cursor)
    expect(inspected).toEqual([revocation.id, first.id])
  })
})
