/**
 * The dry run of a revocation: what it would do, without doing it.
 *
 * It reads the records that the store would mark, and leaves out those that this node already rejects.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { parseInput } from '../lib/schema.js'
import { readUsageRows } from '../store/checked-usage.js'
import type { UsageRow } from '../store/usage.js'
import { type Aim, aimAt, parseTarget } from './aim.js'
import type { Core } from './core.js'
import type { RevokePreview, TokenInfo, TokenPage, TokenQuery } from './inputs.js'
import { getToken, listTokens } from './list.js'
import { PreviewTotals, WINDOW_MS } from './preview-totals.js'
import { corrected, isOff, reach } from './reach.js'
import { dryRunSchema, type RevokeSettings, refuseSuccessorsOption } from './revoke-options.js'
import type { UsageWindow } from './usage-coverage.js'
import { type OwnUsage, readWindow } from './usage-gaps.js'

const PAGE = 1000

/**
 * Reports what a revocation would do. Rejects like the revocation, and with `ERR_STORE_UNAVAILABLE` if the store cannot
 * be read. Writes nothing but the counts of usage that this process writes every minute.
 */
export async function previewRevocation(
  core: Core,
  own: OwnUsage | undefined,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<RevokePreview> {
  const options = parseInput(dryRunSchema, rawOptions, 'options')
  const target = parseTarget(rawTarget)
  refuseSuccessorsOption(target, options)
  const aim = await aimAt(core, target, options.binding ?? '')
  const reached = reach(core, aim)
  const before = isOff(core) ? await corrected(core, reached) : reached
  const at = core.follower.time.stamp()
  // Before the rows, which then have everything that the window covers.
  const window = await windowOf(core, own)
  const preview = new PreviewTotals(window.from)
  for await (const { items, corrupt } of pagesOf(core, aim, options)) {
    const tokens = items.filter((token) => isReached(aim, token, before) && isAccepted(core, token))
    const rows = own === undefined ? [] : await readRows(core, own, tokens, window.from)
    preview.add(tokens, rows, corrupt)
  }
  const { kind, value } = aim
  return Object.freeze({
    dryRun: true,
    kind,
    value,
    at,
    ...preview.result(own === undefined ? undefined : window, at),
  })
}

async function windowOf(core: Core, own: OwnUsage | undefined): Promise<UsageWindow> {
  if (own !== undefined) return readWindow(core, own, WINDOW_MS)
  const to = core.clock.now()
  return { from: to - WINDOW_MS, to, gaps: [] }
}

// Tokens of a family that begins later are not covered, as with a node whose clock is ahead by more than the tolerance.
function isReached({ kind }: Aim, { familyIssuedAt }: TokenInfo, before: number): boolean {
  return kind === 'token' || kind === 'family' || kind === 'key' || familyIssuedAt <= before
}

// The store may not yet know of a revocation or a rotation.
const isAccepted = ({ index, clock }: Core, token: TokenInfo): boolean =>
  index.deadline(token) > clock.now()

/** The live tokens of the target, page by page. */
async function* pagesOf(
  core: Core,
  aim: Aim,
  { successors }: RevokeSettings,
): AsyncGenerator<TokenPage> {
  if (aim.kind !== 'token') return yield* pagesWith(core, queryOf(aim))
  const { value } = aim
  const found = aim.descent ?? (await descentOf(core, value))
  if (found === 'corrupt') return yield { items: [], corrupt: [value] }
  if (found === undefined) return
  const { family, generation } = found
  for await (const page of pagesWith(core, { family })) {
    const isIncluded = (token: TokenInfo) =>
      token.id === value || (successors !== false && token.generation > generation)
    yield { ...page, items: page.items.filter(isIncluded) }
  }
}

async function descentOf(core: Core, id: string): Promise<TokenInfo | 'corrupt' | undefined> {
  try {
    return await getToken(core, id)
  } catch (error) {
    if (error instanceof WatchwordError && error.code === 'ERR_STORE_CORRUPT') return 'corrupt'
    throw error
  }
}

function queryOf({ kind, value }: Aim): TokenQuery {
  switch (kind) {
    case 'family':
      return { family: value }
    case 'subject':
      return { subject: value }
    case 'key':
      return { keyId: value }
    case 'audience':
      return { audience: value }
    default:
      return {}
  }
}

async function* pagesWith(core: Core, query: TokenQuery): AsyncGenerator<TokenPage> {
  let after: string | undefined
  do {
    const position = after === undefined ? {} : { after }
    const page = await listTokens(core, { ...query, live: true, limit: PAGE, ...position })
    yield page
    after = page.next
  } while (after !== undefined)
}

async function readRows(
  core: Core,
  { part }: OwnUsage,
  tokens: readonly TokenInfo[],
  since: number,
): Promise<readonly UsageRow[]> {
  if (tokens.length === 0) return []
  const ids = tokens.map(({ id }) => id)
  return core.callStore(() => readUsageRows(part, ids, since - MAX_SKEW_MS))
}
