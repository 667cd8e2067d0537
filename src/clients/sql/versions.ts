/**
 * The table of applied schema versions, for each database.
 *
 * @module
 */
import type { Versions } from './migrations.js'
import { type Sql, sql } from './statement.js'

/** The table in SQLite. */
export function sqliteVersions({ text }: Sql): Versions {
  return {
    versionsExist: sql`SELECT 1 AS found FROM sqlite_master
      WHERE type = 'table' AND name = ${text}`,
    createVersions: [
      `CREATE TABLE IF NOT EXISTS ${text} (version INTEGER NOT NULL PRIMARY KEY) STRICT`,
    ],
  }
}

/** The table in MySQL and MariaDB. */
export function mysqlVersions({ text }: Sql): Versions {
  return {
    versionsExist: sql`SELECT 1 AS found FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_name = ${text}`,
    createVersions: [
      `CREATE TABLE IF NOT EXISTS ${text} (version BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB`,
    ],
  }
}

/** The table in PostgreSQL, in a schema that is created if it is missing. */
export function postgresVersions({ text }: Sql, schema: string | undefined): Versions {
  return {
    versionsExist: sql`SELECT 1 AS found WHERE to_regclass(${text}) IS NOT NULL`,
    createVersions: [
      ...(schema === undefined ? [] : [createSchema(schema)]),
      `CREATE TABLE IF NOT EXISTS ${text} (version BIGINT NOT NULL PRIMARY KEY)`,
    ],
  }
}

// CREATE SCHEMA requires a privilege on the database even if the schema exists.
function createSchema(schema: string): string {
  return `DO $$ BEGIN IF to_regnamespace('"${schema}"') IS NULL THEN CREATE SCHEMA IF NOT EXISTS "${schema}"; END IF; END $$`
}
