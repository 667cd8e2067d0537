/**
 * Automatic rotation: returns the successor of a token that is due in a response header.
 *
 * `rotate` treats a rotated token that is presented after its grace as stolen and revokes its family. A client that
 * only calls an API must not cause that, so a token is rotated here only while its grace is certain to last.
 *
 * @module
 */

import { invalidOption } from '../lib/invalid.js'
import type { Verified } from '../types.js'
import type { Direct } from '../verbs/direct.js'
import type { ResolvedTokenOptions, TokenAuthority } from './options.js'

type SuccessorHeaders = Readonly<Record<string, string>>

/** Rotates tokens that are due. */
export interface AutoRotation<Claims> {
  /** Whether the token is to be rotated now. */
  isDue(auth: Verified<Claims>): boolean
  /** The headers that carry the successor; empty if there is none. Never rejects. */
  successorOf(token: string, auth: Verified<Claims>): Promise<SuccessorHeaders>
}

// The sequential reads of a rotation, here and in `rotate`, each within the authority's timeout.
const READS = 3
// The clock of the node that set the end of the grace may be ahead.
const SKEW_MS = 5_000
/** The minimum interval between rotations of one token: a client that ignores the header must not load the store. */
const INTERVAL_MS = 15_000
const MAX_REMEMBERED = 10_000
const MAX_ACTOR_LENGTH = 256

type AutoRotationOptions = Pick<
  ResolvedTokenOptions<unknown>,
  'rotateDue' | 'requirement' | 'timeoutMs'
>

/** Creates an automatic rotation; it does nothing if the option is off. Throws `ERR_INVALID_OPTION`. */
export function makeAutoRotation<Claims>(
  authority: TokenAuthority<Claims>,
  direct: Direct<Claims> | undefined,
  { rotateDue, requirement, timeoutMs }: AutoRotationOptions,
): AutoRotation<Claims> {
  if (!rotateDue) return { isDue: () => false, successorOf: async () => ({}) }
  const rotate = authority.rotate?.bind(authority)
  const { tokens } = authority
  if (direct === undefined || rotate === undefined || tokens === undefined) {
    throw invalidOption(
      'rotateDue',
      'expected an authority made by createWatchword, which can rotate',
    )
  }
  const { binding } = requirement
  const bound = binding === undefined ? {} : { binding }
  const askedAt = new Map<string, number>()
  const { clock } = direct
  const safeMs = READS * direct.timeoutMs + SKEW_MS

  const isDue = ({ id, rotateAt, policy }: Verified<Claims>): boolean => {
    if (clock.now() < rotateAt || direct.graceMs(policy) < safeMs) return false
    const last = askedAt.get(id) ?? Number.NEGATIVE_INFINITY
    return clock.monotonic() - last >= INTERVAL_MS
  }

  const exchange = async (
    token: string,
    { id, subject }: Verified<Claims>,
  ): Promise<SuccessorHeaders> => {
    try {
      if (!(await isSafe(tokens, id, clock.judged() + safeMs))) return {}
      const actor = subject.slice(0, MAX_ACTOR_LENGTH).toWellFormed()
      const successor = await rotate(token, { actor, ...bound })
      return { 'token-successor': successor.token, 'cache-control': 'no-store' }
    } catch {
      // The token is valid. A failed rotation is only audited, and the next request retries.
      return {}
    }
  }

  const successorOf = (token: string, auth: Verified<Claims>): Promise<SuccessorHeaders> => {
    if (askedAt.size >= MAX_REMEMBERED) askedAt.clear()
    askedAt.set(auth.id, clock.monotonic())
    return new Promise((resolve) => {
      // A request waits for one store timeout at most. A successor that arrives later is returned next time.
      const timer = clock.setTimer(() => resolve({}), Math.min(direct.timeoutMs, timeoutMs / 2))
      void exchange(token, auth).then((headers) => {
        timer.cancel()
        resolve(headers)
      })
    })
  }

  return { isDue, successorOf }
}

/** Whether presenting the token to `rotate` until then is certain not to count as reuse. */
async function isSafe(
  tokens: NonNullable<TokenAuthority['tokens']>,
  id: string,
  until: number,
): Promise<boolean> {
  const record = await tokens.get(id)
  // Rotating the successor ends this token's grace in the same store operation.
  return record !== undefined && (record.supersededAt === null || until <= record.supersededAt)
}
