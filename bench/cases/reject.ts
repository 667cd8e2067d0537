/**
 * Reject: what a stranger's text costs, by the reason why it is refused.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import { createWatchword, type Watchword } from '../../src/index.js'
import { accepts, demand, refuses, throws } from '../expect.js'
import {
  AUDIENCE,
  createFixture,
  type Fixture,
  ISSUER,
  issueMany,
  POLICIES,
  SCOPE,
} from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { MALFORMED } from '../malformed.js'
import { fastJwt, jwtKeys, signAll } from '../peers.js'
import { cutter, cutting, tampered } from '../pool.js'
import type { Case } from '../results.js'

/** How many different texts there are of each kind of malformed token. */
const TEXTS = 2000
const COLD = 'cold verify of a good token'

export const reject: Case = {
  name: 'reject',
  async run(settings) {
    const fixture = await createFixture()
    const contenders = [
      ...malformed(fixture),
      ...(await wellFormed(fixture)),
      ...(await peers(fixture)),
      cutting(fixture.tokens),
    ]
    const outcome = await compete(contenders, settings, COLD)
    await fixture.close()
    return {
      name: 'reject',
      title: 'Reject',
      about: [
        `Malformed: ${MALFORMED.length} kinds in equal parts, ${TEXTS} texts of each. Forged: one character changed.`,
        'Expired and revoked tokens were seen before; forged ones never are. The string is cut by all.',
      ],
      figures: [],
      ...outcome,
    }
  },
}

function malformed({ cached, tokens }: Fixture): Contender[] {
  const samples = tokens.slice(0, TEXTS)
  const kinds = MALFORMED.map(({ name, code, make }) => ({ name, code, texts: samples.map(make) }))
  const mix = samples.flatMap((_, i) => kinds.map(({ texts }) => texts[i] as string))
  return [
    refusing('malformed, mixed', cached, mix),
    ...kinds.map(({ name, code, texts }) => refusing(`malformed: ${name}`, cached, texts, code)),
  ]
}

async function wellFormed({ cached, uncached, issued, tokens, revoked }: Fixture) {
  const brief = (await issueMany(cached, 2000, { policy: 'brief' })).map(({ token }) => token)
  demand('brief', cached.verify(brief.at(-1)).ok)
  const forged = tokens.map(tampered)
  const strangers = await foreignTokens()
  const revokedTexts = revoked.map(({ token }) => token)
  await setTimeout(1100)
  return [
    coldVerify(uncached, issued, tokens),
    refusing('forged', cached, forged, 'invalid'),
    refusing('forged, no cache', uncached, forged, 'invalid'),
    refusing('unknown key', cached, strangers, 'unknown_key'),
    refusing('expired', cached, brief, 'expired'),
    refusing('revoked', cached, revokedTexts, 'revoked'),
  ]
}

/** Tokens of an authority of the same name, with keys of its own. */
async function foreignTokens(): Promise<string[]> {
  const stranger = await createWatchword({ issuer: ISSUER, audience: AUDIENCE, policies: POLICIES })
  const tokens = (await issueMany(stranger, 2000)).map(({ token }) => token)
  await stranger.close()
  return tokens
}

function refusing(
  name: string,
  watchword: Watchword,
  texts: readonly string[],
  code?: string,
): Contender {
  const needs = watchword.require({ scopes: [SCOPE] })
  for (const text of texts) {
    const result = watchword.verify(text, needs)
    demand(name, code === undefined ? !result.ok : refuses(result, code))
  }
  const next = cutter(texts)
  return { name, kind: 'ours', call: () => (watchword.verify(next(), needs).ok ? 0 : 1) }
}

function coldVerify(
  watchword: Watchword,
  issued: Fixture['issued'],
  tokens: readonly string[],
): Contender {
  const name = COLD
  const needs = watchword.require({ scopes: [SCOPE] })
  issued.forEach((one, i) => {
    demand(name, accepts(watchword.verify(tokens[i], needs), one))
  })
  const next = cutter(tokens)
  return { name, kind: 'ours', call: () => (watchword.verify(next(), needs).ok ? 1 : 0) }
}

async function peers({ issued, tokens }: Fixture): Promise<Contender[]> {
  const keys = await jwtKeys()
  const verify = fastJwt(keys, false)
  const refusal = (name: string, texts: readonly string[]): Contender => {
    for (const text of texts)
      demand(
        name,
        throws(() => verify(text)),
      )
    const next = cutter(texts)
    return { name, kind: 'peer', call: () => (throws(() => verify(next())) ? 1 : 0) }
  }
  const jwts = signAll(issued.slice(0, TEXTS), keys)
  const broken = jwts.map(
    (token, i) => [token.slice(0, 60), `x${token}`, tokens[i] as string][i % 3],
  )
  return [
    refusal('fast-jwt, malformed', broken as string[]),
    refusal('fast-jwt, forged', jwts.map(tampered)),
  ]
}
