/**
 * Makes the mutants of a source file, all of them in one text: each mutated expression becomes a switch,
 * `__mutant(7) ? mutated : original`, so the tests load the file once and turn mutants on one at a time.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** One mutant. */
export interface Mutant {
  readonly id: number
  readonly file: string
  readonly line: number
  readonly column: number
  /** The line that it begins on, without indentation. */
  readonly text: string
  readonly original: string
  readonly mutated: string
}

const { SyntaxKind: K } = ts

/** What replaces each binary operator. */
const OPERATORS: Readonly<Record<number, readonly string[]>> = {
  [K.LessThanToken]: ['<=', '>='],
  [K.LessThanEqualsToken]: ['<', '>'],
  [K.GreaterThanToken]: ['>=', '<='],
  [K.GreaterThanEqualsToken]: ['>', '<'],
  [K.EqualsEqualsToken]: ['!='],
  [K.EqualsEqualsEqualsToken]: ['!=='],
  [K.ExclamationEqualsToken]: ['=='],
  [K.ExclamationEqualsEqualsToken]: ['==='],
  [K.AmpersandAmpersandToken]: ['||'],
  [K.BarBarToken]: ['&&'],
  [K.PlusToken]: ['-'],
  [K.MinusToken]: ['+'],
  [K.AsteriskToken]: ['/'],
  [K.SlashToken]: ['*'],
  [K.PercentToken]: ['*'],
  [K.AsteriskAsteriskToken]: ['*'],
  [K.AmpersandToken]: ['|'],
  [K.BarToken]: ['&'],
  [K.CaretToken]: ['&'],
  [K.LessThanLessThanToken]: ['>>>'],
  [K.GreaterThanGreaterThanToken]: ['<<'],
  [K.GreaterThanGreaterThanGreaterThanToken]: ['<<'],
  [K.PlusEqualsToken]: ['-='],
  [K.MinusEqualsToken]: ['+='],
  [K.BarEqualsToken]: ['&='],
  [K.CaretEqualsToken]: ['|='],
}

const isText = (node: ts.Node): boolean =>
  ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)

const isCondition = (node: ts.Node): boolean => {
  const { parent } = node
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent)) return parent.expression === node
  return ts.isConditionalExpression(parent) && parent.condition === node
}

/** Whether the node is a whole optional chain. A switch inside one would keep it from ending early. */
function isChain(node: ts.Node): boolean {
  return (
    ts.isOptionalChain(node) &&
    !(ts.isOptionalChain(node.parent) && node.parent.expression === node)
  )
}

function withoutOptional(node: ts.Node, source: ts.SourceFile): string[] {
  const found: string[] = []
  const start = node.getStart(source)
  const text = node.getText(source)
  for (let each: ts.Node = node; ts.isOptionalChain(each); each = each.expression) {
    const token = ts.isNonNullExpression(each) ? undefined : each.questionDotToken
    if (token === undefined) continue
    const at = token.getStart(source) - start
    found.push(
      text.slice(0, at) + (ts.isPropertyAccessExpression(each) ? '.' : '') + text.slice(at + 2),
    )
  }
  return found
}

/** The texts that may replace an expression. */
function replacements(node: ts.Node, source: ts.SourceFile): string[] {
  const text = node.getText(source)
  const made: string[] = []
  if (ts.isBinaryExpression(node)) {
    const { left, right, operatorToken } = node
    const [a, b] = [left.getText(source), right.getText(source)]
    const isJoin = operatorToken.kind === K.PlusToken && (isText(left) || isText(right))
    if (!isJoin)
      for (const other of OPERATORS[operatorToken.kind] ?? []) made.push(`${a} ${other} ${b}`)
    if (operatorToken.kind === K.QuestionQuestionToken) made.push(a, b)
  }
  if (node.kind === K.TrueKeyword) made.push('false')
  if (node.kind === K.FalseKeyword) made.push('true')
  if (ts.isNumericLiteral(node)) {
    const value = Number(node.text)
    made.push(`${value + 1}`, value === 0 ? '-1' : `${value - 1}`)
  }
  if (ts.isPrefixUnaryExpression(node)) {
    const operand = node.operand.getText(source)
    if (node.operator === K.ExclamationToken) made.push(operand)
    if (node.operator === K.MinusToken) made.push(operand)
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    if (node.operator === K.PlusPlusToken) made.push(text.replace('++', '--'))
    if (node.operator === K.MinusMinusToken) made.push(text.replace('--', '++'))
  }
  if (isChain(node)) made.push(...withoutOptional(node, source))
  if (isCondition(node)) {
    if (!ts.isWhileStatement(node.parent)) made.push('true')
    made.push('false')
    if (!ts.isBinaryExpression(node) && !ts.isPrefixUnaryExpression(node)) made.push(`!(${text})`)
  }
  return made
}

/** Whether a statement may be left out: a call, an assignment outside a constructor, or a `return` before the last line. */
function isRemovable(node: ts.Node): boolean {
  if (ts.isReturnStatement(node)) {
    // `if (false)` already removes a `return` that is all an `if` does.
    const { parent } = node
    if (!ts.isBlock(parent) || parent.statements.length === 1) return false
    return ts.isIfStatement(parent.parent)
  }
  if (!ts.isExpressionStatement(node)) return false
  const { expression } = node
  if (ts.isBinaryExpression(expression)) return !ts.isConstructorDeclaration(node.parent.parent)
  return ts.isCallExpression(expression) || ts.isAwaitExpression(expression)
}

// Nothing inside these runs, or is more than a name.
const isSkipped = (node: ts.Node): boolean =>
  ts.isTypeNode(node) ||
  ts.isImportDeclaration(node) ||
  ts.isExportDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  (ts.isNumericLiteral(node) && ts.isPropertyAssignment(node.parent) && node.parent.name === node)

/** A source with all its mutants, and what they are. */
export interface Mutated {
  readonly code: string
  readonly mutants: readonly Mutant[]
}

/** Makes the mutants of one file; their ids count from `firstId`. */
export function mutate(root: string, file: string, firstId: number): Mutated {
  const source = ts.createSourceFile(
    file,
    readFileSync(root + file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  )
  const mutants: Mutant[] = []
  const lines = source.text.split('\n')
  const note = (node: ts.Node, mutated: string): number => {
    const id = firstId + mutants.length
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart(source))
    const original = node.getText(source)
    const text = lines[line]?.trim() ?? ''
    mutants.push({ id, file, line: line + 1, column: character + 1, text, original, mutated })
    return id
  }
  const emit = (node: ts.Node): string => {
    if (isSkipped(node)) return node.getFullText(source)
    const made = replacements(node, source).map((text) => [note(node, text), text] as const)
    const removal = isRemovable(node) ? note(node, '') : undefined
    let code = ''
    let at = node.getFullStart()
    node.forEachChild((child) => {
      code += source.text.slice(at, child.getFullStart()) + emit(child)
      at = child.getEnd()
    })
    code += source.text.slice(at, node.getEnd())
    const lead = source.text.slice(node.getFullStart(), node.getStart(source))
    const body = code.slice(lead.length)
    if (removal !== undefined) return `${lead}{ if (!__mutant(${removal})) { ${body} } }`
    // Braces, since a statement that began with a parenthesis would continue the one before it.
    if (ts.isExpressionStatement(node)) return `${lead}{ ${body} }`
    if (made.length === 0) return lead + body
    const switches = made.map(([id, text]) => `__mutant(${id}) ? (${text}) : `).join('')
    return `${lead}(${switches}(${body}))`
  }
  return { code: source.statements.map(emit).join(''), mutants }
}
