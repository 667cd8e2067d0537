/**
 * A headless Chromium, driven over its debugging pipe.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** The path of Chromium: `WATCHWORD_CHROMIUM`, or the first one in the `PATH`; `undefined` if there is none. */
export function findChromium(): string | undefined {
  const given = process.env['WATCHWORD_CHROMIUM']
  if (given !== undefined) return given
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path))
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

/** One page of a browser. */
export interface Page {
  /** Calls a method of the DevTools protocol. */
  call(method: string, params?: object): Promise<Readonly<Record<string, unknown>>>
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>
  /** Loads a page and waits for it. */
  open(url: string): Promise<void>
  /** What the page logged: errors of its policy and of its scripts. */
  readonly logged: readonly string[]
}

/** Runs a test with a page of a new browser, and ends the browser. */
export async function withPage(path: string, run: (page: Page) => Promise<void>): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'watchword-chromium-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
  const browser = spawn(
    path,
    [...flags, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true },
  )
  try {
    await run(await pageOf(browser))
  } finally {
    await ended(browser)
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function ended(browser: ChildProcess): Promise<void> {
  if (browser.pid === undefined || browser.exitCode !== null) return
  const closed = new Promise((resolve) => browser.once('close', resolve))
  // Chromium starts further processes in its own group.
  process.kill(-browser.pid, 'SIGKILL')
  await closed
}

async function pageOf(browser: ChildProcess): Promise<Page> {
  const logged: string[] = []
  const waiting = new Map<number, (message: Message) => void>()
  const loads = new Set<() => void>()
  let next = 1
  const [input, output] = [browser.stdio[3] as Writable, browser.stdio[4] as Readable]
  const failed = new Promise<never>((_, reject) => {
    browser.once('error', reject)
    browser.once('exit', (code) => reject(new Error(`Chromium ended with ${code}`)))
  })
  failed.catch(() => undefined)
  const receive = (message: Message) => {
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    else if (message.method === 'Page.loadEventFired') for (const done of loads) done()
    else if (message.method === 'Log.entryAdded') logged.push(JSON.stringify(message.params))
  }
  let rest = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0')
    rest = texts.pop() ?? ''
    for (const text of texts) receive(JSON.parse(text) as Message)
  })
  const send = async (method: string, params: object, sessionId?: string) => {
    const id = next++
    const answered = new Promise<Message>((resolve) => waiting.set(id, resolve))
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const { result, error } = await Promise.race([answered, failed])
    waiting.delete(id)
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const call = (method: string, params: object = {}) => send(method, params, String(sessionId))
  await call('Page.enable')
  await call('Log.enable')
  return {
    logged,
    call,
    evaluate: async (expression) => {
      const { result } = await call('Runtime.evaluate', { expression, returnByValue: true })
      return (result as { value?: unknown }).value
    },
    open: async (url) => {
      const loaded = new Promise<void>((resolve) => loads.add(resolve))
      await call('Page.navigate', { url })
      await Promise.race([loaded, failed])
      loads.clear()
    },
  }
}
