/**
 * The faults of nodes: stopped, kept busy, killed, with a clock that is stepped, and many at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Fault } from './faults.js'
import { MAX_STALENESS_MS } from './node.js'
import type { RemoteNode } from './remote-node.js'
import { until } from './time.js'
import { PATIENCE_MS, type World } from './world.js'

/** Something happens to a process of its own. */
function ofOne(
  name: string,
  hurt: (node: RemoteNode, world: World) => Promise<void>,
  heal: (node: RemoteNode) => void = () => {},
): Fault {
  const nodes = new WeakMap<World, RemoteNode>()
  return {
    name,
    lastsMs: 3 * MAX_STALENESS_MS,
    prepare: async (world) => {
      nodes.set(world, await world.addRemote())
      await world.live()
    },
    hurt: (world) => hurt(nodes.get(world) as RemoteNode, world),
    heal: async (world) => heal(nodes.get(world) as RemoteNode),
  }
}

export const stopped = ofOne(
  'a node stopped for three times its lease',
  async (node) => node.signal('SIGSTOP'),
  (node) => node.signal('SIGCONT'),
)

export const busy = ofOne('a node whose event loop is blocked', async (node) =>
  node.block(3 * MAX_STALENESS_MS),
)

/** It revokes until it dies; what it was told is in the log, and what it was not is asked for again. */
export const died: Fault = {
  ...ofOne('a node that revokes, killed and started again', async (node, world) => {
    const revoking = world.revokeMany(node, 60)
    await sleep(250)
    await node.kill()
    world.leave(node)
    await revoking
    await world.addRemote()
  }),
  lastsMs: 0,
}

const clocks = new WeakMap<World, { offset: number }>()

/** Two nodes keep the time; tokens of now are not valid yet to one that is behind. */
export const stepped: Fault = {
  name: 'a clock stepped by minutes, both ways',
  codes: ['not_yet_valid'],
  lastsMs: 0,
  prepare: async (world) => {
    const clock = { offset: 0 }
    clocks.set(world, clock)
    await world.addLocal({ clock: { now: () => Date.now() + clock.offset } })
    await world.live()
  },
  hurt: async (world) => {
    const clock = clocks.get(world) as { offset: number }
    for (const minutes of [5, 0, -5, 0]) {
      clock.offset = minutes * 60_000
      await sleep(500)
    }
  },
}

/** Nodes that start while the log cannot be reached do as they were told. */
export const awayAtStart: Fault = {
  name: 'server away when nodes start',
  notFor: ['nats'],
  lastsMs: 500,
  hurt: async (world) => {
    await world.broker.server.kill()
    await expect(world.addLocal({ onStart: 'wait' })).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
    })
    const verdicts = await Promise.all(
      (['reject', 'accept'] as const).map(async (onStart) => {
        const { watchword } = await world.addLocal({ onStart })
        return watchword.verify(world.control)
      }),
    )
    expect(verdicts).toMatchObject([
      { ok: false, code: 'stale' },
      { ok: true, stale: true },
    ])
  },
  heal: ({ broker }) => broker.server.start(),
}

/** A crowd whose connections are all cut at once, and which all come back at once. */
export function storm(nodes: number): Fault {
  return {
    name: `${nodes} nodes reconnect at once`,
    nodes,
    lastsMs: 500,
    prepare: noteClients,
    hurt: async ({ proxies }) => {
      for (const proxy of proxies) proxy.reset()
    },
    heal: async (world) => {
      for (const proxy of world.proxies) proxy.heal()
      await world.live()
      await expectClients(world)
    },
  }
}

/** One short outage after the other. */
export function outages(count: number): Fault {
  return {
    name: `${count} short outages`,
    lastsMs: 0,
    prepare: noteClients,
    hurt: async (world) => {
      for (let i = 0; i < count; i++) {
        for (const proxy of world.proxies) proxy.reset()
        await sleep(20)
        for (const proxy of world.proxies) proxy.heal()
        await sleep(100)
      }
      await world.live()
      await expectClients(world)
    },
  }
}

const clients = new WeakMap<World, number>()

async function noteClients(world: World): Promise<void> {
  clients.set(world, await world.broker.clients())
}

// Pools open connections as they need them; what leaks grows with the outages and the nodes.
async function expectClients(world: World): Promise<void> {
  const before = clients.get(world) ?? 0
  const after = () => world.broker.clients()
  const most = before + 2 * world.nodes.length
  if (!(await until(async () => (await after()) <= most, PATIENCE_MS)))
    throw new Error(`I5 ${before} connections have become ${await after()}`)
}
