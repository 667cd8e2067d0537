/** What the nodes of a fleet make of everything that can happen to a revocation log in Redis. */
import { describe } from 'vitest'
import { hasRedisServer } from '../contract/redis-server.js'
import * as faults from './feed/faults.js'
import { redisBroker } from './feed/redis.js'
import { sufferFaults } from './feed/run.js'

describe.skipIf(!hasRedisServer())('redis', () => {
  sufferFaults(redisBroker, [
    faults.killed,
    faults.wiped,
    faults.frozen,
    faults.blackHole,
    faults.deaf,
    faults.slow,
    faults.reset,
    faults.halfOpen,
    faults.pushesCut,
  ])
})
