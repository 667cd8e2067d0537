/** How nodes stay live when only their seals prove to each other that they read the same log. */
import { afterEach, describe, expect, it } from 'vitest'
import { delayed } from '../../../support/delayed-feed.js'
import { drive, issueOn, MINUTE, SECOND, verdict } from '../../../support/fleet.js'
import { type LogFleet, type Node, newLogFleet, TOLERANCE_MS } from '../../../support/log-fleet.js'

const STEP_MS = 25

describe('a fleet whose store does not vouch for the log', () => {
  let fleet: LogFleet
  afterEach(() => fleet.close())

  /** Starts that many nodes, the first with a clock that is ahead. Resolves with the nodes and a token. */
  async function setup(count: number) {
    fleet = await newLogFleet({ durable: false })
    const { clock } = fleet
    const ahead = { ...clock, now: () => clock.now() + TOLERANCE_MS / 2 }
    const first = await fleet.startNode({ clock: ahead })
    const nodes = [first]
    while (nodes.length < count) nodes.push(await fleet.startNode())
    const { token } = await drive(clock, issueOn(first.watchword))
    await fleet.pass(2 * SECOND)
    return { first, nodes, token }
  }

  /** How often each node rejects the token as stale while this time passes. */
  async function refusals(nodes: readonly Node[], token: string, ms: number, meanwhile = () => {}) {
    const refused = nodes.map(() => 0)
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      meanwhile()
      await fleet.pass(STEP_MS)
      for (const [i, { watchword }] of nodes.entries())
        if (verdict(watchword.verify(token)) === 'stale') refused[i] = (refused[i] ?? 0) + 1
    }
    return refused
  }

  it.each([2, 3])(
    'of %i nodes stays live while idle, though their clocks differ',
    async (count) => {
      const { nodes, token } = await setup(count)
      expect(await refusals(nodes, token, 3 * MINUTE)).toEqual(nodes.map(() => 0))
    },
  )

  it.each([2, 3])(
    'of %i nodes stays live while one of them revokes continuously',
    async (count) => {
      const { nodes, token, first } = await setup(count)
      let revoked = 0
      const revoke = () => {
        const id = `svc_${revoked++}`
        void first.watchword.revoke({ subject: id }, { actor: 'ops' }).catch(() => undefined)
      }
      expect(await refusals(nodes, token, 20 * SECOND, revoke)).toEqual(nodes.map(() => 0))
    },
  )

  it.each([2, 3])(
    'of %i nodes stays live while one of them revokes, and none is pushed to',
    { timeout: 300_000 },
    async (count) => {
      fleet = await newLogFleet({ durable: false })
      const { clock, log } = fleet
      const options = { maxStaleness: 5 * SECOND, clockTolerance: 5 * SECOND }
      const nodes: Node[] = []
      while (nodes.length < count)
        nodes.push(await fleet.startNode(options, delayed(clock, { log: log.feed() }, 2)))
      const [first] = nodes
      if (first === undefined) throw new Error('no node was started')
      const { token } = await drive(clock, issueOn(first.watchword))
      await fleet.pass(2 * SECOND)
      let step = 0
      const revoke = () => {
        if (step++ % 20 > 0) return
        const id = `svc_${step}`
        void first.watchword.revoke({ subject: id }, { actor: 'ops' }).catch(() => undefined)
      }
      expect(await refusals(nodes, token, MINUTE, revoke)).toEqual(nodes.map(() => 0))
    },
  )
})
