// Runs a TypeScript file of examples/ or bench/ on any supported Node: `node .config/run.mjs bench/index.ts [arguments]`.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { bundle, root } from './bundle.mjs'

const [entry, ...rest] = process.argv.slice(2)
if (!entry) throw new TypeError('name the file to run, such as examples/demo.ts')

// One folder per run, so that two may overlap.
const { folder, bundles } = await bundle([entry], `${process.pid}`)
try {
  const { status } = spawnSync(process.execPath, ['--expose-gc', ...bundles, ...rest], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
