/**
 * What tests of services and of adapters need.
 *
 * @module
 */
export type { ManualClock } from './clock.js'
export { manualClock } from './clock.js'
export type { StoreContractOptions } from './store-contract.js'
export { storeContract } from './store-contract.js'
