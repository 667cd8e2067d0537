/**
 * The faults of the log itself: lost, rolled back, truncated, torn, and written to by an attacker without a key.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RevocationFeed, SealedHead } from 'watchword/feed'
import type { Fault } from './faults.js'
import { PATIENCE_MS, type World } from './world.js'

const call = { signal: new AbortController().signal, deadlineMs: PATIENCE_MS }

async function backUp(world: World): Promise<void> {
  const { server } = world.broker
  await server.kill()
  server.backUp()
  await server.start()
  await world.live()
  await world.more(20)
  // To a node whose position is that of the copy, a log that continues from the copy looks correct.
  await world.known()
}

async function restore({ broker: { server } }: World): Promise<void> {
  await server.kill()
  server.restore()
}

/** Models a promoted replica that lacks the newest events. */
export const restored: Fault = {
  name: 'kill -9, restored from an old copy',
  lossy: true,
  silent: true,
  incidents: /rollback|fork/,
  prepare: backUp,
  hurt: restore,
  heal: ({ broker }) => broker.server.start(),
}

/** The nodes cannot read the log until it has grown past their positions. */
export const refilled: Fault = {
  name: 'restored from a copy, and refilled before any node reads it',
  lossy: true,
  incidents: /rollback|fork/,
  lastsMs: 0,
  prepare: backUp,
  hurt: async (world) => {
    const before = await world.tamper((feed) => feed.head(call))
    await restore(world)
    for (const proxy of world.proxies) proxy.cut()
    await world.broker.server.start()
    // Long enough for the copy's head to look abandoned.
    await sleep(1500)
    const late = await world.addLocal()
    const { seq } = (await world.tamper((feed) => feed.head(call))) as SealedHead
    await world.revokeMany(late, Math.max(0, (before?.seq ?? 0) - seq) + 5)
  },
  heal: async ({ proxies }) => {
    for (const proxy of proxies) proxy.heal()
  },
}

// When nats-server 2.9 deletes a stream, it may also remove the files of the stream that is created next.
export const dropped: Fault = {
  name: 'log dropped while the server runs',
  notFor: ['nats'],
  lossy: true,
  lastsMs: 300,
  incidents: /missing|epoch/,
  hurt: ({ broker, log }) => broker.drop(log),
}

/** One node is unreachable while others trim events that it has not read. */
export const trimmed: Fault = {
  name: 'trimmed past a node that was cut off',
  lossy: true,
  lastsMs: 300,
  incidents: /trimmed/,
  hurt: async (world) => {
    const [, , away] = world.proxies
    away?.blackHole()
    await world.more(60)
    await world.tamper(async (feed) => {
      const { seq } = (await feed.head(call)) as SealedHead
      await feed.trim?.(seq, call)
    })
    away?.heal()
  },
}

export const holed: Fault = {
  name: 'events removed that a node had not read',
  lossy: true,
  lastsMs: 300,
  incidents: /gap|epoch|trimmed/,
  hurt: async (world) => {
    const { broker, log, proxies } = world
    const [, , away] = proxies
    away?.blackHole()
    await world.more(60)
    const head = await world.tamper((feed) => feed.head(call))
    await broker.punch(log, head as SealedHead)
    away?.heal()
  },
}

/** Writes of an attacker without a key. Each resolves with whether it was done before the next append. */
type Prank = (feed: RevocationFeed, head: SealedHead) => Promise<boolean>

const junkEvent: Prank = async (feed, head) => {
  const bytes = new Uint8Array(randomBytes(200))
  const next = { ...head, seq: head.seq + 1, link: new Uint8Array(randomBytes(16)) }
  return (await feed.append(head, [{ seq: next.seq, bytes }], next, call)).ok
}

const replayedEvent: Prank = async (feed, head) => {
  const { epoch, seq } = head
  const { events } = await feed.read({ epoch, seq: Math.max(0, seq - 5) }, 1, call)
  const bytes = events[0]?.bytes ?? new Uint8Array(1)
  const next = { ...head, seq: seq + 1, link: new Uint8Array(randomBytes(16)) }
  return (await feed.append(head, [{ seq: seq + 1, bytes }], next, call)).ok
}

const junkSeal: Prank = async (feed, head) =>
  (await feed.touch?.(head, { ...head, bytes: new Uint8Array(randomBytes(150)) }, call)) ?? false

// An authentic head of an earlier time.
function oldHead(): Prank {
  let old: SealedHead | undefined
  return async (feed, head) => {
    if (old?.epoch !== head.epoch) old = head
    return (await feed.append(head, [], old, call)).ok
  }
}

const trimmedAll: Prank = async (feed, head) => {
  await feed.trim?.(head.seq, call)
  return true
}

export const vandalised: Fault = {
  name: 'junk, replays, forged and old heads, trims',
  lossy: true,
  lastsMs: 0,
  incidents: /tampered/,
  hurt: async (world) => {
    const pranks = [oldHead(), junkEvent, replayedEvent, junkSeal, trimmedAll]
    for (let i = 0; i < 15; i++) {
      await world.tamper((feed) => play(feed, pranks[i % pranks.length] as Prank))
      await sleep(80)
    }
  },
}

async function play(feed: RevocationFeed, prank: Prank): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const head = await feed.head(call)
    if (head !== null && (await prank(feed, head))) return
  }
}
