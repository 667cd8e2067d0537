/** Pulls whose requests receive their responses out of order. */
import { afterEach, describe, expect, it } from 'vitest'
import { chaosLog } from 'watchword/testkit'
import { type DelayedLine, delayed, wait } from '../../../support/delayed-feed.js'
import { ACTOR, around, drive, issueOn, SECOND } from '../../../support/fleet.js'
import { type LogFleet, newLogFleet } from '../../../support/log-fleet.js'
import { runs } from '../../../support/runs.js'

let fleet: LogFleet
afterEach(() => fleet.close())

describe('a response of the log that another one overtakes', () => {
  const LEASE_MS = 20 * SECOND
  // The touch is sent at a time of its own, which is drawn: not each trial meets it.
  const TRIALS = 40
  // About a third of the trials does.
  const ENOUGH = runs(12, 3)

  /**
   * Three nodes, of which two lose the store and then the third, which revokes on its side of the log. The second one
   * receives the response to its next `head` after that to a `touch` which it sent later. Resolves with how long the
   * second one accepted the token after the acknowledgement, or with `undefined` if it did not touch in time.
   */
  async function acceptedFor(untilSignMs: number): Promise<number | undefined> {
    fleet = await newLogFleet()
    const { clock, log } = fleet
    const half = chaosLog()
    const lines: DelayedLine[] = []
    const lost = new Set<number>()
    const nodes = []
    for (let i = 0; i < 3; i++) {
      const line: DelayedLine = { log: log.feed() }
      lines.push(line)
      const reachable = around(fleet.store, async (_, call) => {
        if (lost.has(i)) throw new Error('the store is cut off')
        return call()
      })
      const options = {
        store: { ...reachable, supports: { durable: true } },
        maxStaleness: LEASE_MS,
        clockTolerance: 100,
      }
      nodes.push((await fleet.startNode(options, delayed(clock, line, 2))).watchword)
    }
    const [, second, third] = nodes
    const line = lines[1]
    if (second === undefined || third === undefined || line === undefined) throw new Error('none')
    await fleet.pass(3 * SECOND)
    const { token } = await drive(clock, issueOn(third))
    lost.add(0).add(1)
    await fleet.pass(untilSignMs)
    await drive(clock, third.revoke({ subject: 'another' }, ACTOR), 1)
    const signed = log.head
    half.head = log.head
    half.events = [...log.events]
    if (lines[2] !== undefined) lines[2].log = half.feed()

    let touched = false
    let onAsked = (): void => undefined
    let onTouched = (): void => undefined
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve
    })
    const overtaken = new Promise<void>((resolve) => {
      onTouched = resolve
    })
    line.touch = async (...args) => {
      delete line.touch
      touched = log.head?.beaconAt === signed?.beaconAt
      line.head = async (options) => {
        delete line.head
        const head = await line.log.head(options)
        onAsked()
        await overtaken
        await wait(clock, 5)
        return head
      }
      await asked
      const result = await line.log.touch?.(...args)
      setTimeout(onTouched, 0)
      return result ?? false
    }
    await drive(clock, third.revoke({ token }, ACTOR), 1)
    const acknowledged = clock.monotonic()
    let last = 0
    for (let passed = 0; passed < 1.5 * LEASE_MS; passed += 20) {
      await clock.advance(20)
      if (second.verify(token).ok) last = clock.monotonic() - acknowledged
    }
    return touched ? last : undefined
  }

  it('is no sign of a node that is cut off', { timeout: 300_000 }, async () => {
    const reached: number[] = []
    for (let i = 0; i < TRIALS && reached.length < ENOUGH; i++) {
      const ms = await acceptedFor(10 * SECOND + i * (3000 / TRIALS))
      if (ms !== undefined) reached.push(ms)
      await fleet.close()
    }
    expect(reached.length).toBeGreaterThan(0)
    expect(Math.max(...reached)).toBeLessThanOrEqual(LEASE_MS)
  })
})
