import { describe, expect, it } from 'vitest'
import { IdShards } from '../../../../src/revocation/index/id-shards.js'
import { newPlacing, placeOf } from '../../../../src/revocation/index/id-table.js'

const placing = newPlacing()
const slot = (i: number) => Int32Array.of(i, i * 3, 1, Math.imul(i, 0x9e37_79b1), -i, 5)
const place = (words: Int32Array) => placeOf(placing, words, 0)

function filled(count: number): IdShards {
  const shards = new IdShards(placing, 6)
  for (let i = 1; i <= count; i++) shards.add(slot(i), place(slot(i)))
  return shards
}

const addTo = (shards: IdShards, i: number) => shards.add(slot(i), place(slot(i)))

/** Leaves the first `count` ids, in a table that has no room for more. */
function crowd(shards: IdShards, count: number): void {
  shards.retain((words, at) => (words[at] as number) < count)
  addTo(shards, count)
}
const tablesOf = (shards: IdShards, count: number) => [
  ...new Set(upTo(count).map((i) => shards.at(place(slot(i))))),
]
const numbersIn = (shards: IdShards) =>
  Array.from(shards.slots(), ([i]) => i).sort((a = 0, b = 0) => a - b)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

describe('the shards of a table', () => {
  it('hold each id with its payload', () => {
    const shards = filled(50)
    for (const i of upTo(60)) expect(shards.has(slot(i), place(slot(i))), `${i}`).toBe(i <= 50)
    expect(numbersIn(shards)).toEqual(upTo(50))
    for (const words of shards.slots()) expect([...words]).toEqual([...slot(words[0] as number)])
  })

  it('drop what is not kept, and the memory with it', () => {
    const shards = filled(50)
    const table = shards.at(0)
    expect(shards.retain(() => true)).toBe(0)
    expect(shards.at(0)).toBe(table)
    expect(shards.retain((words, at) => (words[at] as number) > 40)).toBe(40)
    expect(numbersIn(shards)).toEqual(upTo(50).slice(40))
    // Ten ids reserve 13 slots of six words, in one table with one reference to it.
    expect(shards.bytes).toBe(13 * 24 + 328)
    expect(shards.retain((words, at) => words[at] === 50)).toBe(9)
    expect([numbersIn(shards), shards.bytes]).toEqual([[50], 3 * 24 + 328])
    expect(shards.retain(() => false)).toBe(1)
    expect([numbersIn(shards), shards.bytes]).toEqual([[], 328])
  })

  it('yield what was there at the start while more is added', () => {
    const shards = filled(20)
    const met = new Set<number>()
    let next = 20
    for (const [i] of shards.slots()) {
      met.add(i as number)
      next++
      shards.add(slot(next), place(slot(next)))
    }
    for (const i of upTo(20)) expect(met.has(i), `${i}`).toBe(true)
  })

  it('split when 16,384 ids leave no room, and not when one fewer do', () => {
    for (const [count, tables] of [
      [16_383, 1],
      [16_384, 2],
    ] as const) {
      const shards = filled(count)
      crowd(shards, count)
      expect(shards.at(0).crowded).toBe(true)
      addTo(shards, count + 1)
      expect(tablesOf(shards, count + 1)).toHaveLength(tables)
      expect(numbersIn(shards)).toEqual(upTo(count + 1))
    }
  })

  it('have room for half of the ids each after a split', () => {
    const shards = filled(16_384)
    crowd(shards, 16_384)
    addTo(shards, 16_385)
    const sizes = tablesOf(shards, 16_385).map(({ words }) => words.length / 6)
    // The half with more ids than the other may have grown.
    expect(Math.min(...sizes)).toBe(9104)
    expect(Math.max(...sizes)).toBeLessThan(1.3 * 9104)
  })

  it('split where the ids are, and hold the same as before', () => {
    const shards = filled(20_000)
    const isInFirstHalf = (i: number) => place(slot(i)) >= 0
    const more = Array.from({ length: 24_000 }, (_, i) => 20_001 + i).filter(isInFirstHalf)
    for (const i of more) addTo(shards, i)
    const all = [...upTo(20_000), ...more]
    expect(numbersIn(shards)).toEqual(all)
    expect(all.every((i) => shards.has(slot(i), place(slot(i))))).toBe(true)
    for (const words of shards.slots())
      if (`${words}` !== `${slot(words[0] as number)}`) expect.fail(`${words}`)
    const tables = tablesOf(shards, 20_000)
    expect(tables.map(({ shared }) => shared).sort()).toEqual([1, 2, 2])
    for (const { size } of tables) expect(size).toBeLessThan(16_384)
    // Four references to three tables.
    const bytes = tables.reduce((sum, table) => sum + table.bytes + 320, 4 * 8)
    expect(shards.bytes).toBe(bytes)
    const inSecondHalf = all.filter((i) => !isInFirstHalf(i))
    const dropped = shards.retain((words, at) => !isInFirstHalf(words[at] as number))
    expect(dropped).toBe(all.length - inSecondHalf.length)
    expect(numbersIn(shards)).toEqual(inSecondHalf)
  })

  it('have one reference each when all of them share the same number of bits', () => {
    const count = 46_000
    const shards = filled(count)
    const tables = tablesOf(shards, count)
    expect(tables.map(({ shared }) => shared)).toEqual([2, 2, 2, 2])
    expect(shards.bytes).toBe(tables.reduce((sum, { bytes }) => sum + bytes + 328, 0))
  })

  it('share at most 16 bits of a place, so ids that share more of them stay in one table', () => {
    // Under this placing the first word of an id is its place.
    const first = new Int32Array(placing.length)
    for (let byte = 0; byte < 4; byte++)
      for (let value = 0; value < 256; value++) first[256 * byte + value] = value << (24 - 8 * byte)
    const shards = new IdShards(first, 4)
    const ids: Int32Array[] = []
    const add = () => {
      const hash = Math.imul(ids.length + 1, 0x9e37_79b1)
      // Each belongs in the table of the lowest places, at any place within it.
      const id = Int32Array.of(hash >>> shards.at(0).shared, 0, 0, ids.length + 1)
      ids.push(id)
      shards.add(id, id[0] as number)
    }
    while (shards.at(0).shared < 16 && ids.length < 400_000) add()
    expect(shards.at(0).shared).toBe(16)
    while (shards.at(0).size < 40_000 && shards.at(0).shared === 16) add()
    expect([shards.at(0).shared, shards.at(0).size]).toEqual([16, 40_000])
    expect(ids.every((id) => shards.has(id, id[0] as number))).toBe(true)
  })
})
