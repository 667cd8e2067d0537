/**
 * A test runner of forty lines that reports the outcome of each case, and the shape of a mutant.
 *
 * @module
 */
import type { Store } from '../../src/store/store.js'
import type { UsageStore } from '../../src/store/usage.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { withAudit } from './store-mutants-audit.js'
import { plainStore } from './store-mutants-base.js'
import { withRestrictions } from './store-mutants-restrictions.js'
import { emptyTables, type Rules, type Tables } from './store-mutants-rules.js'
import { plainUsage, type UsageRules, type UsageTables } from './store-mutants-usage-base.js'

/** A store with one rule broken. */
export interface Mutant {
  /** The rule of the kit that must catch it. */
  readonly rule: string
  /** The fault. */
  readonly fault: string
  readonly rules?: Partial<Rules>
  /** Methods in place of the correct ones. */
  readonly methods?: (tables: Tables, good: Store) => Partial<Store>
  /** Rules of the part that keeps usage. */
  readonly usageRules?: Partial<UsageRules>
  /** Methods of the part that keeps usage, in place of the correct ones. */
  readonly usage?: (tables: UsageTables, good: UsageStore) => Partial<UsageStore>
  /** Whether the store has the part that keeps usage. Default: true. */
  readonly keepsUsage?: boolean
  /** Whether the store has the part that keeps restrictions. Default: true. */
  readonly keepsRestrictions?: boolean
  /** Whether the store has the part that keeps the audit. Default: true. */
  readonly keepsAudit?: boolean
  /** Default: true. */
  readonly hasTwin?: boolean
}

export interface CaseResult {
  readonly title: string
  readonly error: Error | undefined
  /** Why it was skipped. */
  readonly skipped: string | undefined
}

/** Runs the cases whose title begins with the rule, or all of them. */
export async function runContract(
  {
    rules,
    methods,
    usageRules,
    usage,
    keepsUsage = true,
    keepsRestrictions = true,
    keepsAudit = true,
    hasTwin = true,
  }: Omit<Mutant, 'rule' | 'fault'>,
  rule = '',
): Promise<CaseResult[]> {
  const data = new WeakMap<Store, Tables>()
  const storeOver = async (tables: Tables | undefined): Promise<Store> => {
    const kept = tables ?? emptyTables()
    const plain = plainStore(kept, rules)
    const part = plainUsage(kept.usage, plain.open, usageRules)
    const usagePart = { ...part, ...usage?.(kept.usage, part) }
    const withUsage: Store = keepsUsage ? { ...plain, usage: usagePart } : plain
    const withParts = keepsRestrictions ? withRestrictions(withUsage, kept) : withUsage
    const good = keepsAudit ? withAudit(withParts, kept, kept.audit) : withParts
    const store = { ...good, ...methods?.(kept, good) }
    data.set(store, kept)
    return store
  }
  const cases: Array<readonly [string, (...context: unknown[]) => Promise<void>]> = []
  storeContract({
    describe: (_, body) => body(),
    it: (title, body) => cases.push([title, body]),
    createStore: () => storeOver(undefined),
    ...(hasTwin ? { createTwin: (store: Store) => storeOver(data.get(store)) } : {}),
  })
  const results: CaseResult[] = []
  for (const [title, run] of cases) {
    if (!title.startsWith(rule === '' ? '' : `${rule}: `)) continue
    let skipped: string | undefined
    const skip = (reason: string) => {
      skipped = reason
    }
    const error = await run({ skip }).then(
      () => undefined,
      (error: Error) => error,
    )
    results.push({ title, error, skipped })
  }
  return results
}
