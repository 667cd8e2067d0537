/**
 * From the call of `revoke` to the refusal in eight other processes, beside the time that the broker alone takes to bring
 * them a message of the same size.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { RevocationFeed } from '../../src/feed/feed.js'
import type { Watchword } from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { uniqueName } from '../../test/contract/servers.js'
import { demand } from '../expect.js'
import { median, quantile } from '../statistics.js'
import { BROKERS, type Broker } from './brokers.js'
import { type Fleet, startNode } from './node.js'

const CHILDREN = 8
/** Between two messages: everybody is idle again. */
const APART_MS = 8

/** Milliseconds, over every message and every process. */
export interface PropagationFigures {
  readonly ours: Latency
  readonly raw: Latency
  /** The median of ours by that of the broker alone. */
  readonly ratio: number
}

/** How long messages take. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  /** The median of the last of the eight processes to know. */
  readonly lastOfAll: number
}

interface Order {
  readonly broker: string
  readonly name: string
  readonly fleet: Fleet
}

interface Stamps {
  readonly ours: readonly number[]
  readonly raw: readonly number[]
}

// One clock for all processes of the machine.
const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** Measures one broker. Resolves with `undefined` when it is not available. */
export async function propagation(
  name: string,
  messages: number,
): Promise<PropagationFigures | undefined> {
  await ready
  const prefix = uniqueName()
  const broker = await BROKERS[name]?.(prefix)
  if (broker === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'watchword-bench-'))
  const fleet = { file: join(folder, 'store.db'), rootKey: exportKey(generateKey()) }
  const children: ChildProcess[] = []
  try {
    await broker.prepare()
    const watchword = await startNode(fleet, broker.feed)
    for (let i = 0; i < CHILDREN; i++)
      children.push(await follow({ broker: name, name: prefix, fleet }))
    const figures = await measure(watchword, broker, children, messages)
    await watchword.close()
    return figures
  } finally {
    for (const child of children) child.kill()
    await broker.drop()
    await broker.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function follow(order: Order): Promise<ChildProcess> {
  const child = fork(process.argv[1] as string, ['--follow', JSON.stringify(order)])
  await once(child, 'message')
  return child
}

async function measure(
  watchword: Watchword,
  broker: Broker,
  children: readonly ChildProcess[],
  messages: number,
): Promise<PropagationFigures> {
  const tokens = await watchword.issueMany(
    Array.from({ length: messages }, () => ({
      policy: 'service',
      subject: 'svc_billing',
      scopes: ['orders:read'],
      actor: 'bench',
    })),
  )
  const texts = tokens.map(({ token }) => token)
  await Promise.all(children.map((child) => ask(child, { watch: texts })))
  await setTimeout(500)
  const sent = { ours: [] as number[], raw: [] as number[] }
  for (const [i, { token }] of tokens.entries()) {
    sent.ours.push(now())
    await watchword.revoke({ token }, { actor: 'bench' })
    await setTimeout(APART_MS)
    sent.raw.push(now())
    await broker.publish(i)
    await setTimeout(APART_MS)
  }
  await setTimeout(300)
  const heard = (await Promise.all(
    children.map((child) => ask(child, { report: true })),
  )) as Stamps[]
  const ours = latency(
    sent.ours,
    heard.map((stamps) => stamps.ours),
  )
  const raw = latency(
    sent.raw,
    heard.map((stamps) => stamps.raw),
  )
  return { ours, raw, ratio: ours.p50 / raw.p50 }
}

async function ask(child: ChildProcess, question: object): Promise<unknown> {
  child.send(question)
  const [message] = await once(child, 'message')
  return message
}

function latency(sent: readonly number[], heard: readonly (readonly number[])[]): Latency {
  for (const stamps of heard) demand('propagation', stamps.length === sent.length)
  const all = sent.map((start, i) => heard.map((stamps) => (stamps[i] as number) - start))
  const flat = all.flat()
  return {
    p50: median(flat),
    p99: quantile(flat, 0.99),
    lastOfAll: median(all.map((each) => Math.max(...each))),
  }
}

/** What a child does: follows the feed, and notes when it refuses each token, and when each raw message comes. */
export async function followFeed(text: string): Promise<void> {
  const { broker: kind, name, fleet } = JSON.parse(text) as Order
  const broker = await BROKERS[kind]?.(name)
  if (broker === undefined) throw new Error(`${kind} is not there`)
  const raw: number[] = []
  const ours: number[] = []
  let texts: readonly string[] = []
  let watchword: Watchword | undefined
  const look = () => {
    for (;;) {
      const token = texts[ours.length]
      if (token === undefined || watchword?.verify(token).ok !== false) return
      ours.push(now())
    }
  }
  watchword = await startNode(fleet, stamped(broker.feed, look))
  await broker.subscribe((number) => {
    raw[number] = now()
  })
  process.on('message', (question: { watch?: readonly string[] }) => {
    if (question.watch === undefined) {
      look()
      process.send?.({ ours, raw })
    } else {
      texts = question.watch
      for (const token of texts) demand('propagation', watchword?.verify(token).ok === true)
      process.send?.('watching')
    }
  })
  process.send?.('following')
}

/**
 * The feed, with a look at the tokens right after the core has heard of something, by a push or, where that was lost, by
 * reading.
 */
function stamped(feed: RevocationFeed, look: () => void): RevocationFeed {
  return Object.create(feed, {
    watch: {
      value: (...[from, wake, signal]: Parameters<NonNullable<RevocationFeed['watch']>>) =>
        feed.watch?.(
          from,
          (hint) => {
            wake(hint)
            look()
          },
          signal,
        ),
    },
    read: {
      value: async (...args: Parameters<RevocationFeed['read']>) => {
        const page = await feed.read(...args)
        setImmediate(look)
        return page
      },
    },
  }) as RevocationFeed
}
