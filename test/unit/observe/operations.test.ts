/**
 * The tracing channels: which events each operation publishes, and what their messages hold.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  subscribe,
  type TracingChannelSubscribers,
  tracingChannel,
  unsubscribe,
} from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from 'watchword'
import { ready } from '../../../src/paseto.js'
import { directOf } from '../../../src/verbs/direct.js'
import { AUDIENCE, closeAll, failureOf, ISSUER, rig } from '../../support/harness.js'

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
type Event = (typeof EVENTS)[number]
const INPUT = {
  policy: 'service',
  subject: 'svc-secret-subject',
  actor: 'deploy-bot',
  scopes: ['orders:read'],
  claims: { note: 'secret-claim-value' },
} as const

const undo: (() => void)[] = []

beforeAll(() => ready)
afterEach(async () => {
  for (const each of undo.splice(0)) each()
  await closeAll()
})

/** Records the events of one channel: their names, and their messages at that time. */
function listen(verb: string) {
  const heard: { event: Event; message: Operation; state: Operation }[] = []
  const channel = tracingChannel<unknown, Operation>(`watchword:${verb}`)
  const entries = EVENTS.map((event) => [
    event,
    (message: Operation) => void heard.push({ event, message, state: { ...message } }),
  ])
  const subscribers = Object.fromEntries(entries) as TracingChannelSubscribers<Operation>
  channel.subscribe(subscribers)
  undo.push(() => void channel.unsubscribe(subscribers))
  return heard
}

describe('the tracing channels', () => {
  it('publish the events of a promise with one message, which gets the result', async () => {
    const { watchword } = await rig({ node: 'api-1' })
    const heard = listen('issue')
    const { id } = await watchword.issue(INPUT)
    expect(heard.map(({ event }) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(new Set(heard.map(({ message }) => message)).size).toBe(1)
    const about = { issuer: ISSUER, node: 'api-1', error: undefined }
    const token = { id, family: id, generation: 0, policy: 'service', audience: AUDIENCE }
    expect(heard.map(({ state }) => state)).toEqual([
      { ...about, result: undefined },
      { ...about, result: undefined },
      { ...about, result: token },
      { ...about, result: token },
    ])
    expect(Object.isFrozen(heard[0]?.message.result)).toBe(true)
  })

  it.each(['issue', 'rotate', 'revoke', 'authenticate'] as const)(
    'do not let a subscriber that freezes the message of %s change what the operation does',
    async (verb) => {
      const { watchword } = await rig()
      const { id, token } = await watchword.issue(INPUT)
      const freeze = (message: unknown) => void Object.freeze(message)
      subscribe(`tracing:watchword:${verb}:start`, freeze)
      undo.push(() => void unsubscribe(`tracing:watchword:${verb}:start`, freeze))
      const calls = {
        issue: () => watchword.issue(INPUT),
        authenticate: () => watchword.authenticate(token),
        rotate: () => watchword.rotate(token, { actor: 'cron' }),
        revoke: () => watchword.revoke({ id }, { actor: 'ops' }),
      }
      await expect(calls[verb]()).resolves.toBeDefined()
    },
  )

  it('publish an error before the end of the call', async () => {
    const { watchword } = await rig()
    const heard = listen('rotate')
    const error = await failureOf(() => watchword.rotate('nonsense', { actor: 'cron' }))
    expect(heard.map(({ event }) => event)).toEqual([
      'start',
      'end',
      'error',
      'asyncStart',
      'asyncEnd',
    ])
    expect(heard.at(-1)?.state).toMatchObject({ error, result: undefined })
  })

  it.each(EVENTS)('publish the event %s to a subscriber of it alone', async (event) => {
    const { watchword } = await rig()
    const heard: unknown[] = []
    const name = `tracing:watchword:rotate:${event}`
    const listener = (message: unknown) => void heard.push(message)
    subscribe(name, listener)
    undo.push(() => void unsubscribe(name, listener))
    const error = await failureOf(() => watchword.rotate('nonsense', { actor: 'cron' }))
    expect(heard).toMatchObject([{ issuer: ISSUER, error }])
  })

  it('publish a synchronous check of a guard as start and end alone', async () => {
    const { watchword } = await rig()
    const { token, id } = await watchword.issue(INPUT)
    const heard = listen('authenticate')
    const direct = directOf(watchword.authenticate)
    const result = direct?.check(token, watchword.require({ scopes: ['orders:read'] }), undefined)
    expect(result).toMatchObject({ ok: true, id })
    expect(heard.map(({ event }) => event)).toEqual(['start', 'end'])
    expect(heard[1]?.state.result).toMatchObject({ outcome: 'ok', id })
  })

  it('publish a check that asks the store as a promise', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    await watchword.revoke({ token }, { actor: 'ops' })
    const heard = listen('authenticate')
    await watchword.authenticate(token, { freshness: 'store' })
    await watchword.authenticate('nonsense')
    expect(heard.at(-1)?.state.result).toEqual({ outcome: 'malformed' })
    const { token: other } = await watchword.issue({ ...INPUT, subject: 'other' })
    heard.length = 0
    expect((await watchword.authenticate(other, { freshness: 'store' })).ok).toBe(true)
    expect(heard.map(({ event }) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  })

  it('publish revocations of a token and of a key, with the kind of the target', async () => {
    const { watchword } = await rig()
    await watchword.issue(INPUT)
    const heard = listen('revoke')
    await watchword.revoke({ subject: INPUT.subject }, { actor: 'ops' })
    await watchword.keys.revoke(watchword.keys.list()[0]?.id ?? '', { actor: 'ops' })
    const results = heard
      .filter(({ event }) => event === 'asyncEnd')
      .map(({ state }) => state.result)
    expect(results).toEqual([
      { target: 'subject', count: 1 },
      { target: 'key', count: 0 },
    ])
  })

  it('run the operation in the stores that subscribers bind', async () => {
    const storage = new AsyncLocalStorage<string>()
    const { start } = tracingChannel<unknown, Operation>('watchword:issue')
    let seen: string | undefined
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => {
          seen = storage.getStore()
          return { value }
        },
      },
    } as const
    const { watchword } = await rig({ claims: schema })
    start.bindStore(storage, () => 'bound')
    undo.push(() => void start.unbindStore(storage))
    await watchword.issue(INPUT)
    expect(seen).toBe('bound')
  })

  it('hold no token, subject or claim in any message', async () => {
    const { watchword } = await rig()
    const all = ['issue', 'rotate', 'revoke', 'authenticate'].map(listen)
    const issued = await watchword.issue(INPUT)
    const next = await watchword.rotate(issued.token, { actor: 'cron' })
    await watchword.authenticate(next.token)
    await watchword.revoke({ subject: INPUT.subject }, { actor: 'ops' })
    await failureOf(() => watchword.issue({ ...INPUT, policy: issued.token.slice(0, 60) }))
    const messages = all.flat().map(({ message }) => message)
    expect(messages.length).toBeGreaterThan(18)
    const text = inspect(messages, {
      showHidden: true,
      depth: 12,
      maxStringLength: null,
      getters: true,
    })
    for (const secret of [issued, next].map(({ token }) => token.slice(9, 60)))
      expect(text).not.toContain(secret)
    expect(text).not.toContain('secret')
    // Proves that the check can fail.
    expect(text).toContain(next.id)
  })

  it('are not used without subscribers', async () => {
    const { watchword } = await rig()
    const heard = listen('issue')
    for (const each of undo.splice(0)) each()
    await watchword.issue(INPUT)
    expect(heard).toEqual([])
  })
})
