/**
 * Restrictions for operators: what is suspended, restricted or frozen.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { isName } from '../lib/name.js'
import { DEFAULT_LIMIT, pageShape } from '../lib/query.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { readState } from '../policy/restriction.js'
import { isSameRevision } from '../revocation/index/register-entry.js'
import { RESTRICTION_KINDS } from '../revocation/log/event-layout.js'
import { listRestrictions, readRestriction } from '../store/checked-restrictions.js'
import { restrictionName } from '../store/restriction-schema.js'
import type { RestrictionKind, RestrictionRecord } from '../store/restrictions.js'
import type { Core } from './core.js'
import { restrictionsOf } from './register-write.js'
import { parseRestrictTarget, restrictionAim } from './restrict-aim.js'
import type { RestrictionInfo, RestrictionInfoPage } from './restrict-inputs.js'

const querySchema = strict(
  {
    limit: pageShape.limit,
    after: optional(
      strict(
        {
          kind: z.custom<RestrictionKind>(
            (value) => RESTRICTION_KINDS.includes(value as RestrictionKind),
            `expected one of ${RESTRICTION_KINDS.join(', ')}`,
          ),
          value: z.custom<string>(
            (value) => value === '' || isName(value, 1024),
            'expected at most 1024 characters',
          ),
        },
        'expected the `next` of a page',
      ),
    ),
  },
  'expected an object',
)

/** What restricts a target. Rejects with `ERR_STORE_CORRUPT` for an edited row. */
export async function getRestriction(
  core: Core,
  raw: unknown,
): Promise<RestrictionInfo | undefined> {
  const part = restrictionsOf(core)
  const { target } = await restrictionAim(core, parseRestrictTarget(raw), '')
  const row = await core.callStore(() => readRestriction(part, target))
  if (row === undefined) return undefined
  const info = await infoOf(core, row)
  if (info !== undefined) return isInForce(info, core.clock.now()) ? info : undefined
  throw new WatchwordError(
    'ERR_STORE_CORRUPT',
    'the row of the restriction does not match its integrity tag; this node restores it from the log within an hour, or restrict or restore the target again',
    { detail: `restriction ${restrictionName(target)}` },
  )
}

/** A page of restrictions. */
export async function listRestrictionInfos(core: Core, raw: unknown): Promise<RestrictionInfoPage> {
  const part = restrictionsOf(core)
  const { limit = DEFAULT_LIMIT, after } = parseInput(querySchema, raw)
  // One extra row shows whether there is a next page.
  const page = { limit: limit + 1, ...(after === undefined ? {} : { after }) }
  const rows = await core.callStore(() => listRestrictions(part, page))
  const shown = rows.slice(0, limit)
  const items: RestrictionInfo[] = []
  const corrupt: string[] = []
  const now = core.clock.now()
  for (const { id, record } of shown) {
    const info = record && (await infoOf(core, record))
    if (info === undefined) corrupt.push(id)
    else if (isInForce(info, now)) items.push(info)
  }
  const last = shown.at(-1)?.target
  return {
    items,
    ...(rows.length > limit && last !== undefined ? { next: last } : {}),
    ...(corrupt.length > 0 ? { corrupt } : {}),
  }
}

/** `undefined` for a row that was edited. */
async function infoOf(core: Core, row: RestrictionRecord): Promise<RestrictionInfo | undefined> {
  const known = core.index.registers.get(row)
  const isProved = known !== undefined && isSameRevision(row, known)
  if (!isProved && (await core.tagger.checkRestriction(row)) === 'tampered') return undefined
  const { kind, value, revision, at, actor, reason } = row
  // A state of a newer version suspends.
  const state = readState(row.state) ?? { suspended: { until: null } }
  return { kind, value, revision, at, actor, reason, ...state }
}

function isInForce(info: RestrictionInfo, now: number): boolean {
  const { suspended, enforced, reported, issue, rotate } = info
  return [suspended, enforced, reported, issue, rotate].some(
    (part) => part !== undefined && (part.until === null || part.until > now),
  )
}
