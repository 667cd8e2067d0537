/**
 * A server in a process of its own, from both sides.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Framework, makeKit, type Tokens } from './kit.js'
import { CONTENDERS } from './servers/index.js'

/** A server that runs. */
export interface Server {
  readonly url: string
  readonly tokens: Tokens
  /** Resolves with the CPU time that it has spent so far. */
  spent(): Promise<Spent>
  stop(): Promise<void>
}

/** What a server has spent since it was started. */
export interface Spent {
  /** Time on a processor, of all its threads, in microseconds. */
  readonly cpu: number
  /** How long its event loop was busy, and how long it was not, in milliseconds. */
  readonly busy: number
  readonly idle: number
}

interface Ready {
  readonly url: string
  readonly tokens: Tokens
}

/** Starts this very program once more, as the server of one contender. */
export async function startServer(framework: Framework, name: string): Promise<Server> {
  const child = fork(process.argv[1] as string, ['--only', framework, '--serve', name], {
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const { url, tokens } = await answerOf<Ready>(child)
  return {
    url,
    tokens,
    spent() {
      const spent = answerOf<Spent>(child)
      child.send('spent')
      return spent
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onEnd = () => reject(new Error('a server ended before it responded'))
    child.once('exit', onEnd)
    child.once('message', (message) => {
      child.off('exit', onEnd)
      resolve(message as T)
    })
  })
}

/** Is the server of one contender, until the bench lets go of this process. */
export async function serve(framework: Framework, name: string): Promise<void> {
  const contender = CONTENDERS[framework].find((one) => one.name === name)
  if (contender === undefined) throw new TypeError('--serve takes the name of a contender')
  process.once('disconnect', () => process.exit())
  const { kit, tokens } = await makeKit(contender.kind)
  const port = await contender.serve(kit)
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    const { active, idle } = performance.eventLoopUtilization()
    const spent: Spent = { cpu: user + system, busy: active, idle }
    process.send?.(spent)
  })
  const ready: Ready = { url: `http://127.0.0.1:${port}`, tokens }
  process.send?.(ready)
}
