import { describe, expect, it } from 'vitest'
import { BATCH, type Reply, type Script } from '../../../../src/clients/redis/script.js'
import type { AuditRow } from '../../../../src/store/audit.js'
import { auditMethods } from '../../../../src/store/redis/audit.js'
import { auditArgs, auditEntryOf, auditRowOf } from '../../../../src/store/redis/audit-rows.js'
import * as lua from '../../../../src/store/redis/lua-audit.js'
import { fixtures, NOW } from '../../../../src/testkit/store/fixtures.js'
import { auditRow } from '../../../support/audit-rows.js'

const make = fixtures('redis audit')

const rowOf = (over?: Partial<AuditRow>) => auditRow(make, over)

/** The values with which a script returns a row. */
function valuesOf(row: AuditRow, index?: number): unknown[] {
  const { id, at, action, actor, subject, token, family, body, tag } = row
  const content = [id, String(at), action, actor, subject, token, family, body, tag]
  const place = index === undefined ? [null, null] : ['hash', 'place', String(index)]
  return [...content, ...place]
}

type Respond = (args: readonly string[], call: number) => Partial<Reply>

/** The methods on a server that responds to one script with a function. */
function methodsOn(expected: Script, respond: Respond) {
  const calls: (readonly string[])[] = []
  const methods = auditMethods(async (script, ...args) => {
    expect(script).toBe(expected)
    calls.push(args)
    return { tag: '', rest: [], ...respond(args, calls.length) }
  })
  return { methods, calls }
}

describe('a row of the audit in Redis', () => {
  it('is sent without the fields that are null, and followed by the number of arguments', () => {
    const row = rowOf({ subject: null, token: 'token' })
    const { id, action, actor, body, tag } = row
    const pairs = ['id', id, 'at', String(NOW), 'action', action, 'actor', actor, 'token', 'token']
    expect(auditArgs([row])).toEqual(['14', ...pairs, 'body', body, 'tag', tag, '15'])
    expect(auditArgs()).toEqual(['0'])
  })

  it('is read as it was written, with and without a place', () => {
    const row = rowOf()
    const { id, at } = row
    expect(auditRowOf(valuesOf(row))).toEqual(row)
    const place = { index: 7, hash: 'hash', place: 'place' }
    expect(auditEntryOf(valuesOf(row, 7))).toEqual({ id, at, ...place, row })
    expect(
      auditEntryOf(valuesOf(row, 7).map((value) => value && Buffer.from(String(value)))),
    ).toEqual({ id, at, ...place, row })
  })

  it('has no content after it was purged, and passes on what cannot be read', () => {
    const row = rowOf()
    const purged = valuesOf(row, 7).with(7, null)
    expect(auditEntryOf(purged)).toMatchObject({ id: row.id, at: NOW, index: 7, row: null })
    expect(auditRowOf(purged)).toEqual({ id: row.id, at: NOW })
    expect(auditEntryOf(valuesOf(row, 7).with(1, 'soon')).at).toBe('soon')
    expect(auditEntryOf(['broken'])).toEqual({
      ...{ id: 'broken', row: null },
      ...{ at: undefined, index: undefined, hash: undefined, place: undefined },
    })
  })
})

describe('the audit in Redis', () => {
  it('reads parts of the tree until there are enough rows, beyond those that are lost', async () => {
    const rows = Array.from({ length: 5 }, (_, i) => valuesOf(rowOf(), i))
    const { methods, calls } = methodsOn(lua.READ_LEAVES, (_, call) => ({
      rest: call === 1 ? ['4', rows[1], rows[3]] : ['1', rows[4]],
    }))
    expect((await methods.read(1, 4)).map(({ index }) => index)).toEqual([1, 3, 4])
    expect(calls).toEqual([
      ['1', '0', '4'],
      ['1', '4', '2'],
    ])
  })

  it('reads pending rows in parts of bounded size', async () => {
    const { methods, calls } = methodsOn(lua.LIST_PENDING, ([, want]) => ({
      rest: ['last', ...Array.from({ length: Number(want) }, () => valuesOf(rowOf()))],
    }))
    expect(await methods.listPending({ limit: BATCH + 1 })).toHaveLength(BATCH + 1)
    await methods.listPending({ after: 'id', limit: 1 })
    expect(calls).toEqual([
      ['', String(BATCH)],
      ['last', '1'],
      ['id', '1'],
    ])
  })

  it('lists in parts, in both orders, and asks for no text that cannot be stored', async () => {
    const { methods, calls } = methodsOn(lua.LIST_AUDIT, (_, call) => ({
      tag: call === 1 ? 'more' : 'end',
      rest: ['(next', valuesOf(rowOf())],
    }))
    const filter = { actor: 'ops', since: 5, family: 'f' }
    expect(await methods.list(filter, { limit: 9, order: 'newest' })).toHaveLength(2)
    await methods.list({ until: 6 }, { limit: 1, after: 'id' })
    await methods.list({}, { limit: 1 })
    expect(await methods.list({ subject: '\uD83D' }, { limit: 1 })).toEqual([])
    expect(calls).toEqual([
      ['+', '-', '9', '5', '', 'actor', 'ops', 'family', 'f'],
      ['(next', '-', '8', '5', '', 'actor', 'ops', 'family', 'f'],
      ['(id', '+', '1', '', '6'],
      ['-', '+', '1', '', ''],
    ])
  })

  it('purges in batches and returns the total', async () => {
    const { methods, calls } = methodsOn(lua.PURGE_AUDIT, (_, call) => ({
      tag: call < 3 ? 'more' : 'none',
      rest: [String(call)],
    }))
    expect(await methods.purge(NOW)).toBe(6)
    expect(calls).toEqual(Array(3).fill([String(NOW)]))
  })

  it('locates no id that cannot be stored', async () => {
    const { methods, calls } = methodsOn(lua.LOCATE, () => ({ rest: ['7', 'pending', ''] }))
    expect(await methods.locate(['a', '\uD83D', 'b', 'c'])).toEqual([
      { id: 'a', index: 7 },
      { id: 'b', index: null },
    ])
    expect(calls).toEqual([['a', 'b', 'c']])
  })
})
