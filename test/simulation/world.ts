/**
 * A world: some nodes, one log, and the faults of its seed.
 *
 * @module
 */
import type { IncidentKind } from '../../src/observe/incident-kind.js'
import type { ChaosLog } from '../../src/testkit/chaos/log.js'
import { generateKey, keyId, type LocalKey } from '../../src/token/paserk.js'
import { Broker } from './broker.js'
import { Checker, Violation } from './checker.js'
import { Dice } from './dice.js'
import { FAULTS, type Fault, type FaultName, isAbout, LOSSES } from './faults.js'
import { Network } from './network.js'
import { DEADLINE_MS, Process, TOLERANCE_MS } from './node.js'
import { rest } from './rest.js'
import { SharedStore } from './store.js'
import { type MachineClock, Time } from './time.js'
import { Traffic } from './traffic.js'

const UNREST_MS = 8000
const PAUSE_MS = 400
const RENEW_MS = 1000
const MAX_FAULTS = 4
/** The faults from which nodes recover only with a store. */
const FOR_STORES: readonly FaultName[] = ['split', 'forgotten', 'dates']

/** The keys that all worlds share: creating keys takes longer than running a world. */
const vault = new Map<string, LocalKey>()

/** The result of a world. */
export interface Outcome {
  /** The guarantee that was violated, if any. */
  readonly violation: Violation | undefined
  readonly acked: number
  readonly faults: readonly FaultName[]
  /** The number of incidents of each kind. */
  readonly incidents: ReadonlyMap<IncidentKind, number>
}

/** One node: a machine with a clock, on which one process runs at a time. */
export interface Place {
  readonly name: string
  process: Process | undefined
  /** How far its wall clock is ahead, in milliseconds. */
  offset: number
  /** Whether it reaches the promoted replica during a split. */
  isAstray: boolean
}

/** The operations that faults use. */
export class World {
  readonly time = new Time()
  readonly broker = new Broker()
  readonly dice: Dice
  readonly network: Network
  readonly store: SharedStore
  readonly traffic = new Traffic(this)
  readonly checker: Checker
  readonly places: readonly Place[]
  readonly faults: readonly FaultName[]
  readonly incidents = new Map<IncidentKind, number>()
  readonly #maxLog: number
  readonly #renewMs: number
  readonly #restricts: number
  readonly #trace: ((line: string) => void) | undefined
  readonly #suspendedAt = new WeakMap<MachineClock, number>()

  /** @param restricts - How often an action is a restriction, from 0 to 1. */
  constructor(seed: string, trace?: (line: string) => void, restricts = 0) {
    this.#restricts = restricts
    const { time, broker } = this
    const dice = new Dice(seed)
    this.dice = dice
    this.#trace = trace
    this.faults = someOf(dice)
    this.#maxLog = dice.pick([4, 12, 1000])
    // A split that cuts one side off the store is tolerated only until a member's entry ends.
    const mayLoseBoth = this.faults.includes('split') && this.faults.includes('store')
    this.#renewMs = mayLoseBoth ? UNREST_MS : RENEW_MS
    const durable = dice.chance(0.6) || isAbout(this.faults, FOR_STORES)
    this.store = new SharedStore(time, { durable, hasClock: dice.chance(0.75) })
    this.addKey()
    const isTold = this.store.durable && this.clocksAgree
    const isWhole = !isAbout(this.faults, LOSSES)
    const { running } = this
    this.checker = new Checker({ time, broker, vault, running, isTold, isWhole })
    const onChange = () => this.checker.logChanged()
    this.network = new Network({ time, dice, broker, deadlineMs: DEADLINE_MS, onChange })
    this.places = Array.from({ length: 3 + dice.below(2) }, (_, i) => ({
      name: 'abcde'[i] as string,
      process: undefined,
      offset: this.someOffset(),
      isAstray: false,
    }))
  }

  /** The processes that run, including suspended ones. */
  readonly running: Process[] = []

  /** Whether every clock is within the tolerance. */
  get clocksAgree(): boolean {
    return !isAbout(this.faults, ['clocks', 'dates'])
  }

  /** The log; during a split, that of the old primary. */
  get log(): ChaosLog {
    return this.broker.log
  }

  /** The maximum offset of a clock in this world. */
  someOffset(): number {
    const farthest = this.faults.includes('clocks') ? 300_000 : TOLERANCE_MS / 2
    return Math.round((this.dice.next() * 2 - 1) * farthest)
  }

  say(line: string): void {
    this.#trace?.(`${String(this.time.now).padStart(6)} ${line}`)
  }

  /** Starts a process on a machine where none runs. */
  start(place: Place): void {
    const { time, dice, network, store } = this
    this.say(`${place.name} starts`)
    const process: Process = new Process({
      name: place.name,
      offset: place.offset,
      maxLog: this.#maxLog,
      renewMs: this.#renewMs,
      onIncident: (kind) => this.notice(process, kind),
      time,
      dice,
      network,
      store,
      vault,
    })
    process.line.isAstray = place.isAstray
    place.process = process
    this.running.push(process)
    this.checker.started(process)
    process.start()
  }

  /** Records an incident of a process. */
  notice({ name }: Process, kind: IncidentKind): void {
    this.say(`${name} notices: ${kind}`)
    this.incidents.set(kind, (this.incidents.get(kind) ?? 0) + 1)
  }

  /** Kills the process on a machine. */
  kill(place: Place): void {
    const { process } = place
    if (process === undefined) return
    this.say(`${place.name} is killed at ${process.place}`)
    this.checker.ended(process)
    process.kill()
    this.#left(place, process)
  }

  #left(place: Place, process: Process): void {
    place.process = undefined
    this.running.splice(this.running.indexOf(process), 1)
  }

  /** Closes the process on a machine in order. */
  stop(place: Place): void {
    const { process } = place
    if (process === undefined || process.owner.suspended) return
    this.say(`${place.name} leaves at ${process.place}`)
    this.checker.ended(process)
    this.#left(place, process)
    const end = () => process.kill()
    process.follower.stop().then(end, end)
  }

  /** Suspends a process until it is resumed. Its monotonic clock may stop meanwhile. */
  suspend({ owner, name, machine }: Process): void {
    owner.suspended = true
    this.say(`${name} is suspended`)
    this.#suspendedAt.set(machine, this.time.now)
  }

  /** Resumes a process. */
  resume({ owner, name, machine }: Process): void {
    const since = this.#suspendedAt.get(machine) ?? this.time.now
    // If the wall clock is stepped while the monotonic clock is stopped, a process cannot detect the elapsed time.
    if (this.clocksAgree && this.dice.chance(0.5)) machine.stoodStill += this.time.now - since
    this.say(`${name} goes on`)
    this.time.resume(owner)
    this.checker.watch()
  }

  /** From now on, returns the log as it is now to a process; or ends this. */
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

  /** Sets the wall clock of a machine. */
  setClock(place: Place, offset: number): void {
    place.offset = offset
    if (place.process !== undefined) place.process.machine.offset = offset
    this.say(`the clock of ${place.name} is off by ${offset}`)
  }

  /** Promotes a replica of the log. Some machines reach it, and the others stay with the old primary. */
  split(): void {
    const { places, dice, broker } = this
    const lag = dice.below(3)
    broker.split(lag)
    const count = 1 + dice.below(places.length - 1)
    const first = dice.below(places.length)
    for (let i = 0; i < count; i++) this.#lead(places[(first + i) % places.length] as Place, true)
    this.say(`the log is split, and the replica lacks ${lag}`)
    this.checker.logChanged()
  }

  /** Ends the split of the broker. Events that the discarded side accepted are lost. */
  heal(): void {
    const isPromotedKept = this.dice.chance(0.5)
    this.broker.heal(isPromotedKept)
    for (const place of this.places) if (place.isAstray) this.#lead(place, false)
    this.say(`the log is that of the ${isPromotedKept ? 'replica' : 'old primary'}`)
    this.checker.logChanged()
  }

  #lead(place: Place, isAstray: boolean): void {
    place.isAstray = isAstray
    const line = place.process?.line
    if (line === undefined) return
    line.isAstray = isAstray
    // A node may not notice that its proxy connects it to another server.
    if (this.dice.chance(0.5)) this.network.disconnect(line)
    this.say(`${place.name} is led to the ${isAstray ? 'replica' : 'log'}`)
  }

  /** Runs the world to its end. */
  async run(): Promise<void> {
    for (const place of this.places) this.start(place)
    await this.pass(200)
    while (this.time.now < UNREST_MS) {
      this.#act()
      await this.pass(this.dice.below(2 * PAUSE_MS))
    }
    await rest(this)
  }

  #act(): void {
    const { traffic, dice } = this
    // Draws nothing in worlds without restrictions, which stay as they are.
    if (this.#restricts > 0 && dice.chance(this.#restricts)) {
      traffic.restrict()
      return
    }
    const roll = dice.next()
    if (roll < 0.22) traffic.revokeToken()
    else if (roll < 0.3) traffic.revokeSubject()
    else if (roll < 0.33) traffic.issue()
    else if (roll < 0.4) traffic.rotate()
    else if (roll < 0.45) for (let i = dice.below(5); i >= 0; i--) traffic.revokeToken()
    else {
      const fault: Fault = FAULTS[dice.pick(this.faults)]
      fault(this)
    }
  }

  /** Advances the time. */
  pass(ms: number): Promise<void> {
    return this.time.run(this.time.now + ms, () => this.checker.watch())
  }
}

/** Creates a world, runs it, and returns its result. */
export async function live(
  seed: string,
  trace?: (line: string) => void,
  restricts = 0,
): Promise<Outcome> {
  const world = new World(seed, trace, restricts)
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

/** The faults of a seed. */
export const faultsOf = (seed: string): readonly FaultName[] => someOf(new Dice(seed))

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
