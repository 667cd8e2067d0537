/**
 * One place from an empty database to its figures.
 *
 * @module
 */
import { startAuthority } from './authority.js'
import { BULK, bulk } from './bulk.js'
import { lists, PAGES, pageOf, type Stock } from './lists.js'
import { inFlight, OPERATIONS, operations, RAW_READ } from './operations.js'
import type { Client, Place, Shelf } from './places/place.js'
import { type Pace, race, ratio, type Times } from './race.js'
import { fill, Records } from './records.js'
import type { BulkFigures, ClientResult, Figure, PlaceResult } from './results.js'

const SMALL = 10_000
const FEWER = 200_000
const LONGEST_FILL_MS = 240_000

/** Fills the place, and times each of its clients. */
export async function runPlace(place: Place, rows: number, pace: Pace): Promise<PlaceResult> {
  const { small, large, fillMs, note } = await stock(place, rows)
  const clients: Record<string, ClientResult> = {}
  for (const client of place.clients) {
    clients[client.name] = await runClient(client, { small, large }, pace)
  }
  return {
    title: place.title,
    small: small.count,
    large: large.count,
    note,
    rowsPerSecond: (large.count / fillMs) * 1000,
    clients,
  }
}

async function stock({ clients: [client], settle }: Place, rows: number) {
  const now = Date.now()
  const authority = await startAuthority(client.store('small'))
  const keyId = authority.keys.list()[0]?.id ?? ''
  await authority.close()
  const small = new Records(SMALL, keyId, now)
  const smallMs = await fill(client.store('small'), small)
  const isSlow = rows > FEWER && (smallMs * rows) / SMALL > LONGEST_FILL_MS
  const large = new Records(isSlow ? FEWER : rows, keyId, now)
  const fillMs = await fill(client.store('large'), large)
  await settle()
  const note = isSlow ? `${rows} would have taken more than four minutes to fill in` : ''
  return { small, large, fillMs, note }
}

async function runClient(
  client: Client,
  records: Readonly<Record<Shelf, Records>>,
  pace: Pace,
): Promise<ClientResult> {
  const small = await startAuthority(client.store('small'))
  const large = await startAuthority(client.store('large'))
  try {
    const stocks: Record<Shelf, Stock> = {
      small: { authority: small, records: records.small },
      large: { authority: large, records: records.large },
    }
    const raw = { name: RAW_READ, call: () => client.roundTrip() }
    const pages = await race([raw, ...(await lists(stocks))], pace)
    const done = await race(await operations(client, stocks.large), pace)
    const issued = await race(await bulk(large), pace)
    return { operations: operationLines(done), pages: pageLines(pages), bulk: bulkOf(issued) }
  } finally {
    await Promise.all([small.close(), large.close()])
  }
}

type Found = ReadonlyMap<string, Times>

function timesOf(found: Found, name: string): Times {
  const times = found.get(name)
  if (times === undefined) throw new Error(`${name} was not timed`)
  return times
}

function figureOf(found: Found, name: string, raw: string): Figure {
  const times = timesOf(found, name)
  const { median, p95, checked } = times
  return { median, p95, ratio: ratio(times, timesOf(found, raw)), checked }
}

function operationLines(found: Found): ClientResult['operations'] {
  const lineOf = (name: string) => ({
    single: figureOf(found, name, RAW_READ),
    flight: figureOf(found, inFlight(name), inFlight(RAW_READ)),
  })
  return Object.fromEntries(OPERATIONS.map((name) => [name, lineOf(name)]))
}

function pageLines(found: Found): ClientResult['pages'] {
  const lineOf = (page: string) => ({
    small: figureOf(found, pageOf(page, 'small'), RAW_READ),
    large: figureOf(found, pageOf(page, 'large'), RAW_READ),
    growth: ratio(timesOf(found, pageOf(page, 'large')), timesOf(found, pageOf(page, 'small'))),
  })
  return Object.fromEntries(PAGES.map((page) => [page, lineOf(page)]))
}

function bulkOf(found: Found): BulkFigures {
  const many = timesOf(found, BULK.many)
  const single = timesOf(found, BULK.single)
  return { many: many.median, single: single.median, gain: ratio(single, many) }
}
