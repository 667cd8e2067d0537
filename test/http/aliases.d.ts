// The older major versions are installed under names of their own; their types are those of the newer ones.
declare module 'express4' {
  import express from 'express'
  export default express
}
declare module 'koa2' {
  import Koa from 'koa'
  export default Koa
}
// The used part of `ws`, which has no types of its own.
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage } from 'node:http'
  import type { Duplex } from 'node:stream'

  export class WebSocket extends EventEmitter {
    constructor(
      url: string,
      protocols?: readonly string[],
      options?: { readonly headers?: Readonly<Record<string, string>> },
    )
    readonly protocol: string
    send(text: string): void
    close(): void
    terminate(): void
  }
  export class WebSocketServer extends EventEmitter {
    constructor(options: {
      readonly noServer: true
      readonly handleProtocols?: (protocols: Set<string>) => string | false
    })
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (socket: WebSocket) => void,
    ): void
  }
}
// Its own types need those of `ws`.
declare module '@fastify/websocket' {
  const plugin: unknown
  export default plugin
}
