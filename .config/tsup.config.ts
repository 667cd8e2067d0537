import { defineConfig, type Options } from 'tsup'
import { entries } from './entries.js'

const base: Options = {
  entry: Object.fromEntries(entries.map(({ name, source }) => [name, source])),
  outDir: 'dist',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  splitting: true,
  // The default strips `node:`, and some built-ins (node:sqlite, node:test) exist under no other name.
  removeNodeProtocol: false,
  // Types of a package that users do not install have to be written out in ours.
  dts: { resolve: [/^@standard-schema\//] },
}

export default defineConfig([
  // zod is inlined so that only the few parts in use are loaded: 17 kB and 8 ms, against 430 kB and 75 ms.
  { ...base, format: ['esm'], noExternal: [/^zod/] },
  // paseto is an ES module only: inlined here, so that Jest and older tools can require the package.
  { ...base, format: ['cjs'], noExternal: [/^zod/, /^paseto/] },
])
