/**
 * What is wrong with one live token.
 *
 * A token is called unused only if every node's use is recorded for the whole interval. Otherwise the finding is
 * `unknown`, and names what is missing.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import type { Limits } from '../policy/limits.js'
import { type Policy, rotateAtOf } from '../policy/policy.js'
import { covers } from '../policy/scopes.js'
import type { TokenInfo } from '../verbs/inputs.js'
import { date, days, interval, minute } from './text.js'
import type { Coverage, Finding, FindingKind, Interval, Risk } from './types.js'
import { gapWithin, type TokenUse } from './use.js'

// A new token gets this long to be deployed before it counts as unused.
const NEW_MS = 7 * DAY

/** How urgent each kind of finding is. */
export const RISKS: Readonly<Record<FindingKind, Risk>> = {
  never_used: 'high',
  idle: 'high',
  over_scoped: 'medium',
  long_lived: 'medium',
  overdue_rotation: 'medium',
  too_many: 'medium',
  old_policy: 'medium',
  old_key: 'low',
  restricted: 'low',
  no_owner: 'low',
  unknown: 'low',
}

/** The facts of which tokens are judged. */
export interface Facts {
  readonly window: Interval
  readonly coverage: Coverage
  readonly longLivedMs: number
  readonly policy: (name: string) => Policy | undefined
  /** How many times the key with this id was replaced since; `undefined` if the key is not known. */
  readonly replaced: (keyId: string) => number | undefined
  /** What restricts the token at present. */
  readonly limits: (token: TokenInfo) => Limits | undefined
}

/** Makes a finding about a token. */
export function finding(
  kind: FindingKind,
  { id, subject, policy, owner }: Pick<TokenInfo, 'id' | 'subject' | 'policy' | 'owner'>,
  evidence: string,
  remedy: string,
): Finding {
  return { kind, risk: RISKS[kind], id, subject, policy, owner, evidence, remedy }
}

/** Every finding about one live token. */
export function judge(use: TokenUse, facts: Facts): readonly Finding[] {
  const { token } = use
  const found = [
    unused(use, facts),
    overScoped(use, facts),
    longLived(token, facts),
    overdue(token, facts),
    oldPolicy(token, facts),
    oldKey(token, facts),
    restricted(token, facts),
    token.owner === null
      ? finding('no_owner', token, 'no owner is recorded', 'set one with tokens.update')
      : undefined,
  ]
  return found.filter((each) => each !== undefined)
}

/** The part of the window in which the token existed. */
const lifeWithin = ({ issuedAt }: TokenInfo, { from, to }: Interval): Interval => ({
  from: Math.max(from, issuedAt),
  to,
})

/** Whether a token is too new to be judged by its use. */
const isNew = (life: Interval, window: Interval): boolean =>
  life.to - life.from < Math.min(NEW_MS, window.to - window.from)

function unused(use: TokenUse, { window, coverage }: Facts): Finding | undefined {
  const { token } = use
  if (use.lastUsedAt !== null && use.lastUsedAt >= window.from) return undefined
  const life = lifeWithin(token, window)
  if (isNew(life, window)) return undefined
  if (!coverage.kept)
    return finding(
      'unknown',
      token,
      'no use is reported, and the store does not keep usage',
      'use a store that keeps usage',
    )
  const gap = gapWithin(coverage, life)
  if (gap !== undefined) {
    const where = gap.node === null ? 'on any node' : `on node ${gap.node}`
    const evidence = `no use is recorded, but the use ${where} is not known ${interval(gap)}`
    return finding('unknown', token, evidence, 'look at the token again once the window is covered')
  }
  if (use.lastUsedAt === null && token.issuedAt >= window.from) {
    const evidence = `issued on ${date(token.issuedAt)} and never accepted until ${minute(window.to)}`
    return finding(
      'never_used',
      token,
      evidence,
      'revoke it, or ask its owner whether it was deployed',
    )
  }
  const since = use.lastUsedAt === null ? '' : `; last used on ${date(use.lastUsedAt)}`
  const evidence = `not accepted within ${days(window.to - window.from)}${since}`
  return finding('idle', token, evidence, 'ask its owner, and revoke it')
}

function overScoped(use: TokenUse, { window, coverage }: Facts) {
  const { token } = use
  if (use.requests === 0 || !coverage.kept) return undefined
  const life = lifeWithin(token, window)
  if (isNew(life, window)) return undefined
  if (gapWithin(coverage, life) !== undefined) return undefined
  const unneeded = unneededOf(token.scopes, [...use.scopes.keys()])
  if (unneeded.length === 0) return undefined
  const evidence = `no request required ${unneeded.join(', ')} within ${days(life.to - life.from)}`
  return finding('over_scoped', token, evidence, 'rotate it with fewer scopes; see minimise')
}

/** The granted scopes that cover none of the required ones. */
function unneededOf(granted: readonly string[], exercised: readonly string[]): string[] {
  return granted.filter((scope) => !exercised.some((used) => covers(scope, used)))
}

function longLived(token: TokenInfo, { longLivedMs }: Facts): Finding | undefined {
  const ms = token.expiresAt - token.issuedAt
  if (ms <= longLivedMs) return undefined
  const remedy = 'give its policy a shorter ttl, and rotate it'
  return finding('long_lived', token, `valid for ${days(ms)}`, remedy)
}

function overdue(token: TokenInfo, { policy, window }: Facts): Finding | undefined {
  if (!token.rotatable || token.successor !== null) return undefined
  const at = rotateAtOf(policy(token.policy), token.issuedAt, token.expiresAt)
  if (window.to < at) return undefined
  const evidence = `due for rotation since ${date(at)}, expires on ${date(token.expiresAt)}`
  return finding('overdue_rotation', token, evidence, 'rotate it, or let its holder rotate it')
}

function oldPolicy(token: TokenInfo, { policy }: Facts): Finding | undefined {
  const current = policy(token.policy)
  if (current === undefined)
    return finding(
      'old_policy',
      token,
      'this authority has no policy of that name',
      'add the policy to the options, or revoke the token',
    )
  if (token.policyVersion >= current.version) return undefined
  const evidence = `has version ${token.policyVersion} of its policy; the current one is ${current.version}`
  return finding('old_policy', token, evidence, 'rotate it: the successor has the current version')
}

function oldKey(token: TokenInfo, { replaced }: Facts): Finding | undefined {
  const times = replaced(token.keyId)
  if (times === undefined || times < 2) return undefined
  const evidence = `its key was replaced ${times} times since`
  return finding('old_key', token, evidence, 'rotate it: the successor has the current key')
}

function restricted(token: TokenInfo, { limits }: Facts): Finding | undefined {
  const found = limits(token)
  if (found === undefined) return undefined
  const end = found.until === Number.POSITIVE_INFINITY ? '' : ` until ${minute(found.until)}`
  const isEnforced = found.to.length + found.deny.length > 0
  const evidence = found.suspended
    ? 'suspended'
    : isEnforced
      ? 'its scopes are restricted'
      : 'a restriction is on trial'
  return finding('restricted', token, evidence + end, 'decide: restore it, or revoke it')
}
