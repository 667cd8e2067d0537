/**
 * What the memory tests measure, in a process of its own: `child.ts leak|hold|slice <folder>` verifies tokens and writes
 * a heap snapshot, `child.ts root <folder>` starts an authority and writes one, `child.ts flood` floods an authority and prints what became of it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeHeapSnapshot } from 'node:v8'
import { createWatchword, type Watchword } from '../../src/index.js'
import { manualClock } from '../../src/testkit/clock.js'

const [mode = '', folder = ''] = process.argv.slice(2)

/** Texts in memory that is not V8's, as the headers of requests are. */
interface Texts {
  readonly bytes: Buffer
  readonly ends: readonly number[]
}

function pack(texts: readonly string[]): Texts {
  const bytes = Buffer.alloc(texts.reduce((sum, text) => sum + text.length, 0))
  const ends: number[] = []
  let end = 0
  for (const text of texts) {
    end += bytes.write(text, end, 'latin1')
    ends.push(end)
  }
  return { bytes, ends }
}

/** A fresh string, as a parser of requests would cut it. */
function cut({ bytes, ends }: Texts, at: number): string {
  return bytes.toString('latin1', at === 0 ? 0 : ends[at - 1], ends[at])
}

function start(): Promise<Watchword> {
  return createWatchword({
    issuer: 'https://auth.acme.example',
    audience: 'orders-api',
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
    clock: manualClock(),
  })
}

async function issue(watchword: Watchword, count: number): Promise<Texts> {
  const texts: string[] = []
  for (let i = 0; i < count; i++) {
    const claims = { tenant: `t${i}`, roles: ['reader', 'writer'] }
    const input = { policy: 'service', subject: `svc_${i}`, actor: 'ops', claims }
    texts.push((await watchword.issue({ ...input, scopes: ['orders:read'] })).token)
  }
  return pack(texts)
}

async function collect(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await new Promise(setImmediate)
    globalThis.gc?.()
  }
}

const held: string[] = []

async function snapshot(): Promise<void> {
  const watchword = await start()
  const tokens = await issue(watchword, 200)
  writeFileSync(join(folder, 'tokens'), tokens.ends.map((_, i) => cut(tokens, i)).join('\n'))
  const needs = watchword.require({ scopes: ['orders:read'] })
  let accepted = 0
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 200; i++) {
      if (watchword.verify(cut(tokens, i), needs).ok) accepted++
      watchword.verify(cut(tokens, i).replace('A', 'B'), { scopes: ['admin'] })
      await watchword.authenticate(cut(tokens, i), { freshness: 'store' })
    }
  }
  if (mode === 'hold') held.push(cut(tokens, 7))
  if (mode === 'slice') held.push(cut(tokens, 7).slice(20, 60))
  tokens.bytes.fill(0)
  await collect()
  writeHeapSnapshot(join(folder, 'snapshot'))
  const cached = watchword.health().cache.tokens
  console.log(JSON.stringify({ accepted, cached, held: held.length }))
}

async function flood(): Promise<void> {
  const watchword = await start()
  const good = await issue(watchword, 1000)
  const principals = good.ends.map((_, i) => watchword.verify(cut(good, i)))
  const sample = cut(good, 0)
  const codes: Record<string, number> = {}
  const present = (token: string) => {
    const result = watchword.verify(token)
    const code = result.ok ? 'ok' : result.code
    codes[code] = (codes[code] ?? 0) + 1
  }
  const dot = sample.lastIndexOf('.')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const forge = (i: number) => {
    const body = randomBytes(60).toString('base64url')
    const at = 9 + ((i * 7919) % (dot - 9 - body.length))
    return sample.slice(0, at) + body + sample.slice(at + body.length)
  }
  const malform = (i: number) => {
    const at = (i * 7919) % sample.length
    const kinds = [
      () => sample.slice(0, at),
      () => `${sample}${alphabet[at % 64]}`,
      () => sample.slice(at + 1),
      () => `${sample.slice(0, at)}\u0141${sample.slice(at + 1)}`,
      () => sample.slice(0, dot) + randomBytes(40).toString('base64url'),
      () => randomBytes(50).toString('base64url'),
      () => `v4.local.${randomBytes(200).toString('base64url')}`,
      () => `${sample.slice(0, at)}.${sample.slice(at)}`,
    ]
    return (kinds[i % kinds.length] as () => string)()
  }
  const round = async (forged: number, malformed: number) => {
    for (let i = 0; i < forged; i++) present(forge(i))
    for (let i = 0; i < malformed; i++) present(malform(i))
    await collect()
  }
  await round(2000, 20_000)
  const before = { cache: watchword.health().cache, heap: process.memoryUsage().heapUsed }
  await round(200_000, 800_000)
  const after = { cache: watchword.health().cache, heap: process.memoryUsage().heapUsed }
  const hits = principals.filter((principal, i) => watchword.verify(cut(good, i)) === principal)
  const accepted = principals.filter((principal) => principal.ok).length
  console.log(JSON.stringify({ before, after, hits: hits.length, accepted, codes }))
}

/** Starts an authority whose root key is read from a file, and writes a snapshot of the heap. */
async function root(): Promise<void> {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  held.push(read('kept'))
  const watchword = await createWatchword({
    issuer: 'https://auth.acme.example',
    audience: 'orders-api',
    rootKey: read('root'),
    previousRootKeys: [read('previous')],
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
  })
  await collect()
  writeHeapSnapshot(join(folder, 'snapshot'))
  console.log(JSON.stringify({ status: watchword.health().status, held: held.length }))
}

const MODES: Readonly<Record<string, () => Promise<void>>> = { flood, root }
await (MODES[mode] ?? snapshot)()
