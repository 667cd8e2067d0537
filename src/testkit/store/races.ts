/**
 * Rotations, insertions and revocations at the same time, on one instance and across two.
 *
 * @module
 */
import type { Revocation, Store, Succession, TokenRecord } from '../../store/store.js'
import { allTokens, atOnce, count } from './at-once.js'
import { present, type StoreCase, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

/** Either the rotation came first and the successor bears the mark, or the revocation did and there is none. */
async function expectNoSurvivor(
  store: Store,
  family: string,
  answer: Succession,
  { at, actor, reason }: Revocation,
): Promise<void> {
  const records = await store.listTokens({ family }, { limit: 9 })
  same(records.length, answer.outcome === 'succeeded' ? 2 : 1, `records after ${answer.outcome}`)
  for (const { generation, revokedAt, revokedBy, revokedReason } of records) {
    const mark = [revokedAt, revokedBy, revokedReason]
    same(mark, [at, actor, reason], `the mark of generation ${generation}, ${answer.outcome}`)
  }
}

const TARGETS = ['family', 'subject', 'key', 'audience', 'all'] as const

function revocationOf(kind: (typeof TARGETS)[number], token: TokenRecord, make: Fixtures) {
  const { family, subject, keyId: key, audience } = token
  return make.revocation(kind, { family, subject, key, audience, all: '' }[kind])
}

export const raceCases: readonly StoreCase[] = [
  {
    rule: 'races.succeed',
    title: 'fifty rotations of one token have one winner, and everybody is told the same',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const successors = Array.from({ length: 50 }, () => make.successor(token))
      const answers = await atOnce([store, other], successors, (one, successor) =>
        one.succeed(token.id, successor, NOW + HOUR / 2),
      )
      const won = count(answers, ({ outcome }) => outcome === 'succeeded')
      same(won, 1, 'the number of winners')
      const winner = present(
        successors[answers.findIndex(({ outcome }) => outcome === 'succeeded')],
        'the winner',
      )
      const linked = { ...token, successor: winner.id, supersededAt: NOW + HOUR / 2 }
      const expected = { outcome: 'already', predecessor: linked, successor: winner }
      for (const answer of answers) {
        if (answer.outcome !== 'succeeded') same(answer, expected, 'what a loser is told')
      }
      same(await allTokens(store), [linked, winner], 'the records')
    },
  },
  {
    rule: 'races.chain',
    title: 'rotations of a token and of its predecessor at once leave one chain',
    across: 'also',
    async run({ store, other, make }) {
      const first = make.token()
      await store.insertTokens([first])
      const second = make.successor(first)
      await store.succeed(first.id, second, NOW + HOUR / 2)
      const [forks, thirds] = [make.tokens(8), make.tokens(8)]
      const rotations = forks.flatMap((fork, index) => {
        const third = make.successor(second, { id: thirds[index]?.id ?? fork.id })
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
      same(open.length, 1, 'the number of heads')
      same(records.find(({ id }) => id === second.id)?.successor, open[0]?.id, 'the head')
    },
  },
  {
    rule: 'races.limit',
    title: 'forty tokens at once under a limit of seven are seven',
    across: 'also',
    async run({ store, other, make }) {
      const limit = { max: 7, now: NOW }
      const answers = await atOnce([store, other], make.tokens(40), (one, token) =>
        one.insertTokens([token], limit),
      )
      same(
        count(answers, (answer) => answer === 'inserted'),
        7,
        'how many were inserted',
      )
      same((await allTokens(store)).length, 7, 'the number of records')
    },
  },
  {
    rule: 'races.limit',
    title: 'and so are batches, beside another subject with a limit of its own',
    across: 'also',
    async run({ store, other, make }) {
      const batches = Array.from({ length: 20 }, (_, index) =>
        make.tokens(3, { subject: index % 4 < 2 ? 'one' : 'two' }),
      )
      const answers = await atOnce([store, other], batches, (one, batch) =>
        one.insertTokens(batch, { max: 7, now: NOW }),
      )
      same(
        count(answers, (answer) => answer === 'inserted'),
        4,
        'how many batches were inserted',
      )
      for (const subject of ['one', 'two']) {
        const records = await store.listTokens({ subject }, { limit: 99 })
        same(records.length, 6, `the number of records of ${subject}`)
      }
    },
  },
  {
    rule: 'races.retry',
    title: 'twenty retries of one insert at once are one insert',
    across: 'also',
    async run({ store, other, make }) {
      const batch = make.tokens(3)
      const answers = await atOnce([store, other], Array(20).fill(batch), (one, records) =>
        one.insertTokens(records as TokenRecord[], { max: 3, now: NOW }),
      )
      same([...new Set(answers)], ['inserted'], 'the answers')
      same(await allTokens(store), batch, 'the records')
    },
  },
  {
    rule: 'races.revoke',
    title: 'a revocation against a rotation leaves no successor alive, whichever came first',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 25; round++) {
        const kind = TARGETS[round % TARGETS.length] ?? 'all'
        const names = { subject: `s${round}`, audience: `a${round}`, keyId: make.keyId() }
        // Each round is later than what revocations of all have covered so far.
        const token = make.token({ ...names, familyIssuedAt: NOW + round })
        await store.insertTokens([token])
        const revocation = { ...revocationOf(kind, token, make), before: NOW + round }
        const rotate = () => store.succeed(token.id, make.successor(token), null)
        const revoke = () => other.revoke(revocation)
        const answer =
          round % 4 < 2
            ? (await Promise.all([rotate(), revoke()]))[0]
            : (await Promise.all([revoke(), rotate()]))[1]
        await expectNoSurvivor(store, token.family, answer, revocation)
      }
    },
  },
  {
    rule: 'races.revoke-token',
    title: 'a revocation of one token against its rotation: a successor only if it is told of',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 20; round++) {
        const token = make.token()
        await store.insertTokens([token])
        const successor = make.successor(token)
        const rotate = () => store.succeed(token.id, successor, null)
        const revoke = () => other.revoke(make.revocation('token', token.id))
        const { outcome } =
          round % 4 < 2
            ? (await Promise.all([rotate(), revoke()]))[0]
            : (await Promise.all([revoke(), rotate()]))[1]
        const record = present(await store.getToken(token.id), 'the record')
        same(record.revokedBy, 'operator', 'who revoked it')
        const isLinked = outcome === 'succeeded'
        same(record.successor, isLinked ? successor.id : null, `its successor, ${outcome}`)
        const expected = isLinked ? successor : undefined
        same(await store.getToken(successor.id), expected, `the successor, ${outcome}`)
      }
    },
  },
  {
    rule: 'races.revoke',
    title: 'a family that rotates all the time is dead once its revocation has returned',
    across: 'also',
    async run({ store, other, make }) {
      const first = make.token()
      await store.insertTokens([first])
      const rotate = async () => {
        let head = first
        for (let turn = 0; turn < 25; turn++) {
          const next = make.successor(head)
          const { outcome } = await store.succeed(head.id, next, NOW + HOUR)
          if (outcome !== 'succeeded') return
          head = next
        }
      }
      const revoke = async () => {
        // A few reads let some of the rotations pass, without a clock.
        for (let read = 0; read < 5; read++) await other.getToken(first.id)
        await other.revoke(make.revocation('family', first.family))
      }
      await Promise.all([rotate(), revoke()])
      const records = await allTokens(store)
      const alive = records.filter(({ revokedAt }) => revokedAt === null)
      same(alive, [], 'the records that are not revoked')
      const head = present(records.at(-1), 'the newest record')
      const { outcome } = await other.succeed(head.id, make.successor(head), null)
      same(outcome, 'revoked', 'a rotation of the newest one')
    },
  },
  {
    rule: 'races.insert-revoke',
    title: 'a batch inserted during a revocation is marked as a whole or not at all',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 10; round++) {
        const subject = `s${round}`
        const batch = make.tokens(20, { subject })
        const revocation = make.revocation('subject', subject)
        const insert = () => store.insertTokens(batch)
        const revoke = () => other.revoke(revocation)
        await Promise.all(round % 2 === 0 ? [insert(), revoke()] : [revoke(), insert()])
        const records = await store.listTokens({ subject }, { limit: 99 })
        const { at, actor, reason } = revocation
        const mark = { revokedAt: at, revokedBy: actor, revokedReason: reason }
        const isMarked = records[0]?.revokedAt !== null
        const expected = isMarked ? batch.map((record) => ({ ...record, ...mark })) : batch
        same(records, expected, 'the batch')
        const [one] = batch as [TokenRecord]
        const { outcome } = await other.succeed(one.id, make.successor(one), null)
        same(outcome, 'revoked', 'a rotation of one of them')
      }
      same((await store.listRevocations({ limit: 99 })).length, 10, 'the revocations kept')
    },
  },
  {
    rule: 'races.first-mark',
    title: 'of ten revocations at once each is kept, and every record bears one of them whole',
    across: 'also',
    async run({ store, other, make }) {
      const tokens = make.tokens(10)
      await store.insertTokens(tokens)
      const all = Array.from({ length: 10 }, (_, index) =>
        make.revocation('subject', 'user:1', {
          at: NOW + index,
          actor: `actor ${index}`,
          reason: `reason ${index}`,
        }),
      )
      await atOnce([store, other], make.shuffled(all), (one, revocation) => one.revoke(revocation))
      same(await store.listRevocations({ limit: 99 }), all, 'the revocations')
      const before = await allTokens(store)
      for (const { revokedAt, revokedBy, revokedReason } of before) {
        const index = Number(revokedAt) - NOW
        const whole = [revokedBy, revokedReason]
        same(whole, [`actor ${index}`, `reason ${index}`], `the mark of ${revokedAt}`)
      }
      await other.revoke(make.revocation('all', ''))
      same(await allTokens(store), before, 'the records after one more')
    },
  },
]
