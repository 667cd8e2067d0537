/**
 * Purging expired rows.
 *
 * @module
 */
import { type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

const NOTHING = { tokens: 0, keys: 0, revocations: 0 }

export const purgeCases: readonly StoreCase[] = [
  {
    rule: 'purge.boundary',
    title: 'removes each kind up to its own time, inclusive, and returns the counts',
    across: 'also',
    async run({ store, other, make }) {
      const times = [NOW - 1, NOW, NOW + 1, NOW + 2]
      const tokens = times.map((expiresAt) => make.token({ expiresAt }))
      const keys = times.map((expiresAt, index) => make.key({ expiresAt, generation: index + 1 }))
      const kept = times.map((expiresAt) => make.revocation('subject', 'unknown', { expiresAt }))
      await store.insertTokens(tokens)
      for (const key of keys) await store.insertKey(key)
      for (const revocation of kept) await store.revoke(revocation)
      const none = { tokens: NOW - 2, keys: NOW - 2, revocations: NOW - 2 }
      same(await store.purge(none), NOTHING, 'the result of a purge without expired rows')
      const first = { tokens: NOW, keys: NOW - 1, revocations: NOW + 1 }
      const counts = { tokens: 2, keys: 1, revocations: 3 }
      same(await other.purge(first), counts, 'the result of the purge')
      same(await store.purge(first), NOTHING, 'the result of a second purge')
      same(await store.listTokens({}, { limit: 9 }), tokens.slice(2), 'the tokens')
      const left = [...(await store.listKeys())].sort((a, b) => a.generation - b.generation)
      same(left, keys.slice(1), 'the keys')
      same(await store.listRevocations({ limit: 9 }), kept.slice(3), 'the revocations')
      const all = { tokens: NOW + HOUR, keys: NOW + HOUR, revocations: NOW + HOUR }
      const rest = { tokens: 2, keys: 3, revocations: 1 }
      same(await store.purge(all), rest, 'the result of a purge of everything')
    },
  },
  {
    rule: 'purge.tokens',
    title: 'omits a purged token from every result',
    async run({ store, make }) {
      const past = make.token({ expiresAt: NOW - 1 })
      const live = make.successor(past, { expiresAt: NOW + HOUR })
      await store.insertTokens([past])
      await store.succeed(past.id, live, null)
      await store.purge({ tokens: NOW, keys: NOW, revocations: NOW })
      same(await store.getToken(past.id), undefined, 'the purged token')
      same(await store.listTokens({ family: past.family }, { limit: 9 }), [live], 'its family')
      same(await store.listTokens({ subject: past.subject }, { limit: 9 }), [live], 'its subject')
      const missing = { outcome: 'missing' }
      same(await store.succeed(past.id, make.successor(past), null), missing, 'its rotation')
      await store.supersede(past.id, NOW)
      await store.recordUsage([{ id: past.id, at: NOW }])
      same(await store.getToken(past.id), undefined, 'the purged token after late calls')
      const next = make.successor(live)
      same(await store.succeed(live.id, next, null), { outcome: 'succeeded' }, 'the next rotation')
    },
  },
  {
    rule: 'purge.tokens',
    title: 'does not count a purged token against a limit, and frees no other place',
    async run({ store, make }) {
      const past = make.token({ expiresAt: NOW - 1 })
      await store.insertTokens([past, make.token()])
      await store.purge({ tokens: NOW, keys: NOW, revocations: NOW })
      const limit = { max: 2, now: NOW - HOUR }
      same(await store.insertTokens([make.token()], limit), 'inserted', 'a second of two')
      same(await store.insertTokens([make.token()], limit), 'limit', 'a third of two')
    },
  },
  {
    rule: 'purge.revocations',
    title: 'stops applying a purged revocation, and keeps its marks and other revocations',
    async run({ store, make }) {
      const marked = make.token({ subject: 'a' })
      await store.insertTokens([marked])
      const past = make.revocation('subject', 'a', { expiresAt: NOW })
      const kept = make.revocation('subject', 'b', { expiresAt: NOW + 1 })
      const older = make.revocation('subject', 'b', { expiresAt: NOW, before: NOW + HOUR })
      for (const revocation of [past, kept, older]) await store.revoke(revocation)
      await store.purge({ tokens: 0, keys: 0, revocations: NOW })
      same(await store.listRevocations({ limit: 9 }), [kept], 'the revocations')
      same((await store.getToken(marked.id))?.revokedAt, past.at, 'the mark')
      const [free, held] = [make.token({ subject: 'a' }), make.token({ subject: 'b' })]
      const later = make.token({ subject: 'b', familyIssuedAt: NOW + 1 })
      await store.insertTokens([free, held, later])
      const outcome = async (token: typeof free) =>
        (await store.succeed(token.id, make.successor(token), null)).outcome
      same(await outcome(free), 'succeeded', 'a rotation covered by the purged revocation')
      same(await outcome(held), 'revoked', 'a rotation covered by the remaining revocation')
      same(await outcome(later), 'succeeded', 'a rotation covered only by the purged revocation')
      same(await outcome(marked), 'revoked', 'a rotation of the marked token')
    },
  },
  {
    rule: 'purge.keys',
    title: 'keeps the tokens of a purged key, and frees its generation',
    async run({ store, make }) {
      const past = make.key({ expiresAt: NOW })
      const token = make.token({ keyId: past.id })
      await store.insertKey(past)
      await store.insertTokens([token])
      await store.purge({ tokens: NOW, keys: NOW, revocations: NOW })
      same(await store.listKeys(), [], 'the keys')
      same(await store.getToken(token.id), token, 'a token sealed with the key')
      const next = { wrapped: 'next', wrappedBy: 'root' }
      same(await store.rewrapKey(past.id, past.wrapped, next), false, 'a late rewrap')
      const key = make.key()
      same(await store.insertKey(key), true, 'another key of the generation')
      same(await store.listKeys(), [key], 'the keys after it')
    },
  },
]
