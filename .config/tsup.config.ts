import { defineConfig, type Options } from 'tsup'
import { entries } from './entries.js'

const base: Options = {
  entry: Object.fromEntries(entries.map(({ name, source }) => [name, source])),
  outDir: 'dist',
  target: 'node20',
  platform: 'node',
  // Maps with their sources were two thirds of the package; the built files are readable as they are.
  sourcemap: false,
  inject: ['.config/globals.ts'],
  splitting: true,
  // zod is inlined so that only the few parts in use are loaded: 17 kB and 8 ms, against 430 kB and 75 ms. paseto is an
  // ES module that Jest and older tools cannot require, and it takes globals that jsdom does not have.
  noExternal: [/^zod/, /^paseto/],
  // The default strips `node:`, and some built-ins (node:sqlite, node:test) exist under no other name.
  removeNodeProtocol: false,
  // Types of a package that users do not install have to be written out in ours.
  dts: { resolve: [/^@standard-schema\//] },
}

export default defineConfig({ ...base, format: ['esm', 'cjs'] })
