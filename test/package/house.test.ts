import { existsSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { ROOT, sources, specifiers, trackedFiles } from './repository.js'

const LONGEST_FILE = 350

/** Where one use of Math.random spreads work in time, and a guess is of no use to an attacker. */
const JITTER: ReadonlySet<string> = new Set([
  'src/keys/keyring.ts',
  'src/revocation/follower/follower.ts',
  'src/authority/sweep.ts',
])

/** The faults of one source file, found in its syntax tree, so that comments and strings may name them. */
function sourceFaults(path: string, text: string): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const faults: string[] = []
  let randomUses = JITTER.has(path) ? 1 : 0
  const report = (node: ts.Node, fault: string): void => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
    faults.push(`${path}:${line + 1} ${fault}`)
  }
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) report(node, 'any')
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText(file)
      if (name === 'Date.now' && path !== 'src/lib/clock.ts')
        report(node, 'Date.now, not the clock')
      if (name === 'Math.random' && --randomUses < 0) report(node, 'Math.random, not node:crypto')
    }
    if (ts.isNewExpression(node) && node.expression.getText(file) === 'Date') {
      if (!node.arguments?.length && path !== 'src/lib/clock.ts')
        report(node, 'new Date, not the clock')
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  const lines = text.trimEnd().split('\n').length
  if (lines > LONGEST_FILE) faults.push(`${path} has ${lines} lines, more than ${LONGEST_FILE}`)
  return faults
}

/** Hosts of package registries (spelt so that this file does not name them), and folders of one machine: both work only where they were written. */
const FOREIGN: readonly RegExp[] = [
  /\bregistry\.[a-z0-9-]+\.[a-z]+/i,
  /\b(?:verdacci[o]|artifactor[y]|jfro[g])\b/i,
  /\b(?:npm\.pkg|pkgs\.dev)\.[a-z]+\.[a-z]+/i,
  /\b(?:localhost|127\.0\.0\.1):(?:4873|8081)\b/,
  /(?<![\w.:/-])\/(?:work|tmp|root|home|Users|private|mnt)\/[\w.-]/,
]

function foreignNames(text: string): string[] {
  // A short path such as /app is also an ordinary word of URLs, so the checkout counts only from two folders up.
  const checkout = ROOT.split(/[\\/]/).length > 2 && text.includes(ROOT) ? [ROOT] : []
  return [...checkout, ...FOREIGN.flatMap((pattern) => pattern.exec(text)?.[0] ?? [])]
}

describe('the sources', () => {
  it('follow the house rules', () => {
    const files = [...sources()]
    expect(files.length).toBeGreaterThan(5)
    expect(files.flatMap(([path, text]) => sourceFaults(path, text))).toEqual([])
  })

  it('are rejected when they break one', () => {
    const bad = `const a: any = Date.now()\nconst b = Math.random()\nconst c = new Date()\n`
    expect(sourceFaults('src/verbs/issue.ts', bad)).toEqual([
      'src/verbs/issue.ts:1 any',
      'src/verbs/issue.ts:1 Date.now, not the clock',
      'src/verbs/issue.ts:2 Math.random, not node:crypto',
      'src/verbs/issue.ts:3 new Date, not the clock',
    ])
    expect(sourceFaults('src/lib/clock.ts', 'const now = Date.now\nconst d = new Date()')).toEqual(
      [],
    )
    expect(sourceFaults('src/verbs/issue.ts', '// any Date.now()\nconst d = new Date(0)')).toEqual(
      [],
    )
    expect(sourceFaults('src/long.ts', 'export {}\n'.repeat(LONGEST_FILE))).toEqual([])
    expect(sourceFaults('src/long.ts', 'export {}\n'.repeat(LONGEST_FILE + 1))).toHaveLength(1)
  })
})

describe('the lock', () => {
  interface Entry {
    readonly resolved?: string
    readonly optionalDependencies?: Readonly<Record<string, string>>
  }
  const { packages } = JSON.parse(readFileSync(`${ROOT}/package-lock.json`, 'utf8')) as {
    packages: Readonly<Record<string, Entry>>
  }

  it('leaves it to the machine where packages come from', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([])
  })

  it('holds the binaries of every platform, without which `npm ci` refuses it (`npm run lock`)', () => {
    const optional = Object.values(packages).flatMap((entry) =>
      Object.keys(entry.optionalDependencies ?? {}),
    )
    expect(optional.length).toBeGreaterThan(20)
    expect(optional.filter((name) => !packages[`node_modules/${name}`])).toEqual([])
  })
})

// A source archive has no index of what belongs to the repository.
describe.skipIf(!existsSync(`${ROOT}/.git`))('the repository', () => {
  const BINARY = /\.(png|jpe?g|gif|ico|wasm|gz)$/
  const texts = (): Array<readonly [string, string]> =>
    trackedFiles()
      .filter((path) => !path.startsWith('test/vectors/') && !BINARY.test(path))
      .map((path) => [path, readFileSync(`${ROOT}/${path}`, 'utf8')] as const)

  it('names no registry and no path of one machine', () => {
    const faults = texts().flatMap(([path, text]) =>
      foreignNames(text).map((name) => `${path}: ${name}`),
    )
    expect(faults).toEqual([])
  })

  it('would be caught naming one', () => {
    const host = ['registry', 'example', 'org'].join('.')
    const folder = ['', 'home', 'someone', 'watchword'].join('/')
    expect(foreignNames(`"resolved": "https://${host}/a.tgz"`)).toEqual([host])
    expect(foreignNames(`cd ${folder}`)).toHaveLength(1)
    expect(foreignNames(`cd ${ROOT}/test`)).toContain(ROOT)
    expect(foreignNames('https://auth.acme.example/home/page and ./tmp/x')).toEqual([])
  })

  it('documents only subpaths that exist', () => {
    const named = texts()
      .filter(([path]) => /\.md$|^(src|examples|bench)\/.*\.ts$/.test(path))
      .flatMap(([path, text]) =>
        // In quotes or in code, as an import would be written; a slash before it makes it part of an address.
        [...text.matchAll(/(?<=['"`])watchword\/[a-z0-9./-]+(?=['"`])/g)].map(
          ([specifier]) => [path, specifier] as const,
        ),
      )
    const missing = named.filter(([, specifier]) => {
      return !specifiers.includes(specifier) && specifier !== 'watchword/package.json'
    })
    expect(missing).toEqual([])
  })
})
