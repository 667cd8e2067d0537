// Runs a TypeScript file of examples/ or bench/ on any supported Node: `node .config/run.mjs bench/index.ts [arguments]`.
// Bundled with the build's own settings rather than transformed on the fly, because loaders wrap functions to keep their
// names, and that would be measured too.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [entry, ...rest] = process.argv.slice(2)
if (!entry) throw new TypeError('name the file to run, such as examples/demo.ts')

// Inside the repository, so that the packages left out of the bundle are found; one file per run, so that two may overlap.
const folder = join(root, '.cache', 'run')
mkdirSync(folder, { recursive: true })
const bundle = join(folder, `${entry.replace(/[^\w]+/g, '-')}-${process.pid}.mjs`)

/** Keeps `import.meta.url` as in the source, because a benchmark writes its results next to its own file. */
const sourceUrls = {
  name: 'source-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        JSON.stringify(pathToFileURL(path).href),
      ),
    }))
  },
}

try {
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    tsconfig: 'tsconfig.json',
    logLevel: 'warning',
    plugins: [sourceUrls],
  })
  const { status } = spawnSync(process.execPath, ['--expose-gc', bundle, ...rest], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(bundle, { force: true })
}
