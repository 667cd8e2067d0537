/**
 * The verbs that do I/O, each published on its tracing channel.
 *
 * @module
 */
import { type OperationResult, traced } from '../observe/operations.js'
import type { RevokeReceipt } from '../verbs/inputs.js'
import { issue, issueMany } from '../verbs/issue.js'
import type { IssuedToken } from '../verbs/issued-token.js'
import { revoke } from '../verbs/revoke.js'
import { rotate } from '../verbs/rotate.js'
import type { Parts } from './parts.js'

/** `issue`, `issueMany`, `rotate` and `revoke` of one authority. */
export function operationsOf(parts: Parts) {
  return {
    issue: (input: unknown): Promise<IssuedToken> =>
      traced('issue', parts, () => issue(parts, input), ofIssued),
    issueMany: (inputs: unknown): Promise<readonly IssuedToken[]> =>
      traced('issue', parts, () => issueMany(parts, inputs), ofBatch),
    rotate: (token: unknown, options: unknown): Promise<IssuedToken> =>
      traced('rotate', parts, () => rotate(parts, token, options), ofIssued),
    revoke: (target: unknown, options: unknown): Promise<RevokeReceipt> =>
      traced('revoke', parts, () => revoke(parts, target, options), ofReceipt),
  }
}

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
