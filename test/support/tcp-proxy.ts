/**
 * A TCP proxy that misbehaves on demand, between a client and a real server.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy on a free port of the loopback. */
export interface TcpProxy {
  readonly port: number
  /** Swallows everything, both ways, without closing anything: what a lost network looks like from inside. */
  blackHole(): void
  /** Drops the server's replies, and lets requests through. */
  swallowReplies(): void
  /** Lets one byte a second of each reply through. */
  trickle(): void
  /** Swallows everything on the connections that there are, and lets new ones through: what a lost NAT table looks like. */
  halfOpen(): void
  /** Cuts every connection and refuses new ones. */
  cut(): void
  /** Like `cut`, by RST instead of FIN. */
  reset(): void
  /** Lets everything through again, on new connections. */
  heal(): void
  close(): Promise<void>
}

type Mode = 'open' | 'hole' | 'deaf' | 'slow' | 'cut' | 'reset'

const TRICKLE_MS = 1000

/** Starts a proxy in front of `host:port`. */
export async function tcpProxy(host: string, port: number): Promise<TcpProxy> {
  let mode: Mode = 'open'
  const sockets = new Set<Socket>()
  const dead = new WeakSet<Socket>()

  function track(socket: Socket): Socket {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    return socket
  }

  function cutAll(): void {
    for (const socket of sockets) socket.destroy()
  }

  function isSilent(socket: Socket): boolean {
    return mode === 'hole' || dead.has(socket)
  }

  const server = createServer((client) => {
    track(client)
    if (mode === 'cut') return client.destroy()
    if (mode === 'reset') return client.resetAndDestroy()
    const upstream = track(connect(port, host))
    client.on('data', (data) => {
      if (!isSilent(client)) upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (isSilent(upstream) || mode === 'deaf') return
      if (mode === 'slow') dripInto(client, upstream, data)
      else client.write(data)
    })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('close', () => {
        if (!isSilent(from)) to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    blackHole() {
      mode = 'hole'
    },
    swallowReplies() {
      mode = 'deaf'
    },
    trickle() {
      mode = 'slow'
    },
    halfOpen() {
      for (const socket of sockets) dead.add(socket)
    },
    cut() {
      mode = 'cut'
      cutAll()
    },
    reset() {
      mode = 'reset'
      for (const socket of sockets) socket.resetAndDestroy()
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

function dripInto(client: Socket, upstream: Socket, data: Buffer): void {
  upstream.pause()
  let at = 0
  const timer = setInterval(() => {
    if (at < data.length && !client.destroyed) client.write(data.subarray(at, ++at))
    else {
      clearInterval(timer)
      upstream.resume()
    }
  }, TRICKLE_MS)
}
