/**
 * A separate database server for the test: on a free port, in a temporary folder. Its processes are stopped and
 * suspended together.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Server } from './broker.js'
import { until } from './time.js'

const START_WITHIN_MS = 30_000

/** The commands that install and start a kind of server. */
export interface Recipe {
  readonly name: string
  /** The Debian package that provides it. */
  readonly debian: string
  /** Further folders to search for its programs; `*` matches a version. */
  readonly folders: readonly string[]
  /** The unprivileged user that runs it if the tests run as root. */
  readonly user?: string
  /** Creates the data of an empty server: a program and its arguments. */
  install(data: string): readonly [string, ...string[]]
  /** Runs it. */
  run(data: string, port: number): readonly [string, ...string[]]
  /** Whether it replies. */
  responds(port: number): Promise<boolean>
}

/**
 * Whether the machine has the programs. If not, prints one line about the skipped tests; in CI that is a failure.
 */
export function hasServer(recipe: Recipe): boolean {
  const programs = [recipe.install('')[0], recipe.run('', 0)[0]]
  if (programs.every((program) => find(recipe, program) !== undefined)) return true
  const line = `${recipe.name} is not installed: the tests that kill one are skipped (apt-get install ${recipe.debian})`
  if (process.env['CI'] === 'true') throw new Error(line)
  console.warn(line)
  return false
}

function find({ folders }: Recipe, program: string): string | undefined {
  const versions = folders.flatMap((folder) => {
    const [before = '', after] = folder.split('*')
    if (after === undefined) return [folder]
    return entriesOf(before)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => before + version + after)
  })
  const path = (process.env['PATH'] ?? '').split(':')
  return [...path, ...versions].find((folder) => entriesOf(folder).includes(program))
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder || '.')
  } catch {
    return []
  }
}

/** Installs a server, and starts it. */
export async function ownDatabase(recipe: Recipe): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `watchword-${recipe.name}-`))
  const [data, empty, copy] = ['data', 'empty', 'copy'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const port = await freePort()
  const owner = ownerOf(recipe)
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  let child: ChildProcess | undefined

  function command([program, ...args]: readonly [string, ...string[]]) {
    return { program: join(find(recipe, program) ?? '', program), args }
  }
  function signal(name: NodeJS.Signals): void {
    if (child?.pid === undefined) return
    // The parent is stopped first, so that it starts no more children and keeps them until they are listed.
    child.kill('SIGSTOP')
    for (const pid of [...childrenOf(child.pid), child.pid]) process.kill(pid, name)
  }
  async function kill(): Promise<void> {
    const running = child
    if (running === undefined || running.exitCode !== null) return
    const gone = once(running, 'exit')
    signal('SIGKILL')
    child = undefined
    await gone
  }
  async function start(): Promise<void> {
    const { program, args } = command(recipe.run(data, port))
    child = spawn(program, args, { ...owner, cwd: folder, stdio: 'ignore' })
    if (!(await until(() => recipe.responds(port), START_WITHIN_MS)))
      throw new Error(`${recipe.name} did not start on port ${port}`)
  }
  // Keeps the owners of the files, which the servers check.
  function replace(target: string, source: string): void {
    rmSync(target, { recursive: true, force: true })
    expectDone(spawnSync('cp', ['-a', source, target]))
  }

  const { program, args } = command(recipe.install(data))
  expectDone(spawnSync(program, args, { ...owner, cwd: folder }))
  replace(empty, data)
  await start()
  return {
    port,
    kill,
    start,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    wipe: () => replace(data, empty),
    backUp: () => replace(copy, data),
    restore: () => replace(data, copy),
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function childrenOf(parent: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', `${parent}`])
  return stdout.toString().split('\n').filter(Boolean).map(Number)
}

function ownerOf({ user }: Recipe): { uid: number; gid: number } | undefined {
  if (user === undefined || process.getuid?.() !== 0) return undefined
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, user]).stdout))
  return { uid: uid || 65_534, gid: gid || 65_534 }
}

function expectDone({ status, stderr }: { status: number | null; stderr: Buffer }): void {
  if (status !== 0) throw new Error(stderr.toString())
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
