/** How the nodes of a fleet handle every fault of a revocation log in MariaDB. */
import { describe } from 'vitest'
import { hasServer } from './feed/database-server.js'
import { MARIADB, mysqlBroker } from './feed/mysql.js'
import { sufferFaults } from './feed/run.js'

describe.skipIf(!hasServer(MARIADB))('mysql', () => {
  sufferFaults('mysql', mysqlBroker, [
    'killed',
    'wiped',
    'slow',
    'reset',
    'restored',
    'dropped',
    'holed',
    'repliesLost',
    'awayAtStart',
    'outages',
  ])
})
