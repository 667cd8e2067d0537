/**
 * Builds the API reference from the doc comments: `npm run docs` writes it to `docs/`, and `npm run docs -- --check`
 * only validates. Every warning is an error: a broken link, an export without a comment, a type that the API uses and no
 * entry exports.
 *
 * @module
 */
import { fileURLToPath } from 'node:url'
import { Application, ReflectionKind, type TranslatedString, TSConfigReader } from 'typedoc'
import { entries } from './entries.js'

const root = fileURLToPath(new URL('..', import.meta.url))

// Functions are checked below: for TypeDoc they include every method, also those of the clients' structural types.
const DOCUMENTED = ['Class', 'Interface', 'TypeAlias', 'Variable', 'Enum'] as const

// Parts of structural types: callers pass a client that has them, and never name them.
const NOT_EXPORTED = [
  'Answer',
  'Consumer',
  'Covered',
  'Expectation',
  'JetStreamManager',
  'PostgresParsers',
  'SqlScalar',
]

const app = await Application.bootstrap(
  {
    name: 'watchword',
    entryPoints: entries.map(({ source }) => root + source),
    tsconfig: `${root}tsconfig.json`,
    basePath: `${root}src`,
    readme: 'none',
    out: `${root}docs`,
    disableSources: true,
    requiredToBeDocumented: [...DOCUMENTED],
    intentionallyNotExported: NOT_EXPORTED,
    validation: { notExported: true, invalidLink: true, invalidPath: true, notDocumented: true },
    treatWarningsAsErrors: true,
    treatValidationWarningsAsErrors: true,
  },
  [new TSConfigReader()],
)

const project = await app.convert()
if (project !== undefined) {
  // Modules are shown by what users import.
  const specifiers = new Map(entries.map(({ name, specifier }) => [name, specifier]))
  for (const module of project.getReflectionsByKind(ReflectionKind.Module))
    module.name =
      specifiers.get(module.name) ?? specifiers.get(`${module.name}/index`) ?? module.name
  app.validate(project)
  for (const made of project.getReflectionsByKind(ReflectionKind.Function)) {
    const signatures = made.isDeclaration() ? (made.signatures ?? []) : []
    if (signatures.some((signature) => signature.hasComment())) continue
    app.logger.error(`${made.getFullName()} has no doc comment` as TranslatedString)
  }
  const isClean = !app.logger.hasErrors() && !app.logger.hasWarnings()
  if (isClean && !process.argv.includes('--check')) await app.generateOutputs(project)
}
if (project === undefined || app.logger.hasErrors() || app.logger.hasWarnings())
  process.exitCode = 1
