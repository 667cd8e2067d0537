/**
 * What the endpoints need of a framework beyond what a guard does, for the frameworks built on Node's own requests.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { headerOf, send } from '../incoming.js'
import type { Answer } from '../refusal.js'
import { readStream } from './body.js'
import type { EndpointAdapter } from './endpoint.js'
import { closeIfUnread } from './unread.js'

/** Reads method, headers and body from Node's request; `parsed` is what a body parser left, if one ran before. */
export function nodeReading<Request>(
  nodeOf: (request: Request) => IncomingMessage,
  parsed: (request: Request) => unknown,
): Pick<EndpointAdapter<Request>, 'method' | 'header' | 'body'> {
  return {
    method: (request) => nodeOf(request).method ?? '',
    header: (request, name) => headerOf(nodeOf(request).headers, name),
    body: (request, maxBytes) => readStream(nodeOf(request), parsed(request), maxBytes),
  }
}

/** An endpoint for `(request, response)`: a handler of Express, of Connect's kin and of `node:http` itself. */
export type ConnectEndpoint = (request: IncomingMessage, response: ServerResponse) => void

/** Puts an endpoint into that form. */
export function connectEndpoint<Request extends IncomingMessage>(
  answer: (request: Request) => Promise<Answer>,
): ConnectEndpoint {
  return (request, response) => {
    void answer(request as Request).then((answered) => {
      closeIfUnread(request, response)
      send(response, answered)
    })
  }
}
