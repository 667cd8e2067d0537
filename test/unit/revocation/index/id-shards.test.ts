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
    const { bytes } = shards
    expect(shards.retain(() => true)).toBe(0)
    expect(shards.bytes).toBe(bytes)
    expect(shards.retain((words, at) => (words[at] as number) > 40)).toBe(40)
    expect(numbersIn(shards)).toEqual(upTo(50).slice(40))
    // Ten ids reserve 13 slots of six words, in one table.
    expect(shards.bytes).toBe(13 * 24 + 320)
    expect(shards.retain(() => false)).toBe(10)
    expect([numbersIn(shards), shards.bytes]).toEqual([[], 320])
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

  it('split at 16,384 ids, and hold the same as before', () => {
    const count = 20_000
    const shards = filled(count)
    expect(numbersIn(shards)).toEqual(upTo(count))
    const tables = new Set(upTo(count).map((i) => shards.at(place(slot(i)))))
    expect(tables.size).toBe(2)
    for (const table of tables) expect(table.size).toBeLessThan(16_384)
    expect(upTo(count).every((i) => shards.has(slot(i), place(slot(i))))).toBe(true)
    expect(shards.has(slot(count + 1), place(slot(count + 1)))).toBe(false)
    expect(shards.retain((words, at) => (words[at] as number) % 2 === 0)).toBe(count / 2)
    expect(numbersIn(shards)).toEqual(upTo(count).filter((i) => i % 2 === 0))
  })
})
