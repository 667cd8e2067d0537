/**
 * `watchword.audit` of one authority.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { AuditLog } from '../observe/audit/log.js'
import { auditNotKept } from '../verbs/core.js'
import type { Parts } from './parts.js'
import type { Watchword } from './watchword.js'

/** The operations that read and verify the audit. */
export function auditReads(parts: Parts): Watchword['audit'] {
  // Counts arguments, since an explicit `undefined` is a misspelt filter, not a missing one.
  const given = (args: readonly unknown[]) => (args.length === 0 ? {} : args[0])
  return Object.freeze({
    list: async (...args: readonly unknown[]) => logOf(parts).list(given(args)),
    read: async function* (...args: readonly unknown[]) {
      yield* logOf(parts).read(given(args))
    },
    checkpoint: async () => logOf(parts).checkpoint(),
    verify: async (...args: readonly unknown[]) => logOf(parts).verify(given(args)),
  })
}

function logOf({ state, auditing, store, options }: Parts): AuditLog {
  if (state.closed) throw new WatchwordError('ERR_CLOSED', 'the authority was closed')
  if (auditing !== undefined) return auditing.log
  throw auditNotKept(store.name, options.audit === undefined)
}
