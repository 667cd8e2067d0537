/**
 * A client that rotates its own token and keeps it in a file. It does not depend on watchword: it uses HTTP and one file.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The client's token file and API. */
export interface TokenClientOptions {
  /** The file with the token's text. Only this user may read it (mode 0600). */
  readonly file: string
  /** The origin of the API. The token is sent nowhere else. */
  readonly api: string
  /** The path of the rotation endpoint. Default: `/token/rotate`. */
  readonly rotatePath?: string
  readonly fetch?: typeof fetch
  /** Unix milliseconds. Default: the machine's clock. */
  readonly now?: () => number
}

/** How long to wait after a rotation that failed. The old token is valid meanwhile. */
const RETRY_AFTER_MS = 30_000
/** Requests wait for a rotation in flight, but no longer than this. */
const EXCHANGE_WITHIN_MS = 5000

/** Sends requests with a token, and replaces the token when the server says that it is due. */
export class TokenClient {
  readonly #file: string
  readonly #api: string
  readonly #rotatePath: string
  readonly #fetch: typeof fetch
  readonly #now: () => number
  #token = ''
  #rotateAt = Number.POSITIVE_INFINITY
  #rotation: Promise<void> | undefined

  private constructor(options: TokenClientOptions) {
    this.#file = options.file
    this.#api = options.api
    this.#rotatePath = options.rotatePath ?? '/token/rotate'
    this.#fetch = options.fetch ?? fetch
    this.#now = options.now ?? Date.now
  }

  /** Reads the token. Rejects when the file is missing. */
  static async open(options: TokenClientOptions): Promise<TokenClient> {
    const client = new TokenClient(options)
    await client.#reload()
    return client
  }

  /** Sends a request with the token. Give the body as text or bytes: it may have to be sent twice. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    // A rotation that fails is no reason to fail the request: the token is due, not expired.
    const due = this.#rotation !== undefined || this.#now() >= this.#rotateAt
    if (due) await this.rotate().catch(() => undefined)
    const sentWith = this.#token
    const response = await this.#send(path, init)
    // A late response to a request with the previous token does not apply to the current one.
    if (sentWith === this.#token) await this.#learn(response.headers)
    if (response.status !== 401) return response
    // Another process of this client may have rotated the token, so read the file again.
    return (await this.#reload()) ? this.#send(path, init) : response
  }

  /** Exchanges the token for its successor. Concurrent calls share one exchange. */
  rotate(): Promise<void> {
    this.#rotation ??= this.#exchange().finally(() => {
      this.#rotation = undefined
    })
    return this.#rotation
  }

  async #exchange(): Promise<void> {
    this.#rotateAt = this.#now() + RETRY_AFTER_MS
    // A token that another process has already rotated must not be presented: after its grace that counts as theft.
    if (await this.#reload()) return
    const signal = AbortSignal.timeout(EXCHANGE_WITHIN_MS)
    const response = await this.#send(this.#rotatePath, { method: 'POST', signal })
    if (!response.ok) throw new Error(`rotation: the server returned ${response.status}`)
    const { access_token } = (await response.json()) as { access_token: string }
    await this.#keep(access_token)
  }

  /** Reads the rotation headers of a response: the time when the token is due, and its successor if there is one. */
  async #learn(headers: Headers): Promise<void> {
    const due = Date.parse(headers.get('token-rotate-after') ?? '')
    if (!Number.isNaN(due) && this.#rotation === undefined) this.#rotateAt = due
    const successor = headers.get('token-successor')
    if (successor !== null) await this.#keep(successor)
  }

  /** Writes the successor before its first use, so that a crash loses nothing. */
  async #keep(token: string): Promise<void> {
    const folder = dirname(this.#file)
    const draft = join(folder, `.token-${randomBytes(8).toString('hex')}`)
    const file = await open(draft, 'wx', 0o600)
    await file.writeFile(token)
    await file.sync()
    await file.close()
    await rename(draft, this.#file) // atomic: a reader sees the old text or the new one
    this.#token = token
    this.#rotateAt = Number.POSITIVE_INFINITY // until the next response says when
  }

  /** Reads the file. Resolves with whether it holds another token than the one in use. */
  async #reload(): Promise<boolean> {
    const token = (await readFile(this.#file, 'utf8')).trim()
    if (token === this.#token) return false
    this.#token = token
    return true
  }

  #send(path: string, init: RequestInit): Promise<Response> {
    const url = new URL(path, this.#api)
    if (url.origin !== new URL(this.#api).origin) throw new TypeError('path: leaves the API')
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${this.#token}`)
    return this.#fetch(url, { ...init, headers, redirect: 'error' })
  }
}
