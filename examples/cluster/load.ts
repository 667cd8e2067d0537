/**
 * The load on the cluster: two tokens in turn on every connection, and a look at every answer.
 *
 * @module
 */
import autocannon from 'autocannon'

const CONNECTIONS = 16
const LONGEST_SECONDS = 60

/** What was seen so far. */
export interface Seen {
  answers: number
  /** Answers other than 200 to the token that nobody revokes. */
  keptRefused: number
  /** Answers 200 to the token that is revoked. */
  leakedPassed: number
  /** Of these, to requests that were sent after `revokedAt`. */
  leakedPassedLater: number
  /** When the last of these came. */
  lastPassedAt: number
  /** The nodes that have refused the revoked token. */
  readonly refusedBy: Set<string>
  /** From when on the revoked token must not pass, by `performance.now()`. */
  revokedAt: number
}

interface Context {
  sentAt?: number
}

/** Begins to send. `stop` waits for the end, and answers how many requests failed without an answer. */
export function startLoad(url: string, kept: string, leaked: string) {
  const seen: Seen = {
    answers: 0,
    keptRefused: 0,
    leakedPassed: 0,
    leakedPassedLater: 0,
    lastPassedAt: 0,
    refusedBy: new Set(),
    revokedAt: Number.POSITIVE_INFINITY,
  }
  const requests = [
    requestWith(kept, (status) => {
      seen.answers++
      if (status !== 200) seen.keptRefused++
    }),
    requestWith(leaked, (status, sentAt, node) => {
      seen.answers++
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

/** A request that remembers when it was sent, since an answer that was on its way already proves nothing. */
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
    onResponse(status, _body, { sentAt = 0 }: Context, answered) {
      look(status, sentAt, String(answered?.['x-node']))
    },
  }
}
