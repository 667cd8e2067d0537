/**
 * Stores that are wrong about rotation.
 *
 * @module
 */

import { forKind, onlyBefore, strictlyBefore, whenever } from './store-mutants-covers.js'
import { GOOD } from './store-mutants-rules.js'
import type { Mutant } from './store-mutants-runner.js'

export const successionMutants: readonly Mutant[] = [
  {
    rule: 'succession.effect',
    fault: 'links and does not insert',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        if (result.outcome === 'succeeded') tokens.delete(successor.id)
        return result
      },
    }),
  },
  {
    rule: 'succession.effect',
    fault: 'never ends the predecessor',
    methods: (_, good) => ({ succeed: (id, successor) => good.succeed(id, successor, null) }),
  },
  {
    rule: 'succession.superseded-at',
    fault: 'the last time wins',
    rules: { earlier: (_, at) => at },
  },
  {
    rule: 'succession.superseded-at',
    fault: 'null clears it',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        if (at === null) Object.assign(tokens.get(id) ?? {}, { supersededAt: null })
        return result
      },
    }),
  },
  {
    rule: 'succession.grandparent',
    fault: "leaves the predecessor's predecessor its grace",
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const grandparent = tokens.get(tokens.get(id)?.predecessor ?? '')
        const supersededAt = grandparent?.supersededAt ?? null
        const result = await good.succeed(id, successor, at)
        if (grandparent !== undefined) grandparent.supersededAt = supersededAt
        return result
      },
    }),
  },
  {
    rule: 'succession.grandparent',
    fault: 'moves an end that was earlier',
    rules: { earlier: (_, at) => at },
  },
  {
    rule: 'succession.already',
    fault: 'the last caller wins',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const row = tokens.get(id)
        if (row !== undefined) row.successor = null
        return await good.succeed(id, successor, at)
      },
    }),
  },
  {
    rule: 'succession.already',
    fault: "returns the caller's own successor",
    methods: (_, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        return result.outcome === 'already' ? { ...result, successor } : result
      },
    }),
  },
  {
    rule: 'succession.already',
    fault: 'inserts the one that lost',
    methods: (_, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        if (result.outcome === 'already') await good.insertTokens([successor])
        return result
      },
    }),
  },
  {
    rule: 'succession.already',
    fault: 'a call that lost still moves the end of the predecessor',
    methods: (_, good) => ({
      async succeed(id, successor, at) {
        if (at !== null) await good.supersede(id, at)
        return await good.succeed(id, successor, at)
      },
    }),
  },
  {
    rule: 'succession.missing',
    fault: 'inserts without a predecessor',
    methods: (_, good) => ({
      async succeed(id, successor, at) {
        const result = await good.succeed(id, successor, at)
        if (result.outcome === 'missing') await good.insertTokens([successor])
        return result
      },
    }),
  },
  {
    rule: 'succession.revoked',
    fault: 'looks at no mark',
    rules: { isMarked: () => false, bars: () => false },
  },
  {
    rule: 'succession.revoked',
    fault: 'tells of the winner although it is revoked',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const row = tokens.get(id)
        const winner = tokens.get(row?.successor ?? '')
        if (row === undefined || winner === undefined) return await good.succeed(id, successor, at)
        return { outcome: 'already', predecessor: { ...row }, successor: { ...winner } }
      },
    }),
  },
  {
    rule: 'succession.kept-absolute',
    fault: 'looks at the mark alone',
    rules: { bars: () => false },
  },
  {
    rule: 'succession.kept-absolute',
    fault: 'a family counts by its time',
    rules: forKind('family', onlyBefore),
  },
  {
    rule: 'succession.kept-absolute',
    fault: 'a token counts by the id of its successor',
    rules: {
      bars: (revocation, predecessor, successor) =>
        GOOD.bars(revocation, { ...predecessor, id: successor.id }, successor),
    },
  },
  {
    rule: 'succession.kept-watermark',
    fault: 'forgets the very time',
    rules: forKind('subject', strictlyBefore),
  },
  {
    rule: 'succession.kept-watermark',
    fault: 'holds for families of later',
    rules: forKind('all', whenever),
  },
  {
    rule: 'succession.kept-watermark',
    fault: 'goes by when the successor was issued',
    rules: {
      bars: (revocation, predecessor, successor) =>
        GOOD.bars(revocation, { ...predecessor, familyIssuedAt: successor.issuedAt }, successor),
    },
  },
  {
    rule: 'succession.kept-watermark',
    fault: 'the last revocation of a subject decides',
    methods: ({ revocations }, good) => ({
      async revoke(revocation) {
        for (const { id, kind } of revocations.values()) {
          if (kind === 'subject') revocations.delete(id)
        }
        return await good.revoke(revocation)
      },
    }),
  },
  {
    rule: 'succession.kept-other',
    fault: 'goes by the value and not by the kind',
    rules: {
      bars: (revocation, predecessor, successor) =>
        [predecessor.subject, predecessor.audience].includes(revocation.value) ||
        GOOD.bars(revocation, predecessor, successor),
    },
  },
  {
    rule: 'succession.kept-other',
    fault: 'trims the value',
    rules: {
      bars: (revocation, predecessor, successor) =>
        GOOD.bars({ ...revocation, value: revocation.value.trim() }, predecessor, successor),
    },
  },
  {
    rule: 'succession.kept-key',
    fault: "forgets the successor's key",
    rules: { bars: GOOD.covers },
  },
  {
    rule: 'succession.kept-key',
    fault: "forgets the predecessor's key",
    rules: {
      bars: (revocation, predecessor, { keyId }) =>
        GOOD.covers(revocation, { ...predecessor, keyId }),
    },
  },
]
