/**
 * The test runner that turns mutants on. A dry run records which tests reach which mutants. A second run repeats each
 * test once per mutant that it reaches, without loading anything again; a failure kills the mutant.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { RunnerTask, RunnerTestCase } from 'vitest'
import { TestRunner } from 'vitest'
import { folder } from './paths.js'

/** What the dry run found out about one test. */
export interface Reached {
  readonly ms: number
  /** The number of switches that it passes. */
  readonly hits: number
  readonly passed: boolean
  readonly mutants: readonly number[]
}

/** The report of a dry run of one file of tests. */
export interface DryRun {
  readonly tests: Readonly<Record<string, Reached>>
  /** Mutants that are reached while no test runs: when the file is loaded, or in a hook of all tests. */
  readonly outside: readonly number[]
}

/** One finished try: whether the test killed the mutant. */
export interface Try {
  readonly test: string
  readonly mutant: number
  readonly killed: boolean
}

const { env } = process
const NONE = 0
const OFF = -1
/** The mutant of a whole run, for code that runs while files are loaded. */
const whole = Number(env['WATCHWORD_MUTANT'] ?? NONE)
const name = env['WATCHWORD_RUN'] ?? ''
const slowest = Number(env['WATCHWORD_SLOWEST'] ?? Number.POSITIVE_INFINITY)
const records = `${folder}/tries.jsonl`

let active = whole
/** 1 for each mutant that was reached since the last `takeReached`. */
const reached = new Uint8Array(65_536)
let hits = 0
let left = 0

// A mutant that makes a loop endless is stopped by the number of switches that it passes.
Object.assign(globalThis, {
  __mutant(id: number): boolean {
    hits++
    if (active === NONE) reached[id] = 1
    else if (active !== OFF && --left < 0) throw new Error('the mutant does not end')
    return id === active
  },
})
if (whole !== NONE) left = 1e9

function takeReached(): number[] {
  const ids = [...reached.keys()].filter((id) => reached[id] === 1)
  reached.fill(0)
  return ids
}

const load = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8')) as T

const triesSoFar = (): Try[] =>
  existsSync(records)
    ? readFileSync(records, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Try)
    : []

/** The mutants to try: those of the sample that are not killed yet. */
const chosen = new Set(env['WATCHWORD_ALIVE']?.split(',').map(Number))

const isDry = env['WATCHWORD_DRY'] !== undefined

/** Runs the tests with mutants, or without any for the dry run. */
export default class MutantRunner extends TestRunner {
  readonly #plan = isDry ? undefined : load<DryRun>(`${folder}/${name}.json`)
  readonly #tests: Record<string, Reached> = {}
  readonly #outside = new Set<number>()
  #queue: number[] = []
  /** Whether the next try runs without a mutant, to see that the last one left no damage. */
  #mustCheck = true
  /** Whether the last try ran without a mutant, and passed. */
  #isClean = false
  /** A mutant that failed after others had run: they may be the reason. */
  #suspect = NONE
  #started = 0

  override async onBeforeRunTask(test: RunnerTask): Promise<void> {
    await super.onBeforeRunTask(test)
    if (test.type !== 'test') return
    if (isDry) {
      for (const id of takeReached()) this.#outside.add(id)
      hits = 0
      this.#started = performance.now()
      return
    }
    const known = this.#plan?.tests[test.id]
    if (!known?.passed || known.ms > slowest) test.mode = 'skip'
    if (whole !== NONE || known === undefined) return
    const tries = triesSoFar()
    const done = new Set(
      tries.filter((each) => each.killed || each.test === test.id).map((each) => each.mutant),
    )
    this.#queue = known.mutants.filter((id) => chosen.has(id) && !done.has(id))
    if (this.#queue.length === 0) test.mode = 'skip'
    this.#mustCheck = true
    this.#suspect = NONE
    test.repeats = 1_000_000
  }

  override onBeforeTryTask(test: RunnerTask): void {
    super.onBeforeTryTask(test)
    if (isDry || whole !== NONE || test.result === undefined) return
    test.result.state = 'run'
    delete test.result.errors
    active = this.#mustCheck ? OFF : (this.#queue.shift() ?? OFF)
    if (active !== OFF) writeFileSync(`${folder}/${name}.current`, `${test.id} ${active}`)
    left = 10 * (this.#plan?.tests[test.id]?.hits ?? 0) + 5_000_000
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    const ms = this.#plan?.tests[test.id]?.ms
    const run = Promise.resolve(TestRunner.getTestFn(test)())
    if (ms === undefined) return run
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('the test takes too long')),
        Math.max(5000, 10 * ms),
      )
    })
    await Promise.race([run, late]).finally(() => clearTimeout(timer))
  }

  onAfterRetryTask(test: RunnerTask): void {
    if (isDry || whole !== NONE || test.result === undefined) return
    const failed = test.result.state === 'fail'
    const mutant = active
    active = OFF
    if (mutant !== OFF) {
      if (!failed || this.#isClean) this.#note(test, mutant, failed)
      else this.#suspect = mutant
    } else if (failed) this.#queue = []
    else if (this.#suspect !== NONE) this.#note(test, this.#suspect, true)
    if (mutant === OFF) this.#suspect = NONE
    this.#mustCheck = mutant !== OFF && failed
    this.#isClean = mutant === OFF && !failed
    // As after `context.skip()`, which ends the repetitions.
    if (this.#queue.length === 0 && this.#suspect === NONE)
      Object.assign(test.result, { pending: true })
  }

  #note(test: RunnerTask, mutant: number, killed: boolean): void {
    appendFileSync(records, `${JSON.stringify({ test: test.id, mutant, killed } satisfies Try)}\n`)
  }

  override onAfterRunTask(test: RunnerTask): void {
    super.onAfterRunTask(test)
    if (!isDry || test.type !== 'test') return
    const ms = performance.now() - this.#started
    this.#tests[test.id] = {
      ms,
      hits,
      passed: test.result?.state === 'pass',
      mutants: takeReached(),
    }
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles()
    // If anything ends the process earlier, the mutant named there is to blame.
    writeFileSync(`${folder}/${name}.current`, 'done')
    if (!isDry) return
    for (const id of takeReached()) this.#outside.add(id)
    const report: DryRun = { tests: this.#tests, outside: [...this.#outside] }
    writeFileSync(`${folder}/${name}.json`, JSON.stringify(report))
  }
}
