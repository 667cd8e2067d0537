/**
 * Concurrent rotations and inserts, on one instance and across two.
 *
 * @module
 */
import type { TokenRecord } from '../../store/store.js'
import { allTokens, atOnce, count } from './at-once.js'
import { present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

export const raceCases: readonly StoreCase[] = [
  {
    rule: 'races.succeed',
    title: 'lets one of fifty rotations of a token win, and returns it to all others',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const successors = Array.from({ length: 50 }, () => make.successor(token))
      const results = await atOnce([store, other], successors, (one, successor) =>
        one.succeed(token.id, successor, NOW + HOUR / 2),
      )
      const won = count(results, ({ outcome }) => outcome === 'succeeded')
      same(won, 1, 'the number of winners')
      const winner = present(
        successors[results.findIndex(({ outcome }) => outcome === 'succeeded')],
        'the winner',
      )
      const linked = { ...token, successor: winner.id, supersededAt: NOW + HOUR / 2 }
      const expected = { outcome: 'already', predecessor: linked, successor: winner }
      for (const result of results) {
        if (result.outcome !== 'succeeded') same(result, expected, 'the result of a losing call')
      }
      same(await allTokens(store), [linked, winner], 'the records')
    },
  },
  {
    rule: 'races.chain',
    title: 'leaves one chain after concurrent rotations of a token and its predecessor',
    across: 'also',
    async run({ store, other, make }) {
      const first = make.token()
      await store.insertTokens([first])
      const second = make.successor(first)
      await store.succeed(first.id, second, NOW + HOUR / 2)
      const [forks, thirds] = [make.tokens(8), make.tokens(8)]
      const rotations = forks.flatMap((fork, index) => {
        const third = make.successor(second, { id: present(thirds[index], 'the third token').id })
        return [
          { of: first, to: make.successor(first, { id: fork.id }) },
          { of: second, to: third },
        ]
      })
      await atOnce([store, other], rotations, (one, { of, to }) => one.succeed(of.id, to, NOW))
      const records = await allTokens(store)
      same(
        records.map(({ generation }) => generation).sort(),
        [0, 1, 2],
        'the generations of the family',
      )
      const open = records.filter(({ successor }) => successor === null)
      same(open.length, 1, 'the number of tokens without a successor')
      same(
        records.find(({ id }) => id === second.id)?.successor,
        open[0]?.id,
        'the token without a successor',
      )
    },
  },
  {
    rule: 'races.limit',
    title: 'inserts seven of forty concurrent tokens under a limit of seven',
    across: 'also',
    async run({ store, other, make }) {
      const limit = { max: 7, now: NOW }
      const results = await atOnce([store, other], make.tokens(40), (one, token) =>
        one.insertTokens([token], limit),
      )
      same(
        count(results, (result) => result === 'inserted'),
        7,
        'the number of inserted tokens',
      )
      same((await allTokens(store)).length, 7, 'the number of records')
    },
  },
  {
    rule: 'races.limit',
    title: 'limits concurrent batches separately for each subject',
    across: 'also',
    async run({ store, other, make }) {
      const batches = Array.from({ length: 20 }, (_, index) =>
        make.tokens(3, { subject: index % 4 < 2 ? 'one' : 'two' }),
      )
      const results = await atOnce([store, other], batches, (one, batch) =>
        one.insertTokens(batch, { max: 7, now: NOW }),
      )
      same(
        count(results, (result) => result === 'inserted'),
        4,
        'the number of inserted batches',
      )
      for (const subject of ['one', 'two']) {
        const records = await store.listTokens({ subject }, { limit: 99 })
        same(records.length, 6, `the number of records of ${subject}`)
      }
    },
  },
  {
    rule: 'races.retry',
    title: 'inserts once for twenty concurrent retries',
    across: 'also',
    async run({ store, other, make }) {
      const batch = make.tokens(3)
      const results = await atOnce([store, other], Array(20).fill(batch), (one, records) =>
        one.insertTokens(records as TokenRecord[], { max: 3, now: NOW }),
      )
      same([...new Set(results)], ['inserted'], 'the results')
      same(await allTokens(store), batch, 'the records')
    },
  },
]
