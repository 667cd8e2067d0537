/**
 * The Model Context Protocol: a token verifier for the `requireBearerAuth` of its SDK, and the end of its streams.
 *
 * @module
 */

import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { WatchwordError } from '../errors.js'
import { bare } from '../lib/fields.js'
import { invalidOption } from '../lib/invalid.js'
import type { Rejected, Requirement, Verified } from '../types.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import { checkAuthority } from './authority-check.js'
import { optionFields, type TokenAuthority } from './options.js'
import { own } from './own.js'

export type { McpStreamGuard } from './mcp-streams.js'
export { cutStreams } from './mcp-streams.js'
export type { TokenAuthority } from './options.js'

/** Options of a verifier, besides the authority. */
export interface McpVerifierOptions extends Requirement {
  /**
   * The SDK's error classes, from `@modelcontextprotocol/sdk/server/auth/errors.js`. Its middleware uses them to
   * distinguish rejections from failures. They are passed in because this package does not load the SDK.
   */
  readonly errors: {
    readonly InvalidTokenError: new (message: string) => Error
    readonly InsufficientScopeError: new (message: string) => Error
  }
}

/** The `verifier` of the SDK's `requireBearerAuth`. */
export interface McpVerifier {
  /**
   * Rejects with `InvalidTokenError` or `InsufficientScopeError` for a rejected token, which the SDK maps to 401 and
   * 403; with `ERR_STORE_UNAVAILABLE` in an outage, or `ERR_FEED_UNAVAILABLE` on a stale node, which it maps to 500.
   */
  verifyAccessToken(token: string): Promise<AuthInfo>
}

/**
 * Creates a verifier. It checks the `scopes` of the requirement, including wildcards, and adds the covered ones to
 * `AuthInfo.scopes`. The SDK's `requiredScopes` can therefore name the same scopes for the challenge. The client id
 * that the SDK requires is the token's subject. The result of the check is `extra.auth`. Throws `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
 * import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
 * import { mcpVerifier } from 'watchword/mcp'
 *
 * const requiredScopes = ['tools:call']
 * const verifier = mcpVerifier(watchword, { errors, scopes: requiredScopes })
 * const guard = requireBearerAuth({ verifier, requiredScopes })
 * ```
 */
export function mcpVerifier<Claims>(
  authority: TokenAuthority<Claims>,
  options: McpVerifierOptions,
): McpVerifier {
  checkAuthority(authority, 'mcpVerifier')
  const { errors, ...requirement } = optionFields(options) as unknown as McpVerifierOptions
  checkErrors(errors)
  const needs = authority.require(bare(requirement))
  return {
    async verifyAccessToken(token) {
      const result = await authority.authenticate(token, needs)
      if (own(result, 'ok') !== true) throw errorOf(result as Rejected, errors)
      return authInfoOf(token, result as Verified<Claims>, needs)
    },
  }
}

function checkErrors(errors: unknown): void {
  for (const name of ['InvalidTokenError', 'InsufficientScopeError']) {
    if (typeof (errors as Record<string, unknown> | undefined)?.[name] === 'function') continue
    throw invalidOption(
      'errors',
      `expected the module @modelcontextprotocol/sdk/server/auth/errors.js, got none with a class ${name}; import it as errors and pass { errors }`,
    )
  }
}

function errorOf({ code }: Rejected, errors: McpVerifierOptions['errors']): Error {
  if (code === 'stale' || code === 'closed') {
    return new WatchwordError('ERR_FEED_UNAVAILABLE', 'the token cannot be checked right now')
  }
  return code === 'insufficient_scope'
    ? new errors.InsufficientScopeError('The token does not cover this request.')
    : new errors.InvalidTokenError('The token was not accepted.')
}

function authInfoOf(
  token: string,
  auth: Verified<unknown>,
  { allOf }: CompiledRequirement,
): AuthInfo {
  const { subject, audience, scopes, expiresAt } = auth
  return {
    token,
    clientId: subject,
    scopes: [...new Set([...scopes, ...allOf])],
    expiresAt: Math.floor(expiresAt / 1000),
    ...(URL.canParse(audience) ? { resource: new URL(audience) } : {}),
    extra: { auth },
  }
}
