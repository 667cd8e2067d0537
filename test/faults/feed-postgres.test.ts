/** How the nodes of a fleet handle every fault of a revocation log in PostgreSQL. */
import { describe } from 'vitest'
import { hasServer } from './feed/database-server.js'
import { POSTGRES, postgresBroker } from './feed/postgres.js'
import { sufferFaults } from './feed/run.js'

describe.skipIf(!hasServer(POSTGRES))('postgres', () => {
  sufferFaults('postgres', postgresBroker, [
    'killed',
    'frozen',
    'halfOpen',
    'pushesCut',
    'refilled',
    'trimmed',
    'vandalised',
    'repliesLost',
    'died',
    'stepped',
  ])
})
