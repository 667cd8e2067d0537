/**
 * The world of one fault: nodes on one log and one store, each behind its own proxy, writers that revoke continuously,
 * and the history of all verdicts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Libsql from 'libsql'
import type { IssuedToken, WatchwordOptions } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { type SqliteDatabase, sqliteStore } from '../../../src/store/sqlite.js'
import { uniqueName } from '../../contract/servers.js'
import { type TcpProxy, tcpProxy } from '../../support/tcp-proxy.js'
import type { Broker } from './broker.js'
import type { Acknowledged, History, Silence } from './checker.js'
import { connect } from './connect.js'
import {
  GONE,
  type LocalNode,
  MAX_STALENESS_MS,
  type Node,
  type NodeOrders,
  openNode,
} from './node.js'
import type { NodeLog, NodeState } from './observer.js'
import { RemoteNode } from './remote-node.js'
import { instant, until } from './time.js'

/** The time limit for an awaited event. It is reached only if the event never happens. */
export const PATIENCE_MS = 80_000
// Never revoked: it shows whether a node accepts any token.
const CONTROLS = 10
const WRITERS = 2
const STOCK = 100
const REVOKE_EVERY_MS = 8
// The factor by which writers pause longer than their last call took.
const LEAVE_FREE = 4
const VERIFY_EVERY_MS = 3
const MOST_IN_FLIGHT = 30
// The errors of an outage: the outcome is unknown, and the call must be repeated.
const OUTAGES: ReadonlySet<unknown> = new Set([
  'ERR_REVOCATION_UNCERTAIN',
  'ERR_FEED_UNAVAILABLE',
  GONE,
])

/** Options of a world. */
export interface WorldOptions {
  readonly nodes?: number
  /** Verdicts that the fault explains. */
  readonly codes?: readonly string[]
  /** Whether the log loses acknowledged events. */
  readonly lossy?: boolean
}

/** One world. */
export class World {
  readonly broker: Broker
  readonly log = uniqueName()
  readonly nodes: Node[] = []
  readonly writers: LocalNode[] = []
  readonly proxies: TcpProxy[] = []
  readonly #codes: readonly string[]
  readonly #lossy: boolean
  readonly #folder = mkdtempSync(join(tmpdir(), 'watchword-world-'))
  readonly #rootKey = exportKey(generateKey())
  readonly #tokens: IssuedToken[] = []
  readonly #acknowledged: Acknowledged[] = []
  readonly #attempted = new Set<number>()
  #uncertain: number[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #silences: Silence[] = []
  readonly #errors = new Set<string>()
  #states: ReadonlyMap<string, NodeState> = new Map()
  #next = CONTROLS
  #writing: Promise<unknown> | undefined
  #stopped = false

  private constructor(broker: Broker, { codes = [], lossy = false }: WorldOptions) {
    this.broker = broker
    this.#codes = codes
    this.#lossy = lossy
  }

  /** Creates a world without a fault, in which two nodes write. */
  static async open(broker: Broker, options: WorldOptions): Promise<World> {
    await ready
    const world = new World(broker, options)
    try {
      await world.#begin(options.nodes ?? 3)
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  async #begin(nodes: number): Promise<void> {
    await this.broker.prepare(this.log)
    await this.#migrate()
    for (let i = 0; i < nodes; i++) this.writers.push(await this.addLocal())
    this.writers.splice(WRITERS)
    await this.live()
    await this.#supply()
    this.#writing = Promise.all(this.writers.map((writer) => this.#write(writer)))
  }

  async #migrate(): Promise<void> {
    const database = new Libsql(this.#database) as unknown as SqliteDatabase & { close(): void }
    await sqliteStore(database).migrate()
    database.close()
  }

  get #database(): string {
    return join(this.#folder, 'store.db')
  }

  /** The orders of the next node, whose proxy is running. */
  async orders(): Promise<NodeOrders> {
    const number = this.proxies.length
    const proxy = await tcpProxy('127.0.0.1', this.broker.server.port)
    this.proxies.push(proxy)
    return {
      name: `node-${number}`,
      place: { kind: this.broker.kind, port: proxy.port, log: this.log, number },
      database: this.#database,
      rootKey: this.#rootKey,
      codes: this.#codes,
      // Many nodes on one machine verify less often.
      everyMs: VERIFY_EVERY_MS * Math.ceil((number + 1) / 4),
    }
  }

  /** Starts another node in this process. */
  async addLocal(options: Pick<WatchwordOptions, 'clock' | 'onStart'> = {}): Promise<LocalNode> {
    const node = await openNode(await this.orders(), options)
    this.join(node)
    return node
  }

  /** Starts another node in a separate process. */
  async addRemote(): Promise<RemoteNode> {
    const node = await RemoteNode.open(await this.orders())
    this.join(node)
    return node
  }

  /** Removes a node that has ended, and its records. */
  leave(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1)
  }

  /** Adds a node that was started with orders of this world. */
  join(node: Node): void {
    node.add(this.#tokens.map(({ token }) => token))
    this.nodes.push(node)
  }

  async #supply(): Promise<void> {
    const input = { policy: 'job', subject: 'svc', actor: 'test' }
    const [writer] = this.writers
    const issued = (await writer?.watchword.issueMany(Array(STOCK).fill(input))) ?? []
    this.#tokens.push(...issued)
    for (const node of this.nodes) node.add(issued.map(({ token }) => token))
  }

  async #write(writer: Node): Promise<void> {
    while (!this.#stopped) {
      if (this.#inFlight.size < MOST_IN_FLIGHT) await this.revokeNext(writer)
      await this.#pause()
    }
  }

  // An overloaded machine needs more time: nodes that get no CPU time do not indicate a fault of the log.
  async #pause(): Promise<void> {
    const from = instant()
    await sleep(REVOKE_EVERY_MS)
    const late = instant() - from - REVOKE_EVERY_MS
    if (late > REVOKE_EVERY_MS) await sleep(LEAVE_FREE * late)
  }

  /** Makes a node revoke one more token, without waiting for the outcome. */
  async revokeNext(writer: Node): Promise<void> {
    const token = this.#next++
    while (this.#tokens.length <= token) await this.#supply()
    void this.#revoke(writer, token)
  }

  /** Makes a node revoke for a while, at the rate of a writer. */
  async revokeMany(writer: Node, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.revokeNext(writer)
      await sleep(REVOKE_EVERY_MS)
    }
  }

  #revoke(writer: Node, token: number): Promise<void> {
    this.#attempted.add(token)
    const { token: text } = this.#tokens[token] as IssuedToken
    const done = writer
      .revoke(text)
      .then(
        () => void this.#acknowledged.push({ token, by: writer.name, at: instant() }),
        (error: { readonly code?: string }) => {
          if (!OUTAGES.has(error.code)) this.#errors.add(String(error.code ?? error))
          this.#uncertain.push(token)
        },
      )
      .finally(() => this.#inFlight.delete(done))
    this.#inFlight.add(done)
    return done
  }

  /** A token that is never revoked. */
  get control(): string {
    return this.#tokens[0]?.token ?? ''
  }

  /** The number of acknowledged revocations. */
  get acknowledged(): number {
    return this.#acknowledged.length
  }

  /** The log as seen by an attacker with access to the server but no key. */
  async tamper<T>(work: (feed: RevocationFeed) => Promise<T>): Promise<T> {
    const { kind, server } = this.broker
    const { feed, end } = await connect({ kind, port: server.port, log: this.log, number: 0 })
    try {
      await feed.open(new AbortController().signal)
      return await work(feed)
    } finally {
      await feed.close()
      await end()
    }
  }

  /** Waits until this many more revocations were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged + count
    if (!(await until(() => this.acknowledged >= goal, PATIENCE_MS)))
      throw new Error('the writers got nothing acknowledged')
  }

  /** Waits until every node has applied all revocations that were acknowledged so far. */
  async known(): Promise<void> {
    const tokens = this.#acknowledged.map(({ token }) => token)
    const all = async () => {
      const refused = await Promise.all(this.nodes.map((node) => node.hasRefused(tokens)))
      return !refused.includes(false)
    }
    if (!(await until(all, PATIENCE_MS))) throw new Error('some node does not get to know')
  }

  /** Records that nodes could not reach the log. */
  silence(from: number, to: number, nodes: readonly Node[] = this.nodes): void {
    this.#silences.push({ from, to, nodes: nodes.map(({ name }) => name) })
  }

  /** Waits until every node is live. */
  async live(): Promise<void> {
    const all = async () => (await this.#look()).every(({ live }) => live)
    if (!(await until(all, PATIENCE_MS))) throw new Error(`not live again: ${await this.#told()}`)
  }

  /** Stops the writers, repeats unacknowledged revocations, and waits until all nodes have applied all of them. */
  async settle(): Promise<void> {
    this.#stopped = true
    await this.#writing
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
    const again = async () => {
      const [writer] = this.writers
      const left = this.#uncertain.splice(0)
      await Promise.all(left.map((token) => this.#revoke(writer as Node, token)))
      return this.#uncertain.length === 0
    }
    if (!(await until(again, PATIENCE_MS))) throw new Error('revocations stay uncertain')
    const tokens = this.#acknowledged.map(({ token }) => token)
    const settled = async () => {
      const [first, ...others] = await this.#look()
      const same = others.every(({ position }) => position === first?.position)
      const isFlushed = [first, ...others].every((state) => state?.pending === 0 && state.live)
      const known = await Promise.all(this.nodes.map((node) => node.hasRefused(tokens)))
      return same && isFlushed && !known.includes(false)
    }
    // The checker reports what is still missing after this.
    await until(settled, PATIENCE_MS)
  }

  async #look(): Promise<NodeState[]> {
    const states = await Promise.all(this.nodes.map((node) => node.state()))
    this.#states = new Map(this.nodes.map(({ name }, i) => [name, states[i] as NodeState]))
    return states
  }

  async #told(): Promise<string> {
    return JSON.stringify(Object.fromEntries(this.#states))
  }

  /** All records, for the checker. */
  async history(): Promise<History> {
    const logs: NodeLog[] = await Promise.all(this.nodes.map((node) => node.log()))
    return {
      maxStalenessMs: MAX_STALENESS_MS,
      lossy: this.#lossy,
      acknowledged: this.#acknowledged,
      attempted: this.#attempted,
      silences: this.#silences,
      logs,
      states: this.#states,
      errors: [...this.#errors],
    }
  }

  /** Ends all nodes and connections of this world. */
  async close(): Promise<void> {
    this.#stopped = true
    try {
      await this.#writing
      await Promise.all(this.nodes.map((node) => node.close()))
      await Promise.all(this.proxies.map((proxy) => proxy.close()))
    } finally {
      rmSync(this.#folder, { recursive: true, force: true })
    }
  }
}
