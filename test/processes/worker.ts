/**
 * One of the processes that work on one database at once. It takes its orders as the only argument, and works until it
 * receives `stop` on its standard input or is killed.
 */
import { createWatchword, type IssuedToken, type Watchword, WatchwordError } from 'watchword'
import { write } from './history.js'
import { LIMITED, limitedSubject, type Orders, optionsOf } from './orders.js'
import { openStore } from './stores.js'

const orders = JSON.parse(process.argv[2] as string) as Orders
const { store, end } = await openStore(orders.place)
const watchword = await start()

// A connection may be cut before an authority exists that handles its error.
async function start(): Promise<Watchword> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await createWatchword(optionsOf(orders, store))
    } catch (error) {
      if (!isOutage(error) || attempt === 10) throw error
    }
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof WatchwordError && error.code === 'ERR_STORE_UNAVAILABLE'
}

process.stdout.write('at work\n')

let stopping = false
// Stops when it receives `stop`, or when its parent has died.
for (const event of ['data', 'end'] as const) {
  process.stdin.on(event, () => {
    stopping = true
  })
}

/** The tokens whose text this process has: its own, and those that all workers share. */
const held: { token: string; id: string; family: string; subject: string }[] = [...orders.shared]

let state = orders.seed
/** A small random generator with a seed, so that a failing run can be identified. */
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return Math.floor((state / 0x80000000) * below)
}

function hold(issued: IssuedToken): void {
  const { token, id, family, subject } = issued
  if (held.length < 200) held.push({ token, id, family, subject })
  else held[random(held.length)] = { token, id, family, subject }
}

async function issue(on: Watchword): Promise<void> {
  const limited = random(4) === 0
  const subject = limited ? limitedSubject(random(LIMITED.subjects)) : `user-${random(40)}`
  const policy = limited ? 'limited' : 'open'
  const issued = await on.issue({ policy, subject, actor: 'worker', scopes: ['a:read'] })
  write(orders.history, { act: 'issued', id: issued.id, subject })
  if (!limited) hold(issued)
}

async function rotate(on: Watchword): Promise<void> {
  const from = held[random(held.length)]
  if (from === undefined) return
  const issued = await on.rotate(from.token, { actor: 'worker' })
  write(orders.history, { act: 'rotated', from: from.id, to: issued.id })
  hold(issued)
}

async function revoke(on: Watchword): Promise<void> {
  const target = held[random(held.length)]
  if (target === undefined || orders.shared.some(({ family }) => family === target.family)) return
  const kinds = ['token', 'family', 'subject'] as const
  const kind = kinds[random(20) === 0 ? 2 : random(2)] as (typeof kinds)[number]
  const value = kind === 'token' ? target.id : target[kind]
  const aim =
    kind === 'token' ? { id: value } : kind === 'family' ? { family: value } : { subject: value }
  await on.revoke(aim, { actor: 'worker' })
  write(orders.history, { act: 'revoked', kind, value })
}

async function list(on: Watchword): Promise<void> {
  await on.tokens.list({ subject: `user-${random(40)}`, limit: 20 })
}

const VERBS = [issue, issue, issue, rotate, rotate, rotate, revoke, list] as const

while (!stopping) {
  // A synchronous client never yields to the event loop, so the stop order would not be received.
  await new Promise((resolve) => setImmediate(resolve))
  const verb = VERBS[random(VERBS.length)] as (typeof VERBS)[number]
  try {
    await verb(watchword)
  } catch (error) {
    if (!(error instanceof WatchwordError)) throw error
    // After an outage the outcome is unknown. Every other error means that nothing was written.
    write(orders.history, { act: isOutage(error) ? 'failed' : 'refused', code: error.code })
  }
}
await watchword.close().catch((error: unknown) => {
  if (!isOutage(error)) throw error
})
await end()
process.exit(0)
