/**
 * Interrupted writes: a reader between any two steps of a write, after its instance was closed in the middle, or after
 * a crash, sees all of it or nothing.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import { holds, present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

// How many turns of the event loop the write is given before it is cut off: from none to more than it needs.
const CUTS = [0, 1, 2, 3, 5, 8, 13] as const

/** A write, and what must hold whenever it is looked at. */
interface Attempt {
  readonly write: (store: Store) => Promise<unknown>
  readonly look: (store: Store) => Promise<void>
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

// Looks on while the write runs, and closes the writer's instance after so many turns.
async function cutOff(
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
    title: 'a rotation that is cut short has linked both sides, or neither',
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
            same(back, successor.id, 'the link to the successor that is there')
          },
        })
      }
    },
  },
  {
    rule: 'crashes.insert',
    title: 'a batch that is cut short is there as a whole, or not at all',
    across: 'also',
    async run({ make, ...stores }) {
      for (const turns of CUTS) {
        const batch = make.tokens(20, { family: make.id() })
        const filter = { family: batch[0]?.family ?? '' }
        await cutOff(stores, turns, {
          write: (store) => store.insertTokens(batch),
          async look(store) {
            const { length } = await store.listTokens(filter, { limit: 100 })
            holds(length === 0 || length === batch.length, `${length} of ${batch.length} are there`)
          },
        })
      }
    },
  },
  {
    rule: 'crashes.revoke',
    title: 'a revocation that is cut short is kept with all its marks, or leaves none',
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
            // Revocations are listed before the tokens: what is kept by then has marked everything.
            const kept = await store.listRevocations({ limit: 100 })
            const isKept = kept.some(({ id }) => id === revocation.id)
            const rows = await store.listTokens({ subject: revocation.value }, { limit: 100 })
            const marked = rows.filter(({ revokedAt }) => revokedAt !== null).length
            holds(marked === 0 || marked === rows.length, `${marked} of ${rows.length} are marked`)
            holds(!isKept || marked === rows.length, 'the revocation is kept, its tokens live')
            if (marked === 0) return
            const after = await store.listRevocations({ limit: 100 })
            holds(
              after.some(({ id }) => id === revocation.id),
              'tokens are marked, and their revocation is not kept',
            )
          },
        })
      }
    },
  },
]
