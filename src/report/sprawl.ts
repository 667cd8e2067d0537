/**
 * The inventory of all live tokens, with what is wrong with them.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import { Counts } from '../lib/counts.js'
import { DAY, parseDuration } from '../lib/duration.js'
import { parseInput } from '../lib/schema.js'
import type { TokenInfo } from '../verbs/inputs.js'
import { Crowds } from './crowds.js'
import { Histogram } from './histogram.js'
import { type Facts, finding, judge, RISKS } from './judge.js'
import { resolved, type SprawlOptions, sprawlSchema } from './options.js'
import { livePages } from './pages.js'
import { type ReportedAuthority, type ReportSource, sourceOf } from './source.js'
import { whole } from './text.js'
import { barsOf } from './top.js'
import type { Finding, FindingKind, Interval, Risk, SprawlReport } from './types.js'
import { Days, readUse, spanOf } from './use.js'

const MAX_OWNERS = 100
const LONG_LIVED_MS = 365 * DAY
const TOO_MANY = 10

const ALL = 'sprawl reports on all tokens: for a part of them, use impact or minimise'

const HINTS = {
  ...{ id: ALL, family: ALL, subject: ALL, policy: ALL, key: ALL, audience: ALL, token: ALL },
  all: 'sprawl always reports on all tokens: leave the field out',
}

/**
 * Reads all live tokens and reports what they are and what is wrong with them, in bounded memory. Use counts as unknown
 * where a node did not report it. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { sprawl } from 'watchword/report'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * const { counts, findings } = await sprawl(watchword, { window: '90d' })
 * console.log(counts.idle, findings[0]?.remedy)
 * await watchword.close()
 * ```
 */
export async function sprawl(
  authority: ReportedAuthority,
  options: SprawlOptions = {},
): Promise<SprawlReport> {
  const source = sourceOf(authority)
  const parsed = parseInput(sprawlSchema, options, 'options', HINTS)
  const { windowMs, limit, onProgress } = resolved(parsed)
  const { at, window, coverage } = await spanOf(source, windowMs)
  const stored = await source.count({})
  const live = await source.count({ live: true })
  const survey = new Survey({
    at,
    limit,
    tooMany: parsed.tooMany ?? TOO_MANY,
    facts: {
      window,
      coverage,
      longLivedMs: parseDuration(parsed.longLived) ?? LONG_LIVED_MS,
      policy: (name) => source.policy(name),
      replaced: replacements(source.keys()),
      limits: (token) => source.limits(token),
    },
  })
  for await (const { items, corrupt } of livePages(source, {})) {
    const uses = await readUse(source, items, window.from, (row) => survey.days.add(row))
    for (const use of uses.values()) survey.add(use.token, judge(use, survey.facts))
    survey.corrupt += corrupt?.length ?? 0
    onProgress({ done: survey.live, total: Math.max(live, survey.live) })
  }
  await survey.countCrowds(source)
  return survey.report(source, stored)
}

/** How many keys of the same audience have become active after each key. */
function replacements(keys: readonly KeyInfo[]): (keyId: string) => number | undefined {
  const replaced = new Map<string, number>()
  for (const active of keys) {
    if (active.state !== 'active') continue
    for (const { id, audience, generation } of keys)
      if (audience === active.audience) replaced.set(id, active.generation - generation)
  }
  return (id) => replaced.get(id)
}

interface SurveyOptions {
  readonly at: number
  readonly limit: number
  readonly tooMany: number
  readonly facts: Facts
}

/** What is gathered in one pass over the tokens. */
class Survey {
  readonly days = new Days()
  readonly facts: Facts
  live = 0
  corrupt = 0
  readonly #options: SurveyOptions
  readonly #counts = Object.fromEntries(Object.keys(RISKS).map((kind) => [kind, 0])) as Record<
    FindingKind,
    number
  >
  readonly #findings: Finding[] = []
  readonly #policies = new Counts()
  readonly #owners = new Counts()
  readonly #ages = new Histogram()
  readonly #expiries = new Histogram()
  readonly #crowds: Crowds

  constructor(options: SurveyOptions) {
    this.#options = options
    this.facts = options.facts
    this.#crowds = new Crowds(options.tooMany)
  }

  add(token: TokenInfo, findings: readonly Finding[]): void {
    this.live++
    this.#policies.add(token.policy)
    this.#owners.add(token.owner ?? 'no owner')
    this.#ages.add(this.#options.at - token.issuedAt)
    this.#expiries.add(token.expiresAt - this.#options.at)
    this.#crowds.add(token)
    for (const each of findings) this.#keep(each)
  }

  #keep(found: Finding): void {
    if (this.#counts[found.kind]++ < this.#options.limit) this.#findings.push(found)
  }

  async countCrowds(source: ReportSource): Promise<void> {
    const { tooMany } = this.#options
    for (const holder of this.#crowds.candidates()) {
      const { subject, policy } = holder
      const count = await source.count({ subject, policy, live: true })
      if (count <= tooMany) continue
      const evidence = `its subject has ${whole(count)} live tokens of the policy`
      const remedy = 'revoke those that are not needed, and set maxActivePerSubject in the policy'
      this.#keep(finding('too_many', holder, evidence, remedy))
    }
  }

  report(source: ReportSource, stored: number): SprawlReport {
    const { facts } = this
    const { node, status, freshnessMs, maxStalenessMs, lag, incidents } = source.state()
    return {
      kind: 'sprawl',
      issuer: source.issuer,
      at: this.#options.at,
      window: facts.window,
      coverage: facts.coverage,
      tokens: { stored, live: this.live, corrupt: this.corrupt },
      counts: this.#counts,
      findings: this.#findings.sort(byUrgency),
      policies: barsOf(this.#policies, MAX_OWNERS, 'other policies'),
      owners: barsOf(this.#owners, MAX_OWNERS, 'other owners'),
      ages: this.#ages.bars(),
      expiries: this.#expiries.bars(),
      days: this.#dayUse(facts.window),
      keys: source.keys(),
      fleet: {
        node,
        status,
        freshnessMs,
        maxStalenessMs,
        lag,
        incidents: { ...incidents } as Record<string, number>,
      },
    }
  }

  #dayUse(window: Interval) {
    return this.facts.coverage.kept ? this.days.within(window) : []
  }
}

const KINDS = Object.keys(RISKS) as FindingKind[]
const ORDER: readonly Risk[] = ['high', 'medium', 'low']

// Findings of one kind stay in the order in which the tokens were read: oldest first.
function byUrgency(a: Finding, b: Finding): number {
  return (
    ORDER.indexOf(a.risk) - ORDER.indexOf(b.risk) || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)
  )
}
