/**
 * The checker: compares the verdicts of the nodes with the acknowledged revocations, and returns every broken promise.
 */
import { LONGEST_GAP_MS, type NodeLog, type NodeState, type Run } from './observer.js'

/** A revocation that its node acknowledged. */
export interface Acknowledged {
  /** The number of the token. */
  readonly token: number
  readonly by: string
  readonly at: number
}

/** A period in which no node could reach the log. */
export interface Silence {
  readonly from: number
  readonly to: number
  readonly nodes: readonly string[]
}

/** Everything that is known of one run. */
export interface History {
  readonly maxStalenessMs: number
  /**
   * Whether the log lost acknowledged events. A node that had not read them accepts the rest as the whole log until
   * the nodes that have read them republish them.
   */
  readonly lossy: boolean
  readonly acknowledged: readonly Acknowledged[]
  /** The tokens that a writer tried to revoke, acknowledged or not. */
  readonly attempted: ReadonlySet<number>
  readonly silences: readonly Silence[]
  readonly logs: readonly NodeLog[]
  /** The nodes at the end, after all activity has stopped. */
  readonly states: ReadonlyMap<string, NodeState>
  /** The codes of errors that an outage does not explain. */
  readonly errors: readonly string[]
}

// Authorities round to whole milliseconds, and the clocks of processes are compared with each other.
const SLACK_MS = 25

/** Every guarantee that was violated; empty in a correct run. */
export function faultsOf(history: History): string[] {
  return [
    ...acceptedTooLate(history),
    ...forgotten(history),
    ...resurrected(history),
    ...liveInSilence(history),
    ...deniedForNothing(history),
    ...history.errors.map((code) => `a revocation was rejected with ${code}`),
  ]
}

// I1
function acceptedTooLate({ acknowledged, logs, maxStalenessMs, lossy }: History): string[] {
  const faults: string[] = []
  for (const { token, by, at } of acknowledged) {
    for (const { node, sightings } of logs) {
      const { acceptedAt, provenAt } = sightings[token] ?? NEVER
      const late = Math.round(acceptedAt - at)
      const what = `I1 ${node} accepted token ${token} ${late} ms after its end`
      if (node === by && acceptedAt > at) faults.push(`${what}, which it had acknowledged`)
      else if (late > maxStalenessMs + SLACK_MS) faults.push(what)
      else if (provenAt > at && !lossy) faults.push(`${what}, with a proof from after that`)
    }
  }
  return faults
}

const NEVER = { acceptedAt: 0, provenAt: 0, revokedAt: 0 }

// I2
function forgotten({ acknowledged, logs, states }: History): string[] {
  const faults: string[] = []
  for (const { node, sightings } of logs) {
    if (!states.has(node)) continue
    const lost = acknowledged.filter(({ token }) => (sightings[token] ?? NEVER).revokedAt === 0)
    if (lost.length > 0) faults.push(`I2 ${node} does not know of ${lost.length} revocations`)
  }
  for (const field of ['position', 'revocations', 'live', 'pending'] as const) {
    const values = new Set([...states.values()].map((state) => state[field]))
    if (values.size > 1) faults.push(`I2 the nodes differ in ${field}: ${[...values].join(', ')}`)
  }
  return faults
}

// I3
function resurrected({ logs }: History): string[] {
  return logs.flatMap(({ node, sightings }) => {
    const count = sightings.filter(({ resurrectedAt }) => resurrectedAt > 0).length
    return count === 0 ? [] : [`I3 ${node} accepted ${count} tokens that it had refused`]
  })
}

// I4
function liveInSilence({ silences, logs, maxStalenessMs }: History): string[] {
  return silences.flatMap(({ from, to, nodes }) => {
    const end = from + maxStalenessMs + SLACK_MS
    return logs
      .filter(({ node, runs }) => nodes.includes(node) && runs.some((run) => isIn(run, end, to)))
      .map(({ node }) => `I4 ${node} was live in a silence`)
  })
}

// A run records only its start and end. Within it, verdicts are at most a gap apart.
function isIn(run: Run, from: number, to: number): boolean {
  if (!run.accepted || run.to <= from || run.from >= to) return false
  return run.to < to || run.from > from || to - from > LONGEST_GAP_MS
}

// I6
function deniedForNothing({ logs, attempted }: History): string[] {
  return logs.flatMap(({ node, sightings, odd }) => {
    const wronged = sightings.filter(
      ({ revokedAt }, token) => revokedAt > 0 && !attempted.has(token),
    )
    const faults = odd.map((code) => `I6 ${node} returned ${code}`)
    if (wronged.length > 0) faults.push(`I6 ${node} refused ${wronged.length} tokens for nothing`)
    return faults
  })
}
