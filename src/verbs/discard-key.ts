/**
 * Repairs a store with a key that no root key can unwrap: discards that key, with or without a running authority.
 *
 * @module
 */
import * as z from 'zod/mini'
import { discardRow } from '../keys/discard.js'
import { isDiscarded } from '../keys/discarded.js'
import { type KeyWrapper, type RootKey, resolveRootKey } from '../keys/root-key.js'
import { opens } from '../keys/root-proof.js'
import { systemClock } from '../lib/clock.js'
import { adapterFor, hasMethods } from '../lib/foreign-client.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { readKeys, recordsOf } from '../store/checked.js'
import type { KeyRecord, Store } from '../store/store.js'
import { ready } from '../token/self-test.js'
import type { Core } from './core.js'
import type { RevokeOptions, RevokeReceipt } from './inputs.js'

/** Where the key is stored, and the actor. */
export interface DiscardKeyOptions {
  /** The store that has the key. It is opened but not closed. */
  readonly store: Store
  /** The root key of the fleet, to check that it does not unwrap the key. */
  readonly rootKey: string | KeyWrapper
  /** The other root keys of the fleet. Default: none. */
  readonly previousRootKeys?: readonly (string | KeyWrapper)[]
  /** The actor who discards the key, for the record: 1 to 256 characters. */
  readonly actor: string
  /** The reason, for the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
}

const text = (max: number) =>
  z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`)

// The root keys are validated when they are used.
const optionsSchema = strict(
  {
    store: z.custom<Store>((value) => hasMethods(value, ['open', 'listKeys']), {
      error: ({ input }) => adapterFor(input, 'store') ?? 'expected a store',
    }),
    rootKey: z.custom<string | KeyWrapper>((value) => value !== undefined, 'expected the root key'),
    previousRootKeys: optional(
      z.custom<readonly (string | KeyWrapper)[]>(Array.isArray, 'expected a list'),
    ),
    actor: text(256),
    reason: optional(text(1024)),
  },
  'expected { store, rootKey, previousRootKeys, actor, reason }',
)

/**
 * Discards a stored key that none of the fleet's root keys can unwrap, such as one written by a process with the wrong
 * root key. The key is revoked and its wrapping is destroyed, so its tokens are never accepted; the next authority that
 * starts creates a new key for the audience. Use it if no authority can start with the store; a running one has
 * `keys.discard`. Safe to repeat.
 *
 * Rejects with `ERR_INVALID_ARGUMENT` if the store has no such key or a root key unwraps it, with `ERR_INVALID_OPTION`
 * for an invalid root key, with `ERR_ROOT_KEY` if a key wrapper fails, and like the store.
 *
 * @example
 * ```ts
 * import { discardKey } from 'watchword'
 * import type { Store } from 'watchword/store'
 *
 * declare const store: Store
 * declare const env: { readonly ROOT_KEY: string; readonly KEY_ID: string }
 * await discardKey(env.KEY_ID, { store, rootKey: env.ROOT_KEY, actor: 'ops', reason: 'written under the wrong root key' })
 * ```
 */
export async function discardKey(id: string, options: DiscardKeyOptions): Promise<void> {
  await ready
  const given = parseInput(optionsSchema, options)
  const { store, rootKey, previousRootKeys = [], actor, reason = null } = given
  const roots = [
    resolveRootKey(rootKey),
    ...previousRootKeys.map((previous, i) => resolveRootKey(previous, i)),
  ]
  await store.open()
  const stored = recordsOf(await readKeys(store))
  const record = await discardable(stored, id, roots)
  if (record === undefined) return
  const discard = { actor, reason, at: systemClock.now() }
  await discardRow(store, record, discard, (call) => call())
}

/**
 * Discards a key on a running authority and publishes its revocation to every node.
 *
 * @param revokeKey - Revokes the key; called after checking that the key may be discarded.
 */
export async function discardStoredKey(
  core: Core,
  id: string,
  options: RevokeOptions,
  revokeKey: () => Promise<RevokeReceipt>,
): Promise<RevokeReceipt> {
  const { keyring, store, callStore, clock } = core
  await keyring.refresh()
  const record = await discardable(keyring.stored, id, keyring.roots)
  const receipt = await revokeKey()
  if (record !== undefined) {
    const { actor, reason = null } = options
    const { id: keyId, audience } = record
    const event = core.trail.draft({ action: 'key.discarded', actor, keyId, audience, reason })
    const discard = { actor, reason, at: clock.now(), rows: event.rows }
    core.trail.written(event, await discardRow(store, record, discard, callStore))
    await keyring.refresh()
  }
  return receipt
}

/** The record of a key that may be discarded; `undefined` if it was already discarded. */
async function discardable(
  stored: readonly KeyRecord[],
  id: string,
  roots: readonly RootKey[],
): Promise<KeyRecord | undefined> {
  const record = stored.find((each) => each.id === id)
  if (record === undefined) {
    throw invalidArgument(
      'id',
      'the store has no key with this id; the message of ERR_ROOT_KEY names the id',
    )
  }
  if (isDiscarded(record)) return undefined
  if (!(await opens(record, roots))) return record
  throw invalidArgument(
    'id',
    `key ${record.id} opens under the given root keys, so its tokens are valid; use keys.revoke to end them`,
  )
}
