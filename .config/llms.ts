/**
 * `llms.txt`: the library on one page for language models, in the format of https://llmstxt.org. Written with the
 * reference page by `npm run reference`, from the doc comments, the quick start and the list of the guides.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { functionsOf, methodsOf, type Row, rowsOf } from './doc-comments.js'
import { entries } from './entries.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(root + path, 'utf8')

/** The path of the page. */
export const LLMS_FILE = `${root}llms.txt`

/** The parameters of each verb: the file and the interface that describe them. */
const PARAMETERS: Readonly<Record<string, readonly [file: string, symbol: string]>> = {
  issue: ['src/verbs/inputs.ts', 'IssueInput'],
  verify: ['src/types.ts', 'Requirement'],
  rotate: ['src/verbs/inputs.ts', 'RotateOptions'],
  revoke: ['src/verbs/inputs.ts', 'RevokeOptions'],
}

const TERMS = `An *authority* is the object that \`createWatchword\` returns. A *node* is a process that runs an authority. All nodes share a
*store* (token records and wrapped keys) and a *feed* (the log of revocations). A *family* is a token and all its
successors by rotation. The *actor* is the operator or service that requests a change; it is recorded and grants nothing.`

const NOTES = `- The store never contains the token: keep \`issued.token\` when \`issue\` resolves.
- \`verify\` and \`authenticate\` return \`{ ok: true, ... }\` or a rejection, \`{ ok: false, code }\`. Everything else is thrown as a
  \`WatchwordError\` with a \`code\`. Switch on the code, never on the message.
- The target of \`revoke\` is one of \`{ token }\`, \`{ id }\`, \`{ family }\`, \`{ subject }\`, \`{ key }\`, \`{ audience }\` and
  \`{ all: true }\`.
- Without \`store\` and \`feed\`, all state is lost when the process ends. Several processes need a durable store, a feed and one
  \`rootKey\`. Call \`migrate()\` on SQL stores and feeds before the first use.
- Durations are milliseconds or text such as \`'15m'\` and \`'30d'\`. An explicit \`undefined\` for an option throws.
- Call \`close()\` when the process stops.`

const DOCUMENTS: readonly (readonly [path: string, notes: string])[] = [
  ['README.md', 'quick starts, guarantees with their bounds, one section per task, adapters'],
  ['.github/REFERENCE.md', 'every option with its default, every code, every published field'],
  ['.github/SECURITY.md', 'the threat table and its limits'],
  ['.github/PROTOCOL.md', 'the revocation protocol'],
  ['CHANGELOG.md', 'what changed in each version'],
]

/** The first sentence of a comment. */
function firstSentence(text: string): string {
  return /^.*?[.](?= [A-Z`]|$)/.exec(text)?.[0] ?? text
}

function optionLines(file: string, symbol: string): string[] {
  return rowsOf(file, symbol).map(({ name, fallback, text }) => {
    const isRequired = fallback === 'required' ? ', required' : ''
    return `- \`${name}\`${isRequired}: ${firstSentence(text)}`
  })
}

function parameterLines(verb: string): string[] {
  const place = PARAMETERS[verb]
  return place === undefined ? [] : optionLines(...place).map((line) => `  ${line}`)
}

function verbLines(): string[] {
  return methodsOf('src/authority/watchword.ts', 'Watchword').flatMap(({ call, returns, text }) => {
    const [verb = ''] = call.split('(')
    return [`- \`${call}: ${returns}\`: ${firstSentence(text)}`, ...parameterLines(verb)]
  })
}

function codeLines(rows: readonly Row[]): string[] {
  return rows.map(({ name, text }) => `- \`${name}\`: ${text}`)
}

function importLines(): string[] {
  return entries.flatMap(({ specifier, source }) => [
    `- \`${specifier}\``,
    ...functionsOf(source).map(({ name, text }) => `  - \`${name}\`: ${firstSentence(text)}`),
  ])
}

/** One line for each link of an item, but not for the modules of a program, which are in a folder. */
function linkLines(item: string): string {
  const notes = item.slice(item.indexOf('): ') + 3)
  const paths = [...item.matchAll(/\]\(([\w.-]+)\)/g)].map(([, path]) => path)
  return paths.map((path) => `- [examples/${path}](examples/${path}): ${notes}`).join('\n')
}

/** The sections of the list of the guides, with links from the root of the package. */
function guideSections(): string {
  const [, ...sections] = read('examples/README.md').split(/^(?=## )/m)
  return sections.map((section) => section.trimEnd().replace(/^- .*$/gm, linkLines)).join('\n\n')
}

/** The complete page. */
export function llmsPage(): string {
  const { name, description, engines } = JSON.parse(read('package.json')) as {
    readonly name: string
    readonly description: string
    readonly engines: { readonly node: string }
  }
  const documents = DOCUMENTS.map(([path, notes]) => `- [${path}](${path}): ${notes}`)
  const quickStart = read('examples/quickstart.ts').trimEnd()
  const blocks = [
    `# ${name}`,
    `> ${description}`,
    TERMS,
    `Install with \`npm install ${name}\`. Node ${engines.node}, ESM and CommonJS, types included. Quick start:`,
    `\`\`\`ts\n${quickStart}\n\`\`\``,
    'Rules:',
    NOTES,
    'Methods of an authority, with their parameters:',
    verbLines().join('\n'),
    'Options of `createWatchword`:',
    optionLines('src/options/options.ts', 'WatchwordOptions').join('\n'),
    'Fields of a policy:',
    optionLines('src/options/policy-options.ts', 'PolicyOptions').join('\n'),
    'Codes of a rejection, the `code` of a result that is not `ok`:',
    codeLines(rowsOf('src/types.ts', 'RejectionCode')).join('\n'),
    'Codes of a `WatchwordError`:',
    codeLines(rowsOf('src/errors.ts', 'ERROR_CODES')).join('\n'),
    'Functions of each import:',
    importLines().join('\n'),
    `## Documents\n\n${documents.join('\n')}`,
    guideSections(),
  ]
  return `${blocks.join('\n\n')}\n`
}
