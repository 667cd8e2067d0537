/**
 * The check that a Redis server does not evict keys when its memory is full, which would lose data.
 *
 * @module
 */
import type { WatchwordError } from '../../errors.js'
import { invalidOption } from '../../lib/invalid.js'

/** The data that an evicting server would lose, for messages. */
export interface AtStake {
  /** Such as `tokens, keys and revocations`. */
  readonly data: string
  /** Such as `the data`. */
  readonly name: string
  /** Why a policy that evicts only keys with a TTL is harmless. */
  readonly volatile: string
}

/**
 * Rejects a `maxmemory-policy` that evicts keys, with `ERR_INVALID_OPTION`. Warns once for each kind of data if the
 * server does not report its policy.
 *
 * @param policy - As in `INFO memory`; empty if the server does not report it.
 */
export function checkEviction(policy: string, atStake: AtStake): void {
  if (policy === '') warnOfPolicy(atStake)
  if (policy === '' || policy === 'noeviction') return
  throw evictionError(policy, atStake)
}

/** The error for a `maxmemory-policy` that evicts keys. */
export function evictionError(policy: string, { data, name, volatile }: AtStake): WatchwordError {
  return invalidOption(
    'client',
    `the server's maxmemory-policy is ${policy}, which may drop ${data} when memory is full; set it to noeviction, or pass allowEviction: true if ${name} may be lost (${volatile})`,
  )
}

const warned = new Set<string>()

/** Warns once for each kind of data that the server does not report its `maxmemory-policy`. */
export function warnOfPolicy({ data }: AtStake): void {
  if (warned.has(data)) return
  warned.add(data)
  process.emitWarning(
    `the redis server does not report its maxmemory-policy: when memory is full, it may drop ${data}`,
    {
      type: 'WatchwordWarning',
      code: 'WATCHWORD_REDIS_CONFIG',
      detail: 'Check that it is noeviction, then pass allowEviction: true.',
    },
  )
}
