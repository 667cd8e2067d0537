/**
 * A fleet under a test's control: several authorities on one store, one feed and one manual clock, and wrappers that
 * delay, fail or pause what lies between them.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect } from 'vitest'
import {
  type AuditEvent,
  createWatchword,
  memoryFeed,
  memoryStore,
  type PolicyOptions,
  type RevokeTarget,
  type VerifyResult,
  type Watchword,
  WatchwordError,
  type WatchwordErrorCode,
  type WatchwordOptions,
} from 'watchword'
import type { RevocationFeed, SealedEvent } from 'watchword/feed'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import type { RestrictionStore, Store } from 'watchword/store'
import { type ManualClock, manualClock } from 'watchword/testkit'
import { AUDIENCE, DAY, HOUR, MINUTE, SECOND, SMALL_CACHE } from './constants.js'

export { AUDIENCE, DAY, HOUR, MINUTE, SECOND }
export const SCOPES: readonly string[] = ['orders:read', 'orders:write', 'users:read']

/** The policy of most tests. */
export const POLICY: PolicyOptions = { ttl: '10m', scopes: ['orders:*', 'users:read'] }

export type Options = Partial<WatchwordOptions>
export type StoreMethod =
  | Exclude<
      keyof Store,
      'name' | 'supports' | 'open' | 'close' | 'now' | 'identity' | 'restrictions'
    >
  | `restrictions.${keyof RestrictionStore}`
/** Stands between an authority and its store: may wait, fail, or run the call. */
export type Around = <T>(method: StoreMethod, call: () => Promise<T>) => Promise<T>

/** What the nodes of a fleet share. */
export interface Fleet {
  readonly clock: ManualClock
  readonly store: Store
  readonly feed: RevocationFeed
  readonly rootKey: string
  /** Starts one more authority; each has a store object of its own, as each process would. */
  start(options?: Options): Promise<Watchword>
  /** Starts that many. */
  nodes(count: number, options?: Options): Promise<Watchword[]>
  /** Closes every authority that was started. */
  close(): Promise<void>
}

export async function newFleet(shared: Options = {}): Promise<Fleet> {
  await ready
  const clock = manualClock()
  const store = memoryStore()
  const feed = memoryFeed()
  const rootKey = newRootKey()
  const started: Watchword[] = []
  const start = async (options: Options = {}) => {
    const given = { ...shared, ...options }
    const watchword = await createWatchword({
      issuer: 'https://auth.example',
      audience: AUDIENCE,
      policies: { service: POLICY },
      rootKey,
      clock,
      feed,
      cache: SMALL_CACHE,
      ...given,
      store: around(given.store ?? store),
    })
    started.push(watchword)
    return watchword
  }
  return {
    clock,
    store,
    feed,
    rootKey,
    start,
    async nodes(count, options) {
      const nodes: Watchword[] = []
      for (let i = 0; i < count; i++) nodes.push(await start(options))
      return nodes
    },
    async close() {
      await Promise.all(started.map((each) => each.close().catch(() => undefined)))
    },
  }
}

export function newRootKey(): string {
  return exportKey(generateKey())
}

const DIRECTLY: Around = (_method, call) => call()

/** A store object over another one: its own `open` and `close`, and every other method through `via`. */
export function around(store: Store, via: Around = DIRECTLY): Store {
  return {
    name: store.name,
    supports: store.supports,
    ...(store.now && { now: store.now.bind(store) }),
    ...(store.identity && { identity: store.identity.bind(store) }),
    ...(store.restrictions && { restrictions: aroundRestrictions(store.restrictions, via) }),
    open: async () => {},
    close: async () => {},
    insertTokens: (...args) => via('insertTokens', () => store.insertTokens(...args)),
    getToken: (...args) => via('getToken', () => store.getToken(...args)),
    listTokens: (...args) => via('listTokens', () => store.listTokens(...args)),
    countTokens: (...args) => via('countTokens', () => store.countTokens(...args)),
    updateDetails: (...args) => via('updateDetails', () => store.updateDetails(...args)),
    succeed: (...args) => via('succeed', () => store.succeed(...args)),
    supersede: (...args) => via('supersede', () => store.supersede(...args)),
    revoke: (...args) => via('revoke', () => store.revoke(...args)),
    changes: (...args) => via('changes', () => store.changes(...args)),
    listRevocations: (...args) => via('listRevocations', () => store.listRevocations(...args)),
    insertKey: (...args) => via('insertKey', () => store.insertKey(...args)),
    listKeys: (...args) => via('listKeys', () => store.listKeys(...args)),
    rewrapKey: (...args) => via('rewrapKey', () => store.rewrapKey(...args)),
    recordUsage: (...args) => via('recordUsage', () => store.recordUsage(...args)),
    purge: (...args) => via('purge', () => store.purge(...args)),
  }
}

function aroundRestrictions(part: RestrictionStore, via: Around): RestrictionStore {
  return {
    read: (...args) => via('restrictions.read', () => part.read(...args)),
    write: (...args) => via('restrictions.write', () => part.write(...args)),
    list: (...args) => via('restrictions.list', () => part.list(...args)),
    purge: (...args) => via('restrictions.purge', () => part.purge(...args)),
  }
}

/** A feed over another one, with some of its methods replaced. */
export function feedOver(feed: RevocationFeed, changes: Partial<RevocationFeed>): RevocationFeed {
  return { ...feed, ...changes }
}

/** A feed over another one that neither pushes nor can be looked into: as if it were in another process. */
export function remoteFeed(
  { info, open, head, read, append, close }: RevocationFeed,
  changes: Partial<RevocationFeed> = {},
): RevocationFeed {
  return { info, open, head, read, append, close, ...changes }
}

/** A feed that is polled once a day, for tests that let months pass. */
export function rarelyPolled(feed: RevocationFeed = memoryFeed()): RevocationFeed {
  return feedOver(feed, { info: { ...feed.info, suggestedPollMs: DAY } })
}

/** Every event of a feed's log. */
export async function logOf(feed: RevocationFeed): Promise<readonly SealedEvent[]> {
  const call = { signal: new AbortController().signal, deadlineMs: SECOND }
  const head = await feed.head(call)
  if (head === null) return []
  return (await feed.read({ epoch: head.epoch, seq: 0 }, 10_000, call)).events
}

/** Lets everything that is ready run. */
export function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Moves the clock until the promise has settled. */
export async function drive<T>(clock: ManualClock, work: Promise<T>, stepMs = 100): Promise<T> {
  let settled = false
  const done = () => {
    settled = true
  }
  work.then(done, done)
  await flush()
  for (let i = 0; !settled; i++) {
    if (i > 10_000) throw new Error('the work did not settle')
    await clock.advance(stepMs)
  }
  return work
}

/** A gate at which callers wait until it is opened. */
export interface Gate {
  readonly reached: Promise<void>
  pass(): Promise<void>
  open(): void
}

export function newGate(): Gate {
  let arrive: () => void = () => undefined
  let open: () => void = () => undefined
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    reached,
    pass: () => {
      arrive()
      return opened
    },
    open: () => open(),
  }
}

/** What a promise came to: its value, or the code (and the reason) of the error that it was rejected with. */
export type Outcome<T> =
  | { readonly value: T; readonly code?: undefined; readonly reason?: undefined }
  | { readonly value?: undefined; readonly code: WatchwordErrorCode; readonly reason?: string }

export async function outcome<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work }
  } catch (error) {
    if (!(error instanceof WatchwordError)) throw error
    const { code, reason } = error
    return reason === undefined ? { code } : { code, reason }
  }
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await outcome(work)).code ?? 'resolved'
}

export async function errorOf(work: Promise<unknown>): Promise<WatchwordError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(WatchwordError)
  return error as WatchwordError
}

/** `ok`, or the code of the refusal. */
export function verdict(result: VerifyResult): string {
  return result.ok ? 'ok' : result.code
}

export interface IssueWish {
  readonly policy?: string
  readonly subject?: string
  readonly scopes?: readonly string[]
  readonly audience?: string
  readonly binding?: string
  readonly claims?: Readonly<Record<string, unknown>>
}

export function issueOn(watchword: Watchword, wish: IssueWish = {}) {
  return watchword.issue({
    policy: 'service',
    subject: 'svc_billing',
    scopes: SCOPES,
    actor: 'ops',
    ...wish,
  })
}

export const ACTOR = { actor: 'ops' } as const

/** Every kind of target that covers this token. */
export function targetsOf(token: {
  readonly token: string
  readonly id: string
  readonly family: string
  readonly subject: string
  readonly keyId: string
  readonly audience: string
}): Readonly<Record<string, RevokeTarget>> {
  return {
    token: { token: token.token },
    id: { id: token.id },
    family: { family: token.family },
    subject: { subject: token.subject },
    key: { key: token.keyId },
    audience: { audience: token.audience },
    all: { all: true },
  }
}

/** Collects the audit events of one run. */
export async function auditOf(run: () => Promise<unknown>): Promise<readonly AuditEvent[]> {
  const events: AuditEvent[] = []
  const note = (message: unknown) => void events.push(message as AuditEvent)
  subscribe('watchword:audit', note)
  try {
    await run()
  } finally {
    unsubscribe('watchword:audit', note)
  }
  return events
}
