/**
 * NATS with JetStream for the fault tests.
 */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { ownNatsServer } from '../../contract/nats-server.js'
import type { Broker } from './broker.js'

export async function natsBroker(): Promise<Broker> {
  const server = await ownNatsServer()
  const options = { servers: server.url, maxReconnectAttempts: 0 }

  async function ask<T>(
    work: (manager: JetStreamManager, connection: NatsConnection) => Promise<T>,
  ): Promise<T> {
    const connection = await connect(options)
    try {
      return await work(await jetstreamManager(connection), connection)
    } finally {
      await connection.close()
    }
  }

  /** Every consumer of every stream. */
  async function consumers({ streams, consumers: all }: JetStreamManager) {
    const found: { readonly stream: string; readonly name: string }[] = []
    for await (const { config } of streams.list()) {
      for await (const { name } of all.list(config.name)) found.push({ stream: config.name, name })
    }
    return found
  }

  return {
    kind: 'nats',
    server,
    prepare: async () => {},
    drop: (log) => ask(async ({ streams }) => void (await streams.delete(`${log}_LOG`))),
    cutPushes: () =>
      ask(async (manager) => {
        const found = await consumers(manager)
        // A consumer may have ended since it was listed.
        for (const { stream, name } of found)
          await manager.consumers.delete(stream, name).catch(() => false)
        return found.length
      }),
    clients: () => ask(async (manager) => (await consumers(manager)).length),
    punch: (log) =>
      ask(async ({ streams }) => {
        const name = `${log}_LOG`
        let { last_seq: at } = (await streams.info(name)).state
        // A superseded touch has left a gap of its own.
        for (let holes = 0; holes < 2; at--) {
          const there = await streams.getMessage(name, { seq: at - 1 }).catch(() => null)
          if (there !== null && (await streams.deleteMessage(name, at - 1))) holes++
        }
      }),
    end: async () => {},
  }
}
