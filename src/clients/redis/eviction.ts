/**
 * What a Redis server does when its memory is full: one that drops keys by itself loses what it was given.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'

/** What a server that drops keys would lose, for messages. */
export interface AtStake {
  /** Such as `tokens, keys and revocations`. */
  readonly data: string
  /** Such as `the data`. */
  readonly name: string
  /** Why a policy that drops only keys with an expiry does no harm. */
  readonly volatile: string
}

/**
 * Rejects a `maxmemory-policy` that drops keys, with `ERR_INVALID_OPTION`. Warns once for each kind of data about a server
 * that does not tell its policy.
 *
 * @param policy - As `INFO memory` has it; empty if the server does not tell.
 */
export function checkEviction(policy: string, atStake: AtStake): void {
  if (policy === '') warnOfPolicy(atStake)
  if (policy === '' || policy === 'noeviction') return
  throw evictionError(policy, atStake)
}

/** The refusal of a `maxmemory-policy` that drops keys. */
export function evictionError(policy: string, { data, name, volatile }: AtStake): WatchwordError {
  return new WatchwordError(
    'ERR_INVALID_OPTION',
    `client: the server's maxmemory-policy is ${policy}, which may drop ${data} when memory is full; set it to noeviction, or pass allowEviction: true if ${name} may be lost (${volatile})`,
  )
}

const warned = new Set<string>()

/** Warns, once for each kind of data, that the server does not tell its `maxmemory-policy`. */
export function warnOfPolicy({ data }: AtStake): void {
  if (warned.has(data)) return
  warned.add(data)
  process.emitWarning(
    `the redis server does not say what it does when memory is full: it may drop ${data}`,
    {
      type: 'WatchwordWarning',
      code: 'WATCHWORD_REDIS_CONFIG',
      detail: 'Check that its maxmemory-policy is noeviction, then pass allowEviction: true.',
    },
  )
}
