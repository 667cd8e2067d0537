/** How the nodes of a fleet handle every fault of a revocation log in NATS JetStream. */
import { describe } from 'vitest'
import { hasNatsServer } from '../contract/nats-server.js'
import { natsBroker } from './feed/nats.js'
import { sufferFaults } from './feed/run.js'

describe.skipIf(!hasNatsServer())('nats', () => {
  sufferFaults('nats', natsBroker, [
    'killed',
    'wiped',
    'frozen',
    'pushesCut',
    'restored',
    'refilled',
    'holed',
    'vandalised',
    'repliesLost',
    'storm',
  ])
})
