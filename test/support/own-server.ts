/**
 * A server of the test's own: on a free port, in a temporary folder, which may be stopped, killed, started again, and set
 * back to an earlier copy of its data.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_WITHIN_MS = 10_000

/** A server that runs until it is stopped or killed. */
export interface OwnServer {
  readonly port: number
  readonly url: string
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** `SIGSTOP`: it keeps its connections and sends nothing. */
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

/** What differs from one kind of server to the next. */
export interface Kind {
  /** The name of the binary, and of its Debian package. */
  readonly binary: string
  /** The arguments that have it keep its data in a folder and listen on a port of the loopback. */
  readonly args: (port: number, data: string) => readonly string[]
  readonly urlOf: (port: number) => string
  /** Called on a new connection, for servers that do not speak first. */
  readonly greet?: (socket: Socket) => unknown
  /** What the server sends once it is ready. */
  readonly greeting: RegExp
}

/** Whether the machine has the binary. Where it has not, says in one line what is skipped; in CI that is a failure. */
export function hasBinary({ binary }: Kind): boolean {
  if (spawnSync(binary, ['--version']).status === 0) return true
  const line = `${binary} is not installed: the tests that kill one are skipped (apt-get install ${binary})`
  if (process.env['CI'] === 'true') throw new Error(line)
  console.warn(line)
  return false
}

/** Starts a server with further settings. */
export async function startOwn(kind: Kind, settings: readonly string[]): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), `watchword-${kind.binary}-`))
  const data = join(folder, 'data')
  const copy = join(folder, 'copy')
  const port = await freePort()
  const args = [...kind.args(port, data), ...settings]
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
    child = spawn(kind.binary, args, { stdio: 'ignore' })
    await ready(kind, port)
  }
  function wipe(): void {
    rmSync(data, { recursive: true, force: true })
    mkdirSync(data)
  }
  function replace(target: string, source: string): void {
    rmSync(target, { recursive: true, force: true })
    cpSync(source, target, { recursive: true })
  }

  wipe()
  await start()
  return {
    port,
    url: kind.urlOf(port),
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    wipe,
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

async function ready(kind: Kind, port: number): Promise<void> {
  const deadline = performance.now() + START_WITHIN_MS
  while (!(await greets(kind, port))) {
    if (performance.now() > deadline)
      throw new Error(`${kind.binary} did not start on port ${port}`)
    await sleep(20)
  }
}

function greets({ greet, greeting }: Kind, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const settle = (isReady: boolean): void => {
      socket.destroy()
      resolve(isReady)
    }
    socket.once('connect', () => greet?.(socket))
    socket.once('data', (data) => settle(greeting.test(data.toString())))
    socket.once('error', () => settle(false))
    socket.setTimeout(1000, () => settle(false))
  })
}
