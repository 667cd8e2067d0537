/** The listening connection, with its waits a hundred times shorter, over a client that the test controls. */
import { describe, expect, it, vi } from 'vitest'
import type { WatchHint } from '../../../../src/feed/feed.js'
import { listen, type PostgresListener } from '../../../../src/feed/sql/postgres-listen.js'

vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>()
  return {
    ...real,
    setTimeout: (ms: number, value: unknown, options: object) =>
      real.setTimeout(ms / 100, value, options),
  }
})

type Notified = (notification: { readonly payload?: string }) => void

/** A client whose session listens to its channel for this many checks. */
function listener(checks: number) {
  const state = { isEnded: false, checks: 0, notify: (() => undefined) as Notified }
  const client: PostgresListener = {
    connect: async () => undefined,
    query: async ({ text }) => {
      if (text.startsWith('LISTEN')) return { rows: [], rowCount: 0 }
      const isListening = ++state.checks <= checks
      return { rows: isListening ? [{ channel: 'other' }, { channel: 'a' }] : [], rowCount: 0 }
    },
    end: async () => {
      state.isEnded = true
    },
    on: (event: string, heard: unknown) => {
      if (event === 'notification') state.notify = heard as Notified
    },
  }
  return { client, state }
}

describe('listen', () => {
  it('rejects as soon as the session no longer listens', async () => {
    const { client, state } = listener(2)
    const { signal } = new AbortController()
    await expect(
      listen(
        () => client,
        'a',
        () => undefined,
        signal,
      ),
    ).rejects.toThrow('the session no longer listens')
    expect(state).toMatchObject({ checks: 3, isEnded: true })
  })

  it('wakes without events for a notification without a payload', async () => {
    const { client, state } = listener(Number.POSITIVE_INFINITY)
    const stop = new AbortController()
    const hints: (WatchHint | undefined)[] = []
    const over = listen(
      () => client,
      'a',
      (hint) => hints.push(hint),
      stop.signal,
    )
    state.notify({})
    stop.abort()
    await over
    expect(hints).toContainEqual({})
    expect(state.isEnded).toBe(true)
  })
})
