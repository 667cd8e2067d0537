/**
 * Verifying a token that was seen before, by a node that holds nothing revoked and by one that holds millions.
 *
 * @module
 */

import { startParts, stopParts } from '../../src/authority/lifecycle.js'
import type { Parts } from '../../src/authority/parts.js'
import { buildParts } from '../../src/authority/wiring.js'
import { resolveOptions } from '../../src/options/options.js'
import { ready } from '../../src/paseto.js'
import { issueMany } from '../../src/verbs/issue.js'
import { NO_REQUIREMENT } from '../../src/verbs/requirement.js'
import { demand } from '../expect.js'
import { median } from '../statistics.js'
import { HOUR, nextId, numbers } from './ids.js'
import { OPTIONS } from './node.js'

const TOKENS = 1000
const ROUNDS = 21
const PASSES = 100

/** Nanoseconds a call, and their ratio. */
export interface HotFigures {
  readonly emptyNs: number
  readonly fullNs: number
  readonly ratio: number
}

/** Measures both in turn. */
export async function hot(revocations: number): Promise<HotFigures> {
  await ready
  const [empty, full] = [await start(), await start()]
  fill(full.parts, revocations)
  const times: { empty: number[]; full: number[] } = { empty: [], full: [] }
  for (let round = 0; round < ROUNDS; round++) {
    times.empty.push(timeOf(empty))
    times.full.push(timeOf(full))
  }
  for (const { parts } of [empty, full]) await stopParts(parts)
  const [emptyNs, fullNs] = [median(times.empty), median(times.full)]
  return { emptyNs, fullNs, ratio: fullNs / emptyNs }
}

interface Node {
  readonly parts: Parts
  readonly tokens: readonly string[]
}

async function start(): Promise<Node> {
  const parts = buildParts(resolveOptions({ ...OPTIONS, maxRevocations: 20_000_000 }))
  await startParts(parts)
  const input = { policy: 'service', subject: 'svc_billing', actor: 'bench' }
  const issued = await issueMany(
    parts,
    Array.from({ length: TOKENS }, () => input),
  )
  return { parts, tokens: issued.map(({ token }) => token) }
}

function fill({ index, clock }: Parts, revocations: number): void {
  const next = numbers(5)
  const id = new Int32Array(4)
  const expiresAt = clock.now() + 24 * HOUR
  for (let i = 0; i < revocations; i++) {
    nextId(next, id)
    index.applyWords(id, expiresAt + (i % 24) * HOUR)
  }
  demand('hot', index.size === revocations)
}

function timeOf({ parts, tokens }: Node): number {
  const { verifier } = parts
  let good = 0
  const from = process.hrtime.bigint()
  for (let pass = 0; pass < PASSES; pass++)
    for (const token of tokens) if (verifier.verify(token, NO_REQUIREMENT).ok) good++
  const ns = Number(process.hrtime.bigint() - from)
  demand('hot', good === PASSES * TOKENS)
  return ns / good
}
