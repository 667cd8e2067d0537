/**
 * Checks of the options and the server that a store and a feed share.
 *
 * @module
 */
import type { WatchwordError } from '../../errors.js'
import { invalidOption } from '../../lib/invalid.js'

const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** The options of a store and of a feed. */
export interface RedisKeyOptions {
  readonly prefix?: string
  readonly allowEviction?: boolean
}

/** Checks the options and applies the defaults. Throws `ERR_INVALID_OPTION`. */
export function checkKeyOptions({
  prefix = 'watchword',
  allowEviction = false,
}: RedisKeyOptions): Required<RedisKeyOptions> {
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw invalidOption(
      'prefix',
      "expected 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
    )
  }
  if (typeof allowEviction !== 'boolean')
    throw invalidOption('allowEviction', 'expected true or false')
  return { prefix, allowEviction }
}

/** The error for a server that is too old. */
export function oldServer(): WatchwordError {
  return invalidOption('client', 'expected Redis 7 or newer, or Valkey')
}
