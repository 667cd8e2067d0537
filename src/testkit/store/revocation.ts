/**
 * Revocations: what they mark, and how they are stored.
 *
 * @module
 */
import type { Revocation, Store, TokenRecord } from '../../store/store.js'
import { present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

const LATER = { at: NOW + HOUR, actor: 'another', reason: 'another reason' }

function marked(record: TokenRecord, { at, actor, reason }: Revocation): TokenRecord {
  return { ...record, revokedAt: at, revokedBy: actor, revokedReason: reason }
}

/** Revokes, and asserts that exactly those records are marked. */
async function expectMarks(
  store: Store,
  revocation: Revocation,
  records: readonly TokenRecord[],
  covered: readonly number[],
): Promise<void> {
  await store.insertTokens(records)
  await store.revoke(revocation)
  const expected = records.map((record, index) =>
    covered.includes(index) ? marked(record, revocation) : record,
  )
  const actual = await store.listTokens({}, { limit: 99 })
  same(actual, expected, `the records after a revocation of ${revocation.kind}`)
}

export const revocationCases: readonly StoreCase[] = [
  {
    rule: 'revocation.token',
    title: 'marks one record for a token, regardless of its time of issue',
    async run({ store, make }) {
      const token = make.token()
      const sibling = make.token({ family: token.family, predecessor: token.id, generation: 1 })
      const revocation = make.revocation('token', token.id, { before: 0 })
      await expectMarks(store, revocation, [token, sibling, make.token()], [0])
    },
  },
  {
    rule: 'revocation.family',
    title: 'marks a whole family, regardless of its time of issue, and no other',
    async run({ store, make }) {
      const family = make.id()
      const records = [
        make.token({ family }),
        make.token({ family, familyIssuedAt: NOW + HOUR, subject: 'user:2', audience: 'web' }),
        make.token(),
        make.token({ family, expiresAt: NOW - HOUR, supersededAt: NOW }),
        make.token({ predecessor: family }),
      ]
      await expectMarks(store, make.revocation('family', family, { before: 0 }), records, [0, 1, 3])
    },
  },
  {
    rule: 'revocation.subject',
    title: "marks a subject's families up to the time, inclusive, in every audience",
    async run({ store, make }) {
      const subject = 'user:1'
      const records = [
        make.token({ subject, familyIssuedAt: NOW - 1 }),
        make.token({ subject, familyIssuedAt: NOW, audience: 'web', policy: 'other' }),
        make.token({ subject, familyIssuedAt: NOW + 1 }),
        make.token({ subject, familyIssuedAt: NOW, issuedAt: NOW + HOUR, generation: 3 }),
        make.token({ subject, familyIssuedAt: NOW + 1, issuedAt: NOW }),
        make.token({ subject: 'user:10' }),
        make.token({ subject: 'user:' }),
        make.token({ subject: 'other', audience: subject }),
      ]
      await expectMarks(store, make.revocation('subject', subject), records, [0, 1, 3])
    },
  },
  {
    rule: 'revocation.audience',
    title: "marks an audience's families up to the time, inclusive",
    async run({ store, make }) {
      const audience = 'https://api.example'
      const records = [
        make.token({ audience, familyIssuedAt: NOW }),
        make.token({ audience, familyIssuedAt: NOW + 1 }),
        make.token({ audience: `${audience}/` }),
        make.token({ audience: 'other', subject: audience }),
        make.token({ audience, subject: 'user:2', familyIssuedAt: 0 }),
      ]
      await expectMarks(store, make.revocation('audience', audience), records, [0, 4])
    },
  },
  {
    rule: 'revocation.all',
    title: 'marks every family for all up to the time, inclusive, and no key',
    async run({ store, make }) {
      const records = [
        make.token({ familyIssuedAt: NOW }),
        make.token({ familyIssuedAt: NOW + 1 }),
        make.token({ familyIssuedAt: 0, subject: 'user:2', audience: 'web' }),
      ]
      const key = make.key()
      await store.insertKey(key)
      await expectMarks(store, make.revocation('all', ''), records, [0, 2])
      same(await store.listKeys(), [key], 'the keys')
    },
  },
  {
    rule: 'revocation.key',
    title: 'marks the records that a key sealed at any time, and the key itself',
    async run({ store, make }) {
      const [key, other] = [make.key(), make.key({ generation: 2 })]
      await store.insertKey(key)
      await store.insertKey(other)
      const records = [
        make.token({ keyId: key.id, familyIssuedAt: NOW + HOUR }),
        make.token({ keyId: other.id }),
        make.token({ keyId: key.id, audience: 'web' }),
      ]
      const revocation = make.revocation('key', key.id, { before: 0 })
      await expectMarks(store, revocation, records, [0, 2])
      await store.revoke(make.revocation('key', key.id, LATER))
      const keys = [...(await store.listKeys())].sort((a, b) => a.generation - b.generation)
      same(keys, [{ ...key, revokedAt: revocation.at }, other], 'the keys')
    },
  },
  {
    rule: 'revocation.first-mark',
    title: 'keeps the first mark of a record',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const first = make.revocation('token', token.id, { reason: null })
      await store.revoke(first)
      const expected = marked(token, first)
      same(await other.getToken(token.id), expected, 'the record')
      await other.revoke(make.revocation('token', token.id, LATER))
      await other.revoke(make.revocation('subject', token.subject, LATER))
      await other.revoke(make.revocation('all', '', { ...LATER, at: NOW - HOUR, before: NOW + 1 }))
      same(await store.getToken(token.id), expected, 'the record after three more')
      same(
        (await store.listRevocations({ limit: 9 })).length,
        4,
        'the number of stored revocations',
      )
    },
  },
  {
    rule: 'revocation.own-marks',
    title: 'marks only records it covers, not records that an earlier revocation covers',
    async run({ store, make }) {
      await store.revoke(make.revocation('subject', 'late'))
      const late = make.token({ subject: 'late' })
      const token = make.token()
      await store.insertTokens([late, token])
      same(await store.getToken(late.id), late, 'a record inserted after a revocation')
      const revocation = make.revocation('family', token.family, LATER)
      await store.revoke(revocation)
      same(await store.getToken(token.id), marked(token, revocation), 'the record it covers')
      same(await store.getToken(late.id), late, 'the record it does not cover')
    },
  },
  {
    rule: 'revocation.idempotent',
    title: 'changes nothing on a second call with the same id',
    across: 'also',
    async run({ store, other, make }) {
      const [token, bystander] = [make.token(), make.token({ subject: 'user:2' })]
      await store.insertTokens([token, bystander])
      const revocation = make.revocation('subject', token.subject)
      await store.revoke(revocation)
      same(await other.revoke(revocation), { matched: 1 }, 'the result of a retry')
      await other.revoke({ ...revocation, ...LATER, value: 'user:2', expiresAt: 1 })
      same(await store.listRevocations({ limit: 9 }), [revocation], 'the revocations')
      same(await store.getToken(token.id), marked(token, revocation), 'the record')
      same(await store.getToken(bystander.id), bystander, 'another record')
    },
  },
  {
    rule: 'revocation.kept',
    title: 'stores a revocation exactly as given, even for an unknown target',
    async run({ store, make }) {
      const revocations = [
        make.revocation('token', make.id()),
        make.revocation('family', make.id(), { reason: null }),
        make.revocation('subject', 'unknown', { before: 0, at: 0, expiresAt: 0 }),
        make.revocation('key', make.keyId(), { before: NOW + 1, at: NOW + 2, expiresAt: NOW + 3 }),
        make.revocation('audience', 'nowhere', { expiresAt: 8_640_000_000_000_000 }),
        make.revocation('all', ''),
      ]
      for (const revocation of revocations) await store.revoke(revocation)
      same(await store.listRevocations({ limit: 9 }), revocations, 'the revocations')
      const [listed] = await store.listRevocations({ limit: 1 })
      Object.assign(present(listed, 'the first revocation'), { before: 1 })
      same(await store.listRevocations({ limit: 9 }), revocations, 'after a caller changed one')
    },
  },
  {
    rule: 'revocation.kept',
    title: "is unaffected by changes to a caller's record",
    async run({ store, make }) {
      const revocation = make.revocation('subject', 'unknown')
      const given = { ...revocation }
      await store.revoke(given)
      given.value = 'other'
      same(await store.listRevocations({ limit: 9 }), [revocation], 'after its input was changed')
    },
  },
  {
    rule: 'revocation.pages',
    title: 'returns pages in ascending order of id, regardless of the order of the calls',
    async run({ store, make }) {
      const all = Array.from({ length: 7 }, (_, index) => make.revocation('subject', `u${index}`))
      for (const revocation of make.shuffled(all)) await store.revoke(revocation)
      same(await store.listRevocations({ limit: 99 }), all, 'the revocations')
      for (const [index, { id }] of all.entries()) {
        const first = await store.listRevocations({ limit: index + 1 })
        same(first, all.slice(0, index + 1), `the first ${index + 1}`)
        const page = await store.listRevocations({ after: id, limit: 2 })
        same(page, all.slice(index + 1, index + 3), `the page after item ${index}`)
      }
      const gap = make.id()
      const last = make.revocation('all', '')
      await store.revoke(last)
      same(await store.listRevocations({ after: gap, limit: 2 }), [last], 'after an unknown id')
      same(await store.listRevocations({ after: 'Z', limit: 2 }), [], 'after every id')
      same(
        await store.listRevocations({ after: '0', limit: 99 }),
        [...all, last],
        'without `after`',
      )
    },
  },
]
