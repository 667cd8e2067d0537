/**
 * A nats-server with JetStream of the test's own: on a free port, in a temporary folder, which may be stopped, killed,
 * started again, and set back to an earlier copy of its data.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_WITHIN_MS = 10_000

/** A server that runs until it is stopped or killed. */
export interface OwnNatsServer {
  readonly port: number
  readonly url: string
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** `SIGSTOP`: it is there, and does not answer. */
  freeze(): void
  /** `SIGCONT`. */
  thaw(): void
  /** Removes the data of a server that was killed. */
  wipe(): void
  /** Keeps a copy of the data of a server that was killed. */
  backUp(): void
  /** Replaces the data of a server that was killed by the copy. */
  restore(): void
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

/**
 * Whether the machine has the binary. Where it has not, says in one line what is skipped; in CI that is a failure.
 */
export function hasNatsServer(): boolean {
  if (spawnSync('nats-server', ['--version']).status === 0) return true
  const line =
    'nats-server is not installed: the tests that kill one are skipped (apt-get install nats-server)'
  if (process.env['CI'] === 'true') throw new Error(line)
  console.warn(line)
  return false
}

/** Starts a server with further settings, such as `'--config', file`. */
export async function ownNatsServer(...settings: readonly string[]): Promise<OwnNatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-nats-'))
  const data = join(folder, 'data')
  const copy = join(folder, 'copy')
  const port = await freePort()
  const place = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', data]
  const args = [...place, ...settings]
  let child: ChildProcess | undefined

  async function kill(): Promise<void> {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return
    const gone = once(running, 'exit')
    running.kill('SIGKILL')
    await gone
  }
  async function start(): Promise<void> {
    child = spawn('nats-server', args, { stdio: 'ignore' })
    await accepting(port)
  }
  function replace(target: string, source: string): void {
    rmSync(target, { recursive: true, force: true })
    cpSync(source, target, { recursive: true })
  }

  await start()
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    wipe: () => rmSync(data, { recursive: true, force: true }),
    backUp: () => replace(copy, data),
    restore: () => replace(data, copy),
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until the server answers, with JetStream. */
async function accepting(port: number): Promise<void> {
  const deadline = performance.now() + START_WITHIN_MS
  while (!(await greets(port))) {
    if (performance.now() > deadline) throw new Error(`nats-server did not start on port ${port}`)
    await sleep(20)
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const answer = (yes: boolean): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('data', (data) => answer(/^INFO .*"jetstream":\s*true/.test(data.toString())))
    socket.once('error', () => answer(false))
    socket.setTimeout(1000, () => answer(false))
  })
}
