/**
 * A node in a separate process that can be stopped, killed and kept busy.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { bundle } from '../../../.config/bundle.mjs'
import type { Question, Reply } from './child.js'
import { GONE, type Node, type NodeOrders } from './node.js'
import type { NodeLog, NodeState } from './observer.js'

let bundled: ReturnType<typeof bundle> | undefined

/** Removes the program that the processes run. */
export async function removeProgram(): Promise<void> {
  const made = await bundled
  bundled = undefined
  if (made !== undefined) rmSync(made.folder, { recursive: true, force: true })
}

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** The handle of one process. */
export class RemoteNode implements Node {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    child.on('message', ({ id, value, code }: Reply) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (code === undefined) waiting?.resolve(value as never)
      else waiting?.reject({ code })
    })
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject({ code: GONE })
      this.#waiting.clear()
    })
  }

  /** Starts a process, and waits until its node is live. */
  static async open(orders: NodeOrders): Promise<RemoteNode> {
    bundled ??= bundle(['test/faults/feed/child.ts'], `feed-node-${process.pid}`)
    const [program = ''] = (await bundled).bundles
    const child = fork(program, [JSON.stringify(orders)], { serialization: 'advanced' })
    const node = new RemoteNode(orders.name, child)
    await node.#ask('state')
    return node
  }

  #ask<T>(verb: Question['verb'], argument?: unknown): Promise<T> {
    const id = ++this.#asked
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, verb, argument } satisfies Question, (error) => {
        if (error) reject({ code: GONE })
      })
    })
  }

  add(tokens: readonly string[]): void {
    void this.#ask('add', tokens).catch(() => undefined)
  }

  revoke(token: string): Promise<unknown> {
    return this.#ask('revoke', token)
  }

  hasRefused(indexes: readonly number[]): Promise<boolean> {
    return this.#ask('hasRefused', indexes)
  }

  log(): Promise<NodeLog> {
    return this.#ask('log')
  }

  state(): Promise<NodeState> {
    return this.#ask('state')
  }

  /** Blocks its event loop. */
  block(ms: number): void {
    void this.#ask('block', ms).catch(() => undefined)
  }

  /** Sends a signal, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  async close(): Promise<void> {
    const gone = once(this.#child, 'exit')
    void this.#ask('close').catch(() => undefined)
    await gone
  }
}
