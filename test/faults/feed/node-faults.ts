/**
 * The faults of nodes: stopped, busy or killed processes, stepped clocks, and many nodes at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Fault } from './faults.js'
import { MAX_STALENESS_MS } from './node.js'
import type { RemoteNode } from './remote-node.js'
import { until } from './time.js'
import { PATIENCE_MS, type World } from './world.js'

/** A fault of a node in a separate process. */
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

/** The node revokes until it is killed. Acknowledged revocations are in the log; the others are repeated. */
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

/** Two nodes have the correct time. A node whose clock is behind rejects new tokens as `not_yet_valid`. */
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

/** Nodes that start while the log is unreachable follow their `onStart` option. */
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

/** Many nodes whose connections are all cut at once, and which all reconnect at once. */
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

/** A series of short outages. */
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

// Pools open connections on demand, so only growth with the number of outages and nodes indicates a leak.
async function expectClients(world: World): Promise<void> {
  const before = clients.get(world) ?? 0
  const after = () => world.broker.clients()
  const most = before + 2 * world.nodes.length
  if (!(await until(async () => (await after()) <= most, PATIENCE_MS)))
    throw new Error(`I5 ${before} connections have become ${await after()}`)
}
