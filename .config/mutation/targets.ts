/**
 * The files whose mutants the tests have to kill, and the tests that concern them.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { type Mutant, mutate } from './mutants.js'
import { root } from './paths.js'

const INDEX = 'src/revocation/index/'
const verbs = 'verify core opener entry requirement rotate successor'.split(' ')

/** In this order, which the ids of mutants depend on. */
export const TARGETS: readonly string[] = [
  ...verbs.map((name) => `src/verbs/${name}.ts`),
  'src/cache/verified-cache.ts',
  ...readdirSync(root + INDEX).map((name) => INDEX + name),
]

const INDEX_TESTS = ['test/unit/revocation/index', 'test/property/revocation/index']
const VERB_TESTS = [
  'test/unit/observe',
  'test/unit/verbs',
  'test/unit/cache',
  'test/property/verbs',
  'test/property/cache',
]

/** The folders of the tests that concern a file. */
export const testsOf = (file: string): readonly string[] =>
  file.startsWith(INDEX) ? INDEX_TESTS : VERB_TESTS

/** Each target with its mutants. */
export const mutated = new Map<string, ReturnType<typeof mutate>>()
let next = 1
for (const file of TARGETS) {
  const made = mutate(root, file, next)
  next += made.mutants.length
  mutated.set(file, made)
}

/** Every mutant, by its id. */
export const mutants = new Map<number, Mutant>(
  [...mutated.values()].flatMap((made) => made.mutants.map((mutant) => [mutant.id, mutant])),
)
