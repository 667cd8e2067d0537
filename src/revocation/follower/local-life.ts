/**
 * Node instances on this machine: a default name shows whether its process has ended, without asking the node.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

const HOST = hostname().slice(0, 64)
const RANDOM_BYTES = 3
// The names used by nodes of this process.
const here = new Set<string>()

/** The default name of this node: host name, process id and a few random characters. */
export function defaultNodeName(): string {
  const name = `${HOST}-${process.pid}-${randomBytes(RANDOM_BYTES).toString('hex')}`
  here.add(name)
  return name
}

/**
 * Whether this is the default name of a node on this machine whose process no longer exists. After a container restart,
 * that process may have had this process's own id.
 */
export function isEnded(name: string): boolean {
  if (!name.startsWith(`${HOST}-`) || here.has(name)) return false
  const [, pid] = /^(\d{1,10})-[0-9a-f]{6}$/.exec(name.slice(HOST.length + 1)) ?? []
  return pid !== undefined && (Number(pid) === process.pid || !isRunning(Number(pid)))
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // The process exists, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
