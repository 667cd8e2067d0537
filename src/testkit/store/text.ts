/**
 * Text that a careless adapter trims, folds, normalises, cuts or runs.
 *
 * @module
 */
import type { RevocationKind } from '../../store/store.js'
import { type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import { LONG, strangeIds, TEXTS } from './texts.js'

const FIELDS = ['subject', 'audience', 'policy'] as const

export const textCases: readonly StoreCase[] = [
  {
    rule: 'text.exact',
    title: 'text comes back as it went in, whatever it holds',
    async run({ store, make }) {
      const records = [...TEXTS, ...LONG].map((text) => {
        const short = [...text].slice(0, 64 / 2).join('')
        return make.token({
          subject: text,
          audience: [...text].slice(0, 256 / 2).join(''),
          policy: short,
          issuedBy: short,
          scopes: [short, ''.padEnd(128, 'x'), short],
          revokedAt: NOW,
          revokedBy: short,
          revokedReason: text,
        })
      })
      await store.insertTokens(records)
      same(await store.listTokens({}, { limit: 200 }), records, 'the records')
      const scopes = Array.from({ length: 64 }, (_, index) => `${index}:`.padEnd(128, 'é'))
      const wide = make.token({
        scopes,
        audience: '語'.repeat(256),
        policy: '語'.repeat(64),
        issuedBy: '語'.repeat(256),
      })
      await store.insertTokens([wide])
      same(await store.getToken(wide.id), wide, 'the record with as much as may be')
    },
  },
  {
    rule: 'text.distinct',
    title: 'two texts are the same only if every character is',
    async run({ store, make }) {
      for (const field of FIELDS) {
        const records = [...TEXTS].map((text) => make.token({ [field]: text, issuedBy: field }))
        await store.insertTokens(records)
        for (const record of records) {
          const found = await store.listTokens({ [field]: record[field] }, { limit: 9 })
          same(found, [record], `the tokens whose ${field} is ${JSON.stringify(record[field])}`)
        }
      }
    },
  },
  {
    rule: 'text.distinct',
    title: 'long texts too, to the last character',
    async run({ store, make }) {
      const texts = LONG.flatMap((text) => [text, `${text.slice(0, -2)}x`, `${text.slice(0, -2)}y`])
      const records = texts.map((subject) => make.token({ subject }))
      await store.insertTokens(records)
      for (const record of records) {
        const found = await store.listTokens({ subject: record.subject }, { limit: 9 })
        same(found, [record], `the tokens of a subject of ${record.subject.length} characters`)
      }
    },
  },
  {
    rule: 'text.limits',
    title: 'tokens are counted for this very subject and policy',
    async run({ store, make }) {
      await store.insertTokens([make.token({ subject: 'full' })])
      for (const subject of [...TEXTS.slice(0, 20), ...LONG, 'Full', 'full ']) {
        const limit = { max: 1, now: NOW }
        const insert = () => store.insertTokens([make.token({ subject })], limit)
        const answers = [await insert(), await insert()]
        same(answers, ['inserted', 'limit'], `two tokens of ${JSON.stringify(subject)}`)
      }
    },
  },
  {
    rule: 'text.revocation',
    title: 'a revocation hits this very value, and is kept as it was given',
    async run({ store, make }) {
      const records = TEXTS.map((subject) => make.token({ subject, audience: `to ${subject}` }))
      await store.insertTokens(records)
      const targets = TEXTS.filter((_, index) => index % 2 === 0)
      const revocations = [...targets, ...LONG].map((value) =>
        make.revocation('subject', value, {
          actor: [...value].slice(0, 128).join(''),
          reason: value,
        }),
      )
      for (const revocation of revocations) await store.revoke(revocation)
      same(await store.listRevocations({ limit: 200 }), revocations, 'the revocations')
      const live = await store.listTokens({ liveAt: NOW }, { limit: 200 })
      const spared = TEXTS.filter((_, index) => index % 2 === 1)
      const subjects = live.map(({ subject }) => subject)
      same(subjects, spared, 'the subjects that were not revoked')
      for (const record of await store.listTokens({}, { limit: 200 })) {
        const successor = make.successor(record)
        const { outcome } = await store.succeed(record.id, successor, null)
        const expected = spared.includes(record.subject) ? 'succeeded' : 'revoked'
        same(outcome, expected, `the rotation for ${JSON.stringify(record.subject)}`)
      }
    },
  },
  {
    rule: 'text.key',
    title: 'audiences of keys are kept apart and come back as they are',
    async run({ store, make }) {
      const keys = TEXTS.map((audience) => make.key({ audience, wrappedBy: audience.slice(0, 32) }))
      for (const key of keys) {
        same(await store.insertKey(key), true, `the key of ${JSON.stringify(key.audience)}`)
      }
      const listed = new Map((await store.listKeys()).map((key) => [key.id, key]))
      same(listed, new Map(keys.map((key) => [key.id, key])), 'the keys')
    },
  },
  {
    rule: 'text.strange-id',
    title: 'asking for an id that cannot be there answers that it is missing',
    async run({ store, make }) {
      const [token, key] = [make.token(), make.key()]
      await store.insertTokens([token])
      await store.insertKey(key)
      const next = { wrapped: 'next', wrappedBy: 'root' }
      const at = NOW + 1
      for (const id of strangeIds(token.id)) {
        const what = `for ${JSON.stringify(id.slice(0, 60))}`
        same(await store.getToken(id), undefined, `the answer of getToken ${what}`)
        const answer = await store.succeed(id, make.successor(token), NOW)
        same(answer, { outcome: 'missing' }, `the answer of succeed ${what}`)
        await store.supersede(id, NOW)
        await store.recordUsage([{ id, at }])
        const tokens = await store.listTokens({}, { limit: 9 })
        same(tokens, [token], `the records after late calls ${what}`)
      }
      await store.recordUsage([...strangeIds(token.id), token.id].map((id) => ({ id, at })))
      same((await store.getToken(token.id))?.lastUsedAt, at, 'the last use among strange ids')
      for (const id of strangeIds(key.id)) {
        same(await store.rewrapKey(id, key.wrapped, next), false, `rewrapKey of ${id.slice(0, 60)}`)
      }
      for (const expected of strangeIds(key.wrapped)) {
        same(await store.rewrapKey(key.id, expected, next), false, `expecting ${expected}`)
      }
      same(await store.listKeys(), [key], 'the keys')
    },
  },
  {
    rule: 'text.strange-filter',
    title: 'nor does a filter find what cannot be there',
    async run({ store, make }) {
      const token = make.token({ subject: 'alice', audience: '\ufffd', policy: 'job' })
      await store.insertTokens([token])
      const fields = ['subject', 'audience', 'policy', 'family', 'keyId'] as const
      for (const field of fields) {
        for (const value of [...strangeIds(token[field]), `${token[field]}\0`, '\ud800']) {
          if (value === token[field]) continue
          const found = await store.listTokens({ [field]: value }, { limit: 9 })
          same(found, [], `the tokens whose ${field} is ${JSON.stringify(value.slice(0, 60))}`)
        }
      }
    },
  },
  {
    rule: 'text.strange-target',
    title: 'a revocation of something like an id or a key is kept and marks nothing',
    async run({ store, make }) {
      const key = make.key()
      const token = make.token({ keyId: key.id })
      await store.insertTokens([token])
      await store.insertKey(key)
      const aim = async (kind: RevocationKind, target: string) => {
        const values = strangeIds(target).filter((value) => value.isWellFormed() && value !== '')
        for (const value of values.filter((value) => !value.includes('\0'))) {
          await store.revoke(make.revocation(kind, value, { before: NOW + HOUR }))
        }
      }
      await aim('token', token.id)
      await aim('family', token.family)
      await aim('key', key.id)
      same(await store.getToken(token.id), token, 'the token')
      same(await store.listKeys(), [key], 'the key')
    },
  },
]
