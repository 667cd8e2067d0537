/**
 * The faults: what is done to the log and to the ways to it, and how it is undone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '../../support/tcp-proxy.js'
import type { World, WorldOptions } from './world.js'

/** One fault. */
export interface Fault extends WorldOptions {
  readonly name: string
  /** Whether nobody reaches the log while it lasts. */
  readonly silent?: boolean
  /** How long it lasts, where that is not for the run to say. */
  readonly lastsMs?: number
  /** What the nodes must have noticed. */
  readonly incidents?: RegExp
  prepare?(world: World): Promise<void>
  hurt(world: World): Promise<void>
  heal?(world: World): Promise<void>
}

/** The process of the server. */
export const killed: Fault = {
  name: 'kill -9, restart with data',
  silent: true,
  hurt: ({ broker }) => broker.server.kill(),
  heal: ({ broker }) => broker.server.start(),
}

export const wiped: Fault = {
  name: 'kill -9, restart without data',
  silent: true,
  incidents: /vanished|epoch/,
  hurt: ({ broker }) => broker.server.kill(),
  async heal({ broker, log }) {
    broker.server.wipe()
    await broker.server.start()
    await broker.prepare(log)
  },
}

export const frozen: Fault = {
  name: 'SIGSTOP, SIGCONT',
  silent: true,
  hurt: async ({ broker }) => broker.server.freeze(),
  heal: async ({ broker }) => broker.server.thaw(),
}

/** The network. */
function network(name: string, hurt: (proxy: TcpProxy) => void): Fault {
  return {
    name,
    silent: true,
    async hurt({ proxies }) {
      for (const proxy of proxies) hurt(proxy)
    },
    async heal({ proxies }) {
      for (const proxy of proxies) proxy.heal()
    },
  }
}

export const blackHole = network('network black-holed', (proxy) => proxy.blackHole())
export const deaf = network('answers black-holed', (proxy) => proxy.swallowAnswers())
export const slow = network('one byte a second', (proxy) => proxy.trickle())
export const reset = network('RST, connections refused', (proxy) => proxy.reset())

// Not the second node's: where that has node-redis, nothing but TCP itself gives the connection up, in a quarter of an hour.
export const halfOpen: Fault = {
  name: 'half-open connections, never closed',
  hurt: async ({ proxies: [first, _, third] }) => {
    first?.halfOpen()
    third?.halfOpen()
  },
}

export const pushesCut: Fault = {
  name: 'push connections killed, again and again',
  lastsMs: 0,
  async hurt({ broker }) {
    for (let i = 0; i < 8; i++) {
      await broker.cutPushes()
      await sleep(150)
    }
  },
}
