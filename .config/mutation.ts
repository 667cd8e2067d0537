// Mutation testing: changes the sources in small ways and reports the changes that no test notices.
//
//   npm run mutation -- [--every 4] [--pass 100,4000] [--workers 2] [--keep] [files]
//
// Without files it takes all of `.config/mutation/targets.ts`. Results: `.cache/mutation.json` and a table; the exit
// code is 1 if fewer than 90 % of the mutants are killed.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { EQUIVALENT, type Equivalent } from './mutation/equivalent.js'
import type { Mutant } from './mutation/mutants.js'
import { folder, root } from './mutation/paths.js'
import type { DryRun, Try } from './mutation/runner.js'
import { mutants, TARGETS, testsOf } from './mutation/targets.js'

const LEAST = 0.9
// A mutant after which a run of tests says nothing for this long is killed: its loop does not end.
const STALLED_MS = 60_000

// A file of tests is begun again this often at most.
const ROUNDS = 20

const { values, positionals } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    /** Tests of at most so many milliseconds are tried first; slower ones than the last figure, never. */
    pass: { type: 'string', default: '100,4000' },
    /** Files of tests that run at the same time. */
    workers: { type: 'string', default: '2' },
    /** Keeps the record of which test reaches what, if neither the sources nor the tests changed since. */
    keep: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const unknown = positionals.filter((file) => !TARGETS.includes(file))
if (unknown.length > 0)
  throw new TypeError(`not in .config/mutation/targets.ts: ${unknown.join(', ')}`)
const files = positionals.length > 0 ? positionals : TARGETS
const every = Number(values.every)
const passes = values.pass.split(',').map(Number)
const workers = Number(values.workers)

const means = ({ file, line, original, mutated }: Equivalent, mutant: Mutant): boolean =>
  file === mutant.file &&
  (line ?? mutant.text) === mutant.text &&
  original === mutant.original &&
  mutated === mutant.mutated
const everything = [...mutants.values()]
for (const each of EQUIVALENT)
  if (!everything.some((mutant) => means(each, mutant)))
    throw new Error(
      `.config/mutation/equivalent.ts: no mutant of ${each.file} is ${each.original} -> ${each.mutated}`,
    )
const chosen = everything.filter(
  (mutant) =>
    files.includes(mutant.file) &&
    !EQUIVALENT.some((each) => means(each, mutant)) &&
    mutant.id % every === 0,
)
const alive = new Set(chosen.map(({ id }) => id))
const total = alive.size
const reachedBy = new Map<number, Set<string>>()

const folders = [...new Set(files.flatMap(testsOf))]
const isNamesake = (test: string): boolean =>
  files.some((file) => basename(test).startsWith(basename(file, '.ts')))
const tests = folders
  .flatMap((each) =>
    existsSync(root + each)
      ? readdirSync(root + each)
          .filter((name) => name.endsWith('.test.ts'))
          .map((name) => `${each}/${name}`)
      : [],
  )
  // The tests of the same name kill most mutants, so the other files have fewer to try.
  .sort((a, b) => Number(isNamesake(b)) - Number(isNamesake(a)))
const isConcerned = (id: number, test: string): boolean =>
  testsOf(mutants.get(id)?.file ?? '').some((each) => test.startsWith(`${each}/`))
const nameOf = (test: string): string => test.replace(/\W+/g, '-')

/** Runs one or more files of tests in a process of their own; resolves with its exit code, or `undefined` if it stalled. */
function run(
  name: string,
  which: readonly string[],
  env: Record<string, string>,
): Promise<number | undefined> {
  const child = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '-c', '.config/mutation/vitest.config.ts', ...which],
    {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, WATCHWORD_RUN: name, WATCHWORD_MUTATED: files.join(','), ...env },
    },
  )
  const end = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  process.once('exit', end)
  return new Promise((resolve) => {
    const current = `${folder}/${name}.current`
    const state = () => (existsSync(current) ? readFileSync(current, 'utf8') : '')
    // Only runs that turn mutants on one by one say where they are.
    const patience =
      env['WATCHWORD_SLOWEST'] && !env['WATCHWORD_MUTANT'] ? STALLED_MS : 10 * STALLED_MS
    let last = ''
    let stalled = false
    let since = performance.now()
    const timer = setInterval(() => {
      const now = state()
      if (now !== last) [last, since] = [now, performance.now()]
      else if (performance.now() - since > patience) {
        stalled = true
        end()
      }
    }, 1000)
    child.on('close', (code) => {
      clearInterval(timer)
      process.off('exit', end)
      resolve(stalled ? undefined : (code ?? 1))
    })
  })
}

/** Calls `work` for each item, a few at a time. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: workers }, worker))
}

function readTries(): Try[] {
  const file = `${folder}/tries.jsonl`
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Try)
}

const dryRunOf = (name: string): DryRun =>
  JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')) as DryRun

/** Turns the mutants on, one at a time, in the tests that reach them and take at most `slowest` milliseconds. */
async function pass(slowest: number): Promise<void> {
  await eachOf(tests, async (test) => {
    const name = nameOf(test)
    const concerned = (id: number) => alive.has(id) && isConcerned(id, test)
    // A run that a mutant brought down is begun again, without that mutant.
    for (let round = 0; round < ROUNDS; round++) {
      const tries = readTries()
      const done = new Set(tries.map((each) => `${each.test} ${each.mutant}`))
      for (const each of tries) if (each.killed) alive.delete(each.mutant)
      const isOpen = Object.entries(dryRunOf(name).tests).some(
        ([id, { ms, passed, mutants: some }]) =>
          passed &&
          ms <= slowest &&
          some.some((mutant) => concerned(mutant) && !done.has(`${id} ${mutant}`)),
      )
      if (!isOpen) return
      await run(name, [test], {
        WATCHWORD_SLOWEST: `${slowest}`,
        WATCHWORD_ALIVE: [...alive].filter(concerned).join(','),
      })
      const [id = '', mutant] = readFileSync(`${folder}/${name}.current`, 'utf8').split(' ')
      if (mutant !== undefined) {
        const lost: Try = { test: id, mutant: Number(mutant), killed: true }
        writeFileSync(`${folder}/tries.jsonl`, `${JSON.stringify(lost)}\n`, { flag: 'a' })
      }
    }
  })
  for (const each of readTries()) if (each.killed) alive.delete(each.mutant)
  console.log(`tests up to ${slowest} ms: ${alive.size} of ${total} mutants survive`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
rmSync(values.keep ? `${folder}/tries.jsonl` : folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
console.log(`${total} mutants of ${files.length} files, ${tests.length} files of tests`)
await eachOf(tests, async (test) => {
  if (!existsSync(`${folder}/${nameOf(test)}.json`))
    await run(nameOf(test), [test], { WATCHWORD_DRY: '1' })
})
const outside = new Set<number>()
for (const test of tests) {
  const report = dryRunOf(nameOf(test))
  for (const id of report.outside) outside.add(id)
  if (Object.keys(report.tests).length === 0) throw new Error(`no test of ${test} could be run`)
  const all = [...Object.values(report.tests).flatMap((each) => each.mutants), ...report.outside]
  for (const id of all)
    if (isConcerned(id, test)) reachedBy.set(id, (reachedBy.get(id) ?? new Set()).add(test))
  const failing = Object.values(report.tests).filter((each) => !each.passed).length
  if (failing > 0) console.log(`${test}: ${failing} tests fail without a mutant and are left out`)
}
for (const slowest of passes) await pass(slowest)

// What runs while files are loaded needs a run of its own for each mutant.
const static_ = [...alive].filter((id) => outside.has(id))
console.log(`${static_.length} survivors run while files are loaded`)
await eachOf(static_, async (id) => {
  for (const test of reachedBy.get(id) ?? []) {
    const env = { WATCHWORD_MUTANT: `${id}`, WATCHWORD_SLOWEST: `${passes.at(-1)}` }
    if ((await run(nameOf(test), [test], env)) !== 0) {
      alive.delete(id)
      return
    }
  }
})

const survivors = chosen.filter(({ id }) => alive.has(id))
const scores = files.map((file) => {
  const all = chosen.filter((each) => each.file === file).length
  const killed = all - survivors.filter((each) => each.file === file).length
  return { file, mutants: all, killed, score: all === 0 ? 1 : killed / all }
})
for (const { line, file, column, original, mutated, id } of survivors) {
  const reached = reachedBy.has(id) ? '' : ' (reached by no test)'
  const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 70)
  console.log(
    `${file}:${line}:${column} ${short(original)} -> ${short(mutated) || 'removed'}${reached}`,
  )
}
for (const { file, mutants: all, killed, score } of scores)
  console.log(
    `${file.padEnd(44)} ${`${killed}/${all}`.padStart(9)} ${(100 * score).toFixed(1).padStart(6)} %`,
  )
const score = (total - survivors.length) / total
console.log(`${total - survivors.length} of ${total} killed: ${(100 * score).toFixed(1)} %`)
writeFileSync(
  `${root}.cache/mutation.json`,
  `${JSON.stringify({ score, scores, survivors }, undefined, 2)}\n`,
)
process.exitCode = score < LEAST ? 1 : 0
