/**
 * The clients of the demo: each sends its requests one after the other, and records every response.
 *
 * @module
 */
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'

/** One request. Times are those of `performance.now()`. */
export interface Sample {
  readonly sentAt: number
  readonly endedAt: number
  readonly status: number
}

/** Sends one request, and resolves with its outcome when the response is complete. */
export async function send(
  url: string,
  token: string,
  options: { readonly method?: string; readonly agent?: Agent } = {},
): Promise<Sample> {
  const sentAt = performance.now()
  const call = request(url, { ...options, headers: { authorization: `Bearer ${token}` } }).end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return { sentAt, endedAt: performance.now(), status: response.statusCode ?? 0 }
}

/** Starts clients that send this token again and again, each on a connection of its own. */
export function startClients(url: string, token: string, count = 2) {
  const samples: Sample[] = []
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  let isStopped = false
  const run = async () => {
    while (!isStopped) samples.push(await send(url, token, { agent }))
  }
  const ended = Promise.all(Array.from({ length: count }, run))
  return {
    samples,
    async stop() {
      isStopped = true
      await ended
      agent.destroy()
    },
  }
}
