/**
 * The default rate limits of the token endpoints: per client, per token and per node.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Duration, parseDuration } from '../../lib/duration.js'

/** A budget: a burst of `burst` calls, plus one call for each `every`. */
export interface BudgetOptions {
  /** From 1 to 1,000,000. */
  readonly burst: number
  /** At least a millisecond. */
  readonly every: Duration
}

/**
 * The budgets of the endpoints for rotation, introspection and leak reports, counted per endpoint and process. A field
 * replaces the default of all three; `false` removes the limit.
 */
export interface BudgetsOptions {
  /** Per client address, if the framework or `context` provides it. */
  readonly client?: BudgetOptions | false
  /** Per token, authentic or not. */
  readonly token?: BudgetOptions | false
  /** For all clients together. */
  readonly node?: BudgetOptions | false
}

/** A budget: a burst of `burst` calls, plus one call for each `everyMs` milliseconds. */
export interface Budget {
  readonly burst: number
  readonly everyMs: number
}

/** The counted units: calls from one client address, calls about one token, and all calls of this node. */
export type Counted = 'client' | 'token' | 'node'

/** The budgets of one endpoint; `undefined` for no limit. */
export type EndpointBudgets = Readonly<Record<Counted, Budget | undefined>>

const UNLIMITED: EndpointBudgets = { client: undefined, token: undefined, node: undefined }

/** The budgets of each endpoint. */
export type ResolvedBudgets = Readonly<
  Record<'revocation' | 'rotation' | 'introspection' | 'leak', EndpointBudgets>
>

/** The defaults. Revocation callers are authorized, so they have no limit. */
const DEFAULT_BUDGETS: ResolvedBudgets = {
  revocation: UNLIMITED,
  rotation: {
    client: { burst: 200, everyMs: 50 },
    token: { burst: 20, everyMs: 1000 },
    node: { burst: 2000, everyMs: 2 },
  },
  introspection: {
    client: { burst: 2000, everyMs: 1 },
    token: { burst: 500, everyMs: 10 },
    node: { burst: 10_000, everyMs: 0.2 },
  },
  leak: {
    client: { burst: 100, everyMs: 100 },
    token: { burst: 20, everyMs: 1000 },
    node: { burst: 1000, everyMs: 10 },
  },
}

const budget = z.optional(
  z.union(
    [
      z.literal(false),
      z.strictObject({
        burst: z.custom<number>(
          (value) =>
            Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 1e6,
          'expected a whole number from 1 to 1000000',
        ),
        every: z.custom<Duration>(
          (value) => (parseDuration(value) ?? 0) >= 1,
          "expected a duration such as '1s', of at least 1 ms",
        ),
      }),
    ],
    'expected { burst, every }, or false',
  ),
)
/** The budgets in the options. */
export const budgetsSchema = z.strictObject({ client: budget, token: budget, node: budget })

/** No limits. */
export const NO_BUDGETS: ResolvedBudgets = {
  revocation: UNLIMITED,
  rotation: UNLIMITED,
  introspection: UNLIMITED,
  leak: UNLIMITED,
}

/** Applies the defaults. */
export function budgetsOf(given: BudgetsOptions = {}): ResolvedBudgets {
  const { revocation, rotation, introspection, leak } = DEFAULT_BUDGETS
  const changed = (defaults: EndpointBudgets): EndpointBudgets => ({
    client: budgetOf(given.client, defaults.client),
    token: budgetOf(given.token, defaults.token),
    node: budgetOf(given.node, defaults.node),
  })
  return {
    revocation,
    rotation: changed(rotation),
    introspection: changed(introspection),
    leak: changed(leak),
  }
}

function budgetOf(
  given: BudgetOptions | false | undefined,
  byDefault: Budget | undefined,
): Budget | undefined {
  if (given === undefined) return byDefault
  if (given === false) return undefined
  return { burst: given.burst, everyMs: parseDuration(given.every) as number }
}
