/**
 * Registers of restrictions among the changes of a store.
 *
 * @module
 */
import { compareTargets, type RestrictionRecord } from '../../store/restrictions.js'
import type { Store } from '../../store/store.js'
import { atOnce } from './at-once.js'
import { holds, present, type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'
import {
  auditRow,
  registerOf,
  restrictionsOf,
  revisionAfter,
  write,
} from './restriction-fixtures.js'

const needs = 'restrictions' as const

const start = async (store: Store): Promise<string> => (await store.changes(null, 9)).cursor

interface Read {
  readonly registers: readonly RestrictionRecord[]
  readonly others: number
  readonly cursor: string
}

/** Reads every page after a cursor, and checks that none exceeds the limit. Each register is returned once. */
async function readAll(store: Store, cursor: string, limit = 1000): Promise<Read> {
  const registers = new Map<string, RestrictionRecord>()
  let others = 0
  for (let after = cursor; ; ) {
    const { revocations, superseded, restrictions, ...page } = await store.changes(after, limit)
    const rows = present(restrictions, 'the registers of a page')
    const size = revocations.length + superseded.length + rows.length
    holds(size <= limit, `a page of at most ${limit} has ${size} items`)
    others += revocations.length + superseded.length
    for (const row of rows) registers.set(`${row.kind}:${row.value}`, row)
    if (!page.more)
      return {
        registers: [...registers.values()].sort(compareTargets),
        others,
        cursor: page.cursor,
      }
    after = page.cursor
  }
}

export const restrictionChangeCases: readonly StoreCase[] = [
  {
    rule: 'registers.changes',
    title: 'are returned in their current state after every older cursor, and only if written',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const first = registerOf('token', make.id(), { family: make.id(), generation: 1 })
      const second = registerOf('subject', '👩 user', { at: 1, expiresAt: 1 })
      await write(store, first)
      const cursor = await start(other)
      same((await readAll(other, cursor)).registers, [], 'after no change')
      await write(store, second)
      const page = await readAll(other, cursor)
      same(page.registers, [second], 'after the first revision')
      await write(store, revisionAfter(first))
      same((await readAll(other, page.cursor)).registers, [revisionAfter(first)], 'the second')
      const both = [second, revisionAfter(first)].sort(compareTargets)
      const last = await readAll(other, cursor)
      same(last.registers, both, 'both after the oldest cursor')
      await write(store, revisionAfter(first))
      await restrictionsOf(store).write(first)
      await restrictionsOf(store).write({ ...second, revision: 9 })
      same((await readAll(other, last.cursor)).registers, [], 'after repeated and refused writes')
    },
  },
  {
    rule: 'registers.changes-pages',
    title: 'are returned together with revocations and records in pages of at most the limit',
    needs,
    async run({ store, make }) {
      const cursor = await start(store)
      const tokens = make.tokens(4)
      await store.insertTokens(tokens)
      const rows = Array.from({ length: 5 }, (_, i) => registerOf('subject', `user:${i}`))
      for (const [index, row] of rows.entries()) {
        await write(store, row)
        await store.revoke(make.revocation('subject', row.value))
        const token = tokens[index]
        if (token !== undefined) await store.supersede(token.id, NOW)
      }
      for (const limit of [1, 2, 3, 5, 13, 14, 15]) {
        const { registers, others } = await readAll(store, cursor, limit)
        same(registers, rows, `the registers in pages of ${limit}`)
        same(others, 9, `the number of other items in pages of ${limit}`)
      }
    },
  },
  {
    rule: 'registers.changes-purge',
    title: 'are omitted from changes once they were purged, and no other change is',
    needs,
    async run({ store }) {
      const cursor = await start(store)
      const gone = registerOf('subject', 'gone', { expiresAt: NOW })
      const kept = registerOf('subject', 'kept')
      for (const row of [kept, gone]) await write(store, row)
      await restrictionsOf(store).purge(NOW)
      const { registers, cursor: next } = await readAll(store, cursor)
      same(registers, [kept], 'the changes')
      await write(store, gone)
      same((await readAll(store, next)).registers, [gone], 'the register that was written again')
    },
  },
  {
    rule: 'registers.changes-races',
    title: 'are never omitted for a reader that continues from cursor to cursor during writes',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const targets = Array.from({ length: 12 }, (_, i) => registerOf('subject', `user:${i}`))
      const seen = new Map<string, number>()
      let cursor = await start(store)
      let isWriting = true
      const look = async () => {
        const page = await readAll(store, cursor, 5)
        cursor = page.cursor
        for (const { value, revision } of page.registers) seen.set(value, revision)
      }
      const read = async () => {
        while (isWriting) {
          await look()
          // A store without I/O would never yield to the other calls.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const changeAll = async () => {
        for (const revision of [1, 2, 3]) {
          const rows = make.shuffled(targets).map((row) => ({ ...row, revision }))
          await atOnce([store, other], rows, (one, row) => write(one, row, [auditRow(make)]))
        }
      }
      await Promise.all([
        read(),
        changeAll().finally(() => {
          isWriting = false
        }),
      ])
      await look()
      const expected = targets.map(({ value }) => [value, 3])
      same([...seen].sort(), expected.sort(), 'the revisions read last')
    },
  },
]
