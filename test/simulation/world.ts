/**
 * A world: some nodes, one log, and everything that a seed lets happen to them.
 *
 * @module
 */
import { ulid } from 'ulid'
import type { IncidentKind } from '../../src/observe/incident-kind.js'
import type { TokenFacts } from '../../src/revocation/index/revocation-index.js'
import type { RevocationEntry } from '../../src/revocation/log/event.js'
import { type ChaosLog, chaosLog } from '../../src/testkit/chaos/log.js'
import { generateKey, keyId, type LocalKey } from '../../src/token/paserk.js'
import { Checker, Violation } from './checker.js'
import { Dice } from './dice.js'
import { FAULTS, type Fault, type FaultName } from './faults.js'
import { CALM, Network, type Weather } from './network.js'
import {
  AUDIENCE,
  DEADLINE_MS,
  MAX_STALENESS_MS,
  Process,
  type Store,
  TOLERANCE_MS,
} from './node.js'
import { type MachineClock, START, Time } from './time.js'

const SUBJECTS = ['svc_mail', 'svc_billing', 'svc_search'] as const
const TOKEN_TTL_MS = 12 * 3_600_000
const UNREST_MS = 8000
const PAUSE_MS = 400
// Long enough for the entries of killed nodes to end.
const REST_MS = 9000
const MAX_FAULTS = 4
/** What takes something from the log. */
const LOSSES: readonly FaultName[] = [
  'rollback',
  'amnesia',
  'wipe',
  'restore',
  'truncate',
  'hole',
  'flip',
  'head',
  'junk',
  'replay',
  'snapshot',
]

/** Keys that all worlds use: to make some takes longer than to live through a world. */
const vault = new Map<string, LocalKey>()

/** What became of a world. */
export interface Outcome {
  /** The promise that was broken, if one was. */
  readonly violation: Violation | undefined
  readonly acked: number
  readonly faults: readonly FaultName[]
  /** What was noticed, and how often. */
  readonly incidents: ReadonlyMap<IncidentKind, number>
}

/** One node: a place with a clock, where one process after the other runs. */
export interface Place {
  readonly name: string
  process: Process | undefined
  offset: number
}

/** What faults can do to a world. */
export class World {
  readonly time = new Time()
  readonly log: ChaosLog = chaosLog()
  readonly dice: Dice
  readonly network: Network
  readonly store: Store
  readonly checker: Checker
  readonly places: readonly Place[]
  readonly tokens: TokenFacts[] = []
  readonly faults: readonly FaultName[]
  readonly incidents = new Map<IncidentKind, number>()
  readonly #maxLog: number
  readonly #trace: ((line: string) => void) | undefined
  readonly #suspendedAt = new WeakMap<MachineClock, number>()
  #revoked = 0

  constructor(seed: string, trace?: (line: string) => void) {
    const { time, log } = this
    const dice = new Dice(seed)
    this.dice = dice
    this.#trace = trace
    this.faults = someOf(dice)
    this.#maxLog = dice.pick([4, 12, 1000])
    this.store = { durable: dice.chance(0.6), isDown: false, revocations: [], keys: [] }
    this.addKey()
    const isTold = this.store.durable && this.clocksAgree
    this.checker = new Checker({ time, log, vault, running: this.running, isTold })
    const onChange = () => this.checker.logChanged()
    this.network = new Network({ time, dice, log, deadlineMs: DEADLINE_MS, onChange })
    this.places = Array.from({ length: 3 + dice.below(2) }, (_, i) => ({
      name: 'abcde'[i] as string,
      process: undefined,
      offset: this.someOffset(),
    }))
  }

  /** The processes that run, be they suspended or not. */
  readonly running: Process[] = []

  /** Whether every clock can be trusted to be within the tolerance. */
  get clocksAgree(): boolean {
    return !this.faults.includes('clocks')
  }

  /** How far a clock may be off in this world. */
  someOffset(): number {
    const farthest = this.clocksAgree ? TOLERANCE_MS / 2 : 300_000
    return Math.round((this.dice.next() * 2 - 1) * farthest)
  }

  say(line: string): void {
    this.#trace?.(`${String(this.time.now).padStart(6)} ${line}`)
  }

  /** Starts a process at a place where none runs. */
  start(place: Place): void {
    const { time, dice, network, store } = this
    this.say(`${place.name} starts`)
    const process: Process = new Process({
      name: place.name,
      offset: place.offset,
      maxLog: this.#maxLog,
      onIncident: (kind) => this.notice(process, kind),
      time,
      dice,
      network,
      store,
      vault,
    })
    place.process = process
    this.running.push(process)
    this.checker.started(process)
    process.start()
  }

  /** Notes what a process notices. */
  notice({ name }: Process, kind: IncidentKind): void {
    this.say(`${name} notices: ${kind}`)
    this.incidents.set(kind, (this.incidents.get(kind) ?? 0) + 1)
  }

  /** Kills the process at a place. */
  kill(place: Place): void {
    const { process } = place
    if (process === undefined) return
    this.say(`${place.name} is killed at ${positionOf(process)}`)
    this.checker.ended(process)
    process.kill()
    this.#left(place, process)
  }

  #left(place: Place, process: Process): void {
    place.process = undefined
    this.running.splice(this.running.indexOf(process), 1)
  }

  /** Ends the process at a place as it should end. */
  stop(place: Place): void {
    const { process } = place
    if (process === undefined || process.owner.suspended) return
    this.say(`${place.name} leaves at ${positionOf(process)}`)
    this.checker.ended(process)
    this.#left(place, process)
    const end = () => process.kill()
    process.follower.stop().then(end, end)
  }

  /** Has a process do nothing until it is resumed; its steady clock may stand still meanwhile. */
  suspend({ owner, name, machine }: Process): void {
    owner.suspended = true
    this.say(`${name} is suspended`)
    this.#suspendedAt.set(machine, this.time.now)
  }

  /** Lets a process go on. */
  resume({ owner, name, machine }: Process): void {
    const since = this.#suspendedAt.get(machine) ?? this.time.now
    // A clock that is stepped and one that stands still, both at once, hide any time.
    if (this.clocksAgree && this.dice.chance(0.5)) machine.stoodStill += this.time.now - since
    this.say(`${name} goes on`)
    this.time.resume(owner)
    this.checker.watch()
  }

  /** Shows a process the log as it is now from now on, or the log again. */
  freeze(process: Process): void {
    const { line, name } = process
    if (line.frozenSince === undefined) {
      line.freeze(this.dice.chance(0.2))
      this.checker.froze(process)
    } else line.thaw()
    this.say(`${name} is shown ${line.frozenSince === undefined ? 'the log' : 'a picture'}`)
  }

  /** Adds a key to the store. */
  addKey(): void {
    const { keys } = this.store
    const id = [...vault.keys()][keys.length] ?? makeKey()
    this.store.keys.push(id)
    this.say(`the store has key ${keys.length}`)
  }

  /** Lives through all of it. */
  async run(): Promise<void> {
    for (const place of this.places) this.start(place)
    await this.#pass(200)
    while (this.time.now < UNREST_MS) {
      this.#act()
      await this.#pass(this.dice.below(2 * PAUSE_MS))
    }
    await this.#rest()
  }

  #act(): void {
    const roll = this.dice.next()
    if (roll < 0.25) this.#revokeToken()
    else if (roll < 0.35) this.#revokeSubject()
    else if (roll < 0.4) this.#issue()
    else if (roll < 0.45) for (let i = this.dice.below(5); i >= 0; i--) this.#revokeToken()
    else {
      const fault: Fault = FAULTS[this.dice.pick(this.faults)]
      fault(this)
    }
  }

  async #rest(): Promise<void> {
    this.say('everything comes to rest')
    this.network.weather = CALM
    this.store.isDown = false
    for (const { line } of this.running) {
      line.cut = false
      line.thaw()
    }
    for (const process of this.running) if (process.owner.suspended) this.resume(process)
    const isForgotten = this.store.durable && this.dice.chance(0.3)
    if (isForgotten) await this.#blackout()
    for (const place of this.places) if (place.process === undefined) this.start(place)
    await this.#pass(REST_MS)
    for (const process of this.running) this.say(`${process.name} ends at ${positionOf(process)}`)
    // A log that loses something may leave a part of the nodes with what was never acknowledged.
    const isWhole = !LOSSES.some((name) => this.faults.includes(name))
    if (isWhole) this.checker.sameEverywhere()
    this.checker.atRest(this.tokens, {
      isForgotten,
      mayBeDown: this.#isBeyondRepair || this.#isWithoutWitness,
    })
  }

  // Without a store, nodes whose clocks disagree cannot date each other's seals: they refuse all.
  get #isWithoutWitness(): boolean {
    return !this.store.durable && !this.clocksAgree
  }

  // What nobody who runs has read, and no store keeps, a log that lost it cannot be mended without: its nodes refuse all.
  get #isBeyondRepair(): boolean {
    const damages: readonly FaultName[] = [
      'hole',
      'flip',
      'truncate',
      'head',
      'restore',
      'junk',
      'snapshot',
      'amnesia',
    ]
    return !this.store.durable && damages.some((name) => this.faults.includes(name))
  }

  // What the log has lost by then, only the store can tell: nobody is left who remembers, and nothing is excused.
  async #blackout(): Promise<void> {
    await this.#pass(2 * MAX_STALENESS_MS)
    for (const place of this.places) this.kill(place)
    if (this.dice.chance(0.5)) this.log.wipe()
    else this.log.rollback(1 + this.dice.below(5))
    this.checker.logChanged()
    await this.#pass(MAX_STALENESS_MS + 3 * TOLERANCE_MS)
  }

  #pass(ms: number): Promise<void> {
    return this.time.run(this.time.now + ms, () => this.checker.watch())
  }

  #awake(): Process | undefined {
    const awake = this.running.filter(({ owner }) => !owner.suspended)
    return awake.length === 0 ? undefined : this.dice.pick(awake)
  }

  #issue(): TokenFacts | undefined {
    const process = this.#awake()
    if (process === undefined) return undefined
    const subject = this.dice.pick(SUBJECTS)
    const issuedAt = process.issuedAt(subject)
    const id = ulid(issuedAt, this.dice.next)
    const token = {
      id,
      family: id,
      generation: 0,
      subject,
      audience: AUDIENCE,
      keyId: 'k4.lid.x',
      issuedAt,
      expiresAt: START + TOKEN_TTL_MS,
    }
    this.tokens.push(token)
    return token
  }

  #revokeToken(): void {
    const token = this.#issue()
    if (token === undefined) return
    const { id: value, expiresAt } = token
    this.#revoke({ kind: 'token', value, expiresAt }, [token])
  }

  #revokeSubject(): void {
    const subject = this.dice.pick(SUBJECTS)
    const process = this.#awake()
    if (process === undefined) return
    const before = process.reach(subject)
    const expiresAt = START + TOKEN_TTL_MS
    // A token that was stamped past a watermark of which this node has not heard is not meant.
    const meant = this.tokens.filter((t) => t.subject === subject && t.issuedAt <= before)
    this.#revoke({ kind: 'subject', value: subject, before, expiresAt }, meant, process)
  }

  #revoke(entry: RevocationEntry, tokens: readonly TokenFacts[], by = this.#awake()): void {
    if (by === undefined) return
    const name = `r${++this.#revoked}`
    this.say(`${by.name} revokes ${entry.kind} ${name}`)
    this.checker.attempted(entry)
    by.revoke(entry).then(
      ({ seq }) => {
        if (by.owner.dead) return
        this.say(`${by.name} has revoked ${name}, by event ${seq}`)
        this.checker.acknowledged(name, entry, tokens)
      },
      () => this.say(`${by.name} cannot tell whether it revoked ${name}`),
    )
  }
}

/** Makes a world, lives through it, and tells what became of it. */
export async function live(seed: string, trace?: (line: string) => void): Promise<Outcome> {
  const world = new World(seed, trace)
  let violation: Violation | undefined
  try {
    await world.run()
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
    world.say(error.message)
  }
  const { faults, incidents } = world
  return { violation, acked: world.checker.acked.length, faults, incidents }
}

/** A network that loses a part of what it carries. */
export function storm(dice: Dice, pushesOnly: boolean): Weather {
  const some = (most: number) => dice.next() * most
  const calls = pushesOnly ? CALM : { lostBefore: some(0.3), lostAfter: some(0.3), slow: some(0.3) }
  return {
    ...CALM,
    ...calls,
    pushLost: some(0.6),
    pushTwice: some(0.4),
    pushLate: some(0.6),
    pushEnds: some(0.1),
  }
}

function someOf(dice: Dice): readonly FaultName[] {
  const names = Object.keys(FAULTS) as FaultName[]
  const count = 1 + dice.below(MAX_FAULTS)
  return Array.from({ length: count }, () => dice.pick(names))
}

function makeKey(): string {
  const key = generateKey()
  const id = keyId(key)
  vault.set(id, key)
  return id
}

function positionOf({ follower }: Process): string {
  const { epoch, seq } = follower.position
  return `${epoch.slice(0, 4)}/${seq}`
}
