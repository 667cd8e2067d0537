/**
 * The statements that create tables and indexes.
 *
 * @module
 */
import type { Column } from './columns.js'
import type { Addition, TableModel } from './schema.js'

/** How a database declares its tables. */
export interface Declarations {
  type(type: Column<never>['type']): string
  /** The text after the list of columns. */
  readonly tableEnd: string
  /** Whether indexes are declared inside their table, for databases without `CREATE INDEX IF NOT EXISTS`. */
  readonly indexesWithin: boolean
}

/** Creates a table and its indexes if they are missing. */
export function createTable(model: TableModel, declarations: Declarations): string[] {
  const { tableEnd, indexesWithin, type } = declarations
  const indexes = Object.entries(model.indexes).map(([end, columns]) => ({
    name: `${unqualified(model.name)}_${end}`,
    columns,
  }))
  const lines = [
    ...model.columns.map(
      (column) => `${column.name} ${type(column.type)}${column.nullable ? '' : ' NOT NULL'}`,
    ),
    `PRIMARY KEY (${model.key ?? 'id'})`,
    ...model.unique.map((columns) => `UNIQUE (${columns})`),
    ...(indexesWithin ? indexes.map(({ name, columns }) => `KEY ${name} (${columns})`) : []),
  ]
  const table = `CREATE TABLE IF NOT EXISTS ${model.name} (\n  ${lines.join(',\n  ')}\n)${tableEnd}`
  if (indexesWithin) return [table]
  return [
    table,
    ...indexes.map(
      ({ name, columns }) => `CREATE INDEX IF NOT EXISTS ${name} ON ${model.name} (${columns})`,
    ),
  ]
}

/** The definition of an added column, which is always nullable. */
export function definitionOf(column: Column<never>, { type }: Declarations): string {
  return `${column.name} ${type(column.type)}`
}

/** Creates the missing indexes of an addition; those of an added column over the rows that have it. */
export function createAddedIndexes({ table, columns, indexes }: Addition): string[] {
  return Object.entries(indexes).map(([end, names]) => {
    const [first] = names.split(',')
    const isAdded = columns.some(({ name }) => name === first)
    const where = isAdded ? ` WHERE ${first} IS NOT NULL` : ''
    return `CREATE INDEX IF NOT EXISTS ${unqualified(table)}_${end} ON ${table} (${names})${where}`
  })
}

// An index is always in the schema of its table and must not be qualified.
function unqualified(name: string): string {
  return name.slice(name.indexOf('.') + 1)
}
