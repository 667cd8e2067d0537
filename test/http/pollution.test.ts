/**
 * Another package has polluted `Object.prototype`: no rejected token passes, and the process continues.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../../.config/bundle.mjs'
import type { Order, Report } from './pollution-child.js'

const NAMES = [
  ...['ok', 'then', 'code', 'status', 'headers', 'auth', 'by', 'error', 'reason', 'cause'],
  ...['body', 'authorization', 'optional', 'getToken', 'direct', 'allOf', 'scope', 'scopes'],
  ...['token-successor', 'encrypted', 'stale', 'subject', 'catch', 'throwErrors'],
] as const
const KINDS = ['true', 'text', 'function'] as const

let bundled = ''
let child: ChildProcess
let first: Report

beforeAll(async () => {
  const made = await bundle(['test/http/pollution-child.ts'], `pollution-child-${process.pid}`)
  bundled = made.folder
  const [program = ''] = made.bundles
  // The output of a broken framework is ignored.
  child = fork(program, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  first = await reported()
})

afterAll(() => {
  child.kill()
  rmSync(bundled, { recursive: true, force: true })
})

async function reported(): Promise<Report> {
  const [report] = (await once(child, 'message')) as [Report]
  return report
}

async function order(order: Order): Promise<Report> {
  const report = reported()
  child.send(order)
  return report
}

/** The status of a request; 0 when the framework itself fails and sends nothing before the connection is closed. */
function statusOf(port: number, authorization?: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let said = ''
    // Koa and Hono await objects of their own, and never finish when each of those is a thenable.
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (text: string) => {
      said += text
    })
    socket.once('close', () => resolve(Number(said.split(' ')[1] ?? 0)))
    const line = authorization === undefined ? '' : `authorization: Bearer ${authorization}\r\n`
    socket.write(`GET /orders HTTP/1.1\r\nhost: api.example\r\n${line}connection: close\r\n\r\n`)
  })
}

describe('with a polluted Object.prototype', () => {
  it.each(NAMES)('no framework accepts a rejected token, for the name %s', async (name) => {
    const { good, narrow, revoked } = first.tokens
    const before = (await order({})).ran
    const refused: (string | undefined)[] = [undefined, 'v4.local.nonsense', narrow, revoked]
    const passed: unknown[] = []
    for (const kind of KINDS) {
      await order({ name, kind })
      const asked = first.ports.flatMap(([framework, port]) =>
        refused.map(async (token) => {
          const status = await statusOf(port, token)
          if (status > 0 && status < 400) passed.push({ kind, framework, status })
        }),
      )
      await Promise.all(asked)
      expect(child.exitCode).toBeNull()
    }
    expect(passed).toEqual([])
    expect((await order({})).ran).toBe(before)
    for (const [framework, port] of first.ports) {
      expect([framework, await statusOf(port, good)]).toEqual([framework, 200])
    }
  })
})
