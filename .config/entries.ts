/**
 * The build's entries and the test runner's aliases, both read from the exports map of package.json: a new subpath is
 * added there and nowhere else.
 *
 * @module
 */
import { readFileSync } from 'node:fs'

interface Conditions {
  readonly import: { readonly types: string; readonly default: string }
  readonly require: { readonly types: string; readonly default: string }
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, Conditions | string>>
}

const manifest = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as Manifest

/** One public subpath: what users import, and the source file behind it. */
export interface Entry {
  /** `watchword/store/memory` */
  readonly specifier: string
  /** `store/memory`: the path below `src`, and below `dist`, without an extension. */
  readonly name: string
  /** `src/store/memory.ts` */
  readonly source: string
}

/** Every subpath of the exports map that is code. */
export const entries: readonly Entry[] = Object.entries(manifest.exports).flatMap(
  ([subpath, target]) => {
    if (typeof target === 'string') return []
    const name = target.import.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '')
    return [{ specifier: manifest.name + subpath.slice(1), name, source: `src/${name}.ts` }]
  },
)
