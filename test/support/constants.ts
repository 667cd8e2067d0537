/** What the tests agree on: units of time, in milliseconds, and the audience of most tokens. */
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const AUDIENCE = 'orders-api'

/** A cache that is cheap to create: the default one reserves its 50,000 places, which takes longer than most tests. */
export const SMALL_CACHE = { max: 1_000 } as const
