/**
 * Events applied from their bytes, and the longest pause of the event loop meanwhile.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import type { TokenEntry } from '../../src/revocation/index/entries.js'
import { RevocationIndex } from '../../src/revocation/index/revocation-index.js'
import { writeUlid } from '../../src/revocation/index/ulid-codec.js'
import { applyEntries } from '../../src/revocation/log/decode-event.js'
import { encodeEntries } from '../../src/revocation/log/encode-event.js'
import { MAX_ENTRIES } from '../../src/revocation/log/event-layout.js'
import { demand } from '../expect.js'
import { median } from '../statistics.js'
import { HOUR, ISSUED, nextId, numbers } from './ids.js'

/** What {@link apply} found. */
export interface ApplyFigures {
  readonly entries: number
  readonly seconds: number
  readonly entriesPerSecond: number
  /**
   * The longest time between two turns of the event loop, in milliseconds. Of each, no more counts than the process
   * computed: the rest of it another process had, which the machine was busy with.
   */
  readonly longestStallMs: number
}

const TIMES = 5

/**
 * Applies events of a thousand entries each, and lets everybody else have a turn after each: several times, each to an
 * index of its own. The rate is the median, the longest stall the least of all times: what else the machine did only adds
 * to it.
 *
 * @param hours - Over how many hours the expiries of the tokens are spread.
 */
export async function apply(entries = 1_000_000, hours = 1): Promise<ApplyFigures> {
  const events = [...eventsOf(entries, hours)]
  const found: ApplyFigures[] = []
  for (let i = 0; i < TIMES; i++) found.push(await applyOnce(events, entries))
  const seconds = median(found.map((each) => each.seconds))
  const longestStallMs = Math.min(...found.map((each) => each.longestStallMs))
  return { entries, seconds, entriesPerSecond: entries / seconds, longestStallMs }
}

async function applyOnce(events: readonly Uint8Array[], entries: number): Promise<ApplyFigures> {
  const index = new RevocationIndex()
  await setImmediate()
  const start = performance.now()
  let last = start
  let longestStallMs = 0
  let cpu = process.cpuUsage()
  for (const bytes of events) {
    demand('apply', applyEntries(bytes, { index })?.refused === 0)
    await setImmediate()
    const now = performance.now()
    const { user, system } = process.cpuUsage(cpu)
    longestStallMs = Math.max(longestStallMs, Math.min(now - last, (user + system) / 1000))
    last = now
    cpu = process.cpuUsage()
  }
  const seconds = (last - start) / 1000
  demand('apply', index.size === entries)
  return { entries, seconds, entriesPerSecond: entries / seconds, longestStallMs }
}

function* eventsOf(entries: number, hours: number): Generator<Uint8Array> {
  const next = numbers(4)
  const id = new Int32Array(4)
  for (let done = 0; done < entries; done += MAX_ENTRIES) {
    const event: TokenEntry[] = []
    for (let i = done; i < Math.min(done + MAX_ENTRIES, entries); i++) {
      nextId(next, id)
      event.push({ kind: 'token', value: writeUlid(id), expiresAt: ISSUED + (i % hours) * HOUR })
    }
    yield encodeEntries(event)
  }
}
