/** How the nodes of a fleet handle every fault of a revocation log in Redis. */
import { describe } from 'vitest'
import { hasRedisServer } from '../contract/redis-server.js'
import { redisBroker } from './feed/redis.js'
import { sufferFaults } from './feed/run.js'

describe.skipIf(!hasRedisServer())('redis', () => {
  sufferFaults('redis', redisBroker, [
    'killed',
    'deaf',
    'halfOpen',
    'pushesCut',
    'restored',
    'refilled',
    'trimmed',
    'vandalised',
    'stopped',
    'busy',
    'awayAtStart',
  ])
})
