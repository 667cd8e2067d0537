import { describe, expect, it } from 'vitest'
import type { AuditRow, AuditStore } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { idMaker } from '../../../../src/lib/new-id.js'
import { NewestCheckpoint } from '../../../../src/observe/audit/newest.js'
import type { AuditSeals } from '../../../../src/observe/audit/seals.js'
import { Sequencer } from '../../../../src/observe/audit/sequencer.js'
import { AuditTrail } from '../../../../src/observe/audit/trail.js'
import { AuditWitness } from '../../../../src/observe/audit/witness.js'
import { flush } from '../../../support/fleet.js'
import { ISSUER, MINUTE, START, sharedStore } from '../../../support/harness.js'

const CONTENT = { action: 'revoked', actor: 'ops' } as const

/** Seals that hide nothing, with keys that a test takes away. */
function openSeals() {
  const keys = { places: true, states: true, unknown: new Set<string>() }
  const seals: AuditSeals = {
    load: async () => true,
    check: (id, body, tag) => {
      if (keys.unknown.has(id)) return 'unknown'
      return tag === `${id} ${body.length}` ? 'intact' : 'tampered'
    },
    place: (id, place) => (keys.places ? JSON.stringify([id, place]) : undefined),
    openPlace: (_, place) => JSON.parse(place)[1],
    tagHash: (tag) => tag,
    state: ({ size, hashes }) =>
      keys.states
        ? JSON.stringify([size, hashes.map((hash) => Buffer.from(hash).toString('hex'))])
        : undefined,
    openState: (state) => {
      const [size, hashes] = JSON.parse(state) as [number, string[]]
      return { size, hashes: hashes.map((hash) => Buffer.from(hash, 'hex')) }
    },
  }
  return { keys, seals }
}

interface Rig {
  readonly onCheckpoint?: (text: string) => unknown
  readonly edit?: (part: AuditStore) => Partial<AuditStore>
}

/** One node that keeps an audit, and that runs only when a test calls it or its timer. */
function rig({ onCheckpoint, edit }: Rig = {}) {
  const clock = resolveClock(manualClock(START))
  const part = sharedStore().audit as AuditStore
  const store: AuditStore = { ...part, ...edit?.(part) }
  const timers: { run: () => void; isCancelled: boolean }[] = []
  const { keys, seals } = openSeals()
  const witness = new AuditWitness()
  const call = <T>(work: () => Promise<T>) => work()
  const common = { store, call, clock: { ...clock, setTimer }, seals, witness }
  const trail = new AuditTrail({ store, call, clock, issuer: ISSUER, newId: idMaker() })
  trail.sealWith((id, body) => `${id} ${body.length}`)
  const forged: string[] = []
  const newest = new NewestCheckpoint({ ...common, onIncident: () => {} })
  const sequencer = new Sequencer({
    ...{ ...common, trail, newest, own: trail.own, origin: ISSUER, everyMs: MINUTE, onCheckpoint },
    onForged: (id) => forged.push(id),
    onDeleted: () => {},
  })
  // The timers of this clock cannot be cancelled.
  function setTimer(run: () => void) {
    const timer = { run, isCancelled: false }
    timers.push(timer)
    return {
      cancel: () => {
        timer.isCancelled = true
      },
    }
  }
  const note = () => trail.note(CONTENT)
  const pending = () => part.listPending({ limit: 1000 })
  return { sequencer, part, note, pending, keys, forged, timers }
}

describe('a run of the sequencer', () => {
  it('appends every pending row and passes the text of the checkpoint on', async () => {
    const texts: string[] = []
    const { sequencer, note, pending } = rig({ onCheckpoint: (text) => void texts.push(text) })
    note()
    note()
    const { size, text } = await sequencer.run()
    expect([size, sequencer.size, await pending(), texts]).toEqual([2, 2, [], [text]])
    await sequencer.run()
    expect(texts).toHaveLength(1)
  })

  it('appends nothing while no key is loaded for the places or for the state', async () => {
    const { sequencer, note, pending, keys } = rig()
    note()
    keys.places = false
    expect((await sequencer.run()).size).toBe(0)
    Object.assign(keys, { places: true, states: false })
    expect((await sequencer.run()).size).toBe(0)
    expect(await pending()).toHaveLength(1)
    keys.states = true
    expect((await sequencer.run()).size).toBe(1)
  })

  it('leaves rows pending whose key is not loaded, and reports only those that are forged', async () => {
    const { sequencer, part, note, pending, keys, forged } = rig()
    note()
    note()
    await flush()
    const [first, second] = (await pending()) as [AuditRow, AuditRow]
    keys.unknown.add(first.id)
    await part.write([{ ...second, id: '01KDVDM4000000000000000000' }])
    expect((await sequencer.run()).size).toBe(1)
    expect(forged).toEqual(['01KDVDM4000000000000000000'])
    expect((await pending()).map(({ id }) => id).sort()).toEqual([...forged, first.id].sort())
    keys.unknown.clear()
    expect((await sequencer.run()).size).toBe(2)
  })

  it('follows a run that is in progress, and has what was written since that began', async () => {
    const { sequencer, note } = rig()
    note()
    const first = sequencer.run()
    await flush()
    note()
    const [one, two, three] = await Promise.all([first, sequencer.run(), sequencer.run()])
    expect([one.size, two.size, three.size]).toEqual([1, 2, 2])
  })

  it('follows a run that failed', async () => {
    let isDown = true
    const head = (part: AuditStore) => async () => {
      if (isDown) throw new Error('the store is down')
      return part.head()
    }
    const { sequencer, note } = rig({ edit: (part) => ({ head: head(part) }) })
    note()
    const first = sequencer.run()
    const second = sequencer.run()
    await expect(first).rejects.toThrow('the store is down')
    isDown = false
    expect((await second).size).toBe(1)
  })

  it('appends after another node that was faster', async () => {
    let races = 0
    const append =
      (part: AuditStore): AuditStore['append'] =>
      (...args) =>
        races++ < 3 ? Promise.resolve(false) : part.append(...args)
    const { sequencer, note } = rig({ edit: (part) => ({ append: append(part) }) })
    note()
    expect((await sequencer.run()).size).toBe(1)
    expect(races).toBe(4)
  })

  it('gives up after 20 lost races', async () => {
    let races = 0
    const append = async () => {
      races++
      return false
    }
    const { sequencer, note, pending } = rig({ edit: () => ({ append }) })
    note()
    expect((await sequencer.run()).size).toBe(0)
    expect([races, (await pending()).length]).toEqual([20, 1])
  })

  it.each([
    ['throws', () => JSON.parse('no JSON')],
    ['rejects', () => Promise.reject(new Error('no network'))],
  ])('succeeds if the listener %s', async (_, onCheckpoint) => {
    const { sequencer, note } = rig({ onCheckpoint })
    note()
    expect((await sequencer.run()).size).toBe(1)
    await flush()
  })
})

describe('the timer of the sequencer', () => {
  it('appends at the interval until it is stopped', async () => {
    const { sequencer, note, timers, part } = rig()
    sequencer.start()
    note()
    timers[0]?.run()
    await flush()
    expect([(await part.head()).size, timers.length]).toEqual([1, 2])
    sequencer.stop()
    expect(timers[1]?.isCancelled).toBe(true)
    note()
    timers[1]?.run()
    await flush()
    expect([(await part.head()).size, timers.length]).toEqual([1, 2])
  })

  it('is not set again by a run that is in progress when it is stopped', async () => {
    const { sequencer, timers } = rig()
    sequencer.start()
    timers[0]?.run()
    sequencer.stop()
    await flush()
    expect(timers).toHaveLength(1)
  })
})
