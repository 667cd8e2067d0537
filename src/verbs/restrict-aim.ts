/**
 * The target of a restriction.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { has } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import type { RestrictedDescent } from '../revocation/index/entries.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { readToken } from '../store/checked.js'
import type { RestrictionTarget } from '../store/restrictions.js'
import type { TokenRecord } from '../store/store.js'
import { aimAt, parseTarget, type Target } from './aim.js'
import type { Core } from './core.js'

/** The register of a target. */
export interface RestrictionAim {
  readonly target: RestrictionTarget
  /** For a token: its position in its family, if that is known for certain. */
  readonly descent: RestrictedDescent | null
  /** When the last token that it can cover has expired. */
  readonly endsAt: number
}

/** The register of the freeze. */
export const FREEZE: RestrictionAim = {
  target: { kind: 'freeze', value: '' },
  descent: null,
  endsAt: MAX_TIME,
}

/** Validates a target. Throws `ERR_INVALID_ARGUMENT`. */
export function parseRestrictTarget(raw: unknown): Target {
  const target = parseTarget(raw)
  if (!has(target, 'key') && !has(target, 'all')) return target
  throw invalidArgument(
    'target',
    'expected exactly one of { token }, { id }, { family }, { subject } and { audience }; a key can only be revoked',
  )
}

/** Resolves a target. Rejects with `ERR_TOKEN_REJECTED` for a token that is not authentic. */
export async function restrictionAim(
  core: Core,
  target: Target,
  binding: string,
): Promise<RestrictionAim> {
  if (has(target, 'subject')) return open('subject', target.subject)
  if (has(target, 'audience')) return open('audience', target.audience)
  if (has(target, 'family')) {
    const { family: value } = target
    return { ...open('family', value), endsAt: endOf(await intactRecord(core, value)) }
  }
  const { value, descent } = await aimAt(core, target, binding)
  const record = await intactRecord(core, value)
  const from = record ?? descent
  return {
    target: { kind: 'token', value },
    descent: from === undefined ? null : { family: from.family, generation: from.generation },
    endsAt: endOf(record),
  }
}

// Tokens that are issued later are covered as well.
const open = (kind: 'subject' | 'audience' | 'family', value: string): RestrictionAim => ({
  target: { kind, value },
  descent: null,
  endsAt: MAX_TIME,
})

function endOf(record: TokenRecord | undefined): number {
  if (record === undefined) return MAX_TIME
  return Math.min(Math.max(record.expiresAt, record.familyExpiresAt) + MAX_SKEW_MS, MAX_TIME)
}

/** The record of a token, if it is proved to be unmodified. */
async function intactRecord(core: Core, id: string): Promise<TokenRecord | undefined> {
  const record = await core.callStore(() => readToken(core.store, id))
  const isIntact = record !== undefined && (await core.tagger.checkRecord(record)) === 'intact'
  return isIntact ? record : undefined
}
