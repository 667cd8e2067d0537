/**
 * SQL as text and values that never meet: a tagged template whose parts are bound, unless they are SQL themselves.
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
  /** One of so many variants that preparing it for later would fill the server with what is never used again. */
  readonly once?: boolean
}

/** The result of a driver in the common form. */
export interface Answer {
  readonly rows: readonly Row[]
  /** How many rows were written. */
  readonly changes: number
}

/** A row by column name; every driver has its own idea of what a number or a text is. */
export type Row = Readonly<Record<string, unknown>>

/** An operation of one or more statements, written once and driven by synchronous and asynchronous clients alike. */
export type Steps<T> = Generator<Sql, T, Answer>

/** Builds SQL. */
export function sql(strings: TemplateStringsArray, ...parts: readonly (Sql | SqlValue)[]): Sql {
  let text = strings[0] ?? ''
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
    text += strings[index + 1] ?? ''
  })
  return isOnce ? { text, values, once: true } : { text, values }
}

/** Text of the library's own making, such as a table's name: never of a caller's. */
export function raw(text: string): Sql {
  return { text, values: [] }
}

/** Parts with something between them. */
export function joined(parts: readonly Sql[], separator: string): Sql {
  return {
    text: parts.map(({ text }) => text).join(separator),
    values: parts.flatMap(({ values }) => values),
  }
}

/** The same statement, not to be prepared. */
export function once(statement: Sql): Sql {
  return { ...statement, once: true }
}

/** A list of values, each bound by itself. */
export function listed(values: readonly SqlScalar[]): Sql {
  return { text: values.map(() => '?').join(', '), values }
}

/** Drives the steps of a synchronous client. */
export function runSteps<T>(steps: Steps<T>, run: (statement: Sql) => Answer): T {
  let next = steps.next()
  while (!next.done) next = steps.next(run(next.value))
  return next.value
}

/** Drives the steps of an asynchronous client. */
export async function awaitSteps<T>(
  steps: Steps<T>,
  run: (statement: Sql) => Promise<Answer>,
): Promise<T> {
  let next = steps.next()
  while (!next.done) next = steps.next(await run(next.value))
  return next.value
}

function isSql(part: Sql | SqlValue): part is Sql {
  return typeof part === 'object' && part !== null && Object.hasOwn(part, 'text')
}
