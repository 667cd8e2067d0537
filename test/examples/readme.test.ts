import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { ERROR_CODES, type RejectionCode } from 'watchword'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8')
const readme = read('README.md')

interface Block {
  readonly language: string
  readonly text: string
}

const blocks: readonly Block[] = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language = '', text = '']) => ({ language, text }),
)

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
  superseded: true,
  insufficient_scope: true,
  stale: true,
}
// What the short blocks take for granted; a block that declares one of these itself is not disturbed.
const GLOBALS = `
declare const watchword: import('watchword').Watchword
declare const issued: import('watchword').IssuedToken
declare const token: string
declare const rootKey: string
declare const actor: string
`

describe('the README', () => {
  const folder = `${root}/.cache/readme-${process.pid}`
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('begins with the quick start, to the letter', () => {
    const first = blocks.find(({ language }) => language === 'ts')
    expect(first?.text).toBe(read('examples/quickstart.ts'))
  })

  it('has no block of TypeScript that does not compile, and nor have the doc comments', () => {
    const sources = blocks.filter(({ language }) => language === 'ts')
    const examples = docExamples()
    expect(sources.length).toBeGreaterThan(10)
    expect(examples.length).toBeGreaterThan(10)
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/globals.d.ts`, GLOBALS)
    for (const [i, { text }] of sources.entries()) {
      writeFileSync(`${folder}/block-${i + 1}.ts`, `${text}\nexport {}\n`)
    }
    for (const [i, { path, text }] of examples.entries()) {
      const name = path.replace(/\W+/g, '-')
      writeFileSync(`${folder}/example-${name}-${i + 1}.ts`, `${text}\nexport {}\n`)
    }
    writeFileSync(
      `${folder}/tsconfig.json`,
      JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }),
    )
    let faults = ''
    try {
      execFileSync(
        process.execPath,
        [`${root}/node_modules/typescript/bin/tsc`, '-p', `${folder}/tsconfig.json`],
        { cwd: root, encoding: 'utf8', stdio: 'pipe' },
      )
    } catch (error) {
      // What is wrong in the sources is for the type check to say.
      faults = (error as { stdout: string }).stdout.replace(/^(?:src\/.*|\s.*)\n/gm, '')
    }
    expect(faults).toBe('')
  }, 120_000)

  it('names only subpaths that the package exports', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> }
    const named = [...readme.matchAll(/(?<=['"`])watchword(\/[a-z0-9./-]+)(?=['"`])/g)].map(
      ([, subpath]) => `.${subpath}`,
    )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((subpath) => !(subpath in exports))).toEqual([])
  })

  it('names only files that exist', () => {
    const linked = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map(([, path = '']) => path)
    expect(linked.length).toBeGreaterThan(5)
    for (const path of linked) expect(() => read(path), path).not.toThrow()
  })

  it('says what to do about each error, and no other', () => {
    expect(firstCells('Errors').sort()).toEqual(Object.keys(ERROR_CODES).sort())
  })

  it('lists each rejection, and no other', () => {
    expect(firstCells('Why a token is refused').sort()).toEqual(Object.keys(REJECTIONS).sort())
  })

  it('names the two commands that set it up', () => {
    expect(readme).toContain('npm ci && npm run demo')
    expect(readme).toContain('npm ci && npm test')
  })

  it('stays short enough to be read', () => {
    // The tables that the benches write are looked up, not read.
    const written = readme.replace(/<!-- (bench\S*) -->.*?<!-- \/\1 -->/gs, '')
    expect(written.split('\n').length).toBeLessThanOrEqual(510)
  })
})
