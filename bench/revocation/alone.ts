/**
 * What is measured of the index, each time in a process of its own: what the engine has learnt from one case, and what its
 * heap is left with, weighs on the next.
 *
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { demand } from '../expect.js'
import { median } from '../statistics.js'
import { apply } from './apply.js'
import { hot } from './hot.js'
import { memory } from './memory.js'

const CASES = { apply, hot, memory }
const PROCESSES = 3

type Case = keyof typeof CASES
type Figures<C extends Case> = Awaited<ReturnType<(typeof CASES)[C]>>

/** Measures a case in one process after the other; each figure is the median of theirs. */
export async function inOtherProcesses<C extends Case>(
  name: C,
  entries: number,
): Promise<Figures<C>> {
  const found: Figures<C>[] = []
  for (let i = 0; i < PROCESSES; i++) {
    const child = fork(process.argv[1] as string, ['--alone', JSON.stringify({ name, entries })])
    const [figures] = (await once(child, 'message')) as [Figures<C>]
    found.push(figures)
    await once(child, 'exit')
  }
  const keys = Object.keys(found[0] as object) as (keyof Figures<C>)[]
  const medians = keys.map((key) => [key, median(found.map((each) => Number(each[key])))])
  return Object.fromEntries(medians) as Figures<C>
}

/** Measures the one case that this process was started for. */
export async function runAlone(text: string): Promise<void> {
  const { name, entries } = JSON.parse(text) as { readonly name: Case; readonly entries: number }
  const figures = await CASES[name](entries)
  demand(name, process.send !== undefined)
  process.send?.(figures, () => process.disconnect())
}
