/**
 * Eight processes work on one database for a bounded time, while processes are killed and connections cut at random.
 * Then the state of the database is compared with every acknowledgement that the processes received.
 *
 * WATCHWORD_PROCESS_SECONDS sets the time for each store; WATCHWORD_PROCESS_SEED repeats a run's choices.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWatchword } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { bundle } from '../../.config/bundle.mjs'
import { faultsOf, readState } from './check.js'
import { type Act, read } from './history.js'
import { LIMITED, limitedSubject, type Orders, optionsOf } from './orders.js'
import { availablePlaces, openStore, type Place } from './stores.js'

const WORKERS = 8
const SECONDS = Number(process.env['WATCHWORD_PROCESS_SECONDS'] ?? 5)
const SEED = Number(process.env['WATCHWORD_PROCESS_SEED'] ?? randomInt(2 ** 31))

let folder = ''
let bundled = ''
let program = ''

beforeAll(async () => {
  await ready
  folder = mkdtempSync(join(tmpdir(), 'watchword-processes-'))
  const made = await bundle(['test/processes/worker.ts'], `worker-${process.pid}`)
  bundled = made.folder
  program = made.bundles[0] as string
})

afterAll(() => {
  for (const made of [folder, bundled])
    if (made !== '') rmSync(made, { recursive: true, force: true })
})

describe('eight processes on one database', async () => {
  for (const place of await availablePlaces()) {
    it(
      `lose no acknowledged change and fork no token on ${place.kind} (seed ${SEED})`,
      async () => {
        const { faults, acts, kills } = await run({ ...place, ...fresh(place) })
        expect(faults).toEqual([])
        expect(kills).toBeGreaterThan(0)
        const count = (name: Act['act']) => acts.filter(({ act }) => act === name).length
        console.info(
          `${place.kind}: ${count('issued')} issued, ${count('rotated')} rotated, ${count('revoked')} revoked, ` +
            `${count('refused')} refused, ${count('failed')} outages, ${kills} kills and cuts, 0 faults`,
        )
        for (const name of ['issued', 'rotated', 'revoked', 'refused'] as const) {
          expect(count(name), name).toBeGreaterThan(0)
        }
      },
      (SECONDS + 60) * 1000,
    )
  }
})

function fresh(place: Place): Partial<Place> {
  const name = `ww${randomInt(2 ** 40).toString(36)}_`
  return place.kind === 'sqlite'
    ? { url: join(folder, `${name}.db`), prefix: name }
    : { prefix: name }
}

interface Outcome {
  readonly faults: readonly string[]
  readonly acts: readonly Act[]
  readonly kills: number
}

async function run(place: Place): Promise<Outcome> {
  const opened = await openStore(place, { migrate: true })
  try {
    const rootKey = exportKey(generateKey())
    const watchword = await createWatchword(optionsOf({ rootKey }, opened.store))
    const shared: Orders['shared'][number][] = []
    for (let i = 0; i < 20; i++) {
      const { token, id, family, subject } = await watchword.issue({
        policy: 'open',
        subject: `shared-${i}`,
        actor: 'test',
        scopes: ['a:read'],
      })
      shared.push({ token, id, family, subject })
    }
    const crew = new Crew((number) => ({
      place,
      rootKey,
      shared,
      seed: SEED + number,
      history: join(folder, `${place.prefix}-${number}.jsonl`),
    }))
    await crew.work(SECONDS * 1000, opened.cutConnections).finally(() => crew.killAll())
    await fillLimits(watchword)
    const acts = crew.histories.flatMap((file) => (existsSync(file) ? read(file) : []))
    const faults = faultsOf(await throughOutages(() => readState(opened.store)), acts, Date.now())
    await watchword.close()
    return { faults, acts, kills: crew.kills }
  } finally {
    await throughOutages(opened.drop)
    await opened.end()
  }
}

// Completes the workers' task: after this, each limited subject must have exactly its limit of tokens.
async function fillLimits(watchword: Awaited<ReturnType<typeof createWatchword>>): Promise<void> {
  for (let n = 0; n < LIMITED.subjects; n++) {
    for (let i = 0; i <= LIMITED.max; i++) {
      const input = { policy: 'limited', subject: limitedSubject(n), actor: 'test' }
      await throughOutages(() => watchword.issue(input)).catch((error: { code?: string }) =>
        expect(error.code).toBe('ERR_LIMIT_REACHED'),
      )
    }
  }
}

/** Retries while the result is an outage: the last cut may have hit a connection of this process. */
async function throughOutages<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code?.startsWith('ERR_') && code !== 'ERR_STORE_UNAVAILABLE') throw error
      if (attempt === 10) throw error
    }
  }
}

/** The worker processes: a killed one is replaced. */
class Crew {
  readonly histories: string[] = []
  kills = 0
  readonly #ordersOf: (number: number) => Orders
  readonly #running = new Set<ChildProcess>()
  readonly #errors: string[] = []

  constructor(ordersOf: (number: number) => Orders) {
    this.#ordersOf = ordersOf
  }

  async work(ms: number, cutConnections: () => Promise<void>): Promise<void> {
    // The time starts when all workers run: on a small machine, starting eight processes takes longer than the rest.
    await Promise.all(Array.from({ length: WORKERS }, () => this.#start()))
    const end = Date.now() + ms
    const replacements: Promise<void>[] = []
    while (Date.now() < end) {
      await pause(400 + randomInt(400))
      this.kills++
      if (randomInt(3) === 0) await throughOutages(cutConnections)
      else replacements.push(this.#killOne())
    }
    await Promise.all(replacements)
    await this.#stop()
    expect(this.#errors).toEqual([])
  }

  /** Resolves when the worker has started, or has exited. */
  #start(): Promise<void> {
    const orders = this.#ordersOf(this.histories.length)
    this.histories.push(orders.history)
    const child = spawn(process.execPath, [program, JSON.stringify(orders)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // A killed worker cannot receive orders.
    child.stdin.on('error', () => {})
    let stderr = ''
    child.stderr.on('data', (data) => {
      stderr += data
    })
    child.once('exit', (code, signal) => {
      this.#running.delete(child)
      if (signal !== 'SIGKILL' && code !== 0) this.#errors.push(stderr)
    })
    this.#running.add(child)
    return new Promise((resolve) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', () => resolve())
    })
  }

  #killOne(): Promise<void> {
    const victims = [...this.#running]
    victims[randomInt(victims.length)]?.kill('SIGKILL')
    return this.#start()
  }

  /** Ends every process, regardless of how the run ended. */
  killAll(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }

  async #stop(): Promise<void> {
    const ends = [...this.#running].map((child) => {
      child.stdin?.end('stop')
      return new Promise((resolve) => child.once('exit', resolve))
    })
    await Promise.all(ends)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
