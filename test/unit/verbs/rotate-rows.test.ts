/**
 * Rotation when the rows of the store were edited, lost or written by another process meanwhile.
 *
 * @module
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { IssuedToken, Watchword } from 'watchword'
import type { Store, TokenRecord } from 'watchword/store'
import {
  ACTOR,
  around,
  auditOf,
  type Fleet,
  flush,
  HOUR,
  issueOn,
  MINUTE,
  newFleet,
  type Options,
  outcome,
  POLICY,
  SECOND,
  verdict,
} from '../../support/fleet.js'

let fleet: Fleet
afterEach(() => fleet.close())

type Edit = (row: TokenRecord) => TokenRecord | undefined

const policies = (change: Partial<typeof POLICY>) => ({
  policies: { service: { ...POLICY, ...change } },
})
const rejected = (reason: string) => ({ code: 'ERR_TOKEN_REJECTED', reason })

/** A node whose store returns the rows of the tokens in `edits` as those change them. */
async function start(options: Options = {}, change: Partial<Store> = {}) {
  fleet = await newFleet(options)
  const edits = new Map<string, Edit>()
  const store: Store = {
    ...around(fleet.store),
    getToken: async (id) => {
      const row = await fleet.store.getToken(id)
      const edit = edits.get(id)
      return row === undefined || edit === undefined ? row : edit(row)
    },
    ...change,
  }
  return { node: await fleet.start({ store }), edits }
}

const rotate = (node: Watchword, { token }: IssuedToken, options: object = {}) =>
  outcome(node.rotate(token, { ...ACTOR, ...options }))

describe('the options of rotate', () => {
  it('take an actor of up to 256 characters and a lifetime from one second', async () => {
    const { node } = await start()
    const token = await issueOn(node)
    for (const wrong of [{ actor: 'a'.repeat(257) }, { actor: '' }, { ttl: 999 }, { ttl: 'soon' }])
      expect((await rotate(node, token, wrong)).code).toBe('ERR_INVALID_ARGUMENT')
    const { value } = await rotate(node, token, { actor: 'a'.repeat(256), ttl: 1000 })
    expect(value).toMatchObject({ expiresAt: token.issuedAt + SECOND })
  })

  it('bind the successor, and each copy of it, like the token', async () => {
    const { node } = await start()
    const binding = 'thumbprint'
    const token = await issueOn(node, { binding })
    for (let i = 0; i < 2; i++) {
      const { value } = await rotate(node, token, { binding })
      const text = value?.token as string
      expect([verdict(node.verify(text, { binding })), verdict(node.verify(text))]).toEqual([
        'ok',
        'invalid',
      ])
    }
  })
})

describe('a token that cannot be rotated', () => {
  it('is rejected with the reason of verify', async () => {
    const { node } = await start()
    const malformed = await outcome(node.rotate('abc', ACTOR))
    expect(malformed).toEqual(rejected('malformed'))
    const token = await issueOn(node)
    expect(await outcome(node.rotate(token.token, { ...ACTOR, binding: 'x' }))).toEqual(
      rejected('invalid'),
    )
    await fleet.clock.advance(10 * MINUTE)
    expect(await rotate(node, token)).toEqual(rejected('expired'))
  })

  it('was issued as not rotatable', async () => {
    const { node } = await start()
    const token = await node.issue({
      policy: 'service',
      subject: 's',
      scopes: [],
      rotatable: false,
      ...ACTOR,
    })
    expect((await rotate(node, token)).code).toBe('ERR_NOT_ROTATABLE')
  })

  it('has used up the rotations of its policy', async () => {
    const { node } = await start(policies({ rotations: { burst: 1, every: '1h' } }))
    const token = await issueOn(node)
    const next = (await rotate(node, token)).value as IssuedToken
    expect((await rotate(node, next)).code).toBe('ERR_ROTATION_LIMIT')
  })

  it('is rejected while the rest of the index is kept for revocations', async () => {
    const { node } = await start({ maxRevocations: 1000 })
    const token = await issueOn(node)
    for (let i = 0; i < 900; i++) await node.revoke({ subject: `subject ${i}` }, ACTOR)
    expect((await rotate(node, token)).code).toBe('ERR_REVOCATIONS_FULL')
  })

  it('is looked up by its key, which another node may just have made', async () => {
    const { node } = await start()
    const other = await fleet.start()
    const { keyId } = await issueOn(node)
    await node.keys.revoke(keyId, ACTOR)
    const token = await issueOn(node)
    expect((await rotate(other, token)).value).toMatchObject({ generation: 1 })
  })
})

describe('an expired token', () => {
  const shortLived = policies({ maxLifetime: '10m' })

  it('reports the end of its family from that exact millisecond on', async () => {
    const { node } = await start(shortLived)
    const token = await issueOn(node)
    await fleet.clock.advance(10 * MINUTE)
    expect((await rotate(node, token)).code).toBe('ERR_FAMILY_ENDED')
  })

  it('is only expired if its family did not end, or its row is lost, revoked or unreadable', async () => {
    const { node, edits } = await start(shortLived)
    const token = await issueOn(node)
    await fleet.clock.advance(10 * MINUTE)
    const all: Edit[] = [
      () => undefined,
      (row) => ({ ...row, familyExpiresAt: row.familyExpiresAt + 1 }),
      (row) => ({ ...row, revokedAt: row.issuedAt, revokedBy: 'ops' }),
      () => {
        throw new Error('the store is down')
      },
    ]
    for (const edit of all) {
      edits.set(token.id, edit)
      expect(await rotate(node, token)).toEqual(rejected('expired'))
    }
  })

  it('is only expired if it was rotated in time, which is no reuse', async () => {
    const { node } = await start(policies({ grace: '1m' }))
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    await fleet.clock.advance(10 * MINUTE - 1)
    expect((await rotate(node, value as IssuedToken)).value).toMatchObject({ generation: 2 })
    await fleet.clock.advance(1)
    expect(await rotate(node, token)).toEqual(rejected('expired'))
  })
})

describe('a token whose row', () => {
  it('is lost is unknown, and the token is still valid', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    edits.set(token.id, () => undefined)
    expect((await rotate(node, token)).code).toBe('ERR_TOKEN_UNKNOWN')
    expect(verdict(node.verify(token.token))).toBe('ok')
  })

  it('was edited is not rotated', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    for (const change of [{ subject: 'mallory' }, { scopes: ['*'] }, { policyVersion: 9 }]) {
      edits.set(token.id, (row) => ({ ...row, ...change }))
      expect((await rotate(node, token)).code).toBe('ERR_STORE_CORRUPT')
    }
  })

  it('no longer names its successor is not rotated again', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    await rotate(node, token)
    edits.set(token.id, (row) => ({ ...row, successor: null, supersededAt: null }))
    expect((await rotate(node, token)).code).toBe('ERR_STORE_CORRUPT')
  })

  it('says that it was revoked is rejected, although the log does not say so', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    edits.set(token.id, (row) => ({ ...row, revokedAt: row.issuedAt, revokedBy: 'ops' }))
    expect(await rotate(node, token)).toEqual(rejected('revoked'))
  })

  it('was given a longer grace ends when the log says', async () => {
    const { node, edits } = await start(policies({ reuse: 'observe' }))
    const token = await issueOn(node)
    await rotate(node, token)
    edits.set(token.id, (row) => ({ ...row, supersededAt: row.issuedAt + HOUR }))
    await fleet.clock.advance(MINUTE)
    expect((await rotate(node, token)).code).toBe('ERR_TOKEN_REUSED')
  })
})

describe('a revoked token', () => {
  /** A token that was rotated and then revoked alone, after its grace. */
  async function revoked(edit?: Edit) {
    const { node, edits } = await start()
    const token = await issueOn(node)
    const next = (await rotate(node, token)).value as IssuedToken
    await node.revoke({ id: token.id }, { ...ACTOR, successors: false })
    await fleet.clock.advance(MINUTE)
    if (edit !== undefined) edits.set(token.id, edit)
    return { node, edits, token, next }
  }

  it('was reused if it had been rotated, and only rejected if not', async () => {
    const { node, token, next } = await revoked()
    expect((await rotate(node, token)).code).toBe('ERR_TOKEN_REUSED')
    expect(verdict(node.verify(next.token))).toBe('revoked')
    const other = await issueOn(node)
    await node.revoke({ id: other.id }, ACTOR)
    expect(await rotate(node, other)).toEqual(rejected('revoked'))
  })

  it('was reused if only its row says that it was revoked', async () => {
    const { node, edits } = await start(policies({ reuse: 'observe' }))
    const token = await issueOn(node)
    await rotate(node, token)
    edits.set(token.id, (row) => ({
      ...row,
      supersededAt: row.issuedAt,
      revokedAt: row.issuedAt,
      revokedBy: 'ops',
    }))
    expect((await rotate(node, token)).code).toBe('ERR_TOKEN_REUSED')
  })

  it('is only rejected if its row or that of its successor is lost', async () => {
    const lost = await revoked(() => undefined)
    expect(await rotate(lost.node, lost.token)).toEqual(rejected('revoked'))
    await fleet.close()
    const { node, edits, token, next } = await revoked()
    edits.set(next.id, () => undefined)
    expect(await rotate(node, token)).toEqual(rejected('revoked'))
    expect(verdict(node.verify(next.token))).toBe('ok')
  })

  it('revokes nothing if its row or that of its successor was edited', async () => {
    const { node, edits, token, next } = await revoked()
    for (const { id } of [token, next]) {
      edits.clear()
      edits.set(id, (row) => ({ ...row, subject: 'mallory' }))
      expect((await rotate(node, token)).code).toBe('ERR_STORE_CORRUPT')
      expect(verdict(node.verify(next.token))).toBe('ok')
    }
  })
})

describe('a retry', () => {
  it('is superseded if the row of the successor is lost', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    edits.set(value?.id as string, () => undefined)
    expect(await rotate(node, token)).toEqual(rejected('superseded'))
  })

  it('is revoked if the row of the successor says so, although the log does not', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    edits.set(value?.id as string, (row) => ({
      ...row,
      revokedAt: row.issuedAt,
      revokedBy: 'ops',
    }))
    expect(await rotate(node, token)).toEqual(rejected('revoked'))
  })

  it('reads no keys of the store if that of the successor is loaded', async () => {
    let reads = 0
    const { node } = await start(
      {},
      {
        listKeys: async (...args) => {
          reads++
          return fleet.store.listKeys(...args)
        },
      },
    )
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    await fleet.clock.advance(30 * SECOND)
    const before = reads
    expect((await rotate(node, token)).value?.id).toBe(value?.id)
    expect(reads).toBe(before)
  })

  it('returns no successor whose row was edited', async () => {
    const { node, edits } = await start()
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    edits.set(value?.id as string, (row) => ({ ...row, scopes: ['*'] }))
    expect((await rotate(node, token)).code).toBe('ERR_STORE_CORRUPT')
  })

  it('returns the successor until the exact end of its lifetime', async () => {
    const { node } = await start(policies({ retireOn: 'first-use' }))
    const token = await issueOn(node)
    const { value } = await rotate(node, token, { ttl: '1m' })
    await fleet.clock.advance(MINUTE - 1)
    expect((await rotate(node, token)).value?.id).toBe(value?.id)
    await fleet.clock.advance(1)
    expect(await rotate(node, token)).toEqual(rejected('superseded'))
  })

  it('works on a node that does not have the policy', async () => {
    const { node } = await start({ prefix: 'acme_live' })
    const token = await issueOn(node, { scopes: ['orders:read', 'orders:write'] })
    const { value } = await rotate(node, token)
    const other = await fleet.start({ policies: { other: POLICY } })
    const again = (await rotate(other, token)).value
    expect(again).toMatchObject({ id: value?.id, scopes: value?.scopes, lostScopes: [] })
    expect(verdict(node.verify(again?.token as string))).toBe('ok')
  })

  it('after the grace revokes the family on a node that does not have the policy', async () => {
    const { node } = await start(policies({ reuse: 'observe' }))
    const token = await issueOn(node)
    const { value } = await rotate(node, token)
    const other = await fleet.start({ policies: { other: POLICY } })
    await fleet.clock.advance(MINUTE)
    expect((await rotate(other, token)).code).toBe('ERR_TOKEN_REUSED')
    await flush()
    expect(verdict(node.verify(value?.token as string))).toBe('revoked')
  })

  it('after the grace revokes the family once, and is reported each time', async () => {
    const { node } = await start()
    const token = await issueOn(node)
    await rotate(node, token)
    await fleet.clock.advance(MINUTE)
    const events = await auditOf(async () => {
      for (let i = 0; i < 2; i++) expect((await rotate(node, token)).code).toBe('ERR_TOKEN_REUSED')
    })
    expect(events.map(({ action }) => action)).toEqual(['revoked', 'token.reused', 'token.reused'])
  })

  it('reports the same lost scopes as the first call, among those that it asks for', async () => {
    const { node } = await start()
    const token = await issueOn(node, { scopes: ['orders:read', 'orders:write', 'users:read'] })
    const strict = await fleet.start(policies({ scopes: ['orders:read'] }))
    const lost: unknown[] = []
    for (const options of [{}, {}, { scopes: ['orders:read', 'users:read'] }])
      lost.push((await rotate(strict, token, options)).value?.lostScopes)
    const all = ['orders:write', 'users:read']
    expect(lost).toEqual([all, all, ['users:read']])
  })
})

describe('a rotation', () => {
  it('is reported with the scopes that it lost, if any', async () => {
    const { node } = await start()
    const token = await issueOn(node, { scopes: ['orders:read', 'users:read'] })
    const whole = await issueOn(node, { scopes: ['orders:read'] })
    const strict = await fleet.start(policies({ scopes: ['orders:*'] }))
    const made: Array<IssuedToken | undefined> = []
    const events = await auditOf(async () => {
      for (const each of [token, whole]) made.push((await rotate(strict, each)).value)
    })
    const { actor } = ACTOR
    expect(events).toMatchObject([
      {
        action: 'token.rotated',
        actor,
        id: made[0]?.id,
        predecessor: token.id,
        lostScopes: ['users:read'],
      },
      { action: 'token.rotated', actor, id: made[1]?.id, predecessor: whole.id },
    ])
    expect(events[1]).not.toHaveProperty('lostScopes')
  })

  it('returns the successor of another process that was faster', async () => {
    const races: Array<() => Promise<unknown>> = []
    const { node } = await start(
      {},
      {
        succeed: async (...args) => {
          await races.pop()?.()
          return fleet.store.succeed(...args)
        },
      },
    )
    const other = await fleet.start()
    const token = await issueOn(node)
    const faster: Array<IssuedToken | undefined> = []
    races.push(async () => faster.push((await rotate(other, token)).value))
    expect((await rotate(node, token)).value?.id).toBe(faster[0]?.id)
  })

  it('trusts no row of a faster process that does not match the token', async () => {
    const { node } = await start(
      {},
      {
        succeed: async (id, successor, supersededAt) => {
          const result = await fleet.store.succeed(id, successor, supersededAt)
          const row = (await fleet.store.getToken(id)) as TokenRecord
          expect(result.outcome).not.toBe('already')
          return { outcome: 'already', predecessor: { ...row, subject: 'mallory' }, successor }
        },
      },
    )
    expect((await rotate(node, await issueOn(node))).code).toBe('ERR_STORE_CORRUPT')
  })

  it('fails if the store has revoked or lost the token meanwhile', async () => {
    const outcomes: Array<'revoked' | 'missing'> = ['missing', 'revoked']
    const { node } = await start(
      {},
      {
        succeed: async () => ({ outcome: outcomes.pop() ?? 'missing' }),
      },
    )
    const token = await issueOn(node)
    expect(await rotate(node, token)).toEqual(rejected('revoked'))
    expect((await rotate(node, token)).code).toBe('ERR_TOKEN_UNKNOWN')
  })
})
