/**
 * The report of one fault: one line.
 */
import type { History } from './checker.js'
import type { NodeLog } from './observer.js'

/** When the fault began and ended. */
export interface Times {
  readonly hurtAt: number
  readonly healedAt: number
  /** When the server replied again, which may be later than the end of the fault. */
  readonly backAt: number
  readonly silent: boolean
}

/** The figures of a run. */
export interface Figures {
  readonly acknowledged: number
  readonly lost: number
  /** The time from the start of an outage to the last acceptance by any node. */
  readonly staleAfterMs: number | undefined
  /** The time from the first reply of the server until every node accepted again. */
  readonly liveAfterMs: number
  /** The longest time for which any node accepted a token after its revocation was acknowledged. */
  readonly slowestMs: number
  readonly incidents: string
}

export function figuresOf(history: History, { hurtAt, healedAt, backAt, silent }: Times): Figures {
  const { acknowledged, logs, states } = history
  const there = logs.filter(({ node }) => states.has(node))
  const lost = acknowledged.filter(({ token }) =>
    there.some(({ sightings }) => (sightings[token]?.revokedAt ?? 0) === 0),
  )
  return {
    acknowledged: acknowledged.length,
    lost: lost.length,
    staleAfterMs: silent
      ? Math.max(...logs.map((log) => lastAccepted(log, hurtAt, healedAt) - hurtAt))
      : undefined,
    liveAfterMs: Math.max(...there.map((log) => firstAccepted(log, backAt) - backAt)),
    slowestMs: slowestOf(history),
    incidents: incidentsOf(history),
  }
}

function lastAccepted({ runs }: NodeLog, from: number, to: number): number {
  const before = runs.filter((run) => run.accepted && run.from < to)
  return Math.max(from, ...before.map((run) => Math.min(run.to, to)))
}

function firstAccepted({ runs }: NodeLog, from: number): number {
  return Math.max(from, runs.find((run) => run.accepted && run.to >= from)?.from ?? from)
}

function slowestOf({ acknowledged, logs }: History): number {
  let slowest = 0
  for (const { token, at } of acknowledged)
    for (const { sightings } of logs)
      slowest = Math.max(slowest, (sightings[token]?.acceptedAt ?? 0) - at)
  return slowest
}

function incidentsOf({ states }: History): string {
  const totals = new Map<string, number>()
  for (const { incidents } of states.values()) {
    for (const [kind, count] of Object.entries(incidents))
      totals.set(kind, (totals.get(kind) ?? 0) + count)
  }
  return [...totals].map(([kind, count]) => `${kind} ${count}`).join(', ')
}

/** Formats the line. */
export function lineOf(broker: string, fault: string, figures: Figures): string {
  const { acknowledged, lost, staleAfterMs, liveAfterMs, slowestMs, incidents } = figures
  return [
    broker.padEnd(8),
    fault.padEnd(44),
    `${acknowledged} acked`.padStart(11),
    `${lost} lost`.padStart(7),
    (staleAfterMs === undefined ? '' : `stale after ${seconds(staleAfterMs)}`).padEnd(19),
    `live after ${seconds(liveAfterMs)}`.padEnd(18),
    `slowest ${Math.round(slowestMs)} ms`.padEnd(16),
    incidents,
  ]
    .join('  ')
    .trimEnd()
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
