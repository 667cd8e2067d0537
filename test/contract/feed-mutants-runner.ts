/**
 * A test runner of forty lines that reports the outcome of each case, and the shape of a mutant.
 *
 * @module
 */
import type { RevocationFeed } from '../../src/feed/feed.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { plainFeed } from './feed-mutants-base.js'
import { type Disk, emptyDisk, type Rules } from './feed-mutants-rules.js'

/** A feed with one rule broken. */
export interface Mutant {
  /** The rule of the kit that must catch it. */
  readonly rule: string
  /** The fault. */
  readonly fault: string
  readonly rules?: Partial<Rules>
  /** Methods in place of the correct ones. */
  readonly methods?: (disk: Disk, good: RevocationFeed) => Partial<RevocationFeed>
  /** Default: true. */
  readonly hasTwin?: boolean
  /** How long a case waits for an event that a broken feed never produces. Default: as long as the kit does. */
  readonly withinMs?: number
}

export interface CaseResult {
  readonly title: string
  readonly error: Error | undefined
  /** Why it was skipped, if it was. */
  readonly skipped: string | undefined
}

/** Runs the cases whose title begins with the rule, or all of them. */
export async function runContract(
  { rules, methods, hasTwin = true, withinMs }: Omit<Mutant, 'rule' | 'fault'>,
  rule = '',
): Promise<CaseResult[]> {
  const data = new WeakMap<RevocationFeed, Disk>()
  const feedOver = async (disk: Disk | undefined): Promise<RevocationFeed> => {
    const kept = disk ?? emptyDisk()
    const good = plainFeed(kept, rules)
    const feed = { ...good, ...methods?.(kept, good) }
    data.set(feed, kept)
    return feed
  }
  const cases: Array<readonly [string, (context: unknown) => Promise<void>]> = []
  feedContract({
    describe: (_, body) => body(),
    it: (title, body) => cases.push([title, body]),
    createFeed: () => feedOver(undefined),
    async plantEvent(feed, event) {
      const disk = data.get(feed)
      disk?.rows.push({ ...event, epoch: disk.head?.epoch ?? '' })
    },
    ...(hasTwin ? { createTwin: (feed: RevocationFeed) => feedOver(data.get(feed)) } : {}),
    ...(withinMs === undefined ? {} : { withinMs }),
  })
  const results: CaseResult[] = []
  for (const [title, run] of cases) {
    if (!title.startsWith(rule === '' ? '' : `${rule}: `)) continue
    let skipped: string | undefined
    const skip = (reason: string) => {
      skipped = reason
    }
    const error = await run({ skip }).then(
      () => undefined,
      (error: Error) => error,
    )
    results.push({ title, error, skipped })
  }
  return results
}
