/**
 * Issue, get, rotate and revoke, beside the client's own round trip.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import type { IssuedToken, Watchword } from '../../src/index.js'
import { accepts, demand, refuses } from '../expect.js'
import { issueFresh, nextInput, type PolicyName } from './authority.js'
import type { Stock } from './lists.js'
import type { Client } from './places/place.js'
import type { Contender } from './race.js'
import type { Records } from './records.js'

/** How many calls are under way at once, where more than one is. */
export const IN_FLIGHT = 50

/** What every operation is compared with. */
export const RAW_READ = 'raw look-up'
const RAW_WRITE = 'raw write'
const BY = { reason: 'bench', actor: 'bench' }

/** What is timed, in this order. */
export const OPERATIONS = [
  RAW_READ,
  RAW_WRITE,
  'get',
  'issue',
  'issue, limited',
  'rotate',
  'revoke',
] as const

/** The contenders, each one at a time and with many in flight. Rejects if an operation does not do what it should. */
export async function operations(client: Client, stock: Stock): Promise<Contender[]> {
  const { authority, records } = stock
  await check(stock)
  const calls: Record<(typeof OPERATIONS)[number], Omit<Contender, 'name'>> = {
    [RAW_READ]: { call: () => client.roundTrip() },
    [RAW_WRITE]: { call: () => client.rawWrite() },
    get: { call: get(authority, records) },
    issue: { call: issue(authority, 'service') },
    'issue, limited': { call: issue(authority, 'limited') },
    rotate: rotate(authority),
    revoke: revoke(authority),
  }
  return OPERATIONS.flatMap((name) => [
    { name, ...calls[name] },
    { name: inFlight(name), inFlight: IN_FLIGHT, ...calls[name] },
  ])
}

/** The name of the same contender with many calls in flight. */
export const inFlight = (name: string): string => `${name} ×${IN_FLIGHT}`

async function check({ authority, records }: Stock): Promise<void> {
  for (const number of [0, Math.floor(records.count / 3), records.count - 1]) {
    const record = records.record(number)
    demand('get', isDeepStrictEqual({ ...(await authority.tokens.get(record.id)) }, record))
  }
  demand('get', (await authority.tokens.get(records.id(records.count))) === undefined)
  const token = await authority.issue(nextInput())
  demand('issue', accepts(authority.verify(token.token), token))
  demand('issue', (await authority.tokens.get(token.id))?.subject === token.subject)
  const next = await authority.rotate(token.token, { actor: 'bench' })
  const before = await authority.tokens.get(token.id)
  demand('rotate', next.id !== token.id, before?.successor === next.id)
  demand('rotate', accepts(authority.verify(next.token), next))
  demand('rotate', (await authority.tokens.get(next.id))?.predecessor === token.id)
  await authority.revoke({ id: next.id }, BY)
  demand('revoke', refuses(authority.verify(next.token), 'revoked'))
  demand('revoke', typeof (await authority.tokens.get(next.id))?.revokedAt === 'number')
}

function get(authority: Watchword, records: Records): Contender['call'] {
  let turn = 0
  return async () => {
    // A stride that is no divisor of the count goes all over the table.
    const id = records.id((turn++ * 7919) % records.count)
    return (await authority.tokens.get(id))?.id === id
  }
}

function issue(authority: Watchword, policy: PolicyName): Contender['call'] {
  return async () => (await authority.issue(nextInput(policy))).token.length > 400
}

function rotate(authority: Watchword): Omit<Contender, 'name'> {
  const tokens = supply(authority)
  const call = async () => {
    const token = tokens.next()
    return (await authority.rotate(token.token, { actor: 'bench' })).id > token.id
  }
  return { prepare: tokens.prepare, call }
}

function revoke(authority: Watchword): Omit<Contender, 'name'> {
  const tokens = supply(authority)
  const call = async () => {
    const { id } = tokens.next()
    return (await authority.revoke({ id }, BY)).value === id
  }
  return { prepare: tokens.prepare, call }
}

/** Tokens that can be used up. */
function supply(authority: Watchword) {
  let tokens: IssuedToken[] = []
  return {
    prepare: async (wanted: number) => {
      tokens = await issueFresh(authority, wanted)
    },
    next: () => {
      const token = tokens.pop()
      if (token === undefined) throw new Error('no token is left')
      return token
    },
  }
}
