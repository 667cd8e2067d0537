import type { Equivalent } from './equivalent.js'
import { inFile } from './in-file.js'

const cache = inFile('src/cache/verified-cache.ts')
const core = inFile('src/verbs/core.ts')
const entry = inFile('src/verbs/entry.ts')
const opener = inFile('src/verbs/opener.ts')
const requirement = inFile('src/verbs/requirement.ts')
const rotate = inFile('src/verbs/rotate.ts')
const verify = inFile('src/verbs/verify.ts')

const FAST = 'if (now < entry.deadlineSecond * 1000 && !entry.special) return undefined'
const SECOND = 'entry.deadlineSecond = Math.floor(Math.max(0, entry.deadline) / 1000)'
const DEMANDED = 'this.demanded = anyOf.length === 0 ? allOf : Object.freeze([...allOf, ...anyOf])'
const SPECIAL = 'entry.special = entry.outdated || now < entry.validFrom'
const PENDING = "const entry = { kind: 'family', value: family, before: 0, expiresAt: 0 } as const"
const TTL = '(value) => (parseDuration(value) ?? 0) >= 1000,'
const NO_PRINT = 'const NO_PRINT: Fingerprint = [0, 0, 0, 0]'

/** The equivalent mutants of the verbs and of their cache. */
export const EQUIVALENT_IN_VERBS: readonly Equivalent[] = [
  ...cache(
    'the cache sets no time to live, so no entry is ever stale',
    ['false', 'true', 'allowStale: false,'],
    ['false', 'true', 'updateAgeOnGet: false,'],
    ['false', 'true', 'noDeleteOnStaleGet: false,'],
    ['false', 'true', 'noUpdateTTL: false,'],
  ),
  ...cache('the cache has no function that disposes of entries', [
    'false',
    'true',
    'noDisposeOnSet: false,',
  ]),
  ...core('the assertion of a key is the one without a binding; it is only cached there', [
    "binding === ''",
    'false',
  ]),
  ...entry('the name of a policy is the name that the token states; the copy saves memory', [
    'policy?.name ?? claims.policy',
    'claims.policy',
  ]),
  ...entry('no version of an index is below zero', ['1', '2', 'clearedVersion: -1,']),
  ...entry(
    'the first check computes the field before anything reads it',
    ['0', '1', 'deadlineSecond: 0,'],
    ['0', '-1', 'deadlineSecond: 0,'],
    ['false', 'true', 'special: false,'],
    ['0', '1', 'deadline: 0,'],
    ['0', '-1', 'deadline: 0,'],
  ),
  ...entry(
    'the first minute that is reported is not in January 1970',
    ['-1', '1', 'reportedMinute: -1,'],
    ['1', '2', 'reportedMinute: -1,'],
    ['1', '0', 'reportedMinute: -1,'],
  ),
  ...entry('Math.max takes null for 0, and no token is issued before 1970', [
    'claims.notBefore ?? claims.issuedAt',
    'claims.notBefore',
  ]),
  ...opener(
    'without a cache, nothing compares fingerprints',
    ['0', '1', NO_PRINT],
    ['0', '-1', NO_PRINT],
  ),
  ...opener('an absent brand is sorted to the end, where no token begins with it', [
    'brand ?? []',
    'brand',
  ]),
  ...opener(
    'a disabled cache finds nothing, and text that is too short is malformed either way',
    ['!this.#cache.enabled', 'false'],
    ['token.length < MIN_TOKEN_LENGTH', 'false'],
    ['token.length < MIN_TOKEN_LENGTH', 'token.length <= MIN_TOKEN_LENGTH'],
  ),
  ...opener(
    'the index is -1 or at least the length of the header',
    ['dot < 0', 'dot <= 0'],
    ['0', '1', 'if (dot < 0) return REJECTED.malformed'],
  ),
  ...opener(
    'only saves parsing the footer twice: opening checks it',
    ['token.length - dot - 1 === FOOTER_TEXT_LENGTH', 'false'],
    ['token.length - dot', 'token.length + dot'],
  ),
  ...opener('the assertion of a key is the one without a binding; it is only cached there', [
    "binding === ''",
    'false',
  ]),
  ...opener('decodes a text that nothing reads', ['own === undefined', 'true']),
  ...requirement('only the presence of the private field counts', [
    'true',
    'false',
    'readonly #made = true',
  ]),
  ...requirement(
    'a frozen copy of the same list',
    ['anyOf.length === 0', 'false', DEMANDED],
    ['0', '-1', DEMANDED],
  ),
  ...requirement('a value that is not text is no scope, so compiling fails alike', [
    "typeof scope === 'string'",
    'true',
  ]),
  ...requirement('only the text before the first separator is read', [
    '1',
    '2',
    "const [about = ''] = fault.split(', got ', 1)",
  ]),
  ...rotate(
    'any duration below a second is rejected',
    ['parseDuration(value) ?? 0', 'parseDuration(value)'],
    ['0', '1', TTL],
    ['0', '-1', TTL],
  ),
  ...rotate(
    'TextEncoder encodes an absent binding like an empty one',
    ["options.binding ?? ''", 'options.binding', "binding: options.binding ?? '',"],
    [
      "options.binding ?? ''",
      'options.binding',
      "const input = { record: successor, custom: entry.custom, binding: options.binding ?? '' }",
    ],
  ),
  ...rotate(
    'a pending family is found by its kind and value alone',
    ['0', '1', PENDING],
    ['0', '-1', PENDING],
  ),
  ...rotate(
    'opens the token a second time, with the same result',
    ["found.ok || found.code !== 'unknown_key'", 'false'],
    ["found.ok || found.code !== 'unknown_key'", "found.ok && found.code !== 'unknown_key'"],
  ),
  ...verify(
    'requirements and results are immutable, so comparing them again gives the same result',
    ['entry.met !== requirement', 'true'],
    ['entry.met = requirement', ''],
  ),
  ...verify(
    'computes the deadline again from the same entries of the index',
    ['entry.clearedVersion !== this.#index.version', 'true'],
    ['entry.clearedVersion = this.#index.version', ''],
  ),
  ...verify(
    'takes the full check, which decides alike, instead of the short one',
    ['now < entry.deadlineSecond * 1000 && !entry.special', 'false'],
    ['entry.deadlineSecond * 1000', 'entry.deadlineSecond / 1000'],
    ['1000', '999', FAST],
    [SECOND, ''],
    ['1000', '1001', SECOND],
    ['now < entry.validFrom', 'now <= entry.validFrom', SPECIAL],
  ),
  ...verify(
    'a deadline of a second around 1970 is over in any case',
    ['0', '1', SECOND],
    ['0', '-1', SECOND],
  ),
]
