/**
 * What the tests of this folder share: where the repository is, what package.json says, and how to run a command there.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

interface Target {
  readonly types: string
  readonly default: string
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly files: readonly string[]
  readonly exports: Readonly<
    Record<string, string | { readonly import: Target; readonly require: Target }>
  >
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as Manifest

/** The subpaths that are code, as users write them: `watchword`, `watchword/paseto`, … */
export const specifiers: readonly string[] = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target !== 'string')
  .map(([subpath]) => manifest.name + subpath.slice(1))

/** Runs a command and returns its standard output; a failure shows both streams, since tsc reports on the first. */
export function run(command: string, args: readonly string[], cwd: string = ROOT): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' })
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause })
  }
}

/** Runs the command-line tool of a development dependency with this Node, without the platform's shims. */
export function runTool(path: string, args: readonly string[], cwd: string = ROOT): string {
  return run(process.execPath, [`${ROOT}/node_modules/${path}`, ...args], cwd)
}

/** The files under version control that exist; paths from the root, with forward slashes. */
export function trackedFiles(): string[] {
  const deleted = new Set(run('git', ['ls-files', '-z', '--deleted']).split('\0'))
  return run('git', ['ls-files', '-z'])
    .split('\0')
    .filter((path) => path !== '' && !deleted.has(path))
}

/** The library's sources, committed or not: path below the root → text. */
export function sources(): Map<string, string> {
  const paths = readdirSync(`${ROOT}/src`, { recursive: true, encoding: 'utf8' })
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .sort()
  return new Map(paths.map((path) => [path, readFileSync(`${ROOT}/${path}`, 'utf8')]))
}
