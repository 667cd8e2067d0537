/**
 * Load on a server, by autocannon.
 *
 * @module
 */
import autocannon from 'autocannon'
import { PATH } from './kit.js'

const CONNECTIONS = 32
const SOAK_CONNECTIONS = 100
/** How many requests of the long run there are to a forged one. */
const ONE_IN = 10
/** Connections are made before the clock runs. */
const WARM_UP_MS = 300
const SAMPLE_MS = 50

/** What came of it. */
export interface Rate {
  /** Responses a second. */
  readonly perSecond: number
  /** All responses, including those before and after the measured time. */
  readonly answered: number
}

/**
 * Sends good tokens in turn, each connection its own share of them, and the next request of a connection when the last
 * one has its response. Rejects when a response is not 200, or not as long as expected.
 */
export async function press(
  url: string,
  tokens: readonly string[],
  bodyLength: number,
  sliceMs: number,
): Promise<Rate> {
  const shares = shared(tokens.map(bearer), CONNECTIONS)
  const from = performance.now() + WARM_UP_MS
  let counted = 0
  const onResponse = () => {
    const now = performance.now()
    if (now >= from && now < from + sliceMs) counted++
  }
  const result = await fire(
    {
      url: url + PATH,
      connections: CONNECTIONS,
      duration: (WARM_UP_MS + sliceMs + 2 * SAMPLE_MS) / 1000,
      setupClient: (client) => client.setRequests(shares.pop() as autocannon.Request[]),
      verifyBody: (body) => body?.length === bodyLength,
    },
    onResponse,
  )
  const { errors, mismatches, non2xx } = result
  const wrong = errors + mismatches + non2xx
  if (wrong > 0 || counted === 0) throw new Error(`${wrong} responses were wrong, or none came`)
  return { perSecond: (counted / sliceMs) * 1000, answered: result['2xx'] }
}

function fire(
  options: autocannon.Options,
  onResponse: () => void = () => {},
): Promise<autocannon.Result> {
  return new Promise((resolve, reject) => {
    // It stops at the end of a sample, so samples are short.
    const instance = autocannon({ ...options, sampleInt: SAMPLE_MS }, (error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
    instance.on('response', onResponse)
  })
}

/** Sends every token twice: code is compiled by then, and caches are full. */
export async function warmUp(url: string, tokens: readonly string[]): Promise<void> {
  const shares = shared(tokens.map(bearer), CONNECTIONS)
  const { errors, non2xx } = await fire({
    url: url + PATH,
    connections: CONNECTIONS,
    amount: 2 * tokens.length,
    setupClient: (client) => client.setRequests(shares.pop() as autocannon.Request[]),
  })
  if (errors + non2xx > 0) throw new Error(`${errors + non2xx} responses were wrong`)
}

/**
 * The outcomes of many requests. The number sent is known beforehand and not taken from the responses: autocannon
 * reconnects silently, and a request without a response must be counted too.
 */
export interface Tally {
  readonly good: number
  /** Of the valid ones: responses with 200. */
  readonly passed: number
  readonly forged: number
  /** Of the forged ones: responses with 401. */
  readonly refused: number
  /** Failed connections and responses that did not arrive in time. */
  readonly errors: number
}

/** Sends so many requests, one in ten of them forged, and checks the response to each. */
export async function soak(
  url: string,
  { good, forged }: { readonly good: readonly string[]; readonly forged: readonly string[] },
  amount: number,
): Promise<Tally> {
  const turn = SOAK_CONNECTIONS * ONE_IN
  if (amount % turn !== 0) throw new RangeError(`the soak takes a multiple of ${turn} requests`)
  const tally = { good: amount - amount / ONE_IN, passed: 0, forged: amount / ONE_IN, refused: 0 }
  const mixed = good.map((token, i) => {
    const isForged = i % ONE_IN === ONE_IN - 1
    return {
      ...bearer(isForged ? (forged[i] as string) : token),
      onResponse(status: number) {
        if (!isForged && status === 200) tally.passed++
        if (isForged && status === 401) tally.refused++
      },
    }
  })
  const shares = shared(mixed, SOAK_CONNECTIONS)
  const { errors } = await fire({
    url: url + PATH,
    connections: SOAK_CONNECTIONS,
    amount,
    setupClient: (client) => client.setRequests(shares.pop() as autocannon.Request[]),
  })
  return { ...tally, errors }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

/** The items in so many equal parts, end to end. */
function shared<T>(items: readonly T[], parts: number): T[][] {
  const size = Math.floor(items.length / parts)
  return Array.from({ length: parts }, (_, at) => items.slice(at * size, (at + 1) * size))
}
