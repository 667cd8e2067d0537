import { describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword/store/memory'
import { readChanges } from '../../../src/store/checked.js'
import {
  listRestrictions,
  purgeRestrictions,
  readRestriction,
  writeRestriction,
} from '../../../src/store/checked-restrictions.js'
import type { RestrictionRecord, RestrictionStore } from '../../../src/store/restrictions.js'
import type { Store } from '../../../src/store/store.js'

const ROW: RestrictionRecord = {
  kind: 'subject',
  value: 'ann',
  revision: 1,
  state: '{"suspended":{"until":null}}',
  family: null,
  generation: null,
  at: 1,
  actor: 'admin',
  reason: null,
  expiresAt: 9,
  tag: 'tag',
}
const TOKEN: RestrictionRecord = {
  ...ROW,
  kind: 'token',
  value: 'one',
  family: 'two',
  generation: 0,
}
const FREEZE: RestrictionRecord = { ...ROW, kind: 'freeze', value: '' }

const CORRUPT = { code: 'ERR_STORE_CORRUPT' }

/** A part whose every method returns this. */
function returning(result: unknown): RestrictionStore {
  const method = async () => result as never
  return { read: method, write: method, list: method, purge: method }
}

describe('a register that a store returns', () => {
  it('is returned if it parses', async () => {
    for (const row of [ROW, TOKEN, FREEZE, { ...TOKEN, family: null, generation: null }])
      expect(await readRestriction(returning(row), row)).toEqual(row)
    expect(await readRestriction(returning(undefined), ROW)).toBeUndefined()
  })

  it('is rejected if a field is missing, has another type or contradicts another field', async () => {
    const broken: unknown[] = [
      null,
      'text',
      ...Object.keys(ROW).map((field) => ({ ...ROW, [field]: undefined })),
      { ...ROW, revision: 0 },
      { ...ROW, revision: 1.5 },
      { ...ROW, state: '' },
      { ...ROW, expiresAt: -1 },
      { ...ROW, family: 'two', generation: 0 },
      { ...ROW, value: '' },
      { ...TOKEN, generation: null },
      { ...FREEZE, value: 'all' },
      { ...ROW, kind: 'all' },
    ]
    for (const row of broken)
      await expect(readRestriction(returning(row), ROW), JSON.stringify(row)).rejects.toMatchObject(
        CORRUPT,
      )
  })

  it('is rejected if it is another register than the requested one', async () => {
    for (const row of [FREEZE, { ...ROW, value: 'bob' }, { ...ROW, kind: 'audience' }])
      await expect(readRestriction(returning(row), ROW)).rejects.toMatchObject(CORRUPT)
  })
})

describe('the result of writing a register', () => {
  it('is returned as stored', async () => {
    const current = { ...ROW, revision: 5 }
    const read = (result: unknown) => writeRestriction(returning(result), { ...ROW, revision: 2 })
    expect(await read({ outcome: 'written' })).toEqual({ outcome: 'written' })
    expect(await read({ outcome: 'changed', current })).toEqual({ outcome: 'changed', current })
    expect(await read({ outcome: 'changed', current: undefined })).toEqual({
      outcome: 'changed',
      current: undefined,
    })
  })

  it('is rejected if it is not one of the outcomes or has another register', async () => {
    const broken: unknown[] = [undefined, null, {}, { outcome: 'done' }, 'written']
    for (const current of [null, {}, { ...ROW, value: 'bob' }])
      broken.push({ outcome: 'changed', current })
    for (const result of broken)
      await expect(
        writeRestriction(returning(result), { ...ROW, revision: 3 }),
        JSON.stringify(result),
      ).rejects.toMatchObject(CORRUPT)
  })

  it('is rejected if the stored revision was the expected one, so that callers do not loop', async () => {
    const unchanged = returning({ outcome: 'changed', current: ROW })
    await expect(writeRestriction(unchanged, { ...ROW, revision: 2 })).rejects.toMatchObject(
      CORRUPT,
    )
    const missing = returning({ outcome: 'changed', current: undefined })
    await expect(writeRestriction(missing, ROW)).rejects.toMatchObject(CORRUPT)
  })
})

describe('a page of registers', () => {
  const list = (rows: unknown, after = FREEZE) =>
    listRestrictions(returning(rows), { after, limit: 10 })

  it('has the target of every register, and no record of one that does not parse', async () => {
    expect(await list([ROW, { kind: 'token', value: 'one' }])).toEqual([
      { id: 'subject:ann', target: { kind: 'subject', value: 'ann' }, record: ROW },
      { id: 'token:one', target: { kind: 'token', value: 'one' }, record: undefined },
    ])
  })

  it('is rejected if a register has no target, since the next page could not start after it', async () => {
    for (const row of [null, 7, {}, { kind: 'token' }, { value: 'one' }])
      await expect(list([row])).rejects.toMatchObject(CORRUPT)
  })

  it('is rejected if it is not in ascending order after its start', async () => {
    const rows = [[FREEZE], [TOKEN, ROW], [ROW, ROW], [{ ...ROW, kind: 'audience' }]]
    for (const page of rows) await expect(list(page)).rejects.toMatchObject(CORRUPT)
  })

  it('orders text by its bytes in UTF-8, not by its code units', async () => {
    const [first, second] = ['\u{ffee}', '\u{1f511}'].map((value) => ({ ...ROW, value }))
    expect(await list([first, second])).toHaveLength(2)
    await expect(list([second, first])).rejects.toMatchObject(CORRUPT)
  })

  it('needs no start', async () => {
    expect(await listRestrictions(returning([FREEZE]), { limit: 1 })).toHaveLength(1)
    const broken = listRestrictions(returning([{}]), { limit: 1 })
    await expect(broken).rejects.toMatchObject(CORRUPT)
  })
})

describe('purging registers', () => {
  it('returns their number, and rejects anything else', async () => {
    expect(await purgeRestrictions(returning(3), 5)).toBe(3)
    for (const result of [undefined, '3', -1, 1.5])
      await expect(purgeRestrictions(returning(result), 5)).rejects.toMatchObject(CORRUPT)
  })
})

describe('a page of changes', () => {
  it('has the registers that were written, and names those that do not parse', async () => {
    const store = memoryStore()
    const { cursor } = await store.changes(null, 5)
    await store.restrictions?.write(ROW)
    expect((await readChanges(store, cursor, 5)).restrictions).toEqual([
      { id: 'subject:ann', record: ROW },
    ])
    const broken: Store = {
      ...store,
      changes: async () => ({
        revocations: [],
        superseded: [],
        restrictions: [{ ...ROW, revision: 0 }, {} as never],
        cursor: '',
        more: false,
      }),
    }
    expect((await readChanges(broken, null, 5)).restrictions).toEqual([
      { id: 'subject:ann', record: undefined },
      { id: '?', record: undefined },
    ])
  })

  it('is rejected if the store keeps restrictions and the page leaves them out', async () => {
    const bad = async () => ({ revocations: [], superseded: [], cursor: '', more: false })
    const store: Store = { ...memoryStore(), changes: bad }
    await expect(readChanges(store, null, 5)).rejects.toMatchObject(CORRUPT)
    const { restrictions: _, ...without } = store
    expect((await readChanges(without, null, 5)).restrictions).toEqual([])
  })
})
