/**
 * Redis for the fault tests.
 */
import { Redis } from 'ioredis'
import { ownServer } from '../../contract/redis-server.js'
import type { Broker } from './broker.js'

export async function redisBroker(): Promise<Broker> {
  const server = await ownServer()
  const admin = new Redis({ port: server.port, retryStrategy: () => 20 })
  admin.on('error', () => undefined)
  const own = async () => String(await admin.client('ID'))

  async function clients(): Promise<readonly string[]> {
    const lines = String(await admin.client('LIST')).split('\n')
    const me = await own()
    return lines.filter((line) => line !== '' && idOf(line) !== me)
  }
  async function kill(lines: readonly string[]): Promise<number> {
    // A connection may have ended since it was listed.
    for (const line of lines) await admin.client('KILL', 'ID', idOf(line)).catch(() => undefined)
    return lines.length
  }

  return {
    kind: 'redis',
    server,
    prepare: async () => {},
    drop: async () => void (await admin.flushall()),
    cutPushes: async () => kill((await clients()).filter((line) => line.includes('cmd=xread'))),
    clients: async () => (await clients()).length,
    punch: async (log, { seq }) => {
      const key = `{${log}}:feed`
      const no = await admin.hget(key, 'no')
      await admin.xdel(`${key}:log`, `${no}-${seq - 1}`, `${no}-${seq - 2}`)
    },
    end: async () => admin.disconnect(),
  }
}

function idOf(line: string): string {
  return /(?:^| )id=(\d+)/.exec(line)?.[1] ?? ''
}
