/**
 * Starts two Redis servers that form a cluster, in a temporary folder, for `redis-slot-migration.ts`.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** One of the two servers. */
export interface ClusterNode {
  readonly port: number
  readonly id: string
  /** Sends a command to this server only. */
  command(name: string, ...args: readonly (string | number)[]): Promise<unknown>
}

/** Whether this machine has `redis-server`. */
export const hasRedisServer = (): boolean => spawnSync('redis-server', ['--version']).status === 0

/** Starts both servers. The first has every slot. */
export async function startCluster() {
  const folder = await mkdtemp(join(tmpdir(), 'watchword-cluster-'))
  const children: ChildProcess[] = []
  const clients: Redis[] = []

  async function startNode(name: string): Promise<ClusterNode> {
    const port = await freePort()
    const settings = ['--port', port, '--cluster-port', await freePort(), '--bind', '127.0.0.1']
    const files = ['--cluster-enabled', 'yes', '--dir', folder, '--dbfilename', `${name}.rdb`]
    const args = [...settings, ...files, '--cluster-config-file', `${name}.conf`, '--save', '']
    children.push(spawn('redis-server', args.map(String), { stdio: 'ignore' }))
    const client = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null })
    client.on('error', () => {}) // until it listens
    clients.push(client)
    const id = String(await client.call('CLUSTER', ['MYID']))
    return { port, id, command: (command, ...rest) => client.call(command, rest.map(String)) }
  }

  const nodes = [await startNode('a'), await startNode('b')] as const
  const [a, b] = nodes
  await a.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  await b.command('CLUSTER', 'SET-CONFIG-EPOCH', 2)
  await a.command('CLUSTER', 'MEET', '127.0.0.1', b.port, await busPort(b))
  for (const node of nodes) {
    while (!/cluster_known_nodes:2/.test(String(await node.command('CLUSTER', 'INFO'))))
      await sleep(50)
    while (!/cluster_state:ok/.test(String(await node.command('CLUSTER', 'INFO')))) await sleep(50)
  }
  return {
    nodes,
    async stop() {
      for (const client of clients) client.disconnect()
      for (const child of children) {
        const over = once(child, 'exit')
        child.kill('SIGKILL')
        await over
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function busPort(node: ClusterNode): Promise<string> {
  const line = String(await node.command('CLUSTER', 'NODES'))
  return /@(\d+)/.exec(line)?.[1] ?? ''
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
