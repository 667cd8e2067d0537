/**
 * Authenticating: verify, and the I/O that it takes when verify alone cannot know.
 *
 * @module
 */

import type { RequestContext } from '../observe/channels.js'
import { readToken } from '../store/checked.js'
import type { Rejected, Requirement, VerifyResult } from '../types.js'
import { type Core, lookUpKeyOf } from './core.js'
import { type Direct, registerDirect } from './direct.js'
import type { Entry } from './entry.js'
import { assertClaims, editedRows, tampered } from './integrity.js'
import { REJECTED } from './rejections.js'
import { CompiledRequirement, compileRequirement, NO_REQUIREMENT } from './requirement.js'

/** What was decided, and about what: who the token proved to be, or why it proved nothing. */
interface Decision {
  readonly found: Entry | Rejected
  readonly result: VerifyResult<unknown>
}

/** Makes `Watchword.authenticate`, with the direct way in that the middleware takes. */
export function authenticator(core: Core) {
  // Counted, since an explicit `undefined` is a misspelt requirement, and not the wish for none.
  const authenticate = async (
    ...args: readonly [token: unknown, requirement?: unknown, context?: RequestContext]
  ): Promise<VerifyResult<unknown>> => {
    const [token, requirement, context] = args
    const needs = args.length < 2 ? NO_REQUIREMENT : needsOf(requirement)
    return check(core, { token, needs, context })
  }
  const direct: Direct<unknown> = {
    check: (token, needs, context) => check(core, { token, needs, context }),
    accepts: (needs) => needs instanceof CompiledRequirement,
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

/** Decides about a token: at once when verify alone can know, and then without a promise. */
function check(
  core: Core,
  question: Question,
): VerifyResult<unknown> | Promise<VerifyResult<unknown>> {
  const decision = decideNow(core, question)
  return core.state.closed || !isOccasion(decision)
    ? told(core, question, decision)
    : ask(core, question, decision).then((final) => told(core, question, final))
}

// Told once, when it is final: what was only an occasion to ask is no decision.
function told(
  { verifier }: Core,
  { needs, context }: Question,
  { found, result }: Decision,
): VerifyResult<unknown> {
  verifier.tell(found, result, needs, context)
  return result
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

// What passes only because `onStale` lets it is an occasion to ask, too.
const isStale = ({ found, result }: Decision) =>
  result.ok ? found.ok && result !== found.principal : result.code === 'stale'

const isOccasion = (decision: Decision) => isUnknownKey(decision.result) || isStale(decision)

// Rejects in an outage: whether the token is good cannot be known then, and its client must not throw it away.
async function lookAgain(core: Core, question: Question): Promise<Decision> {
  await lookUpKeyOf(core, question.token)
  return decideNow(core, question)
}

/** Lets the store decide about one token, after everything else has passed. */
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
  // A row that was edited says nothing about this token, and what it was before, nobody knows.
  assertClaims(core, record, entry.principal)
  if ((await editedRows(core, [record])).size > 0) throw tampered(core, record)
  return verifier.decide(entry, needs, true)
}

function graceMsOf({ options }: Core, name: string): number {
  const policy = options.policies.get(name)
  if (policy === undefined) return 0
  return policy.retireOn === 'first-use' ? Number.POSITIVE_INFINITY : policy.graceMs
}
