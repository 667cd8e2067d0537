/** A watch of the Redis feed, over a client whose replies the test writes down. */
import { describe, expect, it } from 'vitest'
import type { RedisFeedClient } from '../../../../src/clients/redis/feed-client.js'
import { MAX_EVENT_BYTES, type Position, type WatchHint } from '../../../../src/feed/feed.js'
import { Incidents } from '../../../../src/feed/incidents.js'
import { watchLog } from '../../../../src/feed/redis/watch.js'

const EPOCH = 'epoch-of-22-characters'
const OVER = new Error('the test has no more replies')

const at = (seq: number): Position => ({ epoch: EPOCH, seq, link: new Uint8Array(16) })

/** The script's view of the log: its last event, and the events after the cursor. */
const script = (seq: number, events: readonly string[] = [], no = '5') => ({
  script: [EPOCH, no, String(seq), '0', String(seq - events.length + 1), ...events.map(bytes)],
})
const bytes = (text: string) => Buffer.from(text)
const entry = (id: string, fields: unknown) => [[bytes('log'), [[bytes(id), fields]]]]

type Step =
  | { readonly script: readonly unknown[]; readonly tag?: string }
  | { readonly read: unknown }

/** Watches until the replies end; resolves with the hints, in their order. */
async function hintsOf(from: Position, steps: readonly Step[]): Promise<(WatchHint | undefined)[]> {
  const left = [...steps]
  const client: RedisFeedClient = {
    callBuffer: async (name, args) => {
      const step = left.shift()
      if (step === undefined) throw OVER
      if ('read' in step) {
        expect(name).toBe('XREAD')
        return step.read
      }
      expect(name).toBe('EVALSHA')
      return [args[3], step.tag ?? 'next', ...step.script]
    },
    on: () => undefined,
    disconnect: () => undefined,
  }
  const hints: (WatchHint | undefined)[] = []
  const wake = (hint?: WatchHint) => void hints.push(hint)
  const incidents = new Incidents()
  const options = { client, within: <T>(step: Promise<T>) => step, key: 'k', from, wake, incidents }
  await watchLog(options).catch((error: unknown) => {
    if (error !== OVER) throw error
  })
  expect(left).toEqual([])
  return hints
}

describe('a watch of the redis feed', () => {
  it('delivers the entry of a blocking read, from a list and from a map of RESP3', async () => {
    const fields = [bytes('e'), bytes('two')]
    const hint = { events: [{ seq: 2, bytes: new Uint8Array(bytes('two')) }] }
    const list = entry('5-2', fields)
    for (const read of [list, new Map(list as [Buffer, unknown][]), { log: list[0]?.[1] }])
      expect(await hintsOf(at(1), [script(1), script(1), { read }])).toEqual([hint])
  })

  it('does not deliver the same event again when the script returns it', async () => {
    const read = entry('5-2', [bytes('e'), bytes('two')])
    const steps = [script(1), script(1), { read }, script(2, ['two']), script(2)]
    expect(await hintsOf(at(1), steps)).toHaveLength(1)
  })

  it.each<[string, unknown]>([
    ['of another sequence number', entry('5-3', [bytes('e'), bytes('three')])],
    ['without fields', entry('5-2', null)],
    ['of another field', entry('5-2', [bytes('x'), bytes('two')])],
    ['of two fields', entry('5-2', [bytes('e'), bytes('two'), bytes('f'), bytes('g')])],
    ['that is longer than an event', entry('5-2', [bytes('e'), Buffer.alloc(MAX_EVENT_BYTES + 1)])],
    ['that is text, not bytes', entry('5-2', [bytes('e'), 'two'])],
    ['of no one, because the read timed out', null],
  ])('does not deliver an entry %s', async (_, read) => {
    expect(await hintsOf(at(1), [script(1), script(1), { read }])).toEqual([])
  })

  it('wakes without events when the script returns none of them', async () => {
    expect(await hintsOf(at(1), [script(1), script(3), script(3)])).toEqual([undefined])
  })

  it('wakes without events when the log is at another place than the reader', async () => {
    const none = { script: ['', '0', '0', '0', '1'] }
    expect(await hintsOf(at(4), [script(3), script(3)])).toEqual([undefined])
    expect(await hintsOf(at(4), [none, none])).toEqual([undefined])
    const nowhere = { epoch: '', seq: 0, link: new Uint8Array(16) }
    expect(await hintsOf(nowhere, [none, none])).toEqual([])
  })

  it('rejects a reply that is not of the script, and one that is not a stream', async () => {
    await expect(hintsOf(at(1), [{ tag: 'type', script: [] }])).rejects.toThrow(
      'the redis feed cannot be watched: type',
    )
    const steps = [script(1), script(1), { read: { log: 'text' } }]
    await expect(hintsOf(at(1), steps)).rejects.toThrow('not a stream')
  })
})
