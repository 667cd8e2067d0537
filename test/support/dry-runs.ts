/**
 * Histories of tokens, and what a dry run says of a revocation after each of them.
 *
 * @module
 */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { IssuedToken, RevokePreview, Watchword } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { auditOf, logOf, targetsOf } from './fleet.js'
import { closeAll, HOUR, MINUTE, rig, verdict } from './harness.js'

const ACTOR = { actor: 'ops' } as const
const AUDIENCES = ['orders-api', 'users-api'] as const
const TARGETS = ['token', 'id', 'family', 'subject', 'key', 'audience', 'all'] as const

type Step =
  | {
      readonly kind: 'issue'
      readonly subject: number
      readonly policy: 'service' | 'short'
      readonly audience: 0 | 1
      readonly isLater: boolean
    }
  | { readonly kind: 'rotate' | 'revoke' | 'use'; readonly token: number }
  | { readonly kind: 'wait'; readonly ms: number }

/** A history, and a revocation to try after it. */
export interface History {
  readonly steps: readonly Step[]
  readonly target: (typeof TARGETS)[number]
  readonly token: number
  readonly alone: boolean
}

const token = fc.nat(20)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('issue' as const),
      subject: fc.nat(2),
      policy: fc.constantFrom('service' as const, 'short' as const),
      audience: fc.constantFrom(0 as const, 1 as const),
      isLater: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('rotate', 'revoke', 'use'), token }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, MINUTE, 31 * MINUTE, 2 * HOUR),
    }),
  },
)

export const histories: fc.Arbitrary<History> = fc.record({
  steps: fc.array(step, { minLength: 2, maxLength: 25 }),
  target: fc.constantFrom(...TARGETS),
  token,
  alone: fc.boolean(),
})

interface World {
  readonly nodes: readonly [Watchword, Watchword]
  readonly tokens: IssuedToken[]
  wait(ms: number): void
}

async function play({ nodes, tokens, wait }: World, steps: readonly Step[]): Promise<void> {
  for (const [turn, each] of steps.entries()) {
    const node = nodes[turn % 2] as Watchword
    if (each.kind === 'issue') {
      const { policy, subject, audience, isLater } = each
      const now = tokens.at(-1)?.issuedAt ?? 0
      const more = isLater && now > 0 ? { notBefore: now + HOUR } : {}
      const input = { policy, subject: `svc_${subject}`, audience: AUDIENCES[audience], ...more }
      tokens.push(await node.issue({ ...input, ...ACTOR }))
    } else if (each.kind === 'wait') wait(each.ms)
    else {
      const chosen = tokens[each.token % Math.max(1, tokens.length)]
      if (chosen === undefined) continue
      if (each.kind === 'use') node.verify(chosen.token)
      else if (each.kind === 'revoke') await node.revoke({ id: chosen.id }, ACTOR)
      else await rotate(node, chosen, tokens)
    }
  }
}

async function rotate(node: Watchword, { token }: IssuedToken, tokens: IssuedToken[]) {
  // A token that is revoked, or was rotated for longer than its grace, has no successor.
  const successor = await node.rotate(token, ACTOR).catch(() => undefined)
  const isNew = successor !== undefined && tokens.every(({ id }) => id !== successor.id)
  if (isNew) tokens.push(successor)
}

/** Everything that a revocation changes. */
async function stateOf(node: Watchword, store: Store, feed: RevocationFeed) {
  return {
    tokens: await store.listTokens({}, { limit: 1000 }),
    revocations: await store.listRevocations({ limit: 1000 }),
    keys: await store.listKeys(),
    events: (await logOf(feed)).length,
    audit: store.audit === undefined ? [] : (await node.audit.list({ limit: 1000 })).items,
    index: node.health().revocations,
  }
}

const verdictsOf = (nodes: readonly Watchword[], tokens: readonly IssuedToken[]) =>
  new Map(
    tokens.map(({ id, token }) => [id, nodes.map((node) => verdict(node.verify(token))).join()]),
  )

const ENDED = /revoked|superseded|expired/

/** A store without its own clock, which may be closed by several authorities. */
export function lastingStore({ now: _, ...store }: Store): Store {
  return { ...store, close: async () => {} }
}

/**
 * Plays a history on two nodes. Then a dry run changes nothing, and lists exactly the tokens that the revocation then
 * rejects. Returns how many these were.
 */
export async function checkDryRun(store: Store, history: History): Promise<number> {
  const policies = {
    service: { ttl: '30d', scopes: [], grace: '30m' },
    short: { ttl: '90m', scopes: [] },
  } as const
  const first = await rig({ policies, audience: AUDIENCES }, { store })
  const { clock, feed, root } = first
  const second = await rig({ policies, audience: AUDIENCES }, { store, clock, feed, root })
  const nodes = [first.watchword, second.watchword] as const
  const tokens: IssuedToken[] = []
  try {
    await play({ nodes, tokens, wait: (ms) => clock.step(ms) }, [
      { kind: 'issue', subject: 0, policy: 'service', audience: 0, isLater: false },
      ...history.steps,
    ])
    const chosen = tokens[history.token % tokens.length] as IssuedToken
    const target = targetsOf(chosen)[history.target] as { readonly all: true }
    const isOne = history.target === 'token' || history.target === 'id'
    const options = { ...ACTOR, ...(isOne && history.alone ? { successors: false } : {}) }
    for (const node of nodes) await node.keys.refresh()
    const [node, other] = nodes
    const verdicts = verdictsOf(nodes, tokens)
    const state = await stateOf(node, store, feed)
    let preview: RevokePreview | undefined
    const events = await auditOf(async () => {
      preview = await other.revoke(target, { ...options, dryRun: true })
    })
    expect(events).toEqual([])
    expect(await stateOf(node, store, feed)).toEqual(state)
    expect(verdictsOf(nodes, tokens)).toEqual(verdicts)
    const receipt = await other.revoke(target, { ...options, dryRun: false })
    const after = verdictsOf(nodes, tokens)
    const rejected = tokens
      .map(({ id }) => id)
      .filter((id) => !ENDED.test(verdicts.get(id) ?? '') && after.get(id) === 'revoked,revoked')
    expect([...(preview?.ids ?? [])].sort()).toEqual(rejected.sort())
    expect(preview?.matched).toBe(receipt.matched)
    expect(preview).toMatchObject({ dryRun: true, kind: receipt.kind, value: receipt.value })
    return rejected.length
  } finally {
    await closeAll()
  }
}
