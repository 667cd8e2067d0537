/**
 * Request adapters of the endpoints for the frameworks built on Node's requests, extending those of the guards.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { headerOf, send } from '../incoming.js'
import type { Answer } from '../problem.js'
import { readStream } from './body.js'
import type { EndpointAdapter } from './endpoint.js'
import { closeIfUnread } from './unread.js'

/** Reads method, headers and body from Node's request; `parsed` is the result of a body parser, if one ran before. */
export function nodeReading<Request>(
  nodeOf: (request: Request) => IncomingMessage,
  parsed: (request: Request) => unknown,
): Pick<EndpointAdapter<Request>, 'method' | 'header' | 'body'> {
  return {
    method: (request) => nodeOf(request).method,
    header: (request, name) => headerOf(nodeOf(request).headers, name),
    body: (request, maxBytes) => readStream(nodeOf(request), parsed(request), maxBytes),
  }
}

/** An endpoint for `(request, response)`: a handler of Express, Connect-like routers and `node:http`. */
export type ConnectEndpoint = (request: IncomingMessage, response: ServerResponse) => void

/** Adapts an endpoint to that signature. */
export function connectEndpoint<Request extends IncomingMessage>(
  respond: (request: Request) => Promise<Answer>,
): ConnectEndpoint {
  return (request, response) => {
    void respond(request as Request).then((answer) => {
      closeIfUnread(request, response)
      send(response, answer)
    })
  }
}
