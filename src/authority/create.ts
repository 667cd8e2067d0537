/**
 * The authority: {@link createWatchword} and the object that it returns.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { WatchwordError } from '../errors.js'
import { resolveOptions, type WatchwordOptions } from '../options/options.js'
import { ready } from '../token/self-test.js'
import type { Requirement, VerifyResult } from '../types.js'
import { authenticator } from '../verbs/authenticate.js'
import { unknownAudience } from '../verbs/core.js'
import type { RevokeOptions, TokenDetailsInput, UpdateOptions } from '../verbs/inputs.js'
import { countTokens, getToken, listTokens } from '../verbs/list.js'
import {
  CompiledRequirement,
  compileInline,
  compileRequirement,
  NO_REQUIREMENT,
} from '../verbs/requirement.js'
import type { RestrictTarget } from '../verbs/restrict-inputs.js'
import { getRestriction, listRestrictionInfos } from '../verbs/restrictions.js'
import { updateToken } from '../verbs/update.js'
import { tokenUsage } from '../verbs/usage.js'
import type { Verifier } from '../verbs/verify.js'
import { SignalWatches } from '../verbs/watch.js'
import { auditReads } from './audit-reads.js'
import { health } from './health.js'
import { keyOperationsOf } from './key-operations.js'
import { abandonParts, startParts, stopParts } from './lifecycle.js'
import type { NamesOf } from './names.js'
import { operationsOf } from './operations.js'
import type { Parts } from './parts.js'
import { given, Refusals } from './refusals.js'
import { offerReports } from './report-source.js'
import { offerTelemetry } from './telemetry.js'
import type { ClaimsInputOf, ClaimsOf, Watchword } from './watchword.js'
import { buildParts } from './wiring.js'

/**
 * Starts an authority. Rejects with `ERR_INVALID_OPTION`, `ERR_ROOT_KEY`, `ERR_STORE_UNAVAILABLE`,
 * `ERR_FEED_UNAVAILABLE` or `ERR_SELF_TEST`. After a failure nothing keeps running, and the same store and feed can be
 * passed to the next attempt.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 *
 * const watchword = await createWatchword({
 *   issuer: 'https://auth.acme.example',
 *   audience: 'orders-api',
 *   policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
 * })
 * const issued = await watchword.issue({ policy: 'service', subject: 'svc_billing', scopes: ['orders:read'], actor: 'ops' })
 * const result = watchword.verify(issued.token, { scopes: ['orders:read'] })
 * if (result.ok) console.log(result.subject)
 * await watchword.close()
 * ```
 */
export async function createWatchword<
  const S extends StandardSchemaV1 | undefined = undefined,
  const P extends WatchwordOptions['policies'] = WatchwordOptions['policies'],
  const A extends WatchwordOptions['audience'] = WatchwordOptions['audience'],
>(
  options: WatchwordOptions<S> & { readonly policies: P; readonly audience: A },
): Promise<Watchword<ClaimsOf<S>, ClaimsInputOf<S>, NamesOf<P, A>>> {
  await ready
  const parts = buildParts(resolveOptions(options))
  try {
    await startParts(parts)
  } catch (error) {
    abandonParts(parts)
    throw error
  }
  return facade(parts) as unknown as Watchword<ClaimsOf<S>, ClaimsInputOf<S>, NamesOf<P, A>>
}

function facade(parts: Parts): Watchword {
  const { verifier, keyring } = parts
  const refusals = new Refusals(parts)
  const signals = new SignalWatches(parts.watches, parts.options)
  const operations = operationsOf(parts, refusals)
  const { issue, issueMany, rotate, revokeOrPreview } = operations
  const keys = keyOperationsOf(parts, refusals, operations.revokeKey)
  const open = <T>(verb: () => Promise<T>): Promise<T> =>
    parts.state.closed
      ? Promise.reject(new WatchwordError('ERR_CLOSED', 'the authority was closed'))
      : verb()
  const close = () => stopParts(parts)
  const watchword: Watchword = {
    issue: (input) => open(() => issue(input)),
    issueMany: (inputs) => open(() => issueMany(inputs)),
    // Counts arguments, since an explicit `undefined` is a misspelt requirement, not a missing one.
    verify: (...args: readonly [token: unknown, requirement?: unknown]) => {
      if (args.length < 2) return verifier.verify(args[0], NO_REQUIREMENT) as VerifyResult
      return verifyAgainst(verifier, args[0], args[1]) as VerifyResult
    },
    authenticate: authenticator(parts) as Watchword['authenticate'],
    watch: (result: unknown, ...options: readonly unknown[]) =>
      signals.watch(result, options.length === 0 ? {} : options[0]),
    require: (requirement) => compileHere(parts, requirement),
    rotate: (token, options) => open(() => rotate(token, options)),
    revoke: ((target: unknown, options: unknown) =>
      open(() => revokeOrPreview(target, options))) as Watchword['revoke'],
    suspend: (target, options) => open(() => operations.suspend(target, options)),
    restrict: (target, options) => open(() => operations.restrict(target, options)),
    restore: (target, options) => open(() => operations.restore(target, options)),
    freeze: (what, options) => open(() => operations.freeze(what, options)),
    unfreeze: (options) => open(() => operations.unfreeze(options)),
    restrictions: Object.freeze({
      get: (target: RestrictTarget) => open(() => getRestriction(parts, target)),
      list: (...query: readonly unknown[]) =>
        open(() => listRestrictionInfos(parts, query.length === 0 ? {} : query[0])),
    }),
    tokens: Object.freeze({
      get: (id: string) => open(() => getToken(parts, id)),
      list: (...query: readonly unknown[]) =>
        open(() => listTokens(parts, query.length === 0 ? {} : query[0])),
      count: (...query: readonly unknown[]) =>
        open(() => countTokens(parts, query.length === 0 ? {} : query[0])),
      update: (id: string, details: TokenDetailsInput, options: UpdateOptions) =>
        open(() =>
          refusals.follow(
            'tokens.update',
            () => updateToken(parts, id, details, options),
            () => ({ actor: given(options, 'actor'), id }),
          ),
        ),
      usage: (...[target, ...options]: readonly unknown[]) =>
        open(() =>
          tokenUsage(parts, parts.usage?.own, target, options.length === 0 ? {} : options[0]),
        ),
    }),
    keys: Object.freeze({
      list: () => keyring.list(),
      rotate: (...audience: readonly unknown[]) => open(() => keys.rotate(audience)),
      revoke: (id: string, options: RevokeOptions) => open(() => keys.revoke(id, options)),
      discard: (id: string, options: RevokeOptions) => open(() => keys.discard(id, options)),
      rewrap: () => open(() => keys.rewrap()),
      refresh: () => open(() => keyring.refresh()),
    }),
    audit: auditReads(parts),
    health: () => health(parts),
    close,
    [Symbol.asyncDispose]: close,
  }
  offerTelemetry(watchword, parts)
  offerReports(watchword, parts)
  return Object.freeze(watchword)
}

// Without this check, a misspelt audience of a route would reject every token and look like a fault of the tokens.
function compileHere({ options }: Parts, requirement: Requirement): CompiledRequirement {
  const compiled = compileRequirement(requirement)
  const { audience } = compiled
  if (audience !== undefined && !options.audiences.includes(audience))
    throw unknownAudience(audience, options.audiences)
  return compiled
}

function verifyAgainst(
  verifier: Verifier,
  token: unknown,
  requirement: unknown,
): VerifyResult<unknown> {
  if (requirement instanceof CompiledRequirement) return verifier.verify(token, requirement)
  let compiled: CompiledRequirement
  try {
    compiled = compileInline(requirement as Requirement)
  } catch (error) {
    // A getter of the caller may throw anything.
    const fault =
      error instanceof WatchwordError ? error.message : 'one of its fields cannot be read'
    return verifier.refuse(fault)
  }
  return verifier.verify(token, compiled)
}
