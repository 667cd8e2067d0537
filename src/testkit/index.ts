/**
 * What tests of services and of adapters need.
 *
 * @module
 */
export type { ManualClock } from './clock.js'
export { manualClock } from './clock.js'
