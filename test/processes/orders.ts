/** The orders of a worker, and the authority that all workers run. */
import type { WatchwordOptions } from 'watchword'
import type { Store } from 'watchword/store'
import type { Place } from './stores.js'

/** The orders of one worker. */
export interface Orders {
  readonly place: Place
  readonly rootKey: string
  readonly seed: number
  /** The file of its history. */
  readonly history: string
  /** Tokens shared by all workers, which compete for them; they are never revoked. */
  readonly shared: readonly {
    readonly token: string
    readonly id: string
    readonly family: string
    readonly subject: string
  }[]
}

/** The subjects whose tokens are limited, and never revoked. */
export const LIMITED = { subjects: 5, max: 3 } as const

/** The name of a limited subject. */
export const limitedSubject = (n: number): string => `limited-${n}`

/** The options of every authority in the test. */
export function optionsOf({ rootKey }: Pick<Orders, 'rootKey'>, store: Store): WatchwordOptions {
  return {
    issuer: 'https://auth.example',
    audience: 'api',
    rootKey,
    store,
    timeout: '5s',
    policies: {
      open: { ttl: '1h', scopes: ['a:*'], grace: '1h', reuse: 'observe' },
      limited: { ttl: '1h', scopes: ['a:*'], maxActivePerSubject: LIMITED.max },
    },
  }
}
