/**
 * The store contract as named test cases for adapters.
 *
 * @module
 */

import type { Store } from '../store/store.js'
import { checkedOptions } from './contract-options.js'
import { auditCases } from './store/audit.js'
import { holds, named, type StoreCase } from './store/case.js'
import { changeCases } from './store/changes.js'
import { crashCases } from './store/crashes.js'
import { detailCases } from './store/details.js'
import { fixtures } from './store/fixtures.js'
import { inventoryCases } from './store/inventory.js'
import { keyCases } from './store/keys.js'
import { lifecycleCases } from './store/lifecycle.js'
import { limitCases } from './store/limits.js'
import { listCases } from './store/lists.js'
import { pageCases } from './store/pages.js'
import { purgeCases } from './store/purge.js'
import { raceCases } from './store/races.js'
import { refusalCases } from './store/refusal.js'
import { restrictionChangeCases } from './store/restriction-changes.js'
import { restrictionCases } from './store/restrictions.js'
import { revocationCases } from './store/revocation.js'
import { revokeRaceCases } from './store/revoke-races.js'
import { successionCases } from './store/succession.js'
import { successorCases } from './store/successors.js'
import { supersedeCases } from './store/supersede.js'
import { textCases } from './store/text.js'
import { tokenCases } from './store/tokens.js'
import { usageCases } from './store/usage.js'
import { usageFoldCases } from './store/usage-folds.js'
import { usageListCases } from './store/usage-lists.js'
import { usageLifeCases } from './store/usage-lives.js'
import { usageRaceCases } from './store/usage-races.js'
import { usageRowCases } from './store/usage-rows.js'
import { writeRaceCases } from './store/write-races.js'

/** A test runner, and functions that create stores. */
export interface StoreContractOptions {
  /** The runner's `describe`. */
  readonly describe: (name: string, body: () => void) => unknown
  /**
   * The runner's `it` or `test`, which must await the promise. If its context has a `skip`, as in node:test and vitest,
   * the cases of an optional part that the store lacks are skipped with a reason.
   */
  readonly it: (name: string, body: (...context: unknown[]) => Promise<void>) => unknown
  /**
   * Creates a new store, isolated from every other and not yet opened. Called for each case, which opens and closes it.
   */
  readonly createStore: () => Promise<Store>
  /**
   * Creates a second, independent adapter instance over the same data, not yet opened, like one in another connection
   * or process. The cases then also test visibility and races across two instances. Required for a durable store.
   * Default: one instance only.
   */
  readonly createTwin?: (store: Store) => Promise<Store>
  /** Removes what `createStore` created, after the store is closed. Default: nothing. */
  readonly destroyStore?: (store: Store) => Promise<void>
}

const AREAS: Readonly<Record<string, readonly StoreCase[]>> = {
  lifecycle: lifecycleCases,
  tokens: tokenCases,
  lists: [...listCases, ...pageCases, ...inventoryCases],
  details: detailCases,
  limits: limitCases,
  succession: [...successionCases, ...refusalCases],
  supersede: supersedeCases,
  revocation: [...revocationCases, ...successorCases],
  changes: changeCases,
  keys: keyCases,
  usage: usageCases,
  purge: purgeCases,
  text: textCases,
  races: [...raceCases, ...revokeRaceCases, ...writeRaceCases],
  crashes: crashCases,
  'the optional part for usage': [
    ...usageRowCases,
    ...usageListCases,
    ...usageFoldCases,
    ...usageLifeCases,
    ...usageRaceCases,
  ],
  'the optional part for restrictions': [...restrictionCases, ...restrictionChangeCases],
  'the optional part for the audit': auditCases,
}

/**
 * Registers the cases that every store must pass, one or more for each sentence of the contract. Needs no server, no
 * sleeps and no particular runner.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { memoryStore } from 'watchword/store/memory'
 * import { storeContract } from 'watchword/testkit'
 *
 * storeContract({ describe, it, createStore: async () => memoryStore() })
 * ```
 */
export function storeContract(options: StoreContractOptions): void {
  const { describe, it, createTwin } = checkedOptions(options, 'createStore')
  describe('the store contract', () => {
    for (const [area, cases] of Object.entries(AREAS)) {
      describe(area, () => {
        for (const storeCase of cases) {
          const { rule, title, across } = storeCase
          const test = (name: string, twin?: StoreContractOptions['createTwin']) =>
            it(name, async (...context) => {
              const lacking = await runCase(options, storeCase, twin)
              if (lacking !== undefined) skip(context, lacking)
            })
          if (across !== 'only') test(`${rule}: ${title}`)
          if (across !== undefined && createTwin !== undefined) {
            test(`${rule}: ${title}, across two instances`, createTwin)
          }
        }
      })
    }
    it('lifecycle.twin: a durable store is tested across two instances', async () => {
      await runCase(options, {
        rule: 'lifecycle.twin',
        title: '',
        async run({ store }) {
          holds(
            !store.supports.durable || createTwin !== undefined,
            'the store is durable: pass createTwin, or its cases prove nothing',
          )
        },
      })
    })
  })
}

function skip([context]: readonly unknown[], lacking: string): void {
  const runner = context as { skip?: (reason: string) => void } | undefined
  runner?.skip?.(`not applicable: the store has no ${lacking}`)
}

/** Runs one case. Resolves with an optional part that the case needs and the store lacks, if any. */
async function runCase(
  options: StoreContractOptions,
  { rule, title, needs, run }: StoreCase,
  createTwin?: StoreContractOptions['createTwin'],
): Promise<StoreCase['needs']> {
  const opened: Store[] = []
  const store = await options.createStore()
  const instance = async (): Promise<Store> => {
    const twin = await createTwin?.(store)
    if (twin === undefined) return store
    opened.push(twin)
    await twin.open()
    return twin
  }
  const lacking = needs !== undefined && store[needs] === undefined ? needs : undefined
  try {
    opened.push(store)
    await store.open()
    if (lacking === undefined) {
      const other = await instance()
      await run({ store, other, reopen: instance, make: fixtures(rule + title) })
    }
  } catch (error) {
    // The reported error must name the rule, so an error while closing must not replace it.
    await closeAll(options, opened).catch(() => undefined)
    throw named(rule, error)
  }
  await closeAll(options, opened)
  return lacking
}

async function closeAll(options: StoreContractOptions, opened: readonly Store[]): Promise<void> {
  const results = await Promise.allSettled(opened.map((store) => store.close()))
  const [store] = opened
  if (store !== undefined) await options.destroyStore?.(store)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
