/**
 * A TCP proxy that misbehaves on demand, between a client and a real server.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy on a free port of the loopback. */
export interface TcpProxy {
  readonly port: number
  /** Swallows everything, both ways, without closing anything: what a lost network looks like from inside. */
  blackHole(): void
  /** Cuts every connection and refuses new ones. */
  cut(): void
  /** Lets everything through again, on new connections. */
  heal(): void
  close(): Promise<void>
}

/** Starts a proxy in front of `host:port`. */
export async function tcpProxy(host: string, port: number): Promise<TcpProxy> {
  let mode: 'open' | 'hole' | 'cut' = 'open'
  const sockets = new Set<Socket>()

  function track(socket: Socket): Socket {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    return socket
  }

  function cutAll(): void {
    for (const socket of sockets) socket.destroy()
  }

  const server = createServer((client) => {
    track(client)
    if (mode === 'cut') return client.destroy()
    const upstream = track(connect(port, host))
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (data) => {
        if (mode === 'open') to.write(data)
      })
      from.on('close', () => {
        if (mode !== 'hole') to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    blackHole() {
      mode = 'hole'
    },
    cut() {
      mode = 'cut'
      cutAll()
    },
    heal() {
      mode = 'open'
      // What was swallowed is lost: the connections that wait for it are of no use any more.
      cutAll()
    },
    async close() {
      cutAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
