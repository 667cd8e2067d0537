import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PUBLIC_NAMES } from './public-names.js'
import { manifest, ROOT, run, runTool, specifiers } from './repository.js'

/** The fields read from npm's output of `npm pack --json`. */
interface Pack {
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

// Outside the repository, or what the package forgot to declare would be found in the repository's own node_modules.
let folder: string
let tarball: string
let packed: readonly string[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'watchword-packed-'))
  const output = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder])
  // A list up to npm 11, an object keyed by the package's name from npm 12 on.
  const packs = JSON.parse(output) as Readonly<Record<string, Pack>>
  const pack = Object.values(packs)[0]
  if (!pack) throw new Error(`npm pack named no tarball: ${output}`)
  tarball = join(folder, pack.filename)
  packed = pack.files.map(({ path }) => path)

  // The dependencies come from the repository as copies (they have none of their own), so nothing is fetched.
  const copies = Object.keys(manifest.dependencies).map((name) => [
    name,
    `file:${ROOT}/node_modules/${name}`,
  ])
  const dependencies = { ...Object.fromEntries(copies), [manifest.name]: `file:${tarball}` }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']
  run('npm', ['install', '--offline', '--install-links', ...quiet], folder)
  // What an entry loads of its framework has to be there; what the others take is types alone.
  symlinkSync(`${ROOT}/node_modules/hono`, join(folder, 'node_modules', 'hono'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const installed = (path: string): string => join(folder, 'node_modules', manifest.name, path)

/** The files of the installed package's dist whose names end so, with their texts. */
function distFiles(ending: RegExp): Array<readonly [path: string, text: string]> {
  return readdirSync(installed('dist'), { recursive: true, encoding: 'utf8' })
    .filter((path) => ending.test(path))
    .map((path) => [path, readFileSync(installed(`dist/${path}`), 'utf8')] as const)
}

/** The entries with types of a framework: a consumer of such an entry has it installed. */
const FRAMEWORKS: Readonly<Record<string, string>> = {
  'http/express': 'express',
  'http/fastify': 'fastify',
  'http/hono': 'hono',
  'http/koa': 'koa',
  'http/mcp': '@modelcontextprotocol/sdk/server/auth/types.js',
  'observe/otel': '@opentelemetry/api',
}

/** What the entry of a framework loads of it; every other entry loads none. */
const LOADED_BY: Readonly<Record<string, string>> = { 'http/hono': 'hono/http-exception' }

/** Every module a file of dist loads or takes types from. */
function loaded(text: string): string[] {
  // A quoted 'from' is the name of a field.
  const forms = /(?:(?<!['"])\bfrom\s*|\bimport\s*|\b(?:require|import)\(\s*)(['"])([^'"\n]+)\1/g
  return [...text.matchAll(forms)].map(([, , specifier]) => specifier ?? '')
}

/** Runs a script in the consumer's folder with plain Node and parses what it prints. */
function inConsumer<T>(kind: 'module' | 'commonjs', script: string): T {
  return JSON.parse(run(process.execPath, [`--input-type=${kind}`, '-e', script], folder)) as T
}

describe('the tarball', () => {
  it('holds dist, the examples, the pages, the manifest and the four texts, and nothing else', () => {
    const others = packed.filter(
      (path) =>
        !/^dist\/[\w/-]+(\.d)?\.c?[jt]s(\.map)?$/.test(path) &&
        !/^examples\/[\w/.-]+\.(ts|md)$/.test(path),
    )
    const pages = ['PROTOCOL', 'REFERENCE', 'SECURITY'].map((name) => `.github/${name}.md`)
    const texts = [...pages, 'CHANGELOG.md', 'LICENSE', 'README.md', 'llms.txt', 'package.json']
    expect(others.sort()).toEqual(texts)
    expect(packed.filter((path) => /\btests?\b|\.test\.|\bbench\b/.test(path))).toEqual([])
  })

  it('holds every example that a page of it links to', () => {
    const pages = packed.filter((path) => path.endsWith('.md'))
    expect(pages).toContain('examples/README.md')
    const missing = pages.flatMap((page) => {
      const text = readFileSync(join(ROOT, page), 'utf8')
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path)
      return links
        .map((link) => posix.join(posix.dirname(page), link))
        .filter((path) => path.startsWith('examples/') && !packed.includes(path))
        .map((path) => `${page}: ${path}`)
    })
    expect(missing).toEqual([])
  })

  it('satisfies publint at its strictest', () => {
    expect(runTool('publint/src/cli.js', [tarball, '--strict'])).toContain('All good')
  })

  it('has types that resolve for every kind of consumer', () => {
    runTool('@arethetypeswrong/cli/dist/index.js', [
      tarball,
      '--profile',
      'node16',
      '--no-color',
      '--no-emoji',
    ])
  })
})

describe('the installed package', () => {
  type Names = Record<string, string[]>
  const collect = `const names = (loaded) =>
    Object.keys(loaded).filter((name) => !['default', 'module.exports', '__esModule'].includes(name)).sort()`

  it('exports the committed names to import', () => {
    const names = inConsumer<Names>(
      'module',
      `${collect}
      const found = {}
      for (const path of ${JSON.stringify(specifiers)}) found[path] = names(await import(path))
      console.log(JSON.stringify(found))`,
    )
    expect(names).toEqual(PUBLIC_NAMES)
  })

  it('exports the same names to require, one subpath at a time', () => {
    const names = inConsumer<Names>(
      'commonjs',
      `${collect}
      const found = {}
      for (const path of ${JSON.stringify(specifiers)}) {
        found[path] = names(require(path))
        // The next one has to load all that it needs by itself.
        for (const file of Object.keys(require.cache)) delete require.cache[file]
      }
      console.log(JSON.stringify(found))`,
    )
    expect(names).toEqual(PUBLIC_NAMES)
  })

  it('exports its package.json', () => {
    const script = `console.log(JSON.stringify(require('${manifest.name}/package.json').version))`
    expect(inConsumer('commonjs', script)).toBe(manifest.version)
  })

  it('seals with the one module format what the other opens', () => {
    const script = (load: string): string => `
      const esm = await import('watchword/paseto')
      const cjs = ${load}
      await Promise.all([esm.ready, cjs.ready])
      const key = esm.generateKey()
      const token = esm.seal(key, Buffer.from('{"a":1}'))
      const opened = cjs.open(cjs.importKey(esm.exportKey(key)), token)
      console.log(JSON.stringify(Buffer.from(opened.payload).toString()))`
    const load = `(await import('node:module')).createRequire(process.cwd() + '/x.js')('watchword/paseto')`
    expect(inConsumer('module', script(load))).toBe('{"a":1}')
  })

  it('knows its errors when both formats meet in one process', () => {
    const script = `
      import { createRequire } from 'node:module'
      import { WatchwordError } from 'watchword'
      const other = createRequire(process.cwd() + '/x.js')('watchword')
      const error = new other.WatchwordError('ERR_CLOSED', 'closed')
      console.log(JSON.stringify([other.WatchwordError === WatchwordError, error instanceof WatchwordError]))`
    expect(inConsumer('module', script)).toEqual([false, true])
  })
})

describe('the built files', () => {
  const runtime = Object.keys(manifest.dependencies)

  it('load only declared packages and prefixed built-ins', () => {
    // zod and paseto are inlined, so neither may be left as an import.
    for (const [ending, inlined] of [
      [/\.js$/, ['zod', 'paseto']],
      [/\.cjs$/, ['zod', 'paseto']],
    ] as const) {
      const files = distFiles(ending)
      const specifiersLoaded = files.flatMap(([path, text]) => {
        const own = LOADED_BY[path.replace(/\.c?js$/, '')]
        // A message quotes the command that makes a root key, which imports the package itself.
        const quoted = 'watchword/paseto'
        return loaded(text).filter((specifier) => specifier !== own && specifier !== quoted)
      })
      const packages = specifiersLoaded.filter((specifier) => !/^(\.|node:)/.test(specifier))
      const allowed = runtime.filter((name) => !(inlined as readonly string[]).includes(name))
      const foreign = packages.filter(
        (path) => !allowed.some((name) => `${path}/`.startsWith(`${name}/`)),
      )
      expect(foreign).toEqual([])
      expect(specifiersLoaded.filter((path) => builtinModules.includes(path))).toEqual([])
      expect(specifiersLoaded.some((path) => path.startsWith('node:'))).toBe(true)
    }
  })

  it('have declarations that need no package but the framework that an entry is for, and never name zod', () => {
    const files = distFiles(/\.d\.c?ts$/)
    expect(files.length).toBeGreaterThanOrEqual(2 * specifiers.length)
    for (const [path, text] of files) {
      // The examples in comments import the package itself.
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      const packages = loaded(code).filter((name) => !/^(\.|node:)/.test(name))
      const entry = path.replace(/\.d\.c?ts$/, '')
      const own = [FRAMEWORKS[entry], LOADED_BY[entry]]
      expect([path, packages.filter((name) => !own.includes(name))]).toEqual([path, []])
      expect([path, /\bzod\b|\bZod[A-Z]/i.test(code)]).toEqual([path, false])
    }
  })
})

describe('a TypeScript consumer', () => {
  const needsFramework = (specifier: string) =>
    ['http', 'observe'].some((room) => specifier.replace(manifest.name, room) in FRAMEWORKS)

  /** Compiles a module of either format that imports these subpaths, and returns the compiler's output. */
  function compile(name: string, subpaths: readonly string[], options: object): string {
    const lines = subpaths.map((path, index) => `import * as part${index} from '${path}'`)
    const used = `export const parts = [${subpaths.map((_, index) => `part${index}`).join(', ')}]`
    // A misspelt name has to fail, or the compiler saw no types at all.
    const misspelt = subpaths.map(
      (_, index) => `// @ts-expect-error: none\npart${index}.noSuchName`,
    )
    const text = [...lines, used, ...misspelt, ''].join('\n')
    const place = join(folder, name)
    mkdirSync(place)
    for (const file of ['a.mts', 'b.cts']) writeFileSync(join(place, file), text)
    const compilerOptions = {
      target: 'ES2022',
      module: 'NodeNext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      typeRoots: [`${ROOT}/node_modules/@types`],
      ...options,
    }
    const config = JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] })
    writeFileSync(join(place, 'tsconfig.json'), config)
    return runTool('typescript/bin/tsc', ['-p', place])
  }

  it('compiles against the packed types from a module of either format', () => {
    const subpaths = specifiers.filter((specifier) => !needsFramework(specifier))
    expect(subpaths.length).toBeGreaterThan(10)
    const options = { skipLibCheck: false, skipDefaultLibCheck: true }
    expect(compile('consumer', subpaths, options)).toBe('')
  })

  it('compiles against the core without the types of Node', () => {
    const core = [
      manifest.name,
      'watchword/paseto',
      'watchword/store/memory',
      'watchword/feed/memory',
    ]
    const lib = ['ES2023', 'ESNext.Disposable', 'DOM']
    const options = { skipLibCheck: false, skipDefaultLibCheck: true, types: [], lib }
    expect(compile('plain', core, options)).toBe('')
  })

  it('resolves every subpath with moduleResolution node10', () => {
    const subpaths = specifiers.filter((specifier) => !needsFramework(specifier))
    const lines = subpaths.map((path, index) => `import * as part${index} from '${path}'`)
    const used = subpaths.map((_, index) => `part${index}`).join(', ')
    const place = join(folder, 'node10')
    mkdirSync(place)
    writeFileSync(join(place, 'a.ts'), `${lines.join('\n')}\nexport const parts = [${used}]\n`)
    const compilerOptions = {
      target: 'ES2022',
      module: 'CommonJS',
      moduleResolution: 'node10',
      ignoreDeprecations: '6.0',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      typeRoots: [`${ROOT}/node_modules/@types`],
    }
    writeFileSync(
      join(place, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['a.ts'] }),
    )
    expect(runTool('typescript/bin/tsc', ['-p', place])).toBe('')
  })

  it('compiles against those of the frameworks that it has', () => {
    const names = ['fastify', '@modelcontextprotocol', '@opentelemetry', '@types']
    for (const name of names)
      symlinkSync(`${ROOT}/node_modules/${name}`, join(folder, 'node_modules', name))
    const subpaths = specifiers.filter(needsFramework)
    expect(subpaths).toHaveLength(Object.keys(FRAMEWORKS).length)
    // Not all frameworks' own types pass the check of libraries.
    expect(compile('frameworks', subpaths, { skipLibCheck: true })).toBe('')
  })
})
