/**
 * The guard of upgrades: WebSockets and other protocols that begin as a request of HTTP/1.
 *
 * @module
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import type { Verified } from '../types.js'
import { keepAuth } from './auth.js'
import { checkHandler } from './authority-check.js'
import { type Guard, makeGuard, type Outcome } from './bearer.js'
import { cutSocket } from './cut.js'
import { optionFields, type TokenAuthority, type TokenOptions } from './options.js'
import type { Answer } from './problem.js'
import { ignoreRejection } from './promises.js'
import type { RequestAdapter } from './request-adapter.js'

/**
 * The options of the guard of upgrades: those of any guard, except for what only concerns responses. The connection
 * always ends with the token.
 */
export type UpgradeOptions = Omit<
  TokenOptions<IncomingMessage>,
  'cut' | 'expiryHeaders' | 'optional' | 'property' | 'rotateDue' | 'throwErrors'
>

/** A listener of the event `upgrade`. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** The used part of a server of `node:http` or `node:https`. */
export interface UpgradeServer {
  on(event: 'upgrade', listener: UpgradeListener): unknown
  off(event: 'upgrade', listener: UpgradeListener): unknown
}

const REFUSED = [
  'cut',
  'expiryHeaders',
  'optional',
  'property',
  'rotateDue',
  'throwErrors',
] as const

/** Creates the guard. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`. */
export function makeUpgradeGuard<Claims>(
  authority: TokenAuthority<Claims>,
  options: UpgradeOptions,
  adapter: RequestAdapter<IncomingMessage>,
): Guard<IncomingMessage, Claims> {
  const fields = optionFields(options)
  const given = REFUSED.find((name) => Object.hasOwn(fields, name))
  if (given !== undefined)
    throw invalidArgument(`options.${given}`, 'expected only in a guard of requests; remove it')
  return makeGuard(authority, [{ ...options, cut: true }], adapter, 'protectUpgrade')
}

/** Guards the upgrades of a server. Returns a function that removes the guard. */
export function guardUpgrades<Claims>(
  server: UpgradeServer,
  handler: (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    auth: Verified<Claims>,
  ) => unknown,
  guard: Guard<IncomingMessage, Claims>,
): () => void {
  checkHandler(handler)
  if (typeof (server as Partial<UpgradeServer> | undefined)?.on !== 'function')
    throw invalidArgument('server', `expected a server of node:http, got ${describe(server)}`)
  const listener: UpgradeListener = (request, socket, head) => {
    const settle = (outcome: Outcome<Claims>): void => {
      let auth: Verified<Claims> | undefined
      const refused = guard.admit(request, outcome, (passed) => {
        keepAuth(request, passed)
        auth = passed.auth
        if (passed.life !== undefined) cutSocket(passed.life, socket)
      })
      if (refused !== undefined) refuse(socket, refused)
      else if (auth !== undefined && !socket.destroyed) void run(request, socket, head, auth)
    }
    const run = async (...call: Parameters<typeof handler>): Promise<void> => {
      try {
        await handler(...call)
      } catch (error) {
        socket.destroy()
        // Without a hook it is as loud as any error in a listener.
        if (guard.options.onError === undefined) throw error
        ignoreRejection(guard.options.onError(error, request))
      }
    }
    // Node removes its own listener before an upgrade, and an unhandled error ends the process. It stays, because the
    // handler may add its own later.
    socket.on('error', ignore)
    const outcome = guard.check(request)
    if (outcome instanceof Promise) void outcome.then(settle)
    else settle(outcome)
  }
  server.on('upgrade', listener)
  return () => void server.off('upgrade', listener)
}

const ignore = (): void => undefined

/** Sends a complete response and closes the connection. */
function refuse(socket: Duplex, { status, headers, body }: Answer): void {
  const lines = Object.entries({
    ...headers,
    connection: 'close',
    'content-length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`)
  // A client that never closes must not keep the connection.
  if (socket instanceof Socket) socket.destroySoon()
}
