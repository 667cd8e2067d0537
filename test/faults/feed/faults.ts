/**
 * The faults of servers and networks: operations on the log's server and its connections, and their reversal.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '../../support/tcp-proxy.js'
import type { Place } from './connect.js'
import type { World, WorldOptions } from './world.js'

/** One fault. */
export interface Fault extends WorldOptions {
  readonly name: string
  /** The kinds of server to which it does not apply. */
  readonly notFor?: readonly Place['kind'][]
  /** Whether no node can reach the log during the fault. */
  readonly silent?: boolean
  /** How long it lasts after it has started, if the run does not decide this. */
  readonly lastsMs?: number
  /** The incidents that the nodes must report. */
  readonly incidents?: RegExp
  readonly prepare?: (world: World) => Promise<void>
  readonly hurt: (world: World) => Promise<void>
  readonly heal?: (world: World) => Promise<void>
}

export const killed: Fault = {
  name: 'kill -9, restart with data',
  silent: true,
  hurt: ({ broker }) => broker.server.kill(),
  heal: ({ broker }) => broker.server.start(),
}

export const wiped: Fault = {
  name: 'kill -9, restart without data',
  lossy: true,
  silent: true,
  incidents: /missing|epoch/,
  hurt: ({ broker }) => broker.server.kill(),
  heal: async ({ broker, log }) => {
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

function network(name: string, hurt: (proxy: TcpProxy) => void): Fault {
  return {
    name,
    silent: true,
    hurt: async ({ proxies }) => {
      for (const proxy of proxies) hurt(proxy)
    },
    heal: async ({ proxies }) => {
      for (const proxy of proxies) proxy.heal()
    },
  }
}

export const blackHole = network('network black-holed', (proxy) => proxy.blackHole())
export const deaf = network('replies black-holed', (proxy) => proxy.swallowReplies())
export const slow = network('one byte a second', (proxy) => proxy.trickle())
export const reset = network('RST, connections refused', (proxy) => proxy.reset())

// Not the second node's: node-redis has no timeout here, and TCP abandons the connection only after 15 minutes.
export const halfOpen: Fault = {
  name: 'half-open connections, never closed',
  hurt: async ({ proxies: [first, _, third] }) => {
    first?.halfOpen()
    third?.halfOpen()
  },
}

export const pushesCut: Fault = {
  name: 'push connections killed, again and again',
  notFor: ['mysql'],
  lastsMs: 0,
  hurt: async ({ broker }) => {
    for (let i = 0; i < 8; i++) {
      await broker.cutPushes()
      await sleep(150)
    }
  },
}

// Appends take effect, but their callers receive no reply.
export const repliesLost: Fault = {
  name: 'replies to racing writers lost, off and on',
  lastsMs: 0,
  hurt: async ({ proxies }) => {
    for (let i = 0; i < 8; i++) {
      for (const proxy of proxies) proxy.swallowReplies()
      await sleep(60)
      for (const proxy of proxies) proxy.heal()
      await sleep(120)
    }
  },
}
