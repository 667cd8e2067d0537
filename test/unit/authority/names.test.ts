/** Node names: each running process needs its own. The warning is emitted once per process, so its test runs last. */
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest'
import { SECOND } from '../../support/fleet.js'
import { type LogFleet, newLogFleet } from '../../support/log-fleet.js'

let fleet: LogFleet
let spy: MockInstance<typeof process.emitWarning>
beforeEach(async () => {
  spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  fleet = await newLogFleet()
})
afterEach(async () => {
  await fleet.close()
  spy.mockRestore()
})

const warnings = () => spy.mock.calls.map(([message]) => String(message))

it('accepts nodes with different names without a warning', async () => {
  for (const node of ['api-1', 'api-2', 'api-3']) await fleet.startNode({ node })
  await fleet.pass(90 * SECOND)
  expect(warnings()).toEqual([])
})

it('accepts a node that restarts under its name, whether killed or closed', async () => {
  await fleet.startNode({ node: 'api-1' })
  const killed = await fleet.startNode({ node: 'api-2' })
  await fleet.pass(SECOND)
  await fleet.kill(killed)
  const { watchword } = await fleet.startNode({ node: 'api-2' })
  await fleet.pass(SECOND)
  const closed = watchword.close()
  await fleet.pass(SECOND)
  await closed
  await fleet.startNode({ node: 'api-2' })
  await fleet.pass(90 * SECOND)
  expect(warnings()).toEqual([])
})

it('warns once about two running nodes with the same name, and names the fix', async () => {
  for (const node of ['api', 'api', 'api']) await fleet.startNode({ node })
  await fleet.pass(90 * SECOND)
  expect(warnings()).toEqual([expect.stringMatching(/'api'.*a unique name.*`node`/)])
  expect(spy.mock.calls[0]?.[1]).toMatchObject({ code: 'WATCHWORD_NODE_NAME' })
})
