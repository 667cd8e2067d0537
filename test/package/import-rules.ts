/**
 * The rules for imports, as a pure function over source texts: an import points to the same layer or a lower one,
 * including imports of types. There are no cycles, and no chain of imports is longer than `LONGEST_CHAIN`.
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

/** What the checker knows besides the sources. */
export interface Packages {
  /** Loaded at run time. */
  readonly dependencies: readonly string[]
  /** Frameworks, clients and type packages, which the user may not have installed, so only their types are imported. */
  readonly typesOnly: readonly string[]
}

/**
 * The layers of `src`, from the lowest. `errors.ts` and `types.ts` belong to the lowest layer. The other files directly
 * in `src`, every `index.ts` and the testkit are entries.
 */
const LAYERS = [
  'lib',
  'policy',
  'token',
  'clients',
  'cache',
  'feed',
  'store',
  'observe',
  'keys',
  'revocation/index',
  'revocation/log',
  'revocation/follower',
  'options',
  'verbs',
  'report',
  'http',
  'authority',
  'entry',
] as const
type Layer = (typeof LAYERS)[number]

const LOWEST: ReadonlySet<string> = new Set(['src/errors.ts', 'src/types.ts'])
const ENTRIES: ReadonlySet<string> = new Set(['src/index.ts', 'src/paseto.ts'])

/** The longest chain of imports, including types: a reader of the first file has to know no more files than these. */
export const LONGEST_CHAIN = 15

/** The layer of a source file; `undefined` if its folder has none. */
function layerOf(path: string): Layer | undefined {
  if (LOWEST.has(path)) return 'lib'
  if (ENTRIES.has(path) || path.startsWith('src/testkit/')) return 'entry'
  if (path.endsWith('/index.ts')) return 'entry'
  return LAYERS.find((layer) => path.startsWith(`src/${layer}/`))
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

/** Modules of a framework that its entry may load: a user who imports the entry has installed the framework. */
const LOADED_BY: Readonly<Record<string, readonly string[]>> = {
  // Hono's error handlers recognize its errors by their class.
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
function directionFault(path: string, target: string): string | undefined {
  const from = layerOf(path)
  const to = layerOf(target)
  if (!from || !to) return undefined
  if (to === 'entry') {
    const siblings = path.startsWith('src/testkit/') && target.startsWith('src/testkit/')
    return siblings ? undefined : 'an entry is for users; import the file behind it'
  }
  if (LAYERS.indexOf(to) <= LAYERS.indexOf(from)) return undefined
  return `the layer ${from} may not import from the higher layer ${to}`
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

/** The longest way from file to file, in a graph without cycles. */
function longestChain(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const known = new Map<string, readonly string[]>()
  const walk = (path: string): readonly string[] => {
    const before = known.get(path)
    if (before) return before
    const rest = (graph.get(path) ?? []).map(walk)
    const longest = rest.reduce((a, b) => (b.length > a.length ? b : a), [])
    const chain = [path, ...longest]
    known.set(path, chain)
    return chain
  }
  return [...graph.keys()].map(walk).reduce((a, b) => (b.length > a.length ? b : a), [])
}

/**
 * Every import that breaks a rule, one sentence each; none if all follow the rules.
 *
 * @param files path below the root, with forward slashes → text
 */
export function importFaults(files: ReadonlyMap<string, string>, packages: Packages): string[] {
  const faults: string[] = []
  const graph = new Map<string, string[]>()
  for (const [path, text] of files) {
    if (!layerOf(path)) faults.push(`${path}: belongs to no layer; add its folder to LAYERS`)
    const targets: string[] = []
    for (const imported of importsOf(path, text)) {
      const { specifier } = imported
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
        report(directionFault(path, target))
        targets.push(target)
      }
    }
    graph.set(path, targets)
  }
  const cycle = findCycle(graph)
  if (cycle) return [...faults, `cycle: ${cycle.join(' → ')}`]
  const chain = longestChain(graph)
  if (chain.length > LONGEST_CHAIN)
    faults.push(`a chain of ${chain.length} imports: ${chain.join(' → ')}`)
  return faults
}
