// Bundles TypeScript programs with the build's own settings, rather than transforming them on the fly, because
// loaders wrap functions to keep their names, and that would be measured too.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/** The root of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url))

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

/**
 * Bundles the programs, such as `examples/demo.ts`, into a folder inside the repository, so that the packages left out
 * of the bundles are found. Resolves with the folder and the path of each bundle, in the same order.
 */
export async function bundle(programs, name) {
  const folder = join(root, '.cache', 'run', name)
  await build({
    absWorkingDir: root,
    entryPoints: programs,
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: programs.length > 1,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    tsconfig: 'tsconfig.json',
    logLevel: 'warning',
    plugins: [sourceUrls],
  })
  return { folder, bundles: programs.map((path) => join(folder, path.replace(/\.ts$/, '.mjs'))) }
}
