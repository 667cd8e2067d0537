/**
 * The faults of a world. Each call injects a fault, or ends the one that an earlier call began.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { CALM, storm } from './network.js'
import type { Process } from './node.js'
import type { Place, World } from './world.js'

/** Injects a fault into a world, or ends it. */
export type Fault = (world: World) => void

/** The offset in a seal at which the key id ends. */
const KEY_ID_END = 35

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

const backups = new WeakMap<World, () => void>()

/** How far a clock may be off after a manual error or a battery failure, in milliseconds. */
const FAR_OFF = [75 * MINUTE, DAY, 40 * DAY, 365 * DAY, 4000 * DAY]

/** All faults, by name. */
export const FAULTS = {
  /** Calls and pushes are lost, delayed or repeated. */
  storm: (world) => {
    world.network.weather = world.network.weather === CALM ? storm(world.dice, false) : CALM
    world.say(`the weather: ${JSON.stringify(world.network.weather)}`)
  },
  pushes: (world) => {
    world.network.weather = world.network.weather === CALM ? storm(world.dice, true) : CALM
    world.say('pushes are lost, or not any more')
  },
  partition: (world) =>
    toSome(world, (process) => {
      process.line.cut = !process.line.cut
      world.say(`${process.name} is ${process.line.cut ? 'cut off' : 'back'}`)
    }),
  freeze: (world) =>
    toSome(world, (process) => {
      // A node accepts an old copy of the log for a bounded time only if the clocks agree.
      if (world.clocksAgree) world.freeze(process)
    }),
  crash: (world) => {
    const place = world.dice.pick(world.places)
    if (place.process === undefined) world.start(place)
    else world.kill(place)
  },
  leave: (world) => {
    const place = world.dice.pick(world.places)
    if (place.process === undefined) world.start(place)
    else world.stop(place)
  },
  suspend: (world) =>
    toSome(world, (process) => {
      if (process.owner.suspended) world.resume(process)
      else world.suspend(process)
    }),
  /** Clocks are wrong by minutes, and are changed. */
  clocks: (world) => {
    world.setClock(world.dice.pick(world.places), world.someOffset())
  },
  /** Clocks are wrong by hours to years, while a node runs or when it starts, and nodes drop expired entries. */
  dates: (world) => {
    const { dice, places } = world
    const roll = dice.next()
    if (roll < 0.4) return toSome(world, (process) => sweepNow(world, process))
    // One clock is always right; otherwise the wrong ones could not be identified.
    const place = dice.pick(places.slice(1))
    if (roll < 0.6) world.kill(place)
    const isWrong = dice.chance(0.7)
    world.setClock(place, isWrong ? dice.pick(FAR_OFF) * dice.pick([1, -1]) : 0)
    if (place.process === undefined) world.start(place)
  },
  /** Splits the log over two brokers, each of which accepts appends of its own nodes, or ends the split. */
  split: (world) => {
    if (world.broker.isSplit) world.heal()
    else world.split()
  },
  /** A rotation is acknowledged, then the log loses its newest events. The node that rotated may be killed. */
  forgotten: (world) =>
    world.traffic.rotate((by) => {
      const place = world.places.find(({ process }) => process === by)
      if (place !== undefined && world.dice.chance(0.5)) world.kill(place)
      const events = 1 + world.dice.below(2)
      world.log.rollback(events)
      changed(world, `the log forgets ${events}`)
    }),
  rollback: (world) => {
    const events = 1 + world.dice.below(4)
    world.log.rollback(events)
    changed(world, `the log is set back by ${events}`)
  },
  /** Kills the nodes that have read further than a node that is cut off, and rolls the log back to its position. */
  amnesia: (world) => {
    const left = world.places.find(({ process }) => process?.line.cut)
    if (left?.process === undefined) {
      toSome(world, (process) => {
        process.line.cut = true
        world.say(`${process.name} is cut off`)
      })
      return
    }
    const { line, follower } = left.process
    for (const place of world.places) if (place !== left) world.kill(place)
    const { epoch, seq } = follower.position
    const { head } = world.log
    if (head?.epoch === epoch && head.seq > seq) {
      world.log.rollback(head.seq - seq)
      // A snapshot that was saved later is lost with its events.
      world.log.chunks = []
    }
    line.cut = false
    changed(world, `only ${left.name} is left, and the log is set back to ${seq}`)
  },
  wipe: (world) => {
    world.log.wipe()
    changed(world, 'the log is gone')
  },
  restore: (world) => {
    const restore = backups.get(world)
    if (restore === undefined) backups.set(world, world.log.backup())
    else {
      restore()
      backups.delete(world)
    }
    changed(world, restore === undefined ? 'the log is backed up' : 'the log is restored')
  },
  truncate: (world) => {
    const { head } = world.log
    if (head === null) return
    const upTo = world.dice.below(head.seq + 1)
    world.log.truncate(upTo)
    changed(world, `the log is cut up to ${upTo}`)
  },
  hole: (world) => {
    const { events } = world.log
    const at = world.dice.below(events.length)
    world.log.events = events.filter((_, i) => i !== at)
    changed(world, `event ${events[at]?.seq} is gone`)
  },
  flip: (world) => {
    const { events } = world.log
    if (events.length === 0) return
    const { seq, bytes } = world.dice.pick(events)
    // The key id is not flipped: nodes would wait a minute for a key of that id, longer than a world lasts.
    world.log.flip(seq, (KEY_ID_END + world.dice.below(bytes.length - KEY_ID_END)) * 8)
    changed(world, `a bit of event ${seq} is flipped`)
  },
  junk: (world) => {
    const seq = (world.log.head?.seq ?? 0) + world.dice.below(5) - 1
    const junk = { seq: Math.max(1, seq), bytes: new Uint8Array(randomBytes(200)) }
    world.log.plant(junk)
    world.network.push({ events: [junk] })
    changed(world, `junk at ${junk.seq}`)
  },
  /** Authentic events are pushed again, or written to the wrong position. */
  replay: (world) => {
    const { network, log, dice } = world
    if (network.seen.length === 0) return
    const events = Array.from({ length: 1 + dice.below(3) }, () => dice.pick(network.seen))
    network.push({ events })
    if (dice.chance(0.5)) for (const event of events) log.plant(event)
    changed(world, `events ${events.map(({ seq }) => seq)} are shown again`)
  },
  head: (world) => {
    const { head } = world.log
    if (head === null) return
    const how = world.dice.below(3)
    if (how === 0) world.log.head = { ...head, bytes: new Uint8Array(randomBytes(200)) }
    else if (how === 1) world.log.head = { ...head, seq: head.seq + 1 + world.dice.below(3) }
    else world.log.head = { ...head, link: new Uint8Array(16) }
    changed(world, `the head is forged (${how})`)
  },
  /** A snapshot loses a chunk, has two chunks swapped, or one bit flipped. */
  snapshot: (world) => {
    const { chunks } = world.log
    if (chunks.length === 0) return compact(world)
    const at = world.dice.below(chunks.length)
    const how = world.dice.below(3)
    if (how === 0) world.log.chunks = chunks.filter((_, i) => i !== at)
    else if (how === 1) world.log.chunks = chunks.toReversed()
    else world.log.chunks = chunks.map((chunk, i) => (i === at ? chunk.toReversed() : chunk))
    changed(world, `the snapshot is damaged (${how})`)
  },
  /** The store is down, or one node does not reach it. */
  store: (world) => {
    const { dice, store } = world
    if (dice.chance(0.5)) {
      toSome(world, ({ name, owner }) => {
        const state = dice.pick(['fails', 'hangs'] as const)
        if (!store.deafTo.delete(owner)) store.deafTo.set(owner, state)
        world.say(`the store ${store.deafTo.get(owner) ?? 'is back'} for ${name}`)
      })
      return
    }
    world.store.isDown = !world.store.isDown
    world.say(`the store is ${world.store.isDown ? 'down' : 'back'}`)
  },
  compact: (world) => compact(world),
  keys: (world) => {
    if (world.dice.chance(0.5) && world.store.keys.length < 4) world.addKey()
    else
      toSome(world, (process) => {
        world.say(`${process.name} reads the keys`)
        process.readKeys().catch(() => undefined)
      })
  },
} satisfies Readonly<Record<string, Fault>>

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS

/** The faults that remove events from the log. */
export const LOSSES: readonly FaultName[] = [
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
  'forgotten',
]

/** Whether one of these is among the faults of a world. */
export const isAbout = (faults: readonly FaultName[], these: readonly FaultName[]): boolean =>
  these.some((name) => faults.includes(name))

function sweepNow(world: World, process: Process): void {
  world.say(`${process.name} sweeps`)
  process.sweep().catch(() => undefined)
}

function compact(world: World): void {
  toSome(world, (process) => {
    world.say(`${process.name} compacts`)
    void process.follower.compact(world.time.now)
  })
}

function toSome(world: World, harm: (process: Process, place: Place) => void): void {
  const place = world.dice.pick(world.places)
  if (place.process !== undefined) harm(place.process, place)
}

function changed(world: World, line: string): void {
  world.say(line)
  world.checker.logChanged()
}
