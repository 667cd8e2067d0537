/**
 * The schema of a register of restrictions that a store returns.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { RestrictionRecord, RestrictionTarget } from './restrictions.js'

const whole = z.number().check(z.int(), z.nonnegative())
const text = z.string().check(z.minLength(1))

const shape = z.object({
  kind: z.enum(['token', 'family', 'subject', 'audience', 'freeze']),
  value: z.string(),
  revision: z.number().check(z.int(), z.positive()),
  state: text,
  family: z.nullable(text),
  generation: z.nullable(whole),
  at: whole,
  actor: text,
  reason: z.nullable(text),
  expiresAt: whole,
  tag: z.string(),
})

/** The register in a row; `undefined` if the row does not parse. */
export function parseRestriction(row: unknown): RestrictionRecord | undefined {
  const { data } = shape.safeParse(row)
  if (data === undefined) return undefined
  const { kind, value, family, generation } = data
  const isNamed = (value === '') === (kind === 'freeze')
  const isPlaced = (family === null) === (generation === null)
  return isNamed && isPlaced && (kind === 'token' || family === null) ? data : undefined
}

/** The target of a row; `undefined` if it has none. */
export function targetOf(row: unknown): RestrictionTarget | undefined {
  if (typeof row !== 'object' || row === null) return undefined
  const { kind, value } = row as Partial<RestrictionTarget>
  return typeof kind === 'string' && typeof value === 'string' ? { kind, value } : undefined
}

/** The name of a register in errors, such as `subject:ann`; `?` if the row has no target. */
export function restrictionName(row: unknown): string {
  const target = targetOf(row)
  // No kind has a colon.
  return target === undefined ? '?' : `${target.kind}:${target.value}`
}
