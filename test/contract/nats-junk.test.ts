/** Messages of a client without keys on the subject of the log. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { SealedHead } from '../../src/feed/feed.js'
import { Searched } from '../../src/feed/nats/searched.js'
import { natsFeed } from '../../src/feed/nats.js'
import { hasNatsServer, ownNatsServer } from './nats-server.js'

const available = hasNatsServer()
const EPOCH = 'epoch-of-22-characters'
const call = { signal: new AbortController().signal, deadlineMs: 20_000 }
const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: 20_000 })

function headAt(seq: number): SealedHead {
  const link = new Uint8Array(16).fill(seq)
  return { epoch: EPOCH, seq, link, floor: 1, beaconAt: 1000 + seq, bytes: new Uint8Array(9) }
}

describe.skipIf(!available)('junk in the log of the nats feed', async () => {
  const server = available ? await ownNatsServer() : undefined
  const connection = available ? await connect({ servers: server?.url ?? '' }) : undefined
  afterAll(async () => {
    await connection?.close()
    await server?.remove()
  })
  let count = 0

  async function start(prefix = `junk${++count}`) {
    if (connection === undefined) throw new Error('no server')
    const manager = await jetstreamManager(connection)
    const feed = natsFeed(jetstream(connection), { prefix })
    const incidents: [string, number][] = []
    feed.observe?.((kind, times) => incidents.push([kind, times]))
    await feed.open(call.signal)
    const stateOf = async () => (await manager.streams.info(`${prefix}_LOG`)).state
    const publish = async (messages: number, bytes: number) => {
      for (let i = 0; i < messages; i++) connection.publish(`${prefix}.log`, new Uint8Array(bytes))
      await connection.flush()
    }
    const junk = () => incidents.reduce((sum, [, times]) => sum + times, 0)
    return { prefix, feed, incidents, stateOf, publish, junk }
  }

  it.each([
    [600, 10],
    [5000, 3],
    [40, 500_000],
  ])('of %i messages of %i bytes is skipped and deleted', async (messages, bytes) => {
    const { prefix, feed, stateOf, publish, junk } = await start()
    const events = [{ seq: 1, bytes: new Uint8Array(5) }]
    expect(await feed.append(null, events, headAt(1), call)).toEqual({ ok: true })
    await publish(messages, bytes)
    expect(await feed.head(call)).toEqual(headAt(1))
    expect(junk()).toBe(messages)
    const next = [{ seq: 2, bytes: new Uint8Array(5) }]
    expect(await feed.append(headAt(1), next, headAt(2), call)).toEqual({ ok: true })
    await soon(async () => (await stateOf()).messages === 2)
    const later = await start(prefix)
    expect(await later.feed.head(call)).toEqual(headAt(2))
    expect((await later.feed.read({ epoch: EPOCH, seq: 0 }, 9, call)).events).toHaveLength(2)
    expect(later.junk()).toBe(0)
  })

  it('is searched further from where an aborted call stopped', async () => {
    const { feed, publish, stateOf } = await start()
    const events = [{ seq: 1, bytes: new Uint8Array(5) }]
    expect(await feed.append(null, events, headAt(1), call)).toEqual({ ok: true })
    await publish(6000, 3)
    await soon(async () => (await stateOf()).messages === 6001)
    let givenUp = 0
    await soon(async () => {
      const signal = AbortSignal.timeout(100)
      try {
        expect(await feed.head({ signal, deadlineMs: 100 })).toEqual(headAt(1))
        return true
      } catch {
        givenUp++
        return false
      }
    })
    expect(givenUp).toBeGreaterThan(0)
  })

  it('that may come from a later version of the library is left in place', async () => {
    const { prefix, feed, incidents, stateOf } = await start()
    expect(await feed.append(null, [], headAt(0), call)).toEqual({ ok: true })
    connection?.publish(`${prefix}.log`, Buffer.from('wwf\x02 of a later version'))
    await connection?.flush()
    expect(await feed.head(call)).toEqual(headAt(0))
    expect(incidents).toEqual([])
    expect((await stateOf()).messages).toBe(2)
  })

  it('is deleted by a reset, together with the log and its snapshot', async () => {
    const { feed, publish } = await start()
    const events = [{ seq: 1, bytes: new Uint8Array(5) }]
    expect(await feed.append(null, events, headAt(1), call)).toEqual({ ok: true })
    const chunks = (async function* () {
      yield new Uint8Array(5)
    })()
    await feed.snapshot?.save(chunks, call.signal)
    await publish(10, 10)
    await feed.reset?.()
    expect(await feed.head(call)).toBeNull()
    for await (const chunk of feed.snapshot?.load(call.signal) ?? []) expect(chunk).toBeUndefined()
    expect(await feed.append(null, events, headAt(1), call)).toEqual({ ok: true })
    expect(await feed.head(call)).toEqual(headAt(1))
  })
})

describe('a searched range', () => {
  it('is skipped by the next search, wherever it begins', () => {
    const searched = new Searched()
    searched.begin('then', 100)
    searched.add(91, 100)
    searched.add(81, 90)
    expect(searched.below(100)).toBe(80)
    searched.begin('then', 120)
    expect(searched.below(120)).toBe(120)
    expect(searched.floorOf(120)).toBe(101)
    searched.add(110, 120)
    expect(searched.below(120)).toBe(109)
    searched.add(101, 109)
    expect(searched.below(120)).toBe(80)
  })

  it('is forgotten together with its stream', () => {
    const searched = new Searched()
    searched.begin('then', 100)
    searched.add(1, 100)
    searched.begin('later', 100)
    expect(searched.below(100)).toBe(100)
    searched.add(1, 100)
    searched.begin('later', 50)
    expect(searched.below(50)).toBe(50)
  })
})
