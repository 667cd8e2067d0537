import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { ERROR_CODES, type RejectionCode } from 'watchword'
import { ACTIONS } from '../../src/observe/audit/actions.js'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
const run = promisify(execFile)
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8')
const readme = read('README.md')

interface Block {
  readonly page: string
  readonly language: string
  readonly text: string
  /** Whether the page says that the block continues the quick start. */
  readonly continues: boolean
}

const CONTINUES = /ontinues? the \[quick start\]/

/** The fenced blocks of a page. A guide may say in its introduction that all its blocks continue the quick start. */
function blocksOf(page: string): Block[] {
  const text = read(page)
  const all = page !== 'README.md' && CONTINUES.test(text.split(/^(?:## |```)/m)[0] ?? '')
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => {
    const [, language = '', code = ''] = match
    const before = text.slice(0, match.index).trimEnd().split('\n\n').at(-1) ?? ''
    return { page, language, text: code, continues: all || CONTINUES.test(before) }
  })
}

// These use packages that the repository does not install, or not with their types.
const NOT_COMPILED = new Set(['nestjs.md', 'cors.md'])
const guides = readdirSync(`${root}/examples`).filter(
  (name) => name.endsWith('.md') && !NOT_COMPILED.has(name),
)
const blocks = blocksOf('README.md')
const snippets = [...blocks, ...guides.flatMap((name) => blocksOf(`examples/${name}`))].filter(
  ({ language }) => language === 'ts',
)

/** A block as a program of its own. What continues the quick start replaces its end, which revokes and closes. */
function programOf({ text, continues }: Block): string {
  const [beginning = ''] = read('examples/quickstart.ts').split('\nawait watchword.revoke(')
  return `${continues ? `${beginning}\n` : ''}${text}\nexport {}\n`
}

/** The examples in the doc comments of the sources, with the file that each is in. */
function docExamples(): { readonly path: string; readonly text: string }[] {
  const paths = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' })
  return paths
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) =>
      [...read(`src/${path}`).matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)].map(([, text = '']) => ({
        path,
        text: text.replace(/^ *\* ?/gm, ''),
      })),
    )
}

/** What the first column of the table under a heading of the guide to errors has in backticks. */
function firstCells(heading: string): string[] {
  const section =
    read('examples/errors.md')
      .split(/^#+ /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const cells = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
}

// The compiler holds these lists to the types, and the tests hold the README to the lists.
const REJECTIONS: Readonly<Record<RejectionCode, true>> = {
  malformed: true,
  too_long: true,
  unknown_key: true,
  closed: true,
  invalid: true,
  claims_invalid: true,
  expired: true,
  not_yet_valid: true,
  wrong_issuer: true,
  wrong_audience: true,
  outdated: true,
  revoked: true,
  suspended: true,
  superseded: true,
  insufficient_scope: true,
  stale: true,
}
// What the examples in doc comments take for granted, unless they declare it themselves. Pages take nothing for granted.
const GIVEN: Readonly<Record<string, string>> = {
  watchword: "import('watchword').Watchword",
  issued: "import('watchword').IssuedToken",
  token: 'string',
  rootKey: 'string',
  actor: 'string',
}

/** An example of a doc comment as a program of its own. */
function withGiven(text: string): string {
  const given = Object.entries(GIVEN).filter(
    ([name]) => !new RegExp(`(?:const|let) (?:${name}\\b|[{[][^=]*\\b${name}\\b)`).test(text),
  )
  const declared = given.map(([name, type]) => `declare const ${name}: ${type}\n`).join('')
  return `${declared}${text}\nexport {}\n`
}

/** Compiles programs against the built package, by their file names, and returns what is wrong with them. */
async function compile(folder: string, programs: ReadonlyMap<string, string>): Promise<string> {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of programs) writeFileSync(`${folder}/${name}`, text)
  // Without paths, the package's name means the package, of which only the types are read.
  const config = {
    extends: '../../../tsconfig.json',
    compilerOptions: { paths: {} },
    include: ['*.ts'],
  }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config))
  const compiler = `${root}/node_modules/typescript/bin/tsc`
  try {
    await run(process.execPath, [compiler, '-p', `${folder}/tsconfig.json`], { cwd: root })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

const nameOf = (path: string, index: number): string =>
  `${path.replace(/\W+/g, '-')}-${index + 1}.ts`

describe('the README', () => {
  const folder = `${root}/.cache/readme-${process.pid}`
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('begins with the two quick starts, to the letter', () => {
    const [first, second] = blocks.filter(({ language }) => language === 'ts')
    expect(first?.text).toBe(read('examples/quickstart.ts'))
    expect(second?.text).toBe(read('examples/express-server.ts'))
  })

  it('has quick starts that are JavaScript as they are', async () => {
    for (const name of ['quickstart', 'express-server']) {
      mkdirSync(folder, { recursive: true })
      const file = `${folder}/${name}.mjs`
      writeFileSync(file, read(`examples/${name}.ts`))
      await expect(run(process.execPath, ['--check', file])).resolves.toBeDefined()
    }
  })

  it('has blocks that compile alone or as a continuation, as do the guides and the doc comments', async () => {
    const examples = docExamples()
    expect(snippets.length).toBeGreaterThan(15)
    expect(examples.length).toBeGreaterThan(10)
    const programs = new Map([
      ...snippets.map((block, i) => [nameOf(block.page, i), programOf(block)] as const),
      ...examples.map(({ path, text }, i) => [nameOf(`src/${path}`, i), withGiven(text)] as const),
    ])
    expect(await compile(`${folder}/compiled`, programs)).toBe('')
  })

  it('has continuations of the quick start that run', async () => {
    const continuations = blocks.filter(({ continues }) => continues)
    expect(continuations.length).toBeGreaterThan(5)
    const place = `${folder}/run`
    mkdirSync(place, { recursive: true })
    for (const [index, block] of continuations.entries()) {
      const file = `${place}/${nameOf(block.page, index).replace(/ts$/, 'mjs')}`
      const program = `${programOf(block)}await watchword.close()\n`
      const { code } = await transform(program, { loader: 'ts', target: 'node20' })
      writeFileSync(file, code)
      const { stdout } = await run(process.execPath, [file], { cwd: root })
      expect(stdout).toContain('v4.local.')
    }
  })

  it('has a guide whose checkpoints are kept in an empty folder, and found missing by another store', async () => {
    const [snippet] = blocksOf('examples/audit.md').filter(({ language }) => language === 'ts')
    const place = `${folder}/checkpoints`
    mkdirSync(place, { recursive: true })
    const text = `${snippet?.text}await watchword.audit.checkpoint()\nawait watchword.close()\n`
    const { code } = await transform(text, { loader: 'ts', target: 'node20' })
    writeFileSync(`${place}/audit.mjs`, code)
    const runs = async () => {
      const { stderr } = await run(process.execPath, ['audit.mjs'], { cwd: place })
      return { stderr, kept: readdirSync(`${place}/checkpoints`) }
    }
    const first = await runs()
    expect(first.stderr).toBe('')
    expect(first.kept).toEqual([expect.stringMatching(/^1-[0-9a-f]{64}\.txt$/)])
    // Each process has a memory store of its own, which is what a rolled back database looks like.
    const second = await runs()
    expect(second.stderr).toContain(`the audit does not contain ${first.kept[0]}`)
    expect(second.kept).toEqual(expect.arrayContaining(first.kept))
    expect(second.kept.length).toBe(2)
  })

  it('names only subpaths that the package exports', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> }
    const named = [...readme.matchAll(/(?<=['"`])watchword(\/[a-z0-9./-]+)(?=['"`])/g)].map(
      ([, subpath]) => `.${subpath}`,
    )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((subpath) => !(subpath in exports))).toEqual([])
  })

  it('names each action of the audit, and incidents by what their names begin with', () => {
    const observed = readme.split(/^## /m).find((section) => section.startsWith('Observe\n')) ?? ''
    const names = ACTIONS.map((action) => action.replace(/^(feed|audit)\..*/, '$1.…'))
    expect(names.filter((name) => !observed.includes(`\`${name}\``))).toEqual([])
  })

  it('says what to do about each error, and no other', () => {
    expect(firstCells('Errors').sort()).toEqual(Object.keys(ERROR_CODES).sort())
  })

  it('says what to do about each warning, and no other', () => {
    const sources = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => read(`src/${path}`))
    const codes = sources.flatMap((text) => text.match(/(?<=')WATCHWORD_[A-Z_]+(?=')/g) ?? [])
    expect(firstCells('Warnings').sort()).toEqual([...new Set(codes)].sort())
  })

  it('lists each rejection, and no other', () => {
    expect(firstCells('Rejections').sort()).toEqual(Object.keys(REJECTIONS).sort())
  })

  it('names the two commands that set it up', () => {
    expect(readme).toContain('npm ci && npm run demo')
    expect(readme).toContain('npm ci && npm test')
  })

  it('stays under 350 lines', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThan(350)
  })
})
