/** A separate nats-server with JetStream for the tests. */
import { hasBinary, type Kind, type OwnServer, startOwn } from '../support/own-server.js'

export type { OwnServer as OwnNatsServer } from '../support/own-server.js'

const NATS: Kind = {
  binary: 'nats-server',
  args: (port, data) => [
    ...['--addr', '127.0.0.1', '--port', String(port)],
    ...['--jetstream', '--store_dir', data],
  ],
  urlOf: (port) => `nats://127.0.0.1:${port}`,
  greeting: /^INFO .*"jetstream":\s*true/,
}

/** Whether the binary is installed. */
export const hasNatsServer = (): boolean => hasBinary(NATS)

/** Starts a server with further settings, such as `'--config', file`. */
export const ownNatsServer = (...settings: readonly string[]): Promise<OwnServer> =>
  startOwn(NATS, settings)
