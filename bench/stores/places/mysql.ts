/**
 * MySQL or MariaDB: a database of its own, through a pool of mysql2.
 *
 * @module
 */
import mysql from 'mysql2/promise'
import { mysqlStore } from '../../../src/store/mysql.js'
import { serverUrl, uniqueName } from '../../../test/contract/servers.js'
import { type Opener, orDrop, PREFIXES, SHELVES, type Shelf } from './place.js'

const CONNECTIONS = 10

/** Opens a pool with the size that mysql2 gives it by default, and prepared statements on both sides. */
export const openMysql: Opener = async () => {
  const url = await serverUrl('mysql')
  if (url === undefined) return undefined
  const database = uniqueName()
  const uri = new URL(url)
  uri.pathname = database
  const connection = await mysql.createConnection(url)
  await connection.query(`CREATE DATABASE ${database}`)
  await connection.end()
  const pool = mysql.createPool({ uri: uri.href, connectionLimit: CONNECTIONS })
  const drop = async () => {
    await pool.query(`DROP DATABASE IF EXISTS ${database}`)
    await pool.end()
  }
  return orDrop(drop, async () => {
    const storeOf = (shelf: Shelf) => mysqlStore(pool, { prefix: PREFIXES[shelf] })
    for (const shelf of SHELVES) await storeOf(shelf).migrate()
    await pool.query(
      'CREATE TABLE one (id BIGINT AUTO_INCREMENT PRIMARY KEY, content VARCHAR(10)) ENGINE = InnoDB',
    )
    await pool.query("INSERT INTO one (content) VALUES ('one')")
    const select = 'SELECT content FROM one WHERE id = ?'
    const insert = 'INSERT INTO one (content) VALUES (?)'
    const [[version]] = await pool.query<mysql.RowDataPacket[]>('SELECT VERSION() AS version')
    return {
      title: String(version?.['version']).includes('MariaDB') ? 'MariaDB' : 'MySQL',
      clients: [
        {
          name: `mysql2, a pool of ${CONNECTIONS}`,
          store: storeOf,
          roundTrip: async () => {
            const [rows] = await pool.execute<mysql.RowDataPacket[]>(select, [1])
            return rows[0]?.['content'] === 'one'
          },
          rawWrite: async () => {
            const [result] = await pool.execute<mysql.ResultSetHeader>(insert, ['more'])
            return result.affectedRows === 1
          },
        },
      ],
      settle: async () => {
        for (const prefix of Object.values(PREFIXES))
          await pool.query(`ANALYZE TABLE ${prefix}tokens`)
      },
      drop,
    }
  })
}
