/**
 * Tools for testing services and adapters.
 *
 * @module
 */
export type { ChaosRates } from './chaos/dice.js'
export type { ChaosLog } from './chaos/log.js'
export { chaosLog } from './chaos/log.js'
export type { ChaosFeed, ChaosOptions } from './chaos-feed.js'
export { chaosFeed } from './chaos-feed.js'
export type { ManualClock } from './clock.js'
export { manualClock } from './clock.js'
export type { FeedContractOptions } from './feed-contract.js'
export { feedContract } from './feed-contract.js'
export type { StoreContractOptions } from './store-contract.js'
export { storeContract } from './store-contract.js'
