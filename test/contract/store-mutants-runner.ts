/**
 * A test runner of forty lines that reports the outcome of each case, and the shape of a mutant.
 *
 * @module
 */
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { plainStore } from './store-mutants-base.js'
import { emptyTables, type Rules, type Tables } from './store-mutants-rules.js'

/** A store with one rule broken. */
export interface Mutant {
  /** The rule of the kit that must catch it. */
  readonly rule: string
  /** The fault. */
  readonly fault: string
  readonly rules?: Partial<Rules>
  /** Methods in place of the correct ones. */
  readonly methods?: (tables: Tables, good: Store) => Partial<Store>
  /** Default: true. */
  readonly hasTwin?: boolean
}

export interface CaseResult {
  readonly title: string
  readonly error: Error | undefined
}

/** Runs the cases whose title begins with the rule, or all of them. */
export async function runContract(
  { rules, methods, hasTwin = true }: Omit<Mutant, 'rule' | 'fault'>,
  rule = '',
): Promise<CaseResult[]> {
  const data = new WeakMap<Store, Tables>()
  const storeOver = async (tables: Tables | undefined): Promise<Store> => {
    const kept = tables ?? emptyTables()
    const good = plainStore(kept, rules)
    const store = { ...good, ...methods?.(kept, good) }
    data.set(store, kept)
    return store
  }
  const cases: Array<readonly [string, () => Promise<void>]> = []
  storeContract({
    describe: (_, body) => body(),
    it: (title, body) => cases.push([title, body]),
    createStore: () => storeOver(undefined),
    ...(hasTwin ? { createTwin: (store: Store) => storeOver(data.get(store)) } : {}),
  })
  const results: CaseResult[] = []
  for (const [title, run] of cases) {
    if (!title.startsWith(rule === '' ? '' : `${rule}: `)) continue
    const error = await run().then(
      () => undefined,
      (error: Error) => error,
    )
    results.push({ title, error })
  }
  return results
}
