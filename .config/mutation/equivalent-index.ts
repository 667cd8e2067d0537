import type { Equivalent } from './equivalent.js'
import { inFile } from './in-file.js'

const inIndex = (name: string) => inFile(`src/revocation/index/${name}.ts`)

const entries = inIndex('entries')
const families = inIndex('families')
const idShards = inIndex('id-shards')
const idTable = inIndex('id-table')
const index = inIndex('revocation-index')
const ulidCodec = inIndex('ulid-codec')
const watermarks = inIndex('watermarks')

/** The equivalent mutants of the revocation index. */
export const EQUIVALENT_IN_INDEX: readonly Equivalent[] = [
  ...entries(
    'both entries are of one target, so of one kind: the second check is for the compiler',
    [
      "a.kind === 'rotated' && b.kind === 'rotated'",
      "a.kind === 'rotated' || b.kind === 'rotated'",
    ],
    [
      "a.kind === 'successors' && b.kind === 'successors'",
      "a.kind === 'successors' || b.kind === 'successors'",
    ],
    ['isWatermark(a) && isWatermark(b)', 'isWatermark(a) || isWatermark(b)'],
  ),
  ...entries('the two generations differ there', [
    'a.generation > b.generation',
    'a.generation >= b.generation',
  ]),
  ...families('an early return that saves a walk in which every register is kept', [
    'hourEnd(this.#firstHour) > before',
    'false',
  ]),
  ...families('an earlier hour only makes a walk happen in which every register is kept', [
    'this.#firstHour = Number.POSITIVE_INFINITY',
    '',
  ]),
  ...families(
    'the low word of a register without a time is never read',
    ['0', '1', 'words[at + FROM_LOW] = entry.from ?? 0'],
    ['0', '-1', 'words[at + FROM_LOW] = entry.from ?? 0'],
    ['entry.from ?? 0', 'entry.from'],
  ),
  ...families('the high word of a time is never negative, so any negative number marks no time', [
    '1',
    '2',
    'const NO_TIME = -1',
  ]),
  ...index(
    'only changes of the version count, not its value',
    ['0', '1', 'version = 0'],
    ['0', '-1', 'version = 0'],
  ),
  ...index('a fifth word is never read', ['4', '5', 'const words = new Int32Array(4)']),
  ...index('a rotated family has a successor of every generation below its own', [
    '0',
    '-1',
    'return this.size < this.#max * (1 - KEPT_FOR_REVOCATIONS) || this.hasSuccessor(family, 0)',
  ]),
  ...index(
    'saves a look-up in an empty table; the ids of issued tokens and families are ULIDs',
    ['this.#loose.size > 0', 'this.#loose.size >= 0'],
    ['0', '-1', 'if (this.#loose.size > 0 && this.#loose.has(id)) return REVOKED'],
    ['this.#tokens.size > 0', 'this.#tokens.size >= 0'],
    ['this.#tokens.size > 0', 'true'],
    ['0', '-1', 'if (this.#tokens.size > 0) {'],
    ['this.#families.size === 0', 'false'],
    ['0', '-1', 'if (this.#families.size === 0) return NOT_REVOKED'],
  ),
  ...idShards(
    'a write before the start or beyond the end of a typed array has no effect',
    ['0', '-1', 'for (let i = 0; i < slot.length; i++) slot[i] = words[at + i] as number'],
    ['i < slot.length', 'i <= slot.length'],
  ),
  ...idShards('picks the last of several equal neighbours instead of the first', [
    'index - 1',
    'index + 1',
  ]),
  ...idTable(
    'reads beyond the ends of the placing, which changes no bit of the place',
    ['0', '-1', 'for (let i = 0; i < 4; i++) {'],
    ['i < 4', 'i <= 4'],
    ['4', '5', 'for (let i = 0; i < 4; i++) {'],
  ),
  ...idTable('saves the full comparison, which fails if the last words differ', [
    'found === last',
    'true',
  ]),
  ...idTable('a table without slots is crowded with no room and with less than none', [
    '0',
    '-1',
    '#room = 0',
  ]),
  ...idTable('an id begins one slot earlier at most, when it is added and when it is looked up', [
    '0x1_0000_0000',
    '4294967297',
  ]),
  ...idTable(
    'copying a free slot writes zeros into a free slot',
    ['at < old.length', 'at <= old.length'],
    ['!isFree(old, at)', 'true'],
  ),
  ...idTable(
    'writes a word before the start or beyond the end of a slot, where nothing is read',
    ['0', '-1', 'for (let i = 0; i < stride; i++) carried[i] = from[start + i] as number'],
    [
      'i < stride',
      'i <= stride',
      'for (let i = 0; i < stride; i++) carried[i] = from[start + i] as number',
    ],
    ['8', '9', 'const carried = new Int32Array(8)'],
  ),
  ...idTable('ids with the same last word may be in any order', [
    'lastOf(words, at) < lastOf(carried, 0)',
    'lastOf(words, at) <= lastOf(carried, 0)',
  ]),
  ...ulidCodec(
    'codes beyond the last digit are rejected inside and outside the table',
    ['128', '129', 'const DIGITS = new Int8Array(128).fill(-1)'],
    ['128', '127', 'const DIGITS = new Int8Array(128).fill(-1)'],
  ),
  ...ulidCodec(
    'any negative number marks what is not a digit',
    ['1', '2', 'const DIGITS = new Int8Array(128).fill(-1)'],
    ['1', '2', 'return code < DIGITS.length ? (DIGITS[code] as number) : -1'],
  ),
  ...ulidCodec(
    'the code of a character outside the alphabet is NaN, which is not an index',
    [
      '0',
      '-1',
      `for (let value = 0; value < ALPHABET.length; value++) DIGITS[codeAt(ALPHABET, value)] = value`,
    ],
    ['value < ALPHABET.length', 'value <= ALPHABET.length'],
  ),
  ...ulidCodec('a sixth group is never used', ['5', '6', 'const groups = new Int32Array(5)']),
  ...ulidCodec(
    'writes a character of the group before once more, or one that the next group overwrites',
    [
      '0',
      '-1',
      'for (let i = 0; i < 5; i++) text[at + i] = ALPHABET.charCodeAt((bits >>> (20 - 5 * i)) & 31)',
    ],
    ['i < 5', 'i <= 5'],
  ),
  ...watermarks(
    'saves the look-up in an empty map, which would find nothing',
    ['this.#tables.family.size > 0', 'this.#tables.family.size >= 0'],
    ['0', '-1', 'return this.#tables.family.size > 0 && this.#tables.family.has(family)'],
    ['this.#tables.key.size > 0', 'this.#tables.key.size >= 0'],
    ['0', '-1', 'return this.#tables.key.size > 0 && this.#tables.key.has(keyId)'],
  ),
]
