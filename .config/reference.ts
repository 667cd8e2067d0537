/**
 * The reference tables: read from the doc comments of the sources, so that they cannot drift from the code.
 *
 * `npm run reference` writes `.github/REFERENCE.md`; a test fails while the file differs from what this writes.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

/** One row: a member and what its comment says. */
interface Row {
  readonly name: string
  readonly fallback: string
  readonly text: string
}

interface Section {
  readonly title: string
  readonly intro?: string
  readonly file: string
  /** The interface, union or constant whose members are listed. */
  readonly symbol: string
  /** Whether the members have defaults worth a column. */
  readonly defaults?: boolean
  /** Put before each name, such as `keys.`. */
  readonly prefix?: string
}

const SECTIONS: readonly Section[] = [
  {
    title: 'Options of `createWatchword`',
    intro:
      "Durations are whole milliseconds, or text: `'250ms'`, `'5s'`, `'15m'`, `'12h'`, `'30d'`, `'2w'`.",
    file: 'src/options/options.ts',
    symbol: 'WatchwordOptions',
    defaults: true,
  },
  {
    title: 'Options of `keys`',
    file: 'src/options/options.ts',
    symbol: 'KeyOptions',
    defaults: true,
    prefix: 'keys.',
  },
  {
    title: 'Options of `cache`',
    file: 'src/options/options.ts',
    symbol: 'CacheOptions',
    defaults: true,
    prefix: 'cache.',
  },
  {
    title: 'Options of a policy',
    file: 'src/options/options.ts',
    symbol: 'PolicyOptions',
    defaults: true,
  },
  { title: 'Fields of a requirement', file: 'src/types.ts', symbol: 'Requirement', defaults: true },
  { title: 'Input of `issue`', file: 'src/verbs/inputs.ts', symbol: 'IssueInput', defaults: true },
  {
    title: 'Options of `rotate`',
    file: 'src/verbs/inputs.ts',
    symbol: 'RotateOptions',
    defaults: true,
  },
  {
    title: 'Options of `revoke`',
    file: 'src/verbs/inputs.ts',
    symbol: 'RevokeOptions',
    defaults: true,
  },
  {
    title: 'Options of a guard',
    file: 'src/http/options.ts',
    symbol: 'TokenOptions',
    defaults: true,
  },
  {
    title: 'Options shared by the token endpoints',
    file: 'src/http/endpoints/options.ts',
    symbol: 'EndpointsOptions',
    defaults: true,
  },
  {
    title: 'Options of the rotation endpoint',
    file: 'src/http/endpoints/options.ts',
    symbol: 'RotationOptions',
    defaults: true,
  },
  {
    title: 'Options of the revocation and introspection endpoints',
    file: 'src/http/endpoints/options.ts',
    symbol: 'AuthorizedOptions',
    defaults: true,
  },
  {
    title: 'Options of the leak endpoint',
    file: 'src/http/endpoints/options.ts',
    symbol: 'LeakOptions',
    defaults: true,
  },
  { title: 'Rejection codes', file: 'src/types.ts', symbol: 'RejectionCode' },
  { title: 'Error codes', file: 'src/errors.ts', symbol: 'ERROR_CODES' },
  {
    title: 'Fields of a decision (`watchword:decision`)',
    file: 'src/observe/channels.ts',
    symbol: 'Decision',
  },
  {
    title: 'Fields of an audit event (`watchword:audit`)',
    file: 'src/observe/channels.ts',
    symbol: 'AuditEvent',
  },
  {
    title: 'Incidents of the feed',
    file: 'src/observe/incident-kind.ts',
    symbol: 'IncidentKind',
  },
  {
    title: 'Incidents that an adapter reports',
    file: 'src/feed/feed.ts',
    symbol: 'FeedIncidentKind',
  },
  { title: 'Fields of `health()`', file: 'src/authority/health-report.ts', symbol: 'Health' },
  {
    title: 'Fields of `health()` about the fleet',
    file: 'src/revocation/follower/standing.ts',
    symbol: 'Standing',
  },
]

function sourceOf(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(root + file, 'utf8'), ts.ScriptTarget.Latest, true)
}

function commentOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  const text = comment === undefined ? '' : (ts.getTextOfJSDocComment(comment.comment) ?? '')
  return text
    .replace(/\{@link\s+([^}]+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Members of a union: the comment of each stands between it and the member before. */
function unionRows(type: ts.TypeNode, source: ts.SourceFile): Row[] {
  const members = ts.isUnionTypeNode(type) ? type.types : [type]
  return members.map((member, i) => {
    const from = members[i - 1]?.end ?? type.pos
    const [, comment = ''] =
      /\/\*\*(.*?)\*\//s.exec(source.text.slice(from, member.getStart(source))) ?? []
    const text = comment
      .replace(/^\s*\*/gm, ' ')
      .replace(/\s+/g, ' ')
      .trim()
    return { name: member.getText(source).replace(/^'|'$/g, ''), fallback: '', text }
  })
}

function rowsOf({ file, symbol }: Section): Row[] {
  const source = sourceOf(file)
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === symbol) {
      return statement.members.map((member) => {
        const optional = 'questionToken' in member && member.questionToken !== undefined
        return rowOf(member.name?.getText(source) ?? '', commentOf(member), optional)
      })
    }
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === symbol)
      return unionRows(statement.type, source)
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (name.getText(source) === symbol && initializer) return constantRows(initializer, source)
    }
  }
  throw new Error(`${file} has no ${symbol}`)
}

function constantRows(initializer: ts.Expression, source: ts.SourceFile): Row[] {
  const object = ts.isAsExpression(initializer) ? initializer.expression : initializer
  if (!ts.isObjectLiteralExpression(object)) throw new Error('expected an object literal')
  return object.properties.filter(ts.isPropertyAssignment).map((property) => {
    const { initializer: value } = property
    const text = ts.isStringLiteralLike(value) ? value.text : value.getText(source)
    return { name: property.name.getText(source), fallback: '', text }
  })
}

function rowOf(name: string, comment: string, optional: boolean): Row {
  const match = /\s*Default:\s*(.+?)\.?\s*$/.exec(comment)
  const fallback = match?.[1] ?? (optional ? 'none' : 'required')
  return { name, fallback, text: match ? comment.slice(0, match.index).trim() : comment }
}

const cell = (text: string): string => text.replace(/\|/g, '\\|')

function tableOf(section: Section): string {
  const rows = rowsOf(section)
  const names = rows.map(({ name }) => `\`${section.prefix ?? ''}${name}\``)
  const lines = section.defaults
    ? [
        '| name | default | meaning |',
        '| --- | --- | --- |',
        ...rows.map(
          ({ fallback, text }, i) => `| ${names[i]} | ${cell(fallback)} | ${cell(text)} |`,
        ),
      ]
    : [
        '| name | meaning |',
        '| --- | --- |',
        ...rows.map(({ text }, i) => `| ${names[i]} | ${cell(text)} |`),
      ]
  const intro = section.intro === undefined ? [] : [section.intro, '']
  return [`## ${section.title}`, '', ...intro, ...lines].join('\n')
}

/** The whole page, as it must be. */
export function referencePage(): string {
  const head = [
    '# Reference',
    '',
    'Generated from the doc comments of the sources by `npm run reference`. Do not edit it by hand.',
  ].join('\n')
  return `${[head, ...SECTIONS.map(tableOf)].join('\n\n')}\n`
}

/** Where the page is kept. */
export const REFERENCE_FILE = `${root}.github/REFERENCE.md`

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(REFERENCE_FILE, referencePage())
