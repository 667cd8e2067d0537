import { describe, expect, it } from 'vitest'
import { BATCH, type Reply, type Script } from '../../../../src/clients/redis/script.js'
import { LIST_KEYS, PURGE_KEYS } from '../../../../src/store/redis/lua-keys.js'
import {
  CHANGES,
  LIST_REVOCATIONS,
  PURGE_REVOCATIONS,
  REVOKE,
  SETTLE,
} from '../../../../src/store/redis/lua-revocations.js'
import { PURGE_TOKENS } from '../../../../src/store/redis/lua-tokens.js'
import { otherMethods } from '../../../../src/store/redis/revocations.js'
import { keyArgs, revocationArgs } from '../../../../src/store/redis/rows.js'
import { fixtures } from '../../../../src/testkit/store/fixtures.js'

const make = fixtures('redis revocations')
const SETTLE_BATCHES = 20

type Respond = (args: readonly string[], call: number) => Partial<Reply>

/** The methods on a server that responds to each script with a function. */
function methodsOn(scripts: readonly (readonly [Script, Respond])[]) {
  const calls: (readonly [Script, readonly string[]])[] = []
  const responses = new Map(scripts)
  const methods = otherMethods(async (script, ...args) => {
    const respond = responses.get(script)
    if (respond === undefined) throw new Error('the test expects no such call')
    const earlier = calls.filter(([other]) => other === script).length
    calls.push([script, args])
    return { tag: '', rest: [], ...respond(args, earlier + 1) }
  })
  const argsOf = (script: Script) =>
    calls.flatMap(([other, args]) => (other === script ? [args] : []))
  return { methods, argsOf }
}

describe('a revocation in Redis', () => {
  it('marks its rows in batches and returns the total of the last one', async () => {
    const { methods, argsOf } = methodsOn([
      [REVOKE, () => ({ tag: 'more', rest: ['1000'] })],
      [SETTLE, (_, call) => ({ tag: call === 3 ? 'settled' : 'more', rest: [String(call)] })],
    ])
    const revocation = make.revocation('subject', 'user:1')
    expect(await methods.revoke(revocation)).toEqual({ matched: 3 })
    expect(argsOf(SETTLE)).toEqual(Array(3).fill([revocation.id]))
  })

  it('leaves the rest to the next call after twenty batches', async () => {
    const { methods, argsOf } = methodsOn([
      [REVOKE, () => ({ tag: 'more', rest: ['1000'] })],
      [SETTLE, (_, call) => ({ tag: 'more', rest: [String(call)] })],
    ])
    const { matched } = await methods.revoke(make.revocation('all', ''))
    expect(matched).toBe(SETTLE_BATCHES)
    expect(argsOf(SETTLE)).toHaveLength(SETTLE_BATCHES)
  })

  it('is complete after one call if it matches few rows', async () => {
    const { methods } = methodsOn([[REVOKE, () => ({ tag: 'done', rest: ['2'] })]])
    expect(await methods.revoke(make.revocation('subject', 'user:1'))).toEqual({ matched: 2 })
  })
})

describe('the changes in Redis', () => {
  it('continue from the cursor, and from the beginning for a cursor of another store', async () => {
    const rest = ['7', '12', 'a.b\nc', '1', [], [], []]
    const { methods, argsOf } = methodsOn([[CHANGES, () => ({ rest })]])
    const page = await methods.changes(null, 5)
    const items = { revocations: [], superseded: [], restrictions: [] }
    expect(page).toEqual({ ...items, cursor: '7.12.a.b\nc', more: true })
    await methods.changes(page.cursor, BATCH + 1)
    await methods.changes('a cursor of an SQL store', 5)
    expect(argsOf(CHANGES)).toEqual([
      ['', '', '', '5'],
      ['7', '12', 'a.b\nc', String(BATCH)],
      ['0', '0', '', '5'],
    ])
  })
})

describe('a list of revocations in Redis', () => {
  const rowsFrom = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) =>
      revocationArgs(make.revocation('subject', 'x', { id: `id ${first + index}` })).slice(1),
    )

  it('reads batches until the page is full', async () => {
    const { methods, argsOf } = methodsOn([
      [LIST_REVOCATIONS, ([, want], call) => ({ rest: rowsFrom(call * 10_000, Number(want)) })],
    ])
    const records = await methods.listRevocations({ limit: BATCH + 2, after: 'start' })
    expect(records).toHaveLength(BATCH + 2)
    expect(argsOf(LIST_REVOCATIONS)).toEqual([
      ['start', String(BATCH)],
      [`id ${10_000 + BATCH - 1}`, '2'],
    ])
  })

  it('ends with a batch that is not full', async () => {
    const { methods, argsOf } = methodsOn([[LIST_REVOCATIONS, () => ({ rest: rowsFrom(0, 3) })]])
    expect(await methods.listRevocations({ limit: 9 })).toHaveLength(3)
    expect(argsOf(LIST_REVOCATIONS)).toEqual([['', '9']])
  })
})

describe('a list of keys in Redis', () => {
  it('reads batches until one is not full', async () => {
    const full = Array.from({ length: BATCH }, (_, index) =>
      keyArgs(make.key({ id: `key ${index}` })).slice(1),
    )
    const { methods, argsOf } = methodsOn([
      [LIST_KEYS, (_, call) => ({ rest: call === 1 ? full : [] })],
    ])
    expect(await methods.listKeys()).toHaveLength(BATCH)
    expect(argsOf(LIST_KEYS).map(([after]) => after)).toEqual(['', `key ${BATCH - 1}`])
  })
})

describe('a purge in Redis', () => {
  it('settles, removes batches until one is not full, and returns the totals', async () => {
    const { methods, argsOf } = methodsOn([
      [SETTLE, () => ({ tag: 'settled', rest: ['0'] })],
      [PURGE_TOKENS, (_, call) => ({ rest: [String(call < 3 ? BATCH : 5)] })],
      [PURGE_KEYS, () => ({ rest: ['0'] })],
      [PURGE_REVOCATIONS, () => ({ rest: ['1'] })],
    ])
    const purged = await methods.purge({ tokens: 10, keys: 20, revocations: 30 })
    expect(purged).toEqual({ tokens: 2 * BATCH + 5, keys: 0, revocations: 1 })
    expect(argsOf(SETTLE)).toEqual([['']])
    expect(argsOf(PURGE_TOKENS)).toEqual([['10'], ['10'], ['10']])
    expect(argsOf(PURGE_REVOCATIONS)).toEqual([['30']])
  })
})
