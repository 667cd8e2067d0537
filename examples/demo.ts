// `npm run demo`: a leaked token is revoked under load, on another node than the one that receives the requests. The
// program measures every figure that it prints, and fails if a guarantee does not hold.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { type KeyObject, randomBytes } from 'node:crypto'
import { on, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { medianMicroseconds } from './demo/checks.js'
import { type Sample, send, startClients } from './demo/clients.js'
import { isJwtValid, issueJwt, jwtKey, pipeChannel, type Shared, startNode } from './demo/node.js'
import { latency, latencyRow, quantile, statusRow } from './demo/picture.js'

const isPlain = !process.stdout.isTTY || Boolean(process.env['NO_COLOR'])
const COLUMNS = 60
const COLUMN_MS = 20
const HALF_MS = (COLUMNS / 2) * COLUMN_MS

type Node = Awaited<ReturnType<typeof startNode>>
type Run = Awaited<ReturnType<typeof revokeUnderLoad>>
type Times = Awaited<ReturnType<typeof measureChecks>>

const { WATCHWORD_DEMO } = process.env
if (WATCHWORD_DEMO === undefined) await lead()
else await serve(JSON.parse(WATCHWORD_DEMO) as Shared)

/** The second process: node 2, until the first process disconnects. */
async function serve(shared: Shared): Promise<void> {
  const node = await startNode('node-2', shared, pipeChannel(process))
  process.send?.({ url: node.url })
  await once(process, 'disconnect')
  await node.close()
}

/** The first process: node 1 and the clients. */
async function lead(): Promise<void> {
  await ready
  const folder = mkdtempSync(join(tmpdir(), 'watchword-demo-'))
  // Runs after `process.exit` as well.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  process.once('SIGINT', () => process.exit(130))
  const rootKey = exportKey(generateKey())
  const shared = { folder, rootKey, jwtSecret: randomBytes(32).toString('base64url') }
  const env = { ...process.env, WATCHWORD_DEMO: JSON.stringify(shared) }
  const child = fork(process.argv[1] ?? '', { env })
  try {
    const [url, node] = await Promise.all([
      urlOf(child),
      startNode('node-1', shared, pipeChannel(child)),
    ])
    const run = await revokeUnderLoad(node, url, jwtKey(shared))
    print(run, await measureChecks(node, jwtKey(shared)))
    await node.close()
  } finally {
    await end(child)
  }
}

/** Issues the tokens, sends the load, and revokes one token halfway. */
async function revokeUnderLoad({ watchword, url }: Node, ordersUrl: string, key: KeyObject) {
  const issue = (subject: string, scope: string) =>
    watchword.issue({ policy: 'service', subject, scopes: [scope], actor: 'demo' })
  const ops = await issue('ops', 'tokens:manage')
  const other = await issue('svc_mail', 'orders:read')
  const token = await issue('svc_billing', 'orders:read')
  const clients = {
    leaked: startClients(`${ordersUrl}/orders`, token.token),
    other: startClients(`${ordersUrl}/orders`, other.token),
    jwt: startClients(`${ordersUrl}/jwt/orders`, issueJwt('svc_billing', key)),
  }
  const { leaked, jwt } = clients
  await sleep(500)
  const startedAt = performance.now()
  await sleep(HALF_MS)
  const deletion = await send(`${url}/tokens/${token.id}`, ops.token, { method: 'DELETE' })
  assert.equal(deletion.status, 204)
  await sleep(deletion.sentAt + HALF_MS - performance.now())
  // On a slow machine, the required number of requests may not have been reached yet.
  while (!sentAfter(leaked, deletion).length || !sentAfter(jwt, deletion).length) await sleep(10)
  await Promise.all(Object.values(clients).map(({ stop }) => stop()))

  assert.ok(sentAfter(leaked, deletion).every(({ status }) => status === 401))
  assert.ok([...clients.other.samples, ...jwt.samples].every(({ status }) => status === 200))
  const rejection = leaked.samples.find(({ status }) => status === 401)
  assert.ok(rejection)
  return { token, clients, startedAt, deletion, rejection }
}

/** Prints what the clients saw. */
function print({ token, clients, startedAt, deletion, rejection }: Run, [hot, cold, jwt]: Times) {
  const { sentAt } = deletion
  const samples = Object.values(clients).flatMap((each) => each.samples)
  const before = samples.filter((each) => each.sentAt > startedAt && each.endedAt < sentAt)
  const after = samples.filter((each) => each.sentAt > sentAt)
  const issued = new Date(token.issuedAt).toISOString().slice(0, 10)
  const expires = new Date(token.expiresAt).toISOString().slice(0, 10)
  const rate = Math.round((before.length / HALF_MS) * 1000)
  const worked = `${(rejection.endedAt - sentAt).toFixed(1)} ms`
  const clock = performance.timeOrigin
  console.log(bold(`watchword: two processes, HTTP and SQLite, on ${issued} (UTC)`))
  event(token.issuedAt, `node 1 issues a token to svc_billing, valid until ${expires}`)
  event(clock + startedAt, `six clients send ${rate} requests a second to node 2`)
  event(clock + sentAt, 'the token has leaked: DELETE /tokens/:id is sent to node 1')
  const rejected = `node 2 rejects it, ${worked} after the DELETE was sent`
  const confirmed = 'node 1 responds 204: every node has confirmed the revocation'
  const last = [
    [rejection.endedAt, rejected],
    [deletion.endedAt, confirmed],
  ] as const
  for (const [at, text] of last.toSorted(([a], [b]) => a - b)) event(clock + at, text)
  console.log()

  const slices = { from: sentAt - HALF_MS, width: COLUMN_MS, count: COLUMNS }
  const { max, row } = latencyRow(samples, slices)
  line('', `${' '.repeat(COLUMNS / 2)}| DELETE`)
  line('latency', row)
  line('leaked token', statusRow(clients.leaked.samples, slices))
  line('other token', statusRow(clients.other.samples, slices))
  line('leaked JWT', statusRow(clients.jwt.samples, slices))
  line('', `a column is ${COLUMN_MS} ms, the highest bar ${max.toFixed(2)} ms; · 200, x 401`)
  line('before', summary(before))
  line('after', summary(after))
  console.log()

  table('', 'watchword', 'JWT (jsonwebtoken, HS256)')
  table('leaked, it works for', worked, `30 days, until ${expires}`)
  table('one check', `${hot} µs, first time ${cold} µs`, `${jwt} µs`)
  table('its claims', 'encrypted', 'readable by any holder')
  const [late, lateJwt] = [clients.leaked, clients.jwt].map((each) => sentAfter(each, deletion))
  const passed = `token 0 of ${late?.length}, JWT ${lateJwt?.length} of ${lateJwt?.length}`
  console.log(bold(`Accepted after node 1 confirmed: ${passed} requests.`))
}

/** The microseconds of one check: of a token seen before, of a new one, and of a JWT. */
async function measureChecks({ watchword }: Node, key: KeyObject) {
  const issue = async (prefix: string) => {
    const inputs = Array.from({ length: 1000 }, (_, i) => {
      const subject = `${prefix}_${1000 + i}`
      return { policy: 'service', subject, scopes: ['orders:read'], actor: 'demo' }
    })
    const issued = await watchword.issueMany(inputs)
    return issued.map(({ token }) => token)
  }
  const jwts = Array.from({ length: 1000 }, (_, i) => issueJwt(`svc_${1000 + i}`, key))
  const route = watchword.require({ scopes: ['orders:read'] })
  const checkToken = (token: string) => watchword.verify(token, route).ok
  const checkJwt = (token: string) => isJwtValid(token, key)

  // The first pass of each is not measured, because its code is not compiled yet.
  const [first, tokens] = [await issue('one'), await issue('two')]
  medianMicroseconds(first, checkToken)
  const cold = medianMicroseconds(tokens, checkToken)
  medianMicroseconds(tokens, checkToken)
  const hot = medianMicroseconds(tokens, checkToken)
  medianMicroseconds(jwts, checkJwt)
  const jwt = medianMicroseconds(jwts, checkJwt)
  return [hot.toFixed(1), cold.toFixed(1), jwt.toFixed(1)] as const
}

/** The requests that were sent after this response. */
function sentAfter({ samples }: { readonly samples: readonly Sample[] }, { endedAt }: Sample) {
  return samples.filter(({ sentAt }) => sentAt > endedAt)
}

async function urlOf(child: ChildProcess): Promise<string> {
  const signal = AbortSignal.timeout(60_000)
  for await (const [message] of on(child, 'message', { signal, close: ['exit'] }))
    if (typeof message === 'object') return (message as { readonly url: string }).url
  throw new Error('node 2 ended before it listened')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(60_000) })
  child.disconnect()
  await ended.catch(() => child.kill('SIGKILL'))
  assert.equal(child.exitCode, 0)
}

function bold(text: string): string {
  return isPlain ? text : styleText('bold', text)
}

function event(at: number, text: string): void {
  console.log(`${new Date(at).toISOString().slice(11, 23)}  ${text}`)
}

function line(label: string, text: string): void {
  console.log(`${label.padEnd(14)}${text}`)
}

function table(label: string, ours: string, theirs: string): void {
  console.log(`${label.padEnd(22)}${ours.padEnd(30)}${theirs}`)
}

function summary(samples: readonly Sample[]): string {
  const times = samples.map(latency)
  const [median = 0, high = 0] = [0.5, 0.99].map((share) => quantile(times, share))
  return `median ${median.toFixed(2)} ms, 99 % below ${high.toFixed(2)} ms, ${samples.length} requests`
}
