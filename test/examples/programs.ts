/**
 * The programs of examples/, bundled once for a whole test file.
 *
 * @module
 */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll } from 'vitest'
import { bundle } from '../../.config/bundle.mjs'

/** Bundles these programs before the tests of this file. Returns a function from the name of one to its bundle. */
export function bundled(names: readonly string[]): (name: string) => string {
  const found = new Map<string, string>()
  let folder = ''
  beforeAll(async () => {
    const programs = names.map((name) => `examples/${name}`)
    const made = await bundle(programs, `test-${process.pid}`)
    folder = made.folder
    for (const [index, path] of made.bundles.entries()) found.set(names[index] as string, path)
  })
  afterAll(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true })
  })
  return (name) => {
    const path = found.get(name)
    if (path === undefined) throw new TypeError(`${name} is not among the bundled programs`)
    return path
  }
}
