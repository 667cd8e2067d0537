/**
 * Replacing the details of a token.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { describe } from '../lib/quote.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import type { AuditDraft } from '../observe/audit/trail.js'
import { corruptRow, readToken, readTokens } from '../store/checked.js'
import type { TokenRecord } from '../store/store.js'
import { isUlid } from '../token/claims.js'
import type { Core } from './core.js'
import {
  assertRequired,
  changedDetails,
  DETAILS_ATTEMPTS,
  type Details,
  detail,
  detailsContended,
} from './details.js'
import type { TokenInfo } from './inputs.js'
import { editedRows, tampered } from './integrity.js'
import { infoOf } from './list.js'

const patchSchema = strict(
  {
    label: optional(z.nullable(detail('label'))),
    owner: optional(z.nullable(detail('owner'))),
    purpose: optional(z.nullable(detail('purpose'))),
  },
  'expected an object with label, owner or purpose',
)

const optionsSchema = strict(
  { actor: z.custom<string>((value) => isName(value, 256), 'expected 1 to 256 characters') },
  'expected an object with actor',
)

interface Update {
  readonly patch: Partial<Details>
  readonly actor: string
  /** Whether the caller named this token, as opposed to one of its predecessors. */
  readonly isNamed: boolean
}

/** Replaces the details of a token and of its successors, which were issued with those of the token. */
export async function updateToken(
  core: Core,
  id: unknown,
  details: unknown,
  options: unknown,
): Promise<TokenInfo> {
  const patch = parseInput(patchSchema, details, 'details')
  const { actor } = parseInput(optionsSchema, options, 'options')
  if (Object.keys(patch).length === 0) {
    throw invalidArgument('details', 'expected at least one of label, owner and purpose')
  }
  if (!isUlid(id))
    throw invalidArgument('id', `expected a ULID, such as issued.id, got ${shown(id)}`)
  const named = await updateNamed(core, id, { patch, actor, isNamed: true })
  for (let pass = 0; pass < DETAILS_ATTEMPTS; pass++)
    if (!(await updateSuccessors(core, named, { patch, actor, isNamed: false })))
      return infoOf(named)
  throw detailsContended(id)
}

const shown = (id: unknown): string =>
  typeof id === 'object' && id !== null && 'id' in id
    ? 'an object: pass its field id'
    : describe(id)

/** Replaces the details of the named token. Resolves with its record as it is afterwards. */
async function updateNamed(core: Core, id: string, update: Update): Promise<TokenRecord> {
  const found = await recordOf(core, id)
  const updated = found && (await updateOne(core, found, update))
  const record = updated?.isChanged ? await recordOf(core, id) : updated?.record
  if (record !== undefined) return record
  throw new WatchwordError(
    'ERR_TOKEN_UNKNOWN',
    `the store has no record of a token with the id ${id}`,
  )
}

function recordOf(core: Core, id: string): Promise<TokenRecord | undefined> {
  return core.callStore(() => readToken(core.store, id))
}

const PAGE = 500

/**
 * Replaces the details of every later token of the family. Resolves with whether it changed any. The rows name each
 * other's successors, but no tag covers those names, and a row between two tokens may have been purged.
 */
async function updateSuccessors(
  core: Core,
  { family, generation }: TokenRecord,
  update: Update,
): Promise<boolean> {
  let isChanged = false
  let after: string | undefined
  for (;;) {
    const page = after === undefined ? { limit: PAGE } : { limit: PAGE, after }
    const rows = await core.callStore(() => readTokens(core.store, { family }, page))
    for (const { id, record } of rows) {
      if (record === undefined) throw corruptRow('token', id)
      if (record.generation <= generation) continue
      const updated = await updateOne(core, record, update)
      isChanged ||= updated?.isChanged === true
    }
    after = rows.at(-1)?.id
    if (rows.length < PAGE || after === undefined) return isChanged
  }
}

interface Updated {
  /** The record from which the change was made. */
  readonly record: TokenRecord
  readonly isChanged: boolean
}

/**
 * Replaces the details of one record, which is read again only if they changed since it was read. Resolves with
 * `undefined` if it was purged by then.
 */
async function updateOne(
  core: Core,
  found: TokenRecord,
  { patch, actor, isNamed }: Update,
): Promise<Updated | undefined> {
  let record = found
  for (let attempt = 0; attempt < DETAILS_ATTEMPTS; attempt++) {
    const { id, detailsTag: before } = record
    if ((await editedRows(core, [record])).size > 0) throw tampered(core, record)
    const next: TokenRecord = { ...record, ...patch }
    const policy = core.options.policies.get(record.policy)
    if (policy !== undefined && isNamed) assertRequired(policy, next)
    const changes = changedDetails(record, next)
    if (Object.keys(changes).length === 0) return { record, isChanged: false }
    const { label, owner, purpose } = next
    const detailsTag = core.tagger.ofDetails(next)
    const event = updatedEvent(core, actor, record, changes)
    const details = { label, owner, purpose, detailsTag }
    const isDone = await core.callStore(
      () => core.store.updateDetails(id, before, details, event.rows),
      'updateDetails',
    )
    if (isDone) {
      core.trail.written(event)
      return { record, isChanged: true }
    }
    const current = await recordOf(core, id)
    if (current === undefined) return undefined
    record = current
  }
  throw detailsContended(found.id)
}

function updatedEvent(
  core: Core,
  actor: string,
  { id, subject, audience, policy, family }: TokenRecord,
  changes: Partial<Details>,
): AuditDraft {
  return core.trail.draft({
    action: 'token.updated',
    actor,
    id,
    subject,
    audience,
    policy,
    family,
    ...changes,
  })
}
