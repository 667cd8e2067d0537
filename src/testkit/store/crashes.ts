/**
 * Interrupted writes: a reader sees all of a write or nothing, between any two steps of it, after its instance was
 * closed, and after a crash.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import { holds, present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

/** The number of event loop turns before a write is interrupted: from none to more than it needs. */
export const CUTS = [0, 1, 2, 3, 5, 8, 13] as const

/** A write, and what must hold at any time. */
interface Attempt {
  readonly write: (store: Store) => Promise<unknown>
  readonly look: (store: Store) => Promise<void>
}

/** Lets the event loop turn once. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Observes while the write runs, and closes the writer's instance after the given number of turns. */
export async function cutOff(
  { store, other, reopen }: { store: Store; other: Store; reopen: () => Promise<Store> },
  turns: number,
  { write, look }: Attempt,
): Promise<void> {
  const writer = await reopen()
  let pending = true
  const written = write(writer)
    .catch(() => undefined)
    .finally(() => {
      pending = false
    })
  for (let i = 0; i < turns; i++) await turn()
  if (writer !== store) await writer.close()
  for (let i = 0; pending && i < 100; i++) {
    await look(other)
    await turn()
  }
  await written
  await look(other)
}

export const crashCases: readonly StoreCase[] = [
  {
    rule: 'crashes.succeed',
    title: 'links both sides of an interrupted rotation, or neither',
    across: 'also',
    async run({ make, ...stores }) {
      for (const turns of CUTS) {
        const token = make.token()
        const successor = make.successor(token)
        await stores.store.insertTokens([token])
        await cutOff(stores, turns, {
          write: (store) => store.succeed(token.id, successor, NOW + HOUR / 2),
          async look(store) {
            const linked = present(await store.getToken(token.id), 'the token').successor
            if (linked !== null) present(await store.getToken(linked), 'the successor of the link')
            if ((await store.getToken(successor.id)) === undefined) return
            const { successor: back } = present(await store.getToken(token.id), 'the token')
            same(back, successor.id, 'the link to the existing successor')
          },
        })
      }
    },
  },
  {
    rule: 'crashes.insert',
    title: 'inserts an interrupted batch as a whole or not at all',
    across: 'also',
    async run({ make, ...stores }) {
      for (const turns of CUTS) {
        const batch = make.tokens(20, { family: make.id() })
        const filter = { family: batch[0]?.family ?? '' }
        await cutOff(stores, turns, {
          write: (store) => store.insertTokens(batch),
          async look(store) {
            const { length } = await store.listTokens(filter, { limit: 100 })
            holds(length === 0 || length === batch.length, `${length} of ${batch.length} exist`)
          },
        })
      }
    },
  },
  {
    rule: 'crashes.revoke',
    title: 'stores an interrupted revocation with all its marks, or none',
    across: 'also',
    async run({ make, ...stores }) {
      for (const turns of CUTS) {
        const [first, ...rest] = make.tokens(20, { subject: `user:${turns}` })
        const tokens = first === undefined ? [] : [first, ...rest]
        const revocation = make.revocation('subject', `user:${turns}`)
        await stores.store.insertTokens(tokens)
        await cutOff(stores, turns, {
          write: (store) => store.revoke(revocation),
          async look(store) {
            // Revocations are listed before the tokens: a revocation stored by then has marked everything.
            const kept = await store.listRevocations({ limit: 100 })
            const isKept = kept.some(({ id }) => id === revocation.id)
            const rows = await store.listTokens({ subject: revocation.value }, { limit: 100 })
            const marked = rows.filter(({ revokedAt }) => revokedAt !== null).length
            holds(marked === 0 || marked === rows.length, `${marked} of ${rows.length} are marked`)
            holds(
              !isKept || marked === rows.length,
              'the revocation is stored, but its tokens are not revoked',
            )
            if (marked === 0) return
            const after = await store.listRevocations({ limit: 100 })
            holds(
              after.some(({ id }) => id === revocation.id),
              'tokens are marked, but their revocation is not stored',
            )
          },
        })
      }
    },
  },
]
