/**
 * Stores that are wrong about revocation and the end of a grace.
 *
 * @module
 */

import { forKind, marking, onlyBefore, strictlyBefore, whenever } from './store-mutants-covers.js'
import { GOOD } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

export const supersedeMutants: readonly Mutant[] = [
  { rule: 'supersede.earlier', fault: 'moves later', rules: { earlier: (_, at) => at } },
  { rule: 'supersede.earlier', fault: 'keeps the first', rules: { earlier: (is, at) => is ?? at } },
  {
    rule: 'supersede.missing',
    fault: 'a missing row rejects',
    methods: ({ tokens }, good) => ({
      async supersede(id, at) {
        if (!tokens.has(id)) throw new Error('no such row')
        await good.supersede(id, at)
      },
    }),
  },
  {
    rule: 'supersede.missing',
    fault: 'ends what is inserted later',
    methods: ({ tokens }, good) => {
      const ended = new Map<string, number>()
      return {
        async supersede(id, at) {
          ended.set(id, at)
          await good.supersede(id, at)
        },
        async insertTokens(records, limit) {
          const result = await good.insertTokens(records, limit)
          for (const { id } of records) {
            const row = tokens.get(id)
            if (row !== undefined) row.supersededAt ??= ended.get(id) ?? null
          }
          return result
        },
      }
    },
  },
]

export const revocationMutants: readonly Mutant[] = [
  { rule: 'revocation.token', fault: 'goes by the time', rules: forKind('token', onlyBefore) },
  {
    rule: 'revocation.token',
    fault: 'takes the family along',
    rules: marking((revocation, row) => GOOD.covers({ ...revocation, kind: 'family' }, row)),
  },
  { rule: 'revocation.family', fault: 'goes by the time', rules: forKind('family', onlyBefore) },
  {
    rule: 'revocation.family',
    fault: 'passes over what is dead already',
    rules: marking(
      (revocation, row) => GOOD.isLive(row, row.issuedAt) && GOOD.covers(revocation, row),
    ),
  },
  { rule: 'revocation.subject', fault: 'ignores the time', rules: marking(whenever) },
  { rule: 'revocation.subject', fault: 'forgets the very time', rules: marking(strictlyBefore) },
  {
    rule: 'revocation.subject',
    fault: 'goes by when the token was issued',
    rules: marking((revocation, row) =>
      GOOD.covers(revocation, { ...row, familyIssuedAt: row.issuedAt }),
    ),
  },
  {
    rule: 'revocation.subject',
    fault: 'marks every value with the same prefix',
    rules: marking((revocation, row) =>
      GOOD.covers(revocation, { ...row, subject: row.subject.slice(0, revocation.value.length) }),
    ),
  },
  {
    rule: 'revocation.audience',
    fault: 'marks every value with the same prefix',
    rules: marking((revocation, row) =>
      GOOD.covers(revocation, { ...row, audience: row.audience.slice(0, revocation.value.length) }),
    ),
  },
  { rule: 'revocation.audience', fault: 'ignores the time', rules: marking(whenever) },
  { rule: 'revocation.all', fault: 'ignores the time', rules: marking(whenever) },
  {
    rule: 'revocation.all',
    fault: 'looks for an empty subject',
    rules: marking((revocation, row) => GOOD.covers({ ...revocation, kind: 'subject' }, row)),
  },
  {
    rule: 'revocation.all',
    fault: 'marks the keys',
    methods: ({ keys }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        for (const key of keys.values()) key.revokedAt ??= revocation.at
        return result
      },
    }),
  },
  {
    rule: 'revocation.key',
    fault: 'does not mark the key',
    methods: ({ keys }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        for (const key of keys.values()) key.revokedAt = null
        return result
      },
    }),
  },
  {
    rule: 'revocation.key',
    fault: 'marks the key again',
    methods: ({ keys }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        const key = keys.get(revocation.value)
        if (key !== undefined) key.revokedAt = revocation.at
        return result
      },
    }),
  },
  {
    rule: 'revocation.first-mark',
    fault: 'the last writer wins',
    rules: { isMarked: () => false },
  },
  {
    rule: 'revocation.own-marks',
    fault: 'marks what an earlier one covers',
    methods: ({ tokens, revocations }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        for (const kept of revocations.values()) {
          for (const row of tokens.values()) {
            if (row.revokedAt === null && GOOD.covers(kept, row)) row.revokedAt = revocation.at
          }
        }
        return result
      },
    }),
  },
  {
    rule: 'revocation.idempotent',
    fault: 'a retry is a second revocation',
    methods: ({ revocations }, good) => ({
      async revoke(revocation) {
        revocations.delete(revocation.id)
        return await good.revoke(revocation)
      },
    }),
  },
  {
    rule: 'revocation.idempotent',
    fault: 'a retry rejects',
    methods: ({ revocations }, good) => ({
      async revoke(revocation) {
        if (revocations.has(revocation.id)) throw new Error('duplicate key')
        return await good.revoke(revocation)
      },
    }),
  },
  {
    rule: 'revocation.kept',
    fault: 'keeps only what marked something',
    methods: ({ tokens, revocations }, good) => ({
      async revoke(revocation) {
        const result = await good.revoke(revocation)
        if (tokens.size === 0) revocations.delete(revocation.id)
        return result
      },
    }),
  },
  { rule: 'revocation.kept', fault: 'keeps the given object', rules: { take: (row) => row } },
  { rule: 'revocation.pages', fault: 'in the order of the calls', rules: { compare: () => 0 } },
  {
    rule: 'revocation.pages',
    fault: 'begins with the last of the page before',
    rules: { isAfter: (id, after) => id >= after },
  },
]
