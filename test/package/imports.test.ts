import { describe, expect, it } from 'vitest'
import { importFaults, LONGEST_CHAIN, type Packages } from './import-rules.js'
import { manifest, sources } from './repository.js'

const packages: Packages = {
  dependencies: Object.keys(manifest.dependencies),
  typesOnly: ['@standard-schema/spec', ...Object.keys(manifest.peerDependencies ?? {})],
}

describe('the imports of src', () => {
  it('point one way, form no cycle, and load only the runtime dependencies', () => {
    const files = sources()
    expect(files.size).toBeGreaterThan(5)
    expect(importFaults(files, packages)).toEqual([])
  })
})

describe('the checker of imports', () => {
  const known: Packages = {
    dependencies: ['lru-cache', 'zod'],
    typesOnly: ['express', 'hono', 'pg'],
  }
  const check = (files: Readonly<Record<string, string>>): string[] =>
    importFaults(new Map(Object.entries(files)), known)

  it('accepts sources that follow the rules', () => {
    const faults = check({
      'src/index.ts': `export { createWatchword } from './authority/create.js'`,
      'src/authority/create.ts': `import { issue } from '../verbs/issue.js'\nimport { check } from '../verbs/verify.js'`,
      'src/verbs/verify.ts': `import { LRUCache } from 'lru-cache'\nimport { open } from '../token/wire.js'`,
      'src/verbs/issue.ts': `import { resolve } from '../options/options.js'\nimport { open } from '../token/wire.js'`,
      'src/options/options.ts': `import * as z from 'zod/mini'\nimport type { Store } from '../store/store.js'`,
      'src/token/wire.ts': `import { Buffer } from 'node:buffer'\nimport { fail } from '../errors.js'`,
      'src/http/hono.ts': `import { HTTPException } from 'hono/http-exception'`,
      'src/store/store.ts': `export type { Row } from '../types.js'`,
      'src/store/postgres.ts': `import type { Pool } from 'pg'\nimport type { Store } from './store.js'`,
      'src/testkit/index.ts': `export { clock } from './clock.js'`,
      'src/testkit/clock.ts': `import type { Store } from '../store/store.js'`,
      'src/errors.ts': '// import { x } from "./index.js" is only a comment',
      'src/types.ts': `export const text = "import './authority/create.js'"`,
    })
    expect(faults).toEqual([])
  })

  const chainOf = (length: number) =>
    Object.fromEntries(
      Array.from({ length }, (_, i) => [
        `src/token/t${i}.ts`,
        i + 1 < length ? `import './t${i + 1}.js'` : '',
      ]),
    )

  it('accepts a chain of imports as long as the longest that is allowed', () => {
    expect(check(chainOf(LONGEST_CHAIN))).toEqual([])
  })

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['a chain that is longer', chainOf(LONGEST_CHAIN + 1), /a chain of 16 imports: src\/token\/t0/],
    [
      'a store that reaches into a verb',
      {
        'src/store/memory.ts': `import { issue } from '../verbs/issue.js'`,
        'src/verbs/issue.ts': '',
      },
      /src\/store\/memory\.ts imports .*issue\.js: the layer store may not import from the higher layer verbs/,
    ],
    [
      'a feed that names even a type of the authority',
      {
        'src/feed/nats.ts': `import type { A } from '../authority/create.js'`,
        'src/authority/create.ts': '',
      },
      /may not import from the higher layer authority/,
    ],
    [
      'middleware that reaches into the authority',
      {
        'src/http/bearer.ts': `export { v } from '../authority/create.js'`,
        'src/authority/create.ts': '',
      },
      /may not import from the higher layer authority/,
    ],
    [
      'a verb that reaches into the authority by a dynamic import',
      {
        'src/verbs/rotate.ts': `await import('../authority/create.js')`,
        'src/authority/create.ts': '',
      },
      /the layer verbs may not import/,
    ],
    [
      'a helper that imports a higher layer',
      { 'src/errors.ts': `import { p } from './policy/policy.js'`, 'src/policy/policy.ts': '' },
      /the layer lib may not import from the higher layer policy/,
    ],
    [
      'a cache that loads the options',
      {
        'src/cache/c.ts': `import { defaults } from '../options/options.js'`,
        'src/options/options.ts': '',
      },
      /the layer cache may not import from the higher layer options/,
    ],
    [
      'an import of the index',
      { 'src/testkit/index.ts': `import { x } from '../index.js'`, 'src/index.ts': '' },
      /an entry is for users/,
    ],
    [
      'an import of the testkit from the library',
      {
        'src/authority/create.ts': `import { x } from '../testkit/clock.js'`,
        'src/testkit/clock.ts': '',
      },
      /an entry is for users/,
    ],
    [
      'a cycle of three, one of them by types alone',
      {
        'src/token/a.ts': `import './b.js'`,
        'src/token/b.ts': `import type { C } from './c.js'`,
        'src/token/c.ts': `export { a } from './a.js'`,
      },
      /cycle: src\/token\/a\.ts → src\/token\/b\.ts → src\/token\/c\.ts → src\/token\/a\.ts/,
    ],
    [
      'a file that imports itself',
      { 'src/lib/clock.ts': `import './clock.js'` },
      /cycle: src\/lib\/clock\.ts → src\/lib\/clock\.ts/,
    ],
    [
      'a peer that is loaded',
      { 'src/http/e.ts': `import express from 'express'` },
      /only its types/,
    ],
    [
      'a peer whose module an inline type import still loads',
      { 'src/store/p.ts': `import { type Pool } from 'pg'` },
      /only its types/,
    ],
    [
      'a framework that another entry loads',
      { 'src/http/web.ts': `import { HTTPException } from 'hono/http-exception'` },
      /only its types/,
    ],
    [
      'more of a framework than its entry may load',
      { 'src/http/hono.ts': `import { Hono } from 'hono'` },
      /only its types/,
    ],
    ['a peer that is required', { 'src/store/p.ts': `const pg = require('pg')` }, /only its types/],
    [
      'a package that is not installed',
      { 'src/lib/clock.ts': `import x from 'left-pad'` },
      /not a dependency/,
    ],
    ['all of zod', { 'src/options/options.ts': `import { z } from 'zod'` }, /import zod\/mini/],
    [
      'a builtin without its prefix',
      { 'src/lib/clock.ts': `import 'crypto'` },
      /write node:crypto/,
    ],
    [
      'a missing extension',
      { 'src/lib/clock.ts': `import '../types'`, 'src/types.ts': '' },
      /\.js/,
    ],
    [
      'a file that is not there',
      { 'src/lib/clock.ts': `import './gone.js'` },
      /no such source file/,
    ],
    ['a folder without a layer', { 'src/utils/x.ts': '' }, /belongs to no layer/],
  ])('refuses %s', (_name, files, expected) => {
    const faults = check(files)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(expected)
  })
})
