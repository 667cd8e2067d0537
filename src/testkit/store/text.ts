/**
 * Text that a careless adapter trims, folds, normalises, truncates or executes.
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
    title: 'returns text exactly as inserted, regardless of its content',
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
      same(await store.getToken(wide.id), wide, 'the record with text of the maximum length')
    },
  },
  {
    rule: 'text.distinct',
    title: 'distinguishes texts that differ in any character',
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
    title: 'distinguishes long texts up to the last character',
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
    title: 'counts tokens for exactly this subject and policy',
    async run({ store, make }) {
      await store.insertTokens([make.token({ subject: 'full' })])
      for (const subject of [...TEXTS.slice(0, 20), ...LONG, 'Full', 'full ']) {
        const limit = { max: 1, now: NOW }
        const insert = () => store.insertTokens([make.token({ subject })], limit)
        const results = [await insert(), await insert()]
        same(results, ['inserted', 'limit'], `two tokens of ${JSON.stringify(subject)}`)
      }
    },
  },
  {
    rule: 'text.revocation',
    title: 'applies a revocation to exactly its value, and stores it as given',
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
    title: 'distinguishes audiences of keys and returns them exactly',
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
    title: 'reports an id that cannot exist as missing',
    async run({ store, make }) {
      const [token, key] = [make.token(), make.key()]
      await store.insertTokens([token])
      await store.insertKey(key)
      const next = { wrapped: 'next', wrappedBy: 'root' }
      const at = NOW + 1
      for (const id of strangeIds(token.id)) {
        const what = `for ${JSON.stringify(id.slice(0, 60))}`
        same(await store.getToken(id), undefined, `the result of getToken ${what}`)
        const result = await store.succeed(id, make.successor(token), NOW)
        same(result, { outcome: 'missing' }, `the result of succeed ${what}`)
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
    title: 'finds nothing with a filter value that cannot exist',
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
    title: 'stores a revocation of a similar id or key, and marks nothing',
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
