/**
 * The places, by the name that `--only` takes.
 *
 * @module
 */
import { openMysql } from './mysql.js'
import type { Opener } from './place.js'
import { openPostgres } from './postgres.js'
import { openRedis } from './redis.js'
import { openSqlite } from './sqlite.js'

export const PLACES: Readonly<Record<string, Opener>> = {
  sqlite: openSqlite,
  postgres: openPostgres,
  mysql: openMysql,
  redis: openRedis,
}
