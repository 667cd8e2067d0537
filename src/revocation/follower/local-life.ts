/**
 * Lives of nodes on this machine: by its default name, a node can be told to have ended without being asked.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

const HOST = hostname().slice(0, 64)
const RANDOM_BYTES = 3
// The names that nodes of this process have.
const here = new Set<string>()

/** The default name of this node: host name, process id and a few random characters. */
export function defaultNodeName(): string {
  const name = `${HOST}-${process.pid}-${randomBytes(RANDOM_BYTES).toString('hex')}`
  here.add(name)
  return name
}

/**
 * Whether a node of this default name ran on this machine, in a process that does not exist any more. In a container that
 * was started again, it may have had this process's own id.
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
    // Of another user: it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
