/**
 * Ending the grace of a token.
 *
 * @module
 */
import { type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'

export const supersedeCases: readonly StoreCase[] = [
  {
    rule: 'supersede.earlier',
    title: 'sets the end, moves it earlier and never later',
    across: 'also',
    async run({ store, other, make }) {
      const [token, bystander] = [make.token(), make.token()]
      await store.insertTokens([token, bystander])
      const expectAfter = async (at: number, supersededAt: number) => {
        await store.supersede(token.id, at)
        same(await other.getToken(token.id), { ...token, supersededAt }, `the record after ${at}`)
      }
      await expectAfter(NOW + 10, NOW + 10)
      await expectAfter(NOW + 10, NOW + 10)
      await expectAfter(NOW + 11, NOW + 10)
      await expectAfter(NOW + 9, NOW + 9)
      await expectAfter(NOW + 1000, NOW + 9)
      await expectAfter(0, 0)
      await expectAfter(NOW, 0)
      same(await store.getToken(bystander.id), bystander, 'another record')
    },
  },
  {
    rule: 'supersede.missing',
    title: 'changes nothing for a missing row',
    async run({ store, make }) {
      const [token, late] = [make.token(), make.token()]
      await store.insertTokens([token])
      same(await store.supersede(late.id, NOW), undefined, 'the result')
      same(await store.listTokens({}, { limit: 9 }), [token], 'the records')
      await store.insertTokens([late])
      same(await store.getToken(late.id), late, 'a record inserted later')
    },
  },
]
