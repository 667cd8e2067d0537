/** What the nodes of a fleet make of everything that can happen to a revocation log in MariaDB. */
import { describe } from 'vitest'
import { hasServer } from './feed/database-server.js'
import { MARIADB, mysqlBroker } from './feed/mysql.js'
import { FAULTS, sufferFaults } from './feed/run.js'

describe.skipIf(!hasServer(MARIADB))('mysql', () => {
  sufferFaults('mysql', mysqlBroker, Object.keys(FAULTS) as never)
})
