/**
 * Reports of use.
 *
 * @module
 */
import { type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'

export const usageCases: readonly StoreCase[] = [
  {
    rule: 'usage.forward',
    title: 'moves the time of last use forward and never back',
    across: 'also',
    async run({ store, other, make }) {
      const [token, bystander] = [make.token(), make.token()]
      await store.insertTokens([token, bystander])
      const expectAfter = async (at: number, lastUsedAt: number) => {
        await other.recordUsage([{ id: token.id, at }])
        same(await store.getToken(token.id), { ...token, lastUsedAt }, `the record after ${at}`)
      }
      await expectAfter(0, 0)
      await expectAfter(NOW, NOW)
      await expectAfter(NOW - 1, NOW)
      await expectAfter(NOW, NOW)
      await expectAfter(NOW + 1, NOW + 1)
      await expectAfter(0, NOW + 1)
      same(await store.getToken(bystander.id), bystander, 'another record')
    },
  },
  {
    rule: 'usage.missing',
    title: 'skips missing rows and updates the others of the same call',
    async run({ store, make }) {
      const [token, late] = [make.token(), make.token()]
      await store.insertTokens([token])
      const at = NOW + 3
      same(await store.recordUsage([]), undefined, 'the result for no reports')
      await store.recordUsage([
        { id: late.id, at },
        { id: token.id, at },
        { id: make.id(), at },
      ])
      same(await store.listTokens({}, { limit: 9 }), [{ ...token, lastUsedAt: at }], 'the records')
      await store.insertTokens([late])
      same(await store.getToken(late.id), late, 'a record inserted later')
    },
  },
  {
    rule: 'usage.many',
    title: 'accepts a thousand reports in one call, each for its own record',
    async run({ store, make }) {
      const records = make.tokens(1000)
      await store.insertTokens(records)
      const timeOf = (index: number) => NOW + ((index * 37) % 101)
      const reports = records.map(({ id }, index) => ({ id, at: timeOf(index) }))
      await store.recordUsage(make.shuffled(reports))
      const expected = records.map((record, index) => ({
        ...record,
        lastUsedAt: timeOf(index),
      }))
      same(await store.listTokens({}, { limit: 1001 }), expected, 'the records')
    },
  },
  {
    rule: 'usage.repeated',
    title: 'keeps the latest of several reports for one record in one call, in any order',
    async run({ store, make }) {
      const [one, two] = [make.token(), make.token()]
      await store.insertTokens([one, two])
      await store.recordUsage([
        { id: one.id, at: NOW + 5 },
        { id: two.id, at: NOW + 1 },
        { id: one.id, at: NOW + 9 },
        { id: one.id, at: NOW + 7 },
        { id: two.id, at: NOW + 2 },
      ])
      const expected = [
        { ...one, lastUsedAt: NOW + 9 },
        { ...two, lastUsedAt: NOW + 2 },
      ]
      same(await store.listTokens({}, { limit: 9 }), expected, 'the records')
    },
  },
]
