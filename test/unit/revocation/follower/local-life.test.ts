import { hostname } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { defaultNodeName, isEnded } from '../../../../src/revocation/follower/local-life.js'

afterEach(() => vi.restoreAllMocks())

const HOST = hostname().slice(0, 64)
const nameOf = (pid: number, end = 'a1b2c3') => `${HOST}-${pid}-${end}`
const OTHER_PID = process.pid + 1

/** Replaces the kernel's response to the question whether a process exists. */
function processes(respond: () => true) {
  return vi.spyOn(process, 'kill').mockImplementation(respond)
}

function failWith(code: string): never {
  throw Object.assign(new Error(code), { code })
}

describe('the default name of a node', () => {
  it('differs on every call and names this machine and this process', () => {
    const names = [defaultNodeName(), defaultNodeName()]
    expect(new Set(names).size).toBe(2)
    for (const name of names) expect(name).toMatch(/-\d+-[0-9a-f]{6}$/)
    for (const name of names) expect(name.startsWith(`${HOST}-${process.pid}-`)).toBe(true)
  })
})

describe('a node has ended', () => {
  it('if no process on this machine has its process id', () => {
    const kill = processes(() => failWith('ESRCH'))
    expect(isEnded(nameOf(OTHER_PID))).toBe(true)
    expect(kill).toHaveBeenCalledWith(OTHER_PID, 0)
  })

  it('if its process id is that of this process, which did not create the name', () => {
    expect(isEnded(nameOf(process.pid))).toBe(true)
  })

  it('only if this process did not create its name', () => {
    expect(isEnded(defaultNodeName())).toBe(false)
  })

  it('only if its process does not run, even as another user', () => {
    processes(() => true)
    expect(isEnded(nameOf(OTHER_PID))).toBe(false)
    processes(() => failWith('EPERM'))
    expect(isEnded(nameOf(OTHER_PID))).toBe(false)
  })

  it('only if its name is a default name of this machine', () => {
    const kill = processes(() => failWith('ESRCH'))
    expect(isEnded(`another-${nameOf(OTHER_PID)}`)).toBe(false)
    expect(isEnded(nameOf(OTHER_PID, 'not hex'))).toBe(false)
    expect(isEnded(`${HOST}-worker`)).toBe(false)
    expect(kill).not.toHaveBeenCalled()
  })
})
