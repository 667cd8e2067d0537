/**
 * `watchword.keys` of one authority, without its lists.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import { unknownAudience } from '../verbs/core.js'
import { discardStoredKey } from '../verbs/discard-key.js'
import type { RevokeOptions, RevokeReceipt } from '../verbs/inputs.js'
import type { Parts } from './parts.js'
import { given, type Refusals } from './refusals.js'

/**
 * `keys.rotate`, `revoke`, `discard` and `rewrap` of one authority.
 *
 * @param revokeKey - Revokes a key, without a report of its refusal.
 */
export function keyOperationsOf(
  parts: Parts,
  refusals: Refusals,
  revokeKey: (id: string, options: RevokeOptions) => Promise<RevokeReceipt>,
) {
  const { keyring } = parts
  const about = (id: unknown, options: unknown) => () => ({
    actor: given(options, 'actor'),
    keyId: id,
  })
  return {
    rotate: (audience: readonly unknown[]): Promise<readonly KeyInfo[]> =>
      refusals.follow(
        'keys.rotate',
        () => rotateKeys(parts, audience),
        () => ({ audience: audience[0] }),
      ),
    revoke: (id: string, options: RevokeOptions): Promise<RevokeReceipt> =>
      refusals.follow('keys.revoke', () => revokeKey(id, options), about(id, options)),
    discard: (id: string, options: RevokeOptions): Promise<RevokeReceipt> =>
      refusals.follow(
        'keys.discard',
        () => discardStoredKey(parts, id, options, () => revokeKey(id, options)),
        about(id, options),
      ),
    rewrap: (): Promise<number> =>
      refusals.follow(
        'keys.rewrap',
        () => keyring.rewrap(),
        () => ({}),
      ),
  }
}

// Without an argument all audiences get a key; an explicit `undefined` names none.
async function rotateKeys(
  { keyring, options }: Parts,
  passed: readonly unknown[],
): Promise<readonly KeyInfo[]> {
  if (passed.length === 0) return keyring.rotate()
  const audience = options.audiences.find((each) => each === passed[0])
  if (audience === undefined) throw unknownAudience(passed[0], options.audiences)
  return keyring.rotate(audience)
}
