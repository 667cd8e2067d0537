/**
 * An `EventSource` in a real browser, whose stream ends with its token.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { protect } from '../../src/http/node.js'
import { eventually } from '../http/live-client.js'
import { findChromium, withPage } from '../support/browser.js'
import { closeAll, rig } from '../support/harness.js'

const chromium = findChromium()
if (chromium === undefined)
  console.log('skipped: an EventSource in a browser; install Chromium, or set WATCHWORD_CHROMIUM')

afterEach(closeAll)

const PAGE = `<!doctype html><title>live</title><script>
  const seen = { messages: 0, errors: 0 }
  const source = new EventSource('/events')
  source.onmessage = () => seen.messages++
  source.onerror = () => seen.errors++
</script>`

const getToken = ({ headers }: IncomingMessage) =>
  /(?:^|; )token=([^;]+)/.exec(headers.cookie ?? '')?.[1]

describe.skipIf(chromium === undefined)('an EventSource of a browser', () => {
  it('is cut off when its token is revoked, and does not connect again', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ policy: 'service', subject: 'web', actor: 'ops' })
    let accepted = 0
    const events = protect(
      watchword,
      (_, response) => {
        accepted++
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('retry: 10\ndata: hello\n\n')
      },
      { cut: true, getToken },
    )
    const server = createServer((request, response) => {
      if (request.url === '/events') events(request, response)
      else {
        const cookie = `token=${token}; HttpOnly; SameSite=Strict`
        response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': cookie }).end(PAGE)
      }
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await withPage(chromium ?? '', async (page) => {
        await page.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
        const state = async () => page.evaluate('({ ...seen, state: source.readyState })')
        await eventually(async () => expect(await state()).toMatchObject({ messages: 1, state: 1 }))
        await watchword.revoke({ token }, { actor: 'ops' })
        // 2 is CLOSED: the browser got 401 when it connected again, and gave up.
        await eventually(async () => expect(await state()).toMatchObject({ messages: 1, state: 2 }))
        expect(accepted).toBe(1)
        expect(watchword.health().connections.watched).toBe(0)
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
