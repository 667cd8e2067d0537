/** A separate redis-server for the tests, which writes every change to disk before it replies. */
import { hasBinary, type Kind, type OwnServer, startOwn } from '../support/own-server.js'

export type { OwnServer } from '../support/own-server.js'

const REDIS: Kind = {
  binary: 'redis-server',
  args: (port, data) => [
    ...['--port', String(port), '--bind', '127.0.0.1'],
    ...['--dir', data, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
  ],
  urlOf: (port) => `redis://127.0.0.1:${port}/0`,
  greet: (socket) => socket.write('PING\r\n'),
  greeting: /^\+PONG/,
}

/** Whether the binary is installed. */
export const hasRedisServer = (): boolean => hasBinary(REDIS)

/** Starts a server with further settings, such as `'--cluster-enabled', 'yes'`. */
export const ownServer = (...settings: readonly string[]): Promise<OwnServer> =>
  startOwn(REDIS, settings)
