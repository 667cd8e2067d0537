/**
 * What the recorder of usage reads and writes on the cached data of a token.
 *
 * @module
 */
/** The scopes that a request requires; the same object for all requests of a route. */
export interface Demand {
  /** The token must have all of these. */
  readonly allOf: readonly string[]
  /** The token must have one of these. */
  readonly anyOf: readonly string[]
}

/** The counters of an hour, to which uses are added. */
export interface Counters {
  /** Adds the uses of a cached token since the last time. */
  collect(token: Counted, now: number): void
  /** Adds them and ends the counting of the cached token. */
  close(token: Counted, now: number): void
}

/** The fields of a cached token that count its uses. */
export interface Counted {
  readonly principal: { readonly id: string; readonly scopes: readonly string[] }
  /** The requirement of the requests in `uses`. */
  readonly met: Demand | undefined
  /** The accepted requests that are not added to `hour` yet; a small integer. */
  uses: number
  /** The minute of `uses`, since 1970; -1 to report the next use. */
  reportedMinute: number
  /** The counters to which `uses` are added. */
  hour: Counters | undefined
  /** The place in `hour`. */
  slot: number
}

/** One caller. Shared by all tokens that it uses. */
export interface Caller {
  readonly address: string
  readonly route: string
  readonly userAgent: string
}
