/**
 * The checker: reads the whole state and every history, and returns every inconsistency.
 */
import type { Revocation, Store, TokenRecord } from 'watchword/store'
import type { Act } from './history.js'
import { LIMITED, limitedSubject } from './orders.js'

const PAGE = 500

/** The complete state of a store. */
export interface State {
  readonly tokens: ReadonlyMap<string, TokenRecord>
  readonly revocations: readonly Revocation[]
}

/** Reads the complete state, page by page. */
export async function readState(store: Store): Promise<State> {
  const tokens = new Map<string, TokenRecord>()
  const revocations: Revocation[] = []
  for (let after: string | undefined; ; ) {
    const page = await store.listTokens(
      {},
      after === undefined ? { limit: PAGE } : { limit: PAGE, after },
    )
    for (const record of page) tokens.set(record.id, record)
    if (page.length < PAGE) break
    after = page.at(-1)?.id
  }
  for (let after: string | undefined; ; ) {
    const page = await store.listRevocations(
      after === undefined ? { limit: PAGE } : { limit: PAGE, after },
    )
    revocations.push(...page)
    if (page.length < PAGE) break
    after = page.at(-1)?.id
  }
  return { tokens, revocations }
}

/** Every inconsistency between the state and the histories; empty if there is none. */
export function faultsOf(state: State, acts: readonly Act[], now: number): string[] {
  return [
    ...lostTokens(state, acts),
    ...forkedRotations(state, acts),
    ...brokenChains(state),
    ...exceededLimits(state, now),
    ...undoneRevocations(state, acts),
  ]
}

function lostTokens({ tokens }: State, acts: readonly Act[]): string[] {
  return acts.flatMap((act) => {
    const id = act.act === 'issued' ? act.id : act.act === 'rotated' ? act.to : undefined
    return id === undefined || tokens.has(id) ? [] : [`${act.act} token ${id} is lost`]
  })
}

function forkedRotations({ tokens }: State, acts: readonly Act[]): string[] {
  return acts.flatMap((act) =>
    act.act === 'rotated' && tokens.get(act.from)?.successor !== act.to
      ? [`${act.from} was rotated to ${act.to}, the store says ${tokens.get(act.from)?.successor}`]
      : [],
  )
}

function brokenChains({ tokens }: State): string[] {
  const faults: string[] = []
  for (const { id, predecessor, successor, generation, family } of tokens.values()) {
    const before = predecessor === null ? undefined : tokens.get(predecessor)
    if (predecessor !== null && before?.successor !== id) faults.push(`${id} is an orphan`)
    if (
      before !== undefined &&
      (before.generation + 1 !== generation || before.family !== family)
    ) {
      faults.push(`${id} does not continue its predecessor`)
    }
    if (successor !== null && tokens.get(successor)?.predecessor !== id) {
      faults.push(`${id} points to ${successor}, which does not point back`)
    }
  }
  return faults
}

function exceededLimits({ tokens }: State, now: number): string[] {
  const held = new Map<string, number>()
  for (const { subject, policy, revokedAt, expiresAt, successor } of tokens.values()) {
    if (policy !== 'limited' || revokedAt !== null || expiresAt <= now || successor !== null)
      continue
    held.set(subject, (held.get(subject) ?? 0) + 1)
  }
  const faults: string[] = []
  for (let n = 0; n < LIMITED.subjects; n++) {
    const count = held.get(limitedSubject(n)) ?? 0
    // These tokens are never revoked and never expire, so the workers must have reached the limit.
    if (count !== LIMITED.max)
      faults.push(`${limitedSubject(n)} holds ${count}, not ${LIMITED.max}`)
  }
  return faults
}

function undoneRevocations({ tokens, revocations }: State, acts: readonly Act[]): string[] {
  const faults: string[] = []
  const kept = new Set(revocations.map(({ kind, value }) => `${kind} ${value}`))
  for (const act of acts) {
    if (act.act === 'revoked' && !kept.has(`${act.kind} ${act.value}`)) {
      faults.push(`the revocation of ${act.kind} ${act.value} is lost`)
    }
  }
  for (const record of tokens.values()) {
    if (record.revokedAt !== null) continue
    const killer = revocations.find((revocation) => isCoveredBy(record, revocation))
    if (killer !== undefined)
      faults.push(`${record.id} is not revoked in spite of ${killer.kind} ${killer.value}`)
  }
  return faults
}

// How long an insertion may be in flight: the timeout of the workers' calls plus a margin.
const IN_FLIGHT_MS = 6000

// A first token that is issued during a revocation of its subject may be inserted unmarked. The watermark revokes it,
// and it cannot be rotated. Tokens that existed before, and their successors, must be marked.
function isCoveredBy(record: TokenRecord, { kind, value, before, at }: Revocation): boolean {
  if (kind === 'token') return record.id === value
  if (kind === 'family') return record.family === value
  if (kind !== 'subject' || record.subject !== value || record.familyIssuedAt > before) return false
  return record.generation > 0 || record.issuedAt < at - IN_FLIGHT_MS
}
