/**
 * Formats a schema issue as a message: the field, the allowed values, and the given value.
 *
 * @module
 */
import { allowedNames, describe, describeKind, isQuotable, pathText, quote } from './quote.js'

/** The part of a schema's issue that the message uses. */
interface SchemaIssue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  /** The unknown names, in an issue about them. */
  readonly keys?: readonly string[] | undefined
  /** The issues of each alternative, in an issue about a value that matches none of them. */
  readonly errors?: readonly (readonly SchemaIssue[])[] | undefined
}

/** The checked input and its schema. */
export interface Checked {
  readonly schema: unknown
  readonly input: unknown
  /** The name of the input: `options`, `input`. */
  readonly root: string
  /** The name for one of its fields: `option`, `field`. */
  readonly noun: string
  /** What to do about a name that is no field of the input, but that callers expect to be one. */
  readonly hints?: Readonly<Record<string, string>>
}

// Fields that may hold a secret or a claim: messages name only the type.
const OPAQUE = new Set<PropertyKey>([
  ...['claims', 'token', 'binding', 'rootKey', 'previousRootKeys'],
  // Adapters: a connection string in place of one may have a password.
  ...['store', 'feed'],
])

// What a field is, where its name and an example do not say it.
const MEANINGS: ReadonlyMap<PropertyKey | undefined, string> = new Map([
  [
    'actor',
    "; the actor is the person or service that makes the change, such as the operator's user id",
  ],
])

/**
 * The message for the issues of a schema, of which there is at least one. Unknown names come first: a misspelt field also makes the schema report the
 * intended field as missing.
 */
export function issueText(given: readonly SchemaIssue[], checked: Checked): string {
  const issues = given.flatMap(specific)
  const unknown = issues.find(({ code }) => code === 'unrecognized_keys')
  const { path, message, keys } = unknown ?? (issues[0] as SchemaIssue)
  const { schema, input, root, noun, hints = {} } = checked
  const field = path.length === 0 ? root : pathText(path)
  if (unknown !== undefined) {
    const [key = ''] = keys ?? []
    const place = path.length === 0 ? '' : `${field}: `
    if (path.length === 0 && Object.hasOwn(hints, key))
      return `${root}: unknown ${noun} ${quote(key)}; ${hints[key]}`
    return `${place}unknown ${noun} ${quote(key)}${allowedNames(key, fieldsAt(schema, path))}`
  }
  const value = valueAt(input, path)
  const meaning = MEANINGS.get(path[0]) ?? ''
  const isSaid = /undefined|, got /.test(message) || (path.length === 0 && isObject(value))
  if (isSaid || value === UNREAD) return `${field}: ${message}${meaning}`
  // Text in place of all options may be the value of any of them, and looks like a name even if it is a secret.
  const isLoose = path.length === 0 && typeof value === 'string' && isQuotable(value)
  const isOpaque = isLoose || path.some((part) => OPAQUE.has(part))
  return `${field}: ${message}, got ${isOpaque ? describeKind(value) : describe(value)}${meaning}`
}

/**
 * The issues that name the wrong field, if the value is like just one of the alternatives: in place of `false` or an
 * object, an object with a wrong field.
 */
function specific(issue: SchemaIssue): readonly SchemaIssue[] {
  const isInside = ({ path, code }: SchemaIssue) => path.length > 0 || code === 'unrecognized_keys'
  const alike = issue.errors?.filter((issues) => issues.some(isInside)) ?? []
  const [issues = []] = alike
  if (alike.length !== 1) return [issue]
  return issues.flatMap((each) => specific({ ...each, path: [...issue.path, ...each.path] }))
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const UNREAD = Symbol('unread')

// Only own data properties are read a second time: a getter must not run twice.
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return UNREAD
    const property = Object.getOwnPropertyDescriptor(value, part)
    if (property !== undefined && !('value' in property)) return UNREAD
    value = property?.value as unknown
  }
  return value
}

interface Definition {
  readonly shape?: Readonly<Record<string, unknown>>
  readonly in?: unknown
  readonly out?: unknown
  readonly innerType?: unknown
  readonly valueType?: unknown
  readonly element?: unknown
  readonly options?: readonly unknown[]
}

/** The names of the fields that a schema allows at a path. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def
  if (definition === undefined) return []
  const { shape, in: before, out, innerType, valueType, element, options = [] } = definition
  const [part, ...rest] = path
  if (shape !== undefined)
    return part === undefined ? Object.keys(shape) : fieldsAt(shape[String(part)], rest)
  const inner = [before, out, innerType, ...options].flatMap((each) => fieldsAt(each, path))
  const held =
    part === undefined ? [] : [valueType, element].flatMap((each) => fieldsAt(each, rest))
  return [...new Set([...inner, ...held])]
}
