import { describe, expect, it } from 'vitest'
import { IdTable, isFree, newPlacing, placeOf } from '../../../../src/revocation/index/id-table.js'

const placing = newPlacing()
const id = (a: number, b: number, c: number, d: number) => Int32Array.of(a, b, c, d)
const place = (words: Int32Array) => placeOf(placing, words, 0)

/** A placing under which every id has the same place. */
const colliding = (at: number) => {
  const words = new Int32Array(4096)
  words.fill(at, 0, 256)
  return words
}

/** A placing under which the first word of an id is its place. */
const byFirstWord = new Int32Array(4096)
for (let byte = 0; byte < 4; byte++)
  for (let value = 0; value < 256; value++)
    byFirstWord[256 * byte + value] = value << (24 - 8 * byte)

describe('the place of an id', () => {
  it('depends on each byte of each word, and on nothing before or after the id', () => {
    const bytes = Array.from({ length: 16 }, (_, i) => i + 1)
    const sumOf = (factor: number) =>
      bytes.reduce((sum, byte, i) => sum ^ (placing[256 * i + factor * byte] as number), 0)
    const words = Int32Array.of(7, 0x0102_0304, 0x0506_0708, 0x090a_0b0c, 0x0d0e_0f10, 9)
    expect(placeOf(placing, words, 1)).toBe(sumOf(1))
    const even = words.map((word) => 2 * word)
    expect(placeOf(placing, even, 1)).toBe(sumOf(2))
    const all = newPlacing()
    expect(all).toHaveLength(4096)
    expect(new Set(all).size).toBeGreaterThan(4000)
    expect(placeOf(all, id(-1, -1, -1, -1), 0)).toBe(
      bytes.reduce((sum, _, i) => sum ^ (all[256 * i + 255] as number), 0),
    )
  })
})

describe('a slot', () => {
  it('is free only if all four words are zero', () => {
    expect(isFree(Int32Array.of(1, 0, 0, 0, 0, 1), 1)).toBe(true)
    for (const at of [0, 1, 2, 3]) {
      const words = new Int32Array(4)
      words[at] = 1
      expect(isFree(words, 0), `${at}`).toBe(false)
    }
  })
})

describe('a table of ids', () => {
  it('finds ids that differ in one word only, with their payload', () => {
    for (const shared of [0, 3]) {
      const table = new IdTable({ placing, stride: 6, shared })
      const ids = [id(1, 1, 1, 1), id(2, 1, 1, 1), id(1, 2, 1, 1), id(1, 1, 2, 1), id(1, 1, 1, 2)]
      ids.forEach((each, index) => {
        table.add(Int32Array.of(0, ...each, index + 1, -1), 1, place(each))
      })
      ids.forEach((each, index) => {
        const at = table.find(each, place(each))
        expect([...table.words.slice(at, at + 6)]).toEqual([...each, index + 1, -1])
      })
      expect(table.find(id(2, 2, 1, 1), place(id(2, 2, 1, 1)))).toBe(-1)
      expect(table.size).toBe(5)
    }
  })

  it('finds nothing while it is empty, not even the id of all zeros', () => {
    const table = new IdTable({ placing, stride: 4, shared: 0 })
    expect(table.find(id(0, 0, 0, 0), 5)).toBe(-1)
    expect([table.find(id(1, 2, 3, 4), 5), table.bytes, table.crowded]).toEqual([-1, 0, true])
    table.add(id(1, 2, 3, 4), 0, 5)
    expect(table.find(id(0, 0, 0, 0), 5)).toBe(-1)
    expect([table.bytes, table.crowded]).toEqual([9 * 16, false])
  })

  it('tells colliding ids apart, at the first and at the last slot', () => {
    for (const at of [0, -1]) {
      const same = colliding(at)
      const table = new IdTable({ placing: same, stride: 4, shared: 0 })
      const ids = Array.from({ length: 300 }, (_, i) => id(i % 3, i % 5, i % 7, (i * 7919) % 50))
      const unique = ids.filter(
        (each, i) => !isFree(each, 0) && ids.findIndex((other) => `${other}` === `${each}`) === i,
      )
      for (const each of unique) {
        expect(table.find(each, at)).toBe(-1)
        table.add(each, 0, at)
        expect(table.find(each, at)).toBeGreaterThanOrEqual(0)
      }
      for (const each of unique) {
        const found = table.find(each, at)
        expect([...table.words.slice(found, found + 4)]).toEqual([...each])
      }
    }
  })

  it('holds colliding ids by their last words, the highest first, so a lookup can stop early', () => {
    const table = new IdTable({ placing: colliding(0), stride: 4, shared: 0 })
    for (const last of [2, -2, 1, 3, 0x7fff_ffff, -1]) table.add(id(5, 5, 5, last), 0, 0)
    const held = Array.from({ length: 6 }, (_, i) => table.words[4 * i + 3])
    expect(held).toEqual([-1, -2, 0x7fff_ffff, 3, 2, 1])
  })

  it('keeps a tenth of its slots free, and grows by 10 to 20 % or eight slots', () => {
    const table = new IdTable({ placing, stride: 4, shared: 0 })
    let slots = 1
    for (let i = 1; i <= 2000; i++) {
      const isFull = table.size >= Math.floor(slots * 0.9)
      table.add(id(i, 0, 0, i), 0, place(id(i, 0, 0, i)))
      const now = table.bytes / 16
      if (now !== slots) {
        expect(isFull || slots === 1).toBe(true)
        expect(now).toBeGreaterThanOrEqual(Math.max(slots + 8, Math.floor(slots * 1.1)))
        expect(now).toBeLessThanOrEqual(Math.max(slots + 8, Math.ceil(slots * 1.2)))
      }
      slots = now
      expect(table.size).toBeLessThanOrEqual(0.9 * slots)
    }
    expect(table.size).toBe(2000)
  })

  it('needs no growth up to the number of ids that it reserved', () => {
    const table = new IdTable({ placing, stride: 4, shared: 0 })
    table.reserve(90)
    expect(table.bytes).toBe(101 * 16)
    for (let i = 1; i <= 90; i++) table.add(id(i, 0, 0, i), 0, place(id(i, 0, 0, i)))
    expect([table.bytes, table.crowded]).toEqual([101 * 16, true])
  })

  it('grows by a tenth, and by up to a tenth more that depends on the place of the new id', () => {
    for (const [at, slots] of [
      [0, 5502],
      [1, 5504],
      [128, 5752],
      [255, 6000],
    ] as const) {
      const table = new IdTable({ placing: byFirstWord, stride: 4, shared: 0 })
      table.reserve(4500)
      for (let i = 1; i <= 4500; i++) {
        const hash = Math.imul(i, 0x9e37_79b1)
        table.add(id(hash, 0, 0, i), 0, hash)
      }
      expect([table.bytes, table.crowded]).toEqual([5001 * 16, true])
      table.add(id(at, 0, 0, 5000), 0, at)
      expect([table.bytes, table.crowded]).toEqual([slots * 16, false])
    }
  })

  it('begins at the slot that corresponds to the bits of a place that ids do not share', () => {
    for (const shared of [0, 3]) {
      const table = new IdTable({ placing: byFirstWord, stride: 6, shared })
      table.reserve(90)
      const slotOf = (place: number) => {
        table.add(Int32Array.of(place, 0, 0, 1, 2, 3), 0, place)
        return table.find(id(place, 0, 0, 1), place) / 6
      }
      const last = -1 >>> shared
      expect([0, 0.25, 0.5, 0.75, 1].map((share) => slotOf(share * last))).toEqual([
        0, 25, 50, 75, 100,
      ])
    }
  })
})
