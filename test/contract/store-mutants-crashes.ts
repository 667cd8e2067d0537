/**
 * Stores whose writes take several steps, so that a crash in between leaves a partial write.
 *
 * @module
 */
import type { Mutant } from './store-mutants-runner.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

export const crashMutants: readonly Mutant[] = [
  {
    rule: 'crashes.succeed',
    fault: 'links, then inserts the successor',
    methods: ({ tokens }, good) => ({
      async succeed(id, successor, at) {
        const row = tokens.get(id)
        if (row !== undefined) tokens.set(id, { ...row, successor: successor.id })
        await tick()
        if (row !== undefined) tokens.set(id, row)
        return good.succeed(id, successor, at)
      },
    }),
  },
  {
    rule: 'crashes.succeed',
    fault: 'inserts the successor, then links',
    methods: (_, good) => ({
      async succeed(id, successor, at) {
        await good.insertTokens([successor])
        await tick()
        return good.succeed(id, successor, at)
      },
    }),
  },
  {
    rule: 'crashes.insert',
    fault: 'inserts one record after the other',
    methods: (_, good) => ({
      async insertTokens(records) {
        for (const record of records) {
          await good.insertTokens([record])
          await tick()
        }
        return 'inserted' as const
      },
    }),
  },
  {
    rule: 'crashes.revoke',
    fault: 'keeps the revocation, then marks',
    methods: ({ revocations }, good) => ({
      async revoke(revocation) {
        revocations.set(revocation.id, revocation)
        await tick()
        revocations.delete(revocation.id)
        return await good.revoke(revocation)
      },
    }),
  },
  {
    rule: 'crashes.revoke',
    fault: 'marks, then keeps the revocation',
    methods: ({ tokens }, good) => ({
      async revoke(revocation) {
        for (const [id, row] of tokens) {
          if (row.subject === revocation.value) tokens.set(id, { ...row, revokedAt: revocation.at })
        }
        await tick()
        return await good.revoke(revocation)
      },
    }),
  },
]
