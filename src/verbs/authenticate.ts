/**
 * Authentication: verify, plus the I/O needed when verify alone cannot decide.
 *
 * @module
 */

import { hintAtMistake } from '../lib/warn.js'
import type { RequestContext } from '../observe/channels.js'
import { isTraced, type OperationResult, traced } from '../observe/operations.js'
import { readToken } from '../store/checked.js'
import type { Rejected, Requirement, VerifyResult } from '../types.js'
import { type Core, lookUpKeyOf } from './core.js'
import { type Direct, registerDirect } from './direct.js'
import type { Entry } from './entry.js'
import { assertClaims, editedRows, tampered } from './integrity.js'
import { REJECTED } from './rejections.js'
import { CompiledRequirement, compileRequirement, NO_REQUIREMENT } from './requirement.js'
import { isAcceptedStale } from './verify.js'

/** The decision, and its subject: the authenticated token, or the reason for the rejection. */
interface Decision {
  readonly found: Entry | Rejected
  readonly result: VerifyResult<unknown>
}

/** Creates `Watchword.authenticate`, with the direct path used by the middleware. */
export function authenticator(core: Core) {
  // Counts arguments, since an explicit `undefined` is a misspelt requirement, not a missing one.
  const authenticate = async (
    ...args: readonly [token: unknown, requirement?: unknown, context?: RequestContext]
  ): Promise<VerifyResult<unknown>> => {
    const [token, requirement, context] = args
    const needs = args.length < 2 ? NO_REQUIREMENT : needsOf(requirement)
    const result = check(core, { token, needs, context })
    // Not for a guard: there the mistake is a client's.
    if (result === REJECTED.malformed) hintAtMistake(token)
    return result
  }
  const direct: Direct<unknown> = {
    check: (token, needs, context) => check(core, { token, needs, context }),
    accepts: (needs) => needs instanceof CompiledRequirement,
    keepsCallers: core.verifier.keepsCallers,
    clock: core.clock,
    timeoutMs: core.options.timeoutMs,
    graceMs: (policy) => graceMsOf(core, policy),
  }
  registerDirect(authenticate, direct)
  return authenticate
}

function needsOf(requirement: unknown): CompiledRequirement {
  return requirement instanceof CompiledRequirement
    ? requirement
    : compileRequirement(requirement as Requirement)
}

interface Question {
  readonly token: unknown
  readonly needs: CompiledRequirement
  readonly context: RequestContext | undefined
}

/** Decides about a token: synchronously and without a promise if verify alone can decide. */
function check(
  core: Core,
  question: Question,
): VerifyResult<unknown> | Promise<VerifyResult<unknown>> {
  const decision = isTraced('authenticate')
    ? traced('authenticate', core, () => decide(core, question), operationResult)
    : decide(core, question)
  return decision instanceof Promise ? decision.then(resultOf) : decision.result
}

const resultOf = ({ result }: Decision) => result

function operationResult({ found, result }: Decision): OperationResult {
  const outcome = result.ok ? 'ok' : result.code
  if (!found.ok) return { outcome }
  const { id, family, generation, policy, audience } = found.principal
  return { outcome, id, family, generation, policy, audience }
}

function decide(core: Core, question: Question): Decision | Promise<Decision> {
  const decision = timedDecision(core, question)
  return core.state.closed || !isOccasion(decision)
    ? told(core, question, decision)
    : ask(core, question, decision).then((final) => told(core, question, final))
}

function timedDecision(core: Core, question: Question): Decision {
  const { observer } = core.probe
  if (observer === undefined) return decideNow(core, question)
  const began = observer.begin()
  const decision = decideNow(core, question)
  if (began > 0) observer.timed(began)
  return decision
}

// Published once, for the final decision: a provisional result is not a decision.
function told({ verifier }: Core, { needs, context }: Question, decision: Decision): Decision {
  verifier.tell(decision.found, decision.result, needs, context)
  return decision
}

async function ask(core: Core, question: Question, decision: Decision): Promise<Decision> {
  const { found, result } = isUnknownKey(decision.result)
    ? await lookAgain(core, question)
    : decision
  if (!found.ok || !isStale({ found, result })) return { found, result }
  const { needs } = question
  if (needs.fromStore) return { found, result: await askStore(core, found, needs) }
  await core.follower.confirm()
  return { found, result: core.verifier.decide(found, needs) }
}

function decideNow({ verifier }: Core, { token, needs }: Question): Decision {
  const found = verifier.find(token, needs.binding)
  return { found, result: found.ok ? verifier.decide(found, needs) : found }
}

const isUnknownKey = (result: VerifyResult<unknown>) => !result.ok && result.code === 'unknown_key'

// A token accepted only because of `onStale` is also rechecked.
const isStale = ({ found, result }: Decision) =>
  result.ok ? found.ok && isAcceptedStale(result) : result.code === 'stale'

const isOccasion = (decision: Decision) => isUnknownKey(decision.result) || isStale(decision)

// Rejects in an outage: the token may be valid, and its client must not discard it.
async function lookAgain(core: Core, question: Question): Promise<Decision> {
  await lookUpKeyOf(core, question.token)
  return decideNow(core, question)
}

/** Checks one token against the store, after all other checks have passed. */
async function askStore(
  core: Core,
  entry: Entry,
  needs: CompiledRequirement,
): Promise<VerifyResult<unknown>> {
  const { verifier, store, callStore, clock } = core
  const record = await callStore(() => readToken(store, entry.principal.id))
  if (record === undefined || record.revokedAt !== null) return REJECTED.revoked
  if (record.supersededAt !== null && clock.judged() >= record.supersededAt) {
    return REJECTED.superseded
  }
  // An edited row says nothing about this token, and its original content is lost.
  assertClaims(core, record, entry.principal)
  if ((await editedRows(core, [record], 'without details')).size > 0) throw tampered(core, record)
  // A restriction of a predecessor, of the family, the subject or the audience is in rows of their own.
  if (store.restrictions !== undefined) await core.follower.readStore()
  return verifier.decide(entry, needs, true)
}

function graceMsOf({ options }: Core, name: string): number {
  const policy = options.policies.get(name)
  if (policy === undefined) return 0
  return policy.retireOn === 'first-use' ? Number.POSITIVE_INFINITY : policy.graceMs
}
