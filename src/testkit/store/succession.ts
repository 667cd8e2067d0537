/**
 * Rotation: one successor for each token.
 *
 * @module
 */
import type { Succession } from '../../store/store.js'
import { type StoreCase, same } from './case.js'
import { HOUR, MINUTE, NOW } from './fixtures.js'

const SUCCEEDED: Succession = { outcome: 'succeeded' }

export const successionCases: readonly StoreCase[] = [
  {
    rule: 'succession.effect',
    title: 'links the tokens, ends the predecessor and inserts the successor',
    across: 'also',
    async run({ store, other, make }) {
      const [token, bystander] = [make.token(), make.token()]
      await store.insertTokens([token, bystander])
      const successor = make.successor(token)
      same(await store.succeed(token.id, successor, NOW + 7), SUCCEEDED, 'the result')
      const linked = { ...token, successor: successor.id, supersededAt: NOW + 7 }
      same(await other.getToken(token.id), linked, 'the predecessor')
      same(await other.getToken(successor.id), successor, 'the successor')
      same(await other.getToken(bystander.id), bystander, 'an unrelated token')
      const family = await other.listTokens({ family: token.family }, { limit: 9 })
      same(family, [linked, successor], 'the family')
    },
  },
  {
    rule: 'succession.superseded-at',
    title: "moves the predecessor's end only earlier, and keeps it for null",
    async run({ store, make }) {
      const expectEnd = async (is: number | null, given: number | null, expected: unknown) => {
        const token = make.token({ supersededAt: is })
        await store.insertTokens([token])
        same(await store.succeed(token.id, make.successor(token), given), SUCCEEDED, 'the result')
        const actual = (await store.getToken(token.id))?.supersededAt
        same(actual, expected, `supersededAt, which was ${is}, after ${given}`)
      }
      await expectEnd(null, null, null)
      await expectEnd(null, NOW, NOW)
      await expectEnd(NOW, null, NOW)
      await expectEnd(NOW, NOW - 1, NOW - 1)
      await expectEnd(NOW, NOW + 1, NOW)
      await expectEnd(NOW, NOW, NOW)
    },
  },
  {
    rule: 'succession.grandparent',
    title: "ends the predecessor's own predecessor when the successor was issued, or before",
    async run({ store, make }) {
      for (const end of [null, NOW + 2 * MINUTE - 1, NOW + 2 * MINUTE, NOW + 9 * MINUTE]) {
        const first = make.token()
        await store.insertTokens([first])
        const second = make.successor(first, { issuedAt: NOW + MINUTE })
        await store.succeed(first.id, second, end)
        const third = make.successor(second, { issuedAt: NOW + 2 * MINUTE })
        same(await store.succeed(second.id, third, NOW + HOUR), SUCCEEDED, 'the second rotation')
        const expected = Math.min(end ?? Number.POSITIVE_INFINITY, NOW + 2 * MINUTE)
        const actual = await store.getToken(first.id)
        const linked = { ...first, successor: second.id, supersededAt: expected }
        same(actual, linked, `the first token, whose grace ended at ${end}`)
        const fourth = make.successor(third, { issuedAt: NOW + MINUTE / 2 })
        await store.succeed(third.id, fourth, null)
        same(await store.getToken(first.id), linked, 'the first token after a third rotation')
      }
    },
  },
  {
    rule: 'succession.grandparent',
    title: "rotates when the predecessor's own predecessor does not exist",
    async run({ store, make }) {
      const token = make.token({ predecessor: make.id(), generation: 3 })
      await store.insertTokens([token])
      same(await store.succeed(token.id, make.successor(token), NOW), SUCCEEDED, 'the result')
      same((await store.listTokens({}, { limit: 9 })).length, 2, 'the number of tokens')
    },
  },
  {
    rule: 'succession.already',
    title: 'returns the winner and the current predecessor to a second call',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const [winner, loser] = [make.successor(token), make.successor(token)]
      await store.succeed(token.id, winner, NOW + 7)
      await store.recordUsage([{ id: token.id, at: NOW + 3 }])
      await store.supersede(token.id, NOW + 5)
      const stands = {
        ...token,
        successor: winner.id,
        supersededAt: NOW + 5,
        lastUsedAt: NOW + 3,
      }
      const expected = { outcome: 'already', predecessor: stands, successor: winner }
      same(await other.succeed(token.id, loser, NOW), expected, 'the result for another successor')
      same(await other.succeed(token.id, winner, NOW), expected, 'the result of a retry')
      same(await store.getToken(token.id), stands, 'the predecessor')
      same(await store.getToken(loser.id), undefined, 'the losing successor')
      const family = await store.listTokens({ family: token.family }, { limit: 9 })
      same(family, [stands, winner], 'the family')
    },
  },
  {
    rule: 'succession.already',
    title: 'returns the current winner, and keeps the grace of its own predecessor',
    async run({ store, make }) {
      const first = make.token()
      await store.insertTokens([first])
      const second = make.successor(first)
      await store.succeed(first.id, second, NOW + HOUR)
      const third = make.successor(second, { issuedAt: NOW + 2 * MINUTE })
      await store.succeed(second.id, third, NOW + HOUR)
      const late = make.successor(second, { issuedAt: NOW })
      const result = await store.succeed(second.id, late, NOW)
      const stands = { ...second, successor: third.id, supersededAt: NOW + HOUR }
      same(result, { outcome: 'already', predecessor: stands, successor: third }, 'the result')
      const end = (await store.getToken(first.id))?.supersededAt
      same(end, NOW + 2 * MINUTE, 'the end of the first token after a losing call')
      const again = await store.succeed(first.id, make.successor(first), NOW)
      same(again.outcome === 'already' && again.successor, stands, 'the winner of the first token')
    },
  },
  {
    rule: 'succession.missing',
    title: 'writes nothing without a predecessor',
    async run({ store, make }) {
      const token = make.token()
      const successor = make.successor(token)
      same(await store.succeed(token.id, successor, NOW), { outcome: 'missing' }, 'the result')
      same(await store.listTokens({}, { limit: 9 }), [], 'the tokens')
    },
  },
]
