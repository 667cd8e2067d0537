/**
 * Reads doc comments from the syntax trees of the sources, for the pages that are generated from them.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

/** One member of an interface, a class, a union or a constant, and its comment. */
export interface Row {
  readonly name: string
  /** The default of an optional member; `required` for any other. */
  readonly fallback: string
  readonly text: string
}

/** A declaration and the file that it is in. */
interface Found<T> {
  readonly node: T
  readonly source: ts.SourceFile
}

const parsed = new Map<string, ts.SourceFile>()

function sourceOf(file: string): ts.SourceFile {
  const known = parsed.get(file)
  if (known !== undefined) return known
  const text = readFileSync(root + file, 'utf8')
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  parsed.set(file, source)
  return source
}

/** `./feed.js`, as written in `src/feed/memory.ts`, is `src/feed/feed.ts`. */
function fileOf(specifier: ts.Expression, source: ts.SourceFile): string | undefined {
  if (!ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return undefined
  return posix.join(posix.dirname(source.fileName), specifier.text.replace(/\.js$/, '.ts'))
}

function cleaned(comment: string): string {
  return comment
    .replace(/\{@link[\s*]+([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
}

function commentOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  return comment === undefined ? '' : cleaned(ts.getTextOfJSDocComment(comment.comment) ?? '')
}

function rowOf(name: string, comment: string, optional: boolean): Row {
  const match = /\s*Default:\s*(.+?)\.?\s*$/.exec(comment)
  const fallback = match?.[1] ?? (optional ? 'none' : 'required')
  return { name, fallback, text: match ? comment.slice(0, match.index).trim() : comment }
}

/** The union that a name stands for, in this file or in the one that it is imported from. */
function aliasOf(name: string, source: ts.SourceFile): Found<ts.TypeNode> | undefined {
  for (const statement of source.statements) {
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === name)
      return { node: statement.type, source }
    const names = namesBetween(statement)
    if (names === undefined || !names.list.some((each) => each.name.text === name)) continue
    const file = fileOf(names.from, source)
    if (file !== undefined) return aliasOf(name, sourceOf(file))
  }
  return undefined
}

/** The names that an import or a re-export lists, and the module that they come from. */
function namesBetween(statement: ts.Statement):
  | {
      readonly list: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[]
      readonly from: ts.Expression
    }
  | undefined {
  if (ts.isImportDeclaration(statement)) {
    const bindings = statement.importClause?.namedBindings
    if (bindings === undefined || !ts.isNamedImports(bindings)) return undefined
    return { list: bindings.elements, from: statement.moduleSpecifier }
  }
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined)
    return undefined
  const { exportClause, moduleSpecifier } = statement
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return undefined
  return { list: exportClause.elements, from: moduleSpecifier }
}

/** The code that a member of a union is, such as `revoked` or `feed.<IncidentKind>`; `undefined` if it is none. */
function codeOf(member: ts.TypeNode): string | undefined {
  if (ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal)) return member.literal.text
  if (!ts.isTemplateLiteralTypeNode(member)) return undefined
  const spans = member.templateSpans.map(
    ({ type, literal }) => `<${type.getText()}>${literal.text}`,
  )
  return member.head.text + spans.join('')
}

const membersOf = (type: ts.TypeNode): readonly ts.TypeNode[] =>
  ts.isUnionTypeNode(type) ? type.types : [type]

/** The union behind a member that is the name of one. */
function namedUnion(member: ts.TypeNode, source: ts.SourceFile): Found<ts.TypeNode> | undefined {
  if (!ts.isTypeReferenceNode(member) || member.typeArguments !== undefined) return undefined
  return aliasOf(member.typeName.getText(source), source)
}

function isCodes({ node, source }: Found<ts.TypeNode>): boolean {
  return membersOf(node).every((member) => {
    if (codeOf(member) !== undefined) return true
    const named = namedUnion(member, source)
    return named !== undefined && isCodes(named)
  })
}

/**
 * The members of a union, with those of the unions that it names. The compiler attaches no comment to a member: it
 * stands between it and the member before.
 */
function unionRows({ node, source }: Found<ts.TypeNode>): Row[] {
  const members = membersOf(node)
  return members.flatMap((member, i) => {
    const named = namedUnion(member, source)
    if (named !== undefined) return unionRows(named)
    const from = members[i - 1]?.end ?? node.pos
    const between = source.text.slice(from, member.getStart(source))
    const [, comment = ''] = /\/\*\*(.*?)\*\//s.exec(between) ?? []
    const name = codeOf(member) ?? member.getText(source)
    return { name, fallback: '', text: cleaned(comment.replace(/^\s*\*/gm, ' ')) }
  })
}

/** The name of a member, without quotes. */
function memberName(
  { name }: ts.TypeElement | ts.PropertyAssignment,
  source: ts.SourceFile,
): string {
  if (name === undefined) return ''
  return ts.isStringLiteral(name) ? name.text : name.getText(source)
}

function constantRows(initializer: ts.Expression, source: ts.SourceFile): Row[] {
  const object = ts.isAsExpression(initializer) ? initializer.expression : initializer
  if (!ts.isObjectLiteralExpression(object)) throw new Error('expected an object literal')
  return object.properties.filter(ts.isPropertyAssignment).map((property) => {
    const { initializer: value } = property
    const text = ts.isStringLiteralLike(value) ? value.text : value.getText(source)
    return { name: memberName(property, source), fallback: '', text }
  })
}

/** The public properties and getters of a class; not its methods. */
function classRows({ members }: ts.ClassDeclaration, source: ts.SourceFile): Row[] {
  return members.flatMap((member) => {
    const isField = ts.isPropertyDeclaration(member) || ts.isGetAccessor(member)
    if (!isField || !ts.isIdentifier(member.name)) return []
    return [rowOf(member.name.getText(source), commentOf(member), false)]
  })
}

/** The members of an interface, a class, a union or a constant of a file. */
export function rowsOf(file: string, symbol: string): readonly Row[] {
  const source = sourceOf(file)
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === symbol) {
      return statement.members.map((member) => {
        const optional = 'questionToken' in member && member.questionToken !== undefined
        return rowOf(memberName(member, source), commentOf(member), optional)
      })
    }
    if (ts.isClassDeclaration(statement) && statement.name?.text === symbol)
      return classRows(statement, source)
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === symbol)
      return unionRows({ node: statement.type, source })
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (name.getText(source) === symbol && initializer) return constantRows(initializer, source)
    }
  }
  throw new Error(`${file} has no ${symbol}`)
}

/** The union of this name, and the unions that it names. */
export function unionsWithin(file: string, symbol: string): readonly string[] {
  const alias = aliasOf(symbol, sourceOf(file))
  const members = alias === undefined ? [] : membersOf(alias.node).filter(ts.isTypeReferenceNode)
  return [symbol, ...members.flatMap(({ typeName }) => unionsWithin(file, typeName.getText()))]
}

/** The unions of codes that a file exports by name from others, such as `RejectionCode`. */
export function exportedCodes(file: string): readonly string[] {
  const source = sourceOf(file)
  return source.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return []
    const names = namesBetween(statement)?.list.map(({ name }) => name.text) ?? []
    return names.filter((name) => {
      const alias = aliasOf(name, source)
      return alias !== undefined && isCodes(alias)
    })
  })
}

/** The interfaces that a file exports by name from others, such as `SprawlReport`. */
export function exportedInterfaces(file: string): readonly string[] {
  const source = sourceOf(file)
  return source.statements.flatMap((statement) => {
    const names = ts.isExportDeclaration(statement) ? namesBetween(statement) : undefined
    const from = names === undefined ? undefined : fileOf(names.from, source)
    if (names === undefined || from === undefined) return []
    const declared = new Set(
      sourceOf(from)
        .statements.filter(ts.isInterfaceDeclaration)
        .map(({ name }) => name.text),
    )
    return names.list.map(({ name }) => name.text).filter((name) => declared.has(name))
  })
}

/** One method and its comment. */
export interface Method {
  /** `rotate(token, options)` */
  readonly call: string
  /** `Promise<IssuedToken>` */
  readonly returns: string
  readonly text: string
}

/** The methods of an interface, with those of its groups, such as `tokens.get(id)`. Of overloads, the longest. */
export function methodsOf(file: string, symbol: string): readonly Method[] {
  const source = sourceOf(file)
  const found = source.statements.find(
    (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === symbol,
  )
  if (found === undefined || !ts.isInterfaceDeclaration(found))
    throw new Error(`${file} has no ${symbol}`)
  return methodsAmong(found.members, '', source)
}

function methodsAmong(
  members: ts.NodeArray<ts.TypeElement>,
  prefix: string,
  source: ts.SourceFile,
): Method[] {
  const methods = new Map<string, Method>()
  const groups: Method[] = []
  for (const member of members) {
    const name = member.name?.getText(source) ?? ''
    if (ts.isPropertySignature(member) && member.type && ts.isTypeLiteralNode(member.type))
      groups.push(...methodsAmong(member.type.members, `${name}.`, source))
    if (!ts.isMethodSignature(member) || name.startsWith('[')) continue
    const parameters = member.parameters.map((parameter) => {
      return parameter.name.getText(source) + (parameter.questionToken ? '?' : '')
    })
    methods.set(name, {
      call: `${prefix}${name}(${parameters.join(', ')})`,
      returns: member.type?.getText(source) ?? 'void',
      text: commentOf(member) || (methods.get(name)?.text ?? ''),
    })
  }
  return [...methods.values(), ...groups]
}

/** The functions that a file exports, its own and those of other files, by name. */
export function functionsOf(file: string): readonly Omit<Row, 'fallback'>[] {
  const source = sourceOf(file)
  const found = source.statements.flatMap((statement) => {
    if (ts.isFunctionDeclaration(statement) && isExported(statement))
      return [{ name: statement.name?.text ?? '', text: commentOf(statement) }]
    if (!ts.isExportDeclaration(statement) || statement.isTypeOnly) return []
    const names = namesBetween(statement)
    const from = names === undefined ? undefined : fileOf(names.from, source)
    if (names === undefined || from === undefined) return []
    const wanted = new Set(
      names.list.filter((each) => !each.isTypeOnly).map((each) => each.name.text),
    )
    return functionsOf(from).filter(({ name }) => wanted.has(name))
  })
  // Only the first of several overloads has the comment.
  return found.filter(({ name }, i) => found.findIndex((other) => other.name === name) === i)
}

function isExported({ modifiers }: ts.FunctionDeclaration): boolean {
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false
}
