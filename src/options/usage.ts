/**
 * The options about the use of tokens.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { DAY, type Duration, MINUTE } from '../lib/duration.js'
import { bare } from '../lib/fields.js'
import type { usageSchema } from './schema.js'

/** What is kept about the use of tokens. */
export interface UsageOptions {
  /** Whether to count the required scopes of accepted requests. Default: `true`. */
  readonly scopes?: boolean
  /**
   * Whether to keep the callers of each token, up to eight an hour: address, route and user agent of requests that a
   * guard checked. These may be personal data. Default: `true`.
   */
  readonly callers?: boolean
  /** How long usage is kept, from 7 days to ten years. Default: `'180d'`. */
  readonly keep?: Duration
  /** How often a node writes its counts, from a second to 10 minutes. Default: `'1m'`. */
  readonly flushEvery?: Duration
}

/** The options with every default filled in, times in milliseconds. */
export interface ResolvedUsage {
  /** Whether this node counts. */
  readonly counts: boolean
  readonly scopes: boolean
  readonly callers: boolean
  readonly keepMs: number
  readonly flushEveryMs: number
}

const DEFAULTS = { keepMs: 180 * DAY, flushEveryMs: MINUTE } as const

/** Fills in the defaults. */
export function resolveUsage(
  option: z.output<typeof usageSchema> | false | undefined,
): ResolvedUsage {
  const given: z.output<typeof usageSchema> = option === false ? bare({}) : (option ?? bare({}))
  return {
    counts: option !== false,
    scopes: given.scopes ?? true,
    callers: given.callers ?? true,
    keepMs: given.keep ?? DEFAULTS.keepMs,
    flushEveryMs: given.flushEvery ?? DEFAULTS.flushEveryMs,
  }
}
