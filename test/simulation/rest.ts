/**
 * The end of a world: its faults stop, all activity stops, and then every guarantee must hold.
 *
 * @module
 */
import { type FaultName, isAbout, LOSSES } from './faults.js'
import { CALM } from './network.js'
import { MAX_STALENESS_MS, TOLERANCE_MS } from './node.js'
import type { World } from './world.js'

// Long enough for the entries of killed nodes to end.
const REST_MS = 9000
const SHORT_REST_MS = 4000
const STEP_MS = 500
/** The losses of a log that cannot be repaired without a store, if no running node has read the lost events. */
const DAMAGES: readonly FaultName[] = [
  'hole',
  'flip',
  'truncate',
  'head',
  'restore',
  'junk',
  'snapshot',
  'amnesia',
]

/** Waits until all activity of a world has stopped, and checks the result. */
export async function rest(world: World): Promise<void> {
  const { store, dice, running, checker } = world
  world.say('everything comes to rest')
  world.network.weather = CALM
  store.isDown = false
  store.deafTo.clear()
  if (world.broker.isSplit) world.heal()
  for (const { line } of running) {
    line.cut = false
    line.thaw()
  }
  for (const process of running) if (process.owner.suspended) world.resume(process)
  const isForgotten = store.durable && dice.chance(0.3)
  if (isForgotten) await blackout(world)
  await settle(world)
  // If the log loses events, or a side of a split is discarded that the store did not record either, only some of the
  // nodes may have entries that were never acknowledged.
  const mayLose = ['split', 'store'].every((name) => world.faults.some((fault) => fault === name))
  if (!isAbout(world.faults, LOSSES) && !mayLose) checker.sameEverywhere()
  check(world, isForgotten)
  if (world.faults.includes('dates')) await startAgain(world)
}

async function settle(world: World): Promise<void> {
  for (const place of world.places) if (place.process === undefined) world.start(place)
  const { time } = world
  const until = time.now + REST_MS
  await world.pass(world.dice.chance(0.3) ? REST_MS : SHORT_REST_MS)
  if (world.store.durable) await sweepAll(world)
  // A correct state stays correct, because there are no more faults.
  while (time.now < until && !isQuiet(world)) await world.pass(STEP_MS)
  for (const process of world.running) world.say(`${process.name} ends at ${process.place}`)
}

const isQuiet = ({ running, checker }: World): boolean =>
  running.every(({ isFresh, follower }) => isFresh && follower.pending === 0) && checker.isKnown()

// Each node sweeps once a minute, even if its clock is wrong.
async function sweepAll(world: World): Promise<void> {
  for (const process of world.running) process.sweep().catch(() => undefined)
  await world.pass(STEP_MS)
}

function check(world: World, isForgotten: boolean): void {
  const { checker, traffic, faults, store, clocksAgree } = world
  // Without a store, a log cannot be repaired if it lost events that no running node has read. Without a store,
  // nodes whose clocks disagree cannot date each other's seals either: they reject every token.
  const mayBeDown = !store.durable && (isAbout(faults, DAMAGES) || !clocksAgree)
  checker.atRest(traffic.tokens, { isForgotten, mayBeDown })
}

// Only the store can then supply the lost events, because no node has them. No exception is allowed.
async function blackout(world: World): Promise<void> {
  const { log, dice, places } = world
  await world.pass(2 * MAX_STALENESS_MS)
  for (const place of places) world.kill(place)
  if (dice.chance(0.5)) log.wipe()
  else log.rollback(1 + dice.below(5))
  world.checker.logChanged()
  await world.pass(MAX_STALENESS_MS + 3 * TOLERANCE_MS)
}

/** Restarts every node with a correct clock. Data that a wrong clock has destroyed is now missing. */
async function startAgain(world: World): Promise<void> {
  const { places, dice } = world
  world.say('everything starts again')
  for (const place of places) {
    world.setClock(place, 0)
    if (dice.chance(0.5)) world.kill(place)
    else world.stop(place)
  }
  await world.pass(dice.below(2 * MAX_STALENESS_MS))
  await settle(world)
  check(world, true)
}
