/**
 * The lists of examples/rights.md, and the contracts as workloads for an account with those rights.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { RevocationFeed } from '../../src/feed/feed.js'

const PAGE = readFileSync(
  fileURLToPath(new URL('../../examples/rights.md', import.meta.url)),
  'utf8',
)

/** The lines of the block of the page that has this name, such as `postgres store`. */
export function listed(name: string): readonly string[] {
  const block = PAGE.split(`<!-- rights: ${name} -->\n`)[1]
  const text = /^```\w+\n(.*?)^```$/ms.exec(block ?? '')?.[1]
  if (text === undefined) throw new Error(`examples/rights.md has no block named ${name}`)
  return text.trimEnd().split('\n')
}

/** One privilege on one object, as SQL grants it. */
export interface Privilege {
  readonly privilege: string
  /** `auth.watchword_tokens`, or `SCHEMA auth`. */
  readonly object: string
}

/** The privileges of the page's GRANT statements. */
export function privileges(...names: readonly string[]): readonly Privilege[] {
  return names.flatMap(listed).flatMap((line) => {
    const [, granted, object] = /^GRANT ([A-Z, ]+) ON (.+) TO \w+;$/.exec(line) ?? []
    if (granted === undefined || object === undefined) throw new Error(`not a GRANT: ${line}`)
    return granted.split(', ').map((privilege) => ({ privilege, object }))
  })
}

/** The feed without `reset`, which is for administrators: the account of a service has no right to it. */
export function ofService(feed: RevocationFeed): RevocationFeed {
  return Object.create(feed, { reset: { value: undefined } }) as RevocationFeed
}

/** One case of a contract. */
export interface Case {
  readonly title: string
  readonly run: () => Promise<void>
}

interface Runner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** The cases that a contract registers, to be run one by one. Cases across two instances need no further right. */
export function casesOf(register: (runner: Runner) => void): readonly Case[] {
  const cases: Case[] = []
  register({
    describe: (_, body) => body(),
    it: (title, run) => cases.push({ title, run }),
  })
  return cases.filter(({ title }) => !/^lifecycle\.twin|across two instances/.test(title))
}

/** Cases that failed without another right. They run first, because they need many rights. */
const failedBefore = new Map<string, number>()

/** Runs the cases until one fails, and returns its title; `undefined` when all pass. */
export async function firstFailure(cases: readonly Case[]): Promise<string | undefined> {
  const weight = ({ title }: Case) => failedBefore.get(title) ?? 0
  for (const { title, run } of [...cases].sort((a, b) => weight(b) - weight(a))) {
    try {
      await run()
    } catch {
      failedBefore.set(title, (failedBefore.get(title) ?? 0) + 1)
      return title
    }
  }
  return undefined
}
