/**
 * The load on the cluster: every connection sends two tokens in turn, and every response is checked.
 *
 * @module
 */
import autocannon from 'autocannon'

const CONNECTIONS = 16
const LONGEST_SECONDS = 60

/** What the clients have seen so far. */
export interface Seen {
  responses: number
  /** Responses other than 200 to the token that is not revoked. */
  keptRefused: number
  /** Responses with 200 to the token that is revoked. */
  leakedPassed: number
  /** Of these, to requests that were sent after `revokedAt`. */
  leakedPassedLater: number
  /** When the last of these arrived. */
  lastPassedAt: number
  /** The nodes that have rejected the revoked token. */
  readonly refusedBy: Set<string>
  /** From this time on the revoked token must be rejected; of `performance.now()`. */
  revokedAt: number
}

interface Context {
  sentAt?: number
}

/** Starts the load. `stop` ends it, and resolves with the number of requests that got no response. */
export function startLoad(url: string, kept: string, leaked: string) {
  const seen: Seen = {
    responses: 0,
    keptRefused: 0,
    leakedPassed: 0,
    leakedPassedLater: 0,
    lastPassedAt: 0,
    refusedBy: new Set(),
    revokedAt: Number.POSITIVE_INFINITY,
  }
  const requests = [
    requestWith(kept, (status) => {
      seen.responses++
      if (status !== 200) seen.keptRefused++
    }),
    requestWith(leaked, (status, sentAt, node) => {
      seen.responses++
      if (status === 401) seen.refusedBy.add(node)
      if (status !== 200) return
      seen.leakedPassed++
      seen.lastPassedAt = performance.now()
      if (sentAt > seen.revokedAt) seen.leakedPassedLater++
    }),
  ]
  let stop = () => {}
  const ended = new Promise<number>((resolve, reject) => {
    const options = { connections: CONNECTIONS, duration: LONGEST_SECONDS, sampleInt: 50 }
    const instance = autocannon({ url, requests, ...options }, (error, result) => {
      if (error) reject(error)
      else resolve(result.errors)
    })
    stop = () => instance.stop()
  })
  return {
    seen,
    stop() {
      stop()
      return ended
    },
  }
}

/** A request with its send time: a request that was in flight during the revocation proves nothing. */
function requestWith(
  token: string,
  look: (status: number, sentAt: number, node: string) => void,
): autocannon.Request {
  const headers = { authorization: `Bearer ${token}` }
  return {
    setupRequest(request, context: Context) {
      context.sentAt = performance.now()
      return { ...request, headers }
    },
    onResponse(status, _body, { sentAt = 0 }: Context, headers) {
      look(status, sentAt, String(headers?.['x-node']))
    },
  }
}
