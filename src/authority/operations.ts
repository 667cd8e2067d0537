/**
 * The verbs that do I/O, each published on its tracing channel.
 *
 * @module
 */
import { type OperationResult, traced } from '../observe/operations.js'
import type { RevokePreview, RevokeReceipt } from '../verbs/inputs.js'
import { issue, issueMany } from '../verbs/issue.js'
import type { IssuedToken } from '../verbs/issued-token.js'
import { freeze, restore, restrict, suspend, unfreeze } from '../verbs/restrict.js'
import type { RestrictReceipt } from '../verbs/restrict-inputs.js'
import { revoke } from '../verbs/revoke.js'
import { previewRevocation } from '../verbs/revoke-preview.js'
import { rotate } from '../verbs/rotate.js'
import type { Parts } from './parts.js'
import { given, type Refusals } from './refusals.js'

/** `issue`, `issueMany`, `rotate` and `revoke` of one authority. */
export function operationsOf(parts: Parts, refusals: Refusals) {
  const revokeNow = (target: unknown, options: unknown): Promise<RevokeReceipt> =>
    refusals.follow(
      'revoke',
      () => traceRevoke(parts, target, options),
      // Not the token: a refused one may be valid elsewhere.
      () => ({ actor: given(options, 'actor'), id: given(target, 'id') }),
    )
  type Restriction = (core: Parts, target: unknown, options: unknown) => Promise<RestrictReceipt>
  const restricting =
    (name: string, verb: Restriction) =>
    (target: unknown, options: unknown): Promise<RestrictReceipt> =>
      refusals.follow(
        name,
        () => verb(parts, target, options),
        () => ({ actor: given(options, 'actor'), id: given(target, 'id') }),
      )
  return {
    suspend: restricting('suspend', suspend),
    restrict: restricting('restrict', restrict),
    restore: restricting('restore', restore),
    freeze: restricting('freeze', freeze),
    unfreeze: (options: unknown) =>
      restricting('unfreeze', (core, _, given) => unfreeze(core, given))(undefined, options),
    /** For `keys`, which reports its refusals itself. */
    revokeKey: (id: string, options: unknown) => traceRevoke(parts, { key: id }, options),
    issue: (input: unknown): Promise<IssuedToken> =>
      refusals.follow(
        'issue',
        () => traced('issue', parts, () => issue(parts, input), ofIssued),
        () => ofInput(input),
      ),
    issueMany: (inputs: unknown): Promise<readonly IssuedToken[]> =>
      refusals.follow(
        'issueMany',
        () => traced('issue', parts, () => issueMany(parts, inputs), ofBatch),
        () => ofInput(given(inputs, '0')),
      ),
    rotate: (token: unknown, options: unknown): Promise<IssuedToken> =>
      traced('rotate', parts, () => rotate(parts, token, options), ofIssued),
    // A dry run changes nothing, so neither the tracing channel nor the audit has it.
    revokeOrPreview: (target: unknown, options: unknown): Promise<RevokeReceipt | RevokePreview> =>
      isDryRun(options)
        ? previewRevocation(parts, parts.usage?.own, target, options)
        : revokeNow(target, options),
  }
}

// A getter that throws is reported by the revocation itself.
function isDryRun(options: unknown): boolean {
  try {
    return given(options, 'dryRun') === true
  } catch {
    return false
  }
}

/** Revokes, published on the tracing channel. */
function traceRevoke(parts: Parts, target: unknown, options: unknown): Promise<RevokeReceipt> {
  return traced('revoke', parts, () => revoke(parts, target, options), ofReceipt)
}

const ofInput = (input: unknown) => ({
  actor: given(input, 'actor'),
  subject: given(input, 'subject'),
  policy: given(input, 'policy'),
  audience: given(input, 'audience'),
})

const ofIssued = ({ id, family, generation, policy, audience }: IssuedToken): OperationResult => ({
  id,
  family,
  generation,
  policy,
  audience,
})

const ofBatch = ({ length: count }: readonly IssuedToken[]): OperationResult => ({ count })

const ofReceipt = ({ kind, matched }: RevokeReceipt): OperationResult => ({
  target: kind,
  count: matched,
})
