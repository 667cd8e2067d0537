/**
 * Traffic that is recorded and replayed after a change, to compare what a report predicted with what the change did.
 *
 * @module
 */
import fc from 'fast-check'
import type { IssuedToken, RequestContext, RevokeTarget, Watchword } from 'watchword'
import { type ImpactReport, impact, type ReportTarget } from 'watchword/report'
import { rarelyPolled, targetsOf } from './fleet.js'
import { closeAll, HOUR, MINUTE, type Rig, rig, sharedStore } from './harness.js'

const ACTOR = { actor: 'ops' } as const
const AUDIENCES = ['orders-api', 'users-api'] as const
const POLICIES = {
  service: { ttl: '30d', scopes: ['orders:*'], grace: '1h' },
  short: { ttl: '12h', scopes: ['orders:*'] },
} as const
/** The same with the versions of all `service` tokens outdated. */
const CHANGED = { ...POLICIES, service: { ...POLICIES.service, version: 2, minVersion: 2 } }
const TARGETS = ['id', 'family', 'subject', 'key', 'audience', 'all', 'policy'] as const

/** One request of a history. */
interface Wish {
  readonly kind: 'request'
  readonly token: number
  /** Which of the callers of its token. */
  readonly caller: number
  readonly node: 0 | 1
  /** Whether it requires a scope that no token has. */
  readonly isRefused: boolean
}

type Step =
  | Wish
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'rotate'; readonly token: number }
  | { readonly kind: 'revoke'; readonly token: number }

export interface Scenario {
  /** The number of callers of each token. */
  readonly callers: readonly number[]
  readonly steps: readonly Step[]
  readonly target: (typeof TARGETS)[number]
  /** The token that the target is about. */
  readonly chosen: number
}

const token = fc.nat(100)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 100,
    arbitrary: fc.record({
      kind: fc.constant('request' as const),
      token,
      caller: fc.nat(100),
      node: fc.constantFrom(0 as const, 1 as const),
      isRefused: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, MINUTE, 10 * MINUTE, 40 * MINUTE),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rotate' as const), token }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke' as const), token }) },
)

/** Traffic of up to this many tokens with a number of callers in this range each. */
export const scenarios = (
  maxTokens: number,
  callers: { readonly min: number; readonly max: number },
): fc.Arbitrary<Scenario> =>
  fc.record({
    callers: fc.array(fc.integer(callers), {
      minLength: 2,
      maxLength: maxTokens,
    }),
    steps: fc.array(step, { minLength: 100, maxLength: 300 }),
    target: fc.constantFrom(...TARGETS),
    chosen: token,
  })

/** One recorded request. */
interface Recorded {
  readonly issued: IssuedToken
  readonly caller: Required<Pick<RequestContext, 'address' | 'route' | 'userAgent'>>
  readonly node: 0 | 1
  readonly scope: string
}

/** What was predicted, and what then happened to the requests that were accepted before. */
export interface Comparison {
  readonly predicted: ImpactReport
  readonly preview: { readonly used: number; readonly requests: number } | undefined
  readonly predictedCallers: ReadonlySet<string>
  /** The ids of the used tokens and the callers of which a request is now rejected. */
  readonly hitTokens: ReadonlySet<string>
  readonly hitCallers: ReadonlySet<string>
  readonly hitRequests: number
}

const keyOf = ({ address, route, userAgent }: Recorded['caller']) =>
  JSON.stringify([address, route, userAgent])

// Tokens share some of their callers.
const callerOf = (index: number, caller: number): Recorded['caller'] => ({
  address: `10.0.${index % 5}.${caller}`,
  route: caller % 2 === 0 ? '/orders' : '/orders/:id',
  userAgent: `client/${index % 3}`,
})

type Nodes = readonly [Watchword, Watchword]

const send = (nodes: Nodes, { issued, caller, node, scope }: Recorded) =>
  nodes[node].authenticate(issued.token, { scopes: [scope] }, caller)

async function start(base?: Rig): Promise<{ readonly nodes: Nodes; readonly first: Rig }> {
  const options = { policies: POLICIES, audience: AUDIENCES, maxStaleness: HOUR }
  const first = base ?? (await rig(options, { store: sharedStore(), feed: rarelyPolled() }))
  const { store, clock, feed, root } = first
  const second = await rig(options, { store, clock, feed, root })
  return { first, nodes: [first.watchword, second.watchword] }
}

async function record({ first, nodes }: { first: Rig; nodes: Nodes }, scenario: Scenario) {
  const tokens: IssuedToken[] = []
  const accepted: Recorded[] = []
  for (const index of scenario.callers.keys()) {
    const policy = index % 3 === 0 ? 'short' : 'service'
    const audience = AUDIENCES[index % 2] as string
    const input = { policy, audience, subject: `svc_${index % 6}`, scopes: ['orders:read'] }
    tokens.push(await nodes[0].issue({ ...input, ...ACTOR }))
  }
  for (const each of scenario.steps) {
    if (each.kind === 'wait') {
      await first.clock.advance(each.ms)
      continue
    }
    const index = each.token % tokens.length
    const issued = tokens[index] as IssuedToken
    if (each.kind === 'revoke') await nodes[0].revoke({ id: issued.id }, ACTOR)
    else if (each.kind === 'rotate') {
      const next = await nodes[1].rotate(issued.token, ACTOR).catch(() => undefined)
      if (next !== undefined && tokens.every(({ id }) => id !== next.id)) tokens.push(next)
    } else {
      const callers = scenario.callers[index % scenario.callers.length] as number
      const caller = callerOf(index, each.caller % callers)
      const scope = each.isRefused ? 'orders:write' : 'orders:read'
      const request = { issued, caller, node: each.node, scope }
      if ((await send(nodes, request)).ok) accepted.push(request)
    }
  }
  return { tokens, accepted }
}

/** Records traffic, predicts the impact of a change, makes the change, and replays the traffic. */
export async function replay(scenario: Scenario): Promise<Comparison> {
  try {
    const world = await start()
    const { tokens, accepted } = await record(world, scenario)
    const { first, nodes } = world
    // Every node writes its counts.
    await first.clock.advance(2 * MINUTE)
    const chosen = tokens[scenario.chosen % tokens.length] as IssuedToken
    const isPolicy = scenario.target === 'policy'
    const target = isPolicy ? { policy: 'service' } : targetsOf(chosen)[scenario.target]
    const predicted = await impact(nodes[0], target as ReportTarget, { limit: 10_000 })
    const before: Recorded[] = []
    // Some tokens have expired or were revoked since: the change has no effect on them.
    for (const each of accepted) if ((await send(nodes, each)).ok) before.push(each)
    let after = nodes
    let preview: Comparison['preview']
    if (isPolicy) {
      const { store, clock, feed, root } = first
      const shared = { store, clock, feed, root }
      const options = { policies: CHANGED, audience: AUDIENCES, maxStaleness: HOUR }
      const restarted = [await rig(options, shared), await rig(options, shared)] as const
      after = [restarted[0].watchword, restarted[1].watchword]
    } else {
      const dry = await nodes[1].revoke(target as RevokeTarget, { ...ACTOR, dryRun: true })
      preview = { used: dry.used, requests: dry.usage.kept ? dry.usage.requests : -1 }
      await nodes[1].revoke(target as RevokeTarget, ACTOR)
    }
    const hits: Recorded[] = []
    for (const each of before) if (!(await send(after, each)).ok) hits.push(each)
    return {
      predicted,
      preview,
      predictedCallers: new Set(predicted.callers.map(keyOf)),
      hitTokens: new Set(hits.map(({ issued }) => issued.id)),
      hitCallers: new Set(hits.map(({ caller }) => keyOf(caller))),
      hitRequests: hits.length,
    }
  } finally {
    await closeAll()
  }
}
