/**
 * The search for the newest successor of a token, in the store.
 *
 * @module
 */
import { rotateAtOf } from '../policy/policy.js'
import { intersectScopes } from '../policy/scopes.js'
import { readToken } from '../store/checked.js'
import type { TokenRecord } from '../store/store.js'
import type { Verified } from '../types.js'
import type { Core } from './core.js'

/** The maximum number of searches at the same time. */
const MAX_SEARCHES = 16

type Search = (
  principal: Verified<unknown>,
  onBegin: () => void,
) => Promise<Verified<unknown> | undefined>

/** A search that several callers wait for. */
interface Shared {
  readonly result: Promise<Verified<unknown> | undefined>
  /** What to call when it begins; empty once it has. */
  readonly waiting: (() => void)[]
  readonly hasBegun: () => boolean
}

/**
 * Creates the search. It resolves with the principal of the newest successor, or with `undefined` if the token has none
 * or a row on the way was edited. It rejects like the store. Calls for one token share a search.
 */
export function successorSearch(core: Core): Search {
  const turns = new Turns(MAX_SEARCHES)
  const searches = new Map<string, Shared>()
  const begin = (principal: Verified<unknown>): Shared => {
    const waiting: (() => void)[] = []
    let hasBegun = false
    const result = turns
      .take(() => {
        hasBegun = true
        for (const onBegin of waiting.splice(0)) onBegin()
        return newestOf(core, principal)
      })
      .finally(() => searches.delete(principal.id))
    const shared = { result, waiting, hasBegun: () => hasBegun }
    searches.set(principal.id, shared)
    return shared
  }
  return (principal, onBegin) => {
    const { result, waiting, hasBegun } = searches.get(principal.id) ?? begin(principal)
    if (hasBegun()) onBegin()
    else waiting.push(onBegin)
    return result
  }
}

/** Runs a bounded number of tasks at a time, in the order in which they came. */
class Turns {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

async function newestOf(
  core: Core,
  principal: Verified<unknown>,
): Promise<Verified<unknown> | undefined> {
  let newest: TokenRecord | undefined
  let next: string | null = principal.id
  while (next !== null) {
    const id: string = next
    const record = await core.callStore(() => readToken(core.store, id))
    // An edited row could name a token of another family.
    if (record === undefined || (await core.tagger.checkRecord(record)) !== 'intact')
      return undefined
    const { family, generation } = record
    if (family !== principal.family || generation <= (newest?.generation ?? -1)) return undefined
    newest = record
    next = record.successor
  }
  if (newest === undefined || newest.id === principal.id) return undefined
  await core.keyring.lookUp(newest.keyId)
  return principalOf(core, newest, principal)
}

function principalOf(
  { options }: Core,
  record: TokenRecord,
  { claims }: Verified<unknown>,
): Verified<unknown> {
  const { id, subject, audience, family, generation, issuedAt, expiresAt, keyId } = record
  const policy = options.policies.get(record.policy)
  return Object.freeze({
    ok: true,
    id,
    subject,
    audience,
    scopes: policy === undefined ? record.scopes : intersectScopes(record.scopes, policy.scopes),
    policy: record.policy,
    family,
    generation,
    issuedAt,
    expiresAt,
    rotateAt: rotateAtOf(policy, issuedAt, expiresAt),
    keyId,
    claims,
  })
}
