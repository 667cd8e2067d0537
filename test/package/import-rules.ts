/**
 * The direction of the house's imports, as a pure function over texts: index → authority and verifier → verbs → options
 * → parts → base. An import may point down or sideways, never up, and no chain of imports comes back to its start.
 *
 * @module
 */
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'

/** One import, re-export or dynamic import, as written. */
interface Import {
  readonly specifier: string
  /** Erased by the compiler: `import type` and `export type`. `import { type A }` is not, it still loads the module. */
  readonly typeOnly: boolean
}

/** What the checker knows beside the sources. */
export interface Packages {
  /** Loaded at run time. */
  readonly dependencies: readonly string[]
  /** Frameworks, clients and type packages: present at the user's or not at all, so only their types may be named. */
  readonly typesOnly: readonly string[]
}

type Layer = 'base' | 'part' | 'options' | 'verb' | 'authority' | 'entry'

const RANK: Readonly<Record<Layer, number>> = {
  base: 0,
  part: 1,
  options: 2,
  verb: 3,
  authority: 4,
  entry: 5,
}

const NAMED: Readonly<Record<string, Layer>> = {
  'src/index.ts': 'entry',
  'src/paseto.ts': 'entry',
  'src/authority/create.ts': 'authority',
  'src/verifier.ts': 'authority',
  'src/verbs/authenticate.ts': 'authority',
  'src/authority/health.ts': 'authority',
  'src/authority/lifecycle.ts': 'authority',
  'src/authority/watchword.ts': 'authority',
  'src/authority/wiring.ts': 'authority',
  'src/verbs/core.ts': 'verb',
  'src/verbs/discard-key.ts': 'verb',
  'src/verbs/entry.ts': 'verb',
  'src/verbs/list.ts': 'verb',
  'src/verbs/verify.ts': 'verb',
  'src/verbs/integrity.ts': 'verb',
  'src/verbs/issue.ts': 'verb',
  'src/verbs/aim.ts': 'verb',
  'src/verbs/rotate.ts': 'verb',
  'src/verbs/retire.ts': 'verb',
  'src/verbs/successor.ts': 'verb',
  'src/verbs/revoke.ts': 'verb',
  'src/options/options.ts': 'options',
  'src/options/schema.ts': 'options',
  'src/verbs/requirement.ts': 'options',
}

const PART = /^src\/(token|keys|policy|cache|revocation|store|feed|http|observe)\//

/** The layer of a source file. A file directly in src that is not named above is a helper everyone may use. */
function layerOf(path: string): Layer | undefined {
  if (NAMED[path]) return NAMED[path]
  if (path.startsWith('src/testkit/')) return 'entry'
  if (PART.test(path)) return 'part'
  return /^src\/[^/]+\.ts$/.test(path) ? 'base' : undefined
}

/** Types may be named against the direction in two places, where a shape belongs to the layer above. */
function mayNameTypes(from: Layer, to: Layer): boolean {
  return (from === 'base' && to === 'part') || (from === 'part' && to === 'options')
}

/** Every import of a file, found in the syntax tree: comments and strings do not count. */
function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      found.push({ specifier: node.moduleSpecifier.text, typeOnly })
    } else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      found.push({ specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument
      if (ts.isStringLiteral(literal)) found.push({ specifier: literal.text, typeOnly: true })
    } else if (ts.isCallExpression(node)) {
      const dynamic = node.expression.kind === ts.SyntaxKind.ImportKeyword
      const required = ts.isIdentifier(node.expression) && node.expression.text === 'require'
      const [first] = node.arguments
      if ((dynamic || required) && first && ts.isStringLiteralLike(first)) {
        found.push({ specifier: first.text, typeOnly: false })
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return found
}

/** Modules of a framework that the entry for it may load: who imports the entry has the framework. */
const LOADED_BY: Readonly<Record<string, readonly string[]>> = {
  // Its error handlers tell errors of its own by their class.
  'src/http/hono.ts': ['hono/http-exception'],
}

/** What is wrong with an import of a package, if anything. */
function packageFault(
  path: string,
  { specifier, typeOnly }: Import,
  packages: Packages,
): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  if (builtinModules.includes(name)) return `write node:${specifier}`
  if (name === 'zod' && specifier !== 'zod/mini')
    return 'all of zod is 75 ms to load: import zod/mini'
  if (packages.dependencies.includes(name)) return undefined
  if (!packages.typesOnly.includes(name)) return 'is not a dependency'
  if (LOADED_BY[path]?.includes(specifier)) return undefined
  return typeOnly ? undefined : 'only its types may be imported, with `import type`'
}

/** What is wrong with an import of another source file, if anything. */
function directionFault(path: string, target: string, typeOnly: boolean): string | undefined {
  const from = layerOf(path)
  const to = layerOf(target)
  if (!from || !to) return undefined
  if (to === 'entry') {
    const siblings = path.startsWith('src/testkit/') && target.startsWith('src/testkit/')
    return siblings ? undefined : 'an entry is for users; import the file behind it'
  }
  if (RANK[to] <= RANK[from] || (typeOnly && mayNameTypes(from, to))) return undefined
  return `a file of the ${from} layer may not reach up into a file of the ${to} layer`
}

/** The first cycle that can be walked, as a list of paths that ends where it began. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path)
    if (start >= 0) return [...trail.slice(start), path]
    if (done.has(path)) return undefined
    for (const next of graph.get(path) ?? []) {
      const cycle = walk(next, [...trail, path])
      if (cycle) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const path of graph.keys()) {
    const cycle = walk(path, [])
    if (cycle) return cycle
  }
  return undefined
}

/**
 * Every import that breaks a rule, one sentence each; none for a clean house.
 *
 * @param files path below the root, with forward slashes → text
 */
export function importFaults(files: ReadonlyMap<string, string>, packages: Packages): string[] {
  const faults: string[] = []
  const graph = new Map<string, string[]>()
  for (const [path, text] of files) {
    if (!layerOf(path)) faults.push(`${path}: belongs to no layer; add its folder to the rules`)
    const targets: string[] = []
    for (const imported of importsOf(path, text)) {
      const { specifier, typeOnly } = imported
      const report = (fault: string | undefined): void => {
        if (fault) faults.push(`${path} imports ${specifier}: ${fault}`)
      }
      if (!specifier.startsWith('.')) {
        report(packageFault(path, imported, packages))
        continue
      }
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      if (!specifier.endsWith('.js')) report('write the .js extension')
      else if (!files.has(target)) report('no such source file')
      else {
        report(directionFault(path, target, typeOnly))
        targets.push(target)
      }
    }
    graph.set(path, targets)
  }
  const cycle = findCycle(graph)
  if (cycle) faults.push(`cycle: ${cycle.join(' → ')}`)
  return faults
}
