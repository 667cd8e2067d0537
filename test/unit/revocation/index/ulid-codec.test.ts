import { describe, expect, it } from 'vitest'
import { readUlid, timeOfWords, writeUlid } from '../../../../src/revocation/index/ulid-codec.js'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** The words of a ULID by its definition: one base32 number of 128 bits. */
function expected(text: string): number[] {
  let bits = 0n
  for (const character of text) bits = (bits << 5n) | BigInt(ALPHABET.indexOf(character))
  return [96n, 64n, 32n, 0n].map((shift) => Number(BigInt.asIntN(32, bits >> shift)))
}

function wordsOf(text: string): number[] | undefined {
  const words = new Int32Array(4)
  return readUlid(text, words) ? [...words] : undefined
}

describe('the codec of ULIDs', () => {
  it('reads each digit at each place as the 128-bit number that it writes again', () => {
    for (let at = 0; at < 26; at++) {
      for (const digit of at === 0 ? ALPHABET.slice(0, 8) : ALPHABET) {
        const text = '5'.repeat(at) + digit + 'K'.repeat(25 - at)
        const words = new Int32Array(4)
        expect(readUlid(text, words), text).toBe(true)
        expect([...words], text).toEqual(expected(text))
        expect(writeUlid(words)).toBe(text)
      }
    }
  })

  it('rejects a first digit above 7, which would need more than 128 bits', () => {
    expect(wordsOf('7ZZZZZZZZZZZZZZZZZZZZZZZZZ')).toEqual([-1, -1, -1, -1])
    for (const digit of ALPHABET.slice(8))
      expect(wordsOf(digit + '0'.repeat(25)), digit).toBeUndefined()
  })

  it('rejects any other character at any place, and any other length', () => {
    for (let at = 0; at < 26; at++)
      for (const wrong of [
        'I',
        'L',
        'O',
        'U',
        'a',
        '/',
        ':',
        '@',
        '[',
        '\u007f',
        '\u0080',
        'é',
        ' ',
      ])
        expect(
          wordsOf('1'.repeat(at) + wrong + '1'.repeat(25 - at)),
          `${wrong} ${at}`,
        ).toBeUndefined()
    for (const length of [0, 1, 25, 27]) expect(wordsOf('1'.repeat(length))).toBeUndefined()
  })

  it('reads the time from the first 48 bits', () => {
    for (const time of [0, 1, 0xffff, 0x1_0000, 1_790_000_000_123, 2 ** 47 + 5, 2 ** 48 - 1]) {
      const words = new Int32Array([
        Math.floor(time / 2 ** 16),
        ((time % 2 ** 16) << 16) | 0xffff,
        7,
        9,
      ])
      expect(timeOfWords(words)).toBe(time)
    }
  })
})
