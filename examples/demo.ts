// `npm run demo`: the life of some tokens in one process. It asserts what it shows, and fails if something is off.
import assert from 'node:assert/strict'
import { styleText } from 'node:util'
import {
  createWatchword,
  type VerifyResult,
  WatchwordError,
  type WatchwordOptions,
} from 'watchword'
import { memoryFeed } from 'watchword/feed/memory'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { memoryStore } from 'watchword/store/memory'
import { manualClock } from 'watchword/testkit'

const colour = process.stdout.isTTY && !process.env['NO_COLOR']
const paint = (style: Parameters<typeof styleText>[0], text: string) =>
  colour ? styleText(style, text) : text
const title = (text: string) => console.log(paint('bold', text))
const line = (label: string, text: string) => console.log(`  ${label.padEnd(43)} ${text}`)

/** Prints a decision, after checking that it is the one that was announced. */
function decision(label: string, result: VerifyResult, expected: string): void {
  assert.equal(result.ok ? 'ok' : result.code, expected, label)
  const missing = !result.ok && 'missing' in result ? `, missing ${result.missing}` : ''
  line(label, result.ok ? paint('green', 'ok') : paint('red', expected) + missing)
}

const actor = 'ops@acme.example'
const options = {
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: {
    service: { ttl: '30d', scopes: ['orders:*'], grace: '60s' },
    session: { ttl: '15m', scopes: ['orders:read'] },
  },
} satisfies WatchwordOptions
const scopes = ['orders:read']

title('1. Two authorities on one store and one feed, as two nodes would be')
await ready
const clock = manualClock()
const shared = {
  ...options,
  clock,
  store: memoryStore(),
  feed: memoryFeed(),
  rootKey: exportKey(generateKey()),
}
const here = await createWatchword(shared)
const there = await createWatchword(shared)
const billing = await here.issue({ policy: 'service', subject: 'svc_billing', scopes, actor })
const alice = await here.issue({ policy: 'session', subject: 'usr_alice', scopes, actor })
line(`issued to ${billing.subject} (${billing.policy}, 30 days)`, `${billing.token.slice(0, 32)}…`)
line(`issued to ${alice.subject} (${alice.policy}, 15 minutes)`, `${alice.token.slice(0, 32)}…`)
decision('verify, orders:read', here.verify(billing.token, { scopes }), 'ok')
decision('the same on the other node', there.verify(billing.token, { scopes }), 'ok')
decision(
  'verify, orders:write',
  here.verify(billing.token, { scopes: ['orders:write'] }),
  'insufficient_scope',
)

title('2. How long that takes on this machine, with the clock of the machine')
const timed = await createWatchword(options)
const texts: string[] = []
while (texts.length < 10_000) {
  const inputs = Array.from({ length: 1000 }, (_, i) => {
    return { policy: 'service', subject: `svc_${10_000 + texts.length + i}`, scopes, actor }
  })
  for (const { token } of await timed.issueMany(inputs)) texts.push(token)
}
// One buffer, from which each token is cut afresh, as HTTP cuts a header; they are equally long.
const length = texts[0]?.length ?? 0
const bytes = Buffer.from(texts.join(''), 'latin1')
assert.equal(bytes.length, length * texts.length)
const route = timed.require({ scopes })

/** Microseconds for one check of one token, cutting included: the median over 100 batches of 100. */
function medianMicroseconds(): number {
  const times: number[] = []
  for (let next = 0; next < texts.length; ) {
    const end = next + 100
    let accepted = 0
    const start = performance.now()
    for (; next < end; next++) {
      const token = bytes.toString('latin1', next * length, (next + 1) * length)
      if (timed.verify(token, route).ok) accepted++
    }
    times.push((performance.now() - start) * 10)
    assert.equal(accepted, 100)
  }
  return times.sort((a, b) => a - b)[50] ?? Number.NaN
}
const cold = medianMicroseconds()
medianMicroseconds() // the path of a hit has not been compiled yet
const hot = medianMicroseconds()
assert.ok(hot < cold)
line(
  `verify, cold: ${length} characters, decrypted`,
  `${cold.toFixed(2)} µs, median of 100 batches`,
)
line('verify, hot: seen before, checked again', `${hot.toFixed(2)} µs, median of 100 batches`)
await timed.close()

title('3. A token is rotated: the old one has a minute of grace')
const next = await here.rotate(billing.token, { actor: billing.subject })
line('rotated to generation', `${next.generation}, same family`)
await clock.advance(59_999)
decision('the old token, 59,999 ms later', here.verify(billing.token, { scopes }), 'ok')
await clock.advance(1)
decision('the old token, 60,000 ms later', here.verify(billing.token, { scopes }), 'superseded')
decision('the new token', here.verify(next.token, { scopes }), 'ok')

title('4. A token is revoked: refused here, and on the other node')
await here.revoke({ token: alice.token }, { actor, reason: 'laptop stolen' })
decision('verify here', here.verify(alice.token), 'revoked')
decision('verify on the other node', there.verify(alice.token), 'revoked')
await assert.rejects(here.rotate(alice.token, { actor }), (error) => {
  assert.ok(error instanceof WatchwordError)
  line('rotate it all the same', `${error.code}, reason ${error.reason}`)
  return error.code === 'ERR_TOKEN_REJECTED' && error.reason === 'revoked'
})

title('5. The key is rotated, then the old one is revoked')
const [planned] = await here.keys.rotate()
line('published', `generation ${planned?.generation}, ${planned?.state} for 5 minutes`)
await clock.advance(5 * 60_000)
const mail = await here.issue({ policy: 'service', subject: 'svc_mail', scopes, actor })
assert.equal(mail.keyId, planned?.id)
decision('a token of the new key, on the other node', there.verify(mail.token), 'ok')
decision('a token of the old key, on the other node', there.verify(next.token), 'ok')
await here.keys.revoke(next.keyId, { actor, reason: 'found in a dump' })
decision('the old key revoked: its token there', there.verify(next.token), 'revoked')
decision('a token of the new key', there.verify(mail.token), 'ok')

title('6. The inventory knows every token, but not its text')
const { items } = await here.tokens.list()
assert.equal(items.length, 4)
for (const { subject, policy, generation, revokedReason, supersededAt, lastUsedAt } of items) {
  const end = revokedReason ?? (supersededAt === null ? 'live' : 'rotated')
  const used = lastUsedAt === null ? 'no use yet' : `used ${new Date(lastUsedAt).toISOString()}`
  line(`${subject}, ${policy}, generation ${generation}`, `${end}, ${used}`)
}
const { status, lag, revocations } = there.health()
assert.equal(status, 'live')
line('the other node', `${status}, lag ${lag}, ${revocations} revocations in memory`)
await here.close()
