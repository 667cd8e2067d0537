/**
 * Where and when a run took place.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'

/** What a reader has to know to make sense of the numbers. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly platform: string
  readonly node: string
  readonly date: string
  /** The commit that was checked out, with `+` when files had been changed since. */
  readonly commit: string
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    date: new Date(Date.now()).toISOString(),
    commit: commit(),
  }
}

function commit(): string {
  try {
    const head = git('rev-parse', '--short=12', 'HEAD')
    return git('status', '--porcelain', '--untracked-files=no', 'src') === '' ? head : `${head}+`
  } catch {
    return 'unknown'
  }
}

function git(...args: readonly string[]): string {
  const cwd = new URL('..', import.meta.url)
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: 'pipe' }).trim()
}
