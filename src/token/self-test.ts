/**
 * Known-answer tests at start: a build or a runtime that computes wrong results is disabled.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { destroyKey, importKey, keyId, unwrapKey, wrapWithNonce } from './paserk.js'
import { disable, loaded } from './sodium.js'
import { decryptInto, plaintext, sealWithNonce, wipePlaintext } from './v4local.js'

// The official vectors 4-E-7 and k4.local-wrap.pie-1, and the identifier of their key.
const KEY = 'k4.local.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8'
const KEY_ID = 'k4.lid.iVtYQDjr5gEijCSjJC3fQaJm7nCeQSeaty0Jixy8dbsk'
const NONCE = 'df654812bac492663825520ba2f6e67cf5ca5bdc13d4e7507a98cc4c2fcc3ad8'
const PAYLOAD = '{"data":"this is a secret message","exp":"2022-01-01T00:00:00+00:00"}'
const FOOTER = '{"kid":"zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN"}'
const IMPLICIT = '{"test-vector":"4-E-7"}'
const BODY =
  '32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WkwMsYXw6FSNb_UdJPXjpzm' +
  '0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t40KCCWLA7GYL9KFHzKlwY9_RnIfRrMQpueydLEAZGGcA'
const WRAPPED =
  'k4.local-wrap.pie.y-PC8Zh6P1DoOBUdhRr7W8GWSgHtRKvE8PWWYA-qXy3fxJDmaRsxcZVQzuvXHZuBg5MqCgh_' +
  'y5K0WbukJCrDX73Wdf631VBnE1DNHafbjnGNzFNWP59ba9ifsOAgE7Bw'
const WRONG = 'A known-answer test failed.'
const NOT_LOADED = 'libsodium could not be loaded.'
const PIE_LENGTH = 'k4.local-wrap.pie.'.length
const UNWRAPPED_ID = 'k4.lid.bqltbNc4JLUAmc9Xtpok-fBuI0dQN5_m3CD9W_nbh559'

/**
 * Resolves when libsodium is loaded and every known-answer test has passed. Await it once before the first use.
 *
 * @throws WatchwordError `ERR_SELF_TEST` if a test fails; the library is then disabled in this process.
 */
export const ready: Promise<void> = loaded.then(start, (error) => fail(error, NOT_LOADED))

// Later calls also report a failed start. An unhandled rejection must not end a process that never called the library.
ready.catch(() => {})

/**
 * Runs one known-answer test per operation: seal with a fixed nonce, open, reject, identify, wrap, unwrap.
 *
 * @throws WatchwordError `ERR_SELF_TEST`, with the operation in `detail`.
 */
function selfTest(): void {
  const key = importKey(KEY)
  expectSame('lid', keyId(key), KEY_ID)
  const payload = Buffer.from(PAYLOAD)
  const footer = Buffer.from(FOOTER)
  const implicit = Buffer.from(IMPLICIT)
  const nonce = Buffer.from(NONCE, 'hex')
  expectSame('seal', sealWithNonce(key, nonce, payload, footer, implicit), BODY)
  const length = decryptInto(key, BODY, footer, implicit)
  expectSame('open', length < 0 ? '' : plaintext(length).toString(), PAYLOAD)
  wipePlaintext()
  expectSame('refuse', String(decryptInto(key, BODY, footer, footer)), '-1')
  const unwrapped = unwrapKey(key, WRAPPED)
  expectSame('unwrap', keyId(unwrapped), UNWRAPPED_ID)
  const wrapNonce = Buffer.from(WRAPPED.slice(PIE_LENGTH), 'base64url').subarray(32, 64)
  expectSame('wrap', wrapWithNonce(key, unwrapped, wrapNonce), WRAPPED)
  destroyKey(unwrapped)
  destroyKey(key)
}

function start(): void {
  try {
    selfTest()
  } catch (error) {
    fail(error, WRONG)
  }
}

/** Every failure at start has the same permanent effect. */
function fail(error: unknown, message: string): never {
  const known = error instanceof WatchwordError && error.code === 'ERR_SELF_TEST'
  const failure = known ? error : new WatchwordError('ERR_SELF_TEST', message, { cause: error })
  disable(failure)
  throw failure
}

function expectSame(operation: string, got: string, expected: string): void {
  if (got === expected) return
  throw new WatchwordError('ERR_SELF_TEST', WRONG, { detail: operation })
}
