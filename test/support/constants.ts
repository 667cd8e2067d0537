/** What the tests agree on: units of time, in milliseconds, and the audience of most tokens. */
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const AUDIENCE = 'orders-api'
