/**
 * SQL as text with separate values: a tagged template whose parts are bound, unless they are SQL themselves.
 *
 * @module
 */

/** The values that may be bound. Lists are for Postgres only. */
export type SqlScalar = string | number | Uint8Array | null
export type SqlValue = SqlScalar | readonly SqlScalar[]

/** A statement, or a part of one: text with a `?` for each value. */
export interface Sql {
  readonly text: string
  readonly values: readonly SqlValue[]
  /** Whether there are too many variants of the statement to prepare it: each would stay on the server unused. */
  readonly once?: boolean
}

/** The result of a driver in the common form. */
export interface SqlResult {
  readonly rows: readonly Row[]
  /** The number of rows written. */
  readonly changes: number
}

/** A row by column name; drivers differ in how they return numbers and text. */
export type Row = Readonly<Record<string, unknown>>

/** An operation of one or more statements, shared by synchronous and asynchronous clients. */
export type Steps<T> = Generator<Sql, T, SqlResult>

/** Builds SQL. */
export function sql(strings: TemplateStringsArray, ...parts: readonly (Sql | SqlValue)[]): Sql {
  // A template has one string more than parts.
  let text = strings[0] as string
  let isOnce = false
  const values: SqlValue[] = []
  parts.forEach((part, index) => {
    if (isSql(part)) {
      text += part.text
      values.push(...part.values)
      isOnce ||= part.once === true
    } else {
      text += '?'
      values.push(part)
    }
    text += strings[index + 1] as string
  })
  return isOnce ? { text, values, once: true } : { text, values }
}

/** SQL text of the library itself, such as a table's name. Never for text of a caller. */
export function raw(text: string): Sql {
  return { text, values: [] }
}

/** Joins parts with a separator. */
export function joined(parts: readonly Sql[], separator: string): Sql {
  return {
    text: parts.map(({ text }) => text).join(separator),
    values: parts.flatMap(({ values }) => values),
  }
}

/** The same statement, not prepared. */
export function once(statement: Sql): Sql {
  return { ...statement, once: true }
}

/** A list of values, each bound separately. */
export function listed(values: readonly SqlScalar[]): Sql {
  return { text: values.map(() => '?').join(', '), values }
}

/** Runs the steps on a synchronous client. */
export function runSteps<T>(steps: Steps<T>, run: (statement: Sql) => SqlResult): T {
  let next = steps.next()
  while (!next.done) next = steps.next(run(next.value))
  return next.value
}

/** Runs the steps on an asynchronous client. */
export async function awaitSteps<T>(
  steps: Steps<T>,
  run: (statement: Sql) => Promise<SqlResult>,
): Promise<T> {
  let next = steps.next()
  while (!next.done) next = steps.next(await run(next.value))
  return next.value
}

function isSql(part: Sql | SqlValue): part is Sql {
  return typeof part === 'object' && part !== null && Object.hasOwn(part, 'text')
}
