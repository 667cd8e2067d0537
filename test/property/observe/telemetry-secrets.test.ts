/**
 * Random traffic full of recognizable secrets: nothing that telemetry exports holds one, metrics hold no id, and the
 * values of their attributes are bounded by the configuration.
 *
 * @module
 */
import { inspect } from 'node:util'
import type { Attributes } from '@opentelemetry/api'
import fc from 'fast-check'
import { afterEach, beforeAll, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { instrument } from 'watchword/otel'
import { logFields, protect } from 'watchword/web'
import { METRICS } from '../../../src/observe/otel/metrics.js'
import { ready } from '../../../src/paseto.js'
import { rarelyPolled } from '../../support/fleet.js'
import {
  AUDIENCE,
  claimsText,
  closeAll,
  MINUTE,
  type Rig,
  rig,
  sealed,
} from '../../support/harness.js'
import { sdk } from '../../support/otel.js'
import { runs } from '../../support/runs.js'

// No name or code of the library contains it.
const CANARY = 'zqxj'
const secret = fc.integer({ min: 0, max: 9999 }).map((n) => `${CANARY}-${n}`)
const which = fc.nat({ max: 30 })

type Step =
  | { readonly kind: 'issue'; readonly text: string; readonly policy: 'service' | 'short' | 'text' }
  | {
      readonly kind: 'verify' | 'authenticate' | 'guard' | 'rotate' | 'revoke' | 'restrict'
      readonly at: number
      readonly text: string
    }
  | { readonly kind: 'tamper' | 'seal'; readonly at: number; readonly text: string }
  | { readonly kind: 'wait'; readonly minutes: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('issue' as const),
    text: secret,
    policy: fc.constantFrom('service', 'short', 'text'),
  }),
  fc.record({
    kind: fc.constantFrom('verify', 'authenticate', 'guard', 'rotate', 'revoke', 'restrict'),
    at: which,
    text: secret,
  }),
  fc.record({ kind: fc.constantFrom('tamper', 'seal'), at: which, text: secret }),
  fc.record({ kind: fc.constant('wait' as const), minutes: fc.constantFrom(2, 61) }),
)

/** Everything that one run produced. */
interface World extends Rig {
  readonly tokens: string[]
  readonly ids: string[]
  readonly logged: unknown[]
}

const attempt = (run: () => Promise<unknown>) => run().catch(() => undefined)

async function guard(world: World, token: string): Promise<void> {
  const request = new Request(`https://orders.example/${CANARY}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const handler = protect(world.watchword, () => new Response(), { scopes: ['orders:read'] })
  await handler(request)
  world.logged.push(logFields(request))
}

async function use(watchword: Watchword, token: string, text: string): Promise<void> {
  watchword.verify(token, { scopes: [`orders:${text}`] })
  await attempt(() => watchword.authenticate(token, { binding: text }, { route: text }))
  await attempt(() => watchword.authenticate(token, { freshness: 'store' }))
}

async function take(world: World, each: Step): Promise<void> {
  const { watchword, clock, tokens, ids } = world
  if (each.kind === 'wait') return clock.advance(each.minutes * MINUTE)
  const { text } = each
  if (each.kind === 'issue') {
    const policy = each.policy === 'text' ? text : each.policy
    const claims = { note: text, [text]: text }
    const input = { policy, subject: text, actor: text, scopes: ['orders:read'], claims }
    const issued = await watchword.issue(input).catch(() => undefined)
    if (issued !== undefined) {
      tokens.push(issued.token)
      ids.push(issued.id)
    }
    return
  }
  if (each.kind === 'seal') {
    const change = { pol: text, sub: text, note: text, aud: each.at % 2 ? AUDIENCE : text }
    return use(watchword, sealed(world, claimsText(change)), text)
  }
  const token = tokens[each.at % Math.max(1, tokens.length)] ?? text
  if (each.kind === 'verify') watchword.verify(token)
  else if (each.kind === 'authenticate') await use(watchword, token, text)
  else if (each.kind === 'guard') await guard(world, token)
  else if (each.kind === 'tamper')
    await use(watchword, `${token.slice(0, 40)}${text}${token.slice(44)}`, text)
  else if (each.kind === 'rotate') {
    const next = await watchword.rotate(token, { actor: text }).catch(() => undefined)
    if (next === undefined) return
    tokens.push(next.token)
    ids.push(next.id)
  } else if (each.kind === 'restrict') {
    const [target, why] = [
      each.at % 2 ? { token } : { subject: text },
      { actor: text, reason: text },
    ]
    await attempt(() =>
      each.at % 3
        ? watchword.suspend(target, { ...why, for: '1s' })
        : watchword.restrict(target, { ...why, deny: ['orders:write'] }),
    )
  } else
    await attempt(() =>
      watchword.revoke(each.at % 2 ? { token } : { subject: text }, { actor: text, reason: text }),
    )
}

beforeAll(() => ready)
afterEach(closeAll)

const ULID = /[0-9A-HJKMNP-TV-Z]{26}/
const OUTCOMES = 17

it('exports no secret, no id in a metric, and a bounded number of attribute values', async () => {
  let points = 0
  let spans = 0
  let subjects = 0
  const names = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const exported = sdk()
      const setup = await rig({ maxStaleness: '1h' }, { feed: rarelyPolled() })
      const world: World = { ...setup, tokens: [], ids: [], logged: [] }
      const stop = instrument(setup.watchword, { meter: exported.meter, tracer: exported.tracer })
      for (const each of steps) await take(world, each)
      const metrics = await exported.metrics()
      const attributes = metrics.flatMap(({ dataPoints }) =>
        dataPoints.map((point): Attributes => point.attributes),
      )
      const finished = exported.spans().map(({ name, attributes, events, links, status }) => ({
        name,
        attributes,
        events,
        links,
        status,
      }))
      for (const { descriptor } of metrics) names.add(descriptor.name)
      points += attributes.length
      spans += finished.length
      subjects += inspect(world.logged, { depth: 3 }).split(CANARY).length - 1
      const all = { depth: 12, maxArrayLength: null, maxStringLength: null } as const
      const metricsText = inspect([attributes, metrics], all)
      const text = [metricsText, inspect(finished, all)].join('\n')
      // A log has the subject, which names the caller; nothing else has it.
      const logs = world.logged.map((fields) => ({ ...(fields as object), subject: undefined }))
      for (const shown of [text, inspect(logs, all)]) {
        expect(shown).not.toContain(CANARY)
        for (const token of world.tokens) expect(shown).not.toContain(token.slice(20, 44))
        expect(shown).not.toMatch(/[vk]4\.|\bpie\./)
      }
      expect(metricsText).not.toMatch(ULID)
      for (const id of world.ids) expect(metricsText).not.toContain(id)
      const decided = metrics.find(({ descriptor }) => descriptor.name === 'watchword.decisions')
      // Two policies, and one audience, and one more of each for those that are not configured.
      expect(decided?.dataPoints.length ?? 0).toBeLessThanOrEqual(OUTCOMES * (3 * 2 + 1))
      stop()
      await exported.shutdown()
      await closeAll()
    }),
    { numRuns: runs(20, 20) },
  )
  expect(points).toBeGreaterThan(20)
  expect(spans).toBeGreaterThan(20)
  // Every metric was searched; there is no incident to count.
  const expected = Object.keys(METRICS).filter((name) => name !== 'watchword.feed.incidents')
  expect(expected.filter((name) => !names.has(name))).toEqual([])
  // Proves that the search finds what is there.
  expect(subjects).toBeGreaterThan(0)
})
