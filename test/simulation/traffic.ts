/**
 * The traffic of a world: users issue, rotate and revoke tokens.
 *
 * @module
 */
import { ulid } from 'ulid'
import { LIFTED, SUSPENDED, writeState } from '../../src/policy/restriction.js'
import type { RevocationEntry } from '../../src/revocation/index/entries.js'
import type { TokenFacts } from '../../src/revocation/index/revocation-index.js'
import { bornAt } from './checker.js'
import { AUDIENCE, GRACE_MS, type Process } from './node.js'
import { START } from './time.js'
import type { World } from './world.js'

const SUBJECTS = ['svc_mail', 'svc_billing', 'svc_search'] as const
// Tokens live as long as a world, and are expired on a clock that is more than an hour ahead.
const TOKEN_TTL_MS = 20 * 60_000

const STATES = [
  LIFTED,
  writeState(SUSPENDED),
  writeState({ enforced: { to: ['orders:read'], until: null } }),
] as const

/** The users of a world. */
export class Traffic {
  /** Every token that was issued. */
  readonly tokens: TokenFacts[] = []
  readonly #world: World
  // The tokens that were neither rotated nor revoked.
  readonly #untouched = new Set<TokenFacts>()
  #revoked = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Issues a token on a random running node. */
  issue(): TokenFacts | undefined {
    const by = this.#awake()
    if (by === undefined) return undefined
    const { dice } = this.#world
    const subject = dice.pick(SUBJECTS)
    const issuedAt = by.issuedAt(subject)
    const id = ulid(issuedAt, dice.next)
    return this.#note({
      id,
      family: id,
      generation: 0,
      subject,
      audience: AUDIENCE,
      keyId: 'k4.lid.x',
      issuedAt,
      expiresAt: START + TOKEN_TTL_MS,
    })
  }

  #note(token: TokenFacts): TokenFacts {
    this.tokens.push(token)
    this.#untouched.add(token)
    return token
  }

  /** Issues a token, and revokes it. */
  revokeToken(): void {
    const token = this.issue()
    if (token === undefined) return
    this.#untouched.delete(token)
    const { id: value, expiresAt } = token
    this.#revoke({ kind: 'token', value, expiresAt }, [token])
  }

  /** Revokes a subject up to now. */
  revokeSubject(): void {
    const subject = this.#world.dice.pick(SUBJECTS)
    // Dates of a clock that is wrong by more than the tolerance are covered by the tests of the index.
    const process = this.#awake()
    if (process === undefined || !process.isAboutRight) return
    const before = process.reach(subject)
    const expiresAt = START + TOKEN_TTL_MS
    // The revocation does not cover a token that was dated past a watermark that this node has not read yet.
    const meant = this.tokens.filter((t) => t.subject === subject && bornAt(t) <= before)
    this.#revoke({ kind: 'subject', value: subject, before, expiresAt }, meant, process)
  }

  #revoke(entry: RevocationEntry, tokens: readonly TokenFacts[], by = this.#awake()): void {
    if (by === undefined) return
    const { checker } = this.#world
    checker.attempted(entry)
    this.#do(by, `revokes ${entry.kind}`, by.revoke(entry), (name) =>
      checker.acknowledged(name, entry, tokens),
    )
  }

  /** Rotates a token. Calls `then` with the node when the rotation is acknowledged. */
  rotate(then: (by: Process) => void = () => undefined): void {
    const by = this.#awake()
    const token = [...this.#untouched].at(-1) ?? this.issue()
    if (by === undefined || token === undefined) return
    this.#untouched.delete(token)
    const { dice, checker } = this.#world
    const { family: value, generation, expiresAt } = token
    const now = by.follower.time.stamp()
    const entry = { kind: 'rotated', value, generation, from: now + GRACE_MS, expiresAt } as const
    this.#do(by, `rotates to generation ${generation + 1}`, by.rotate(entry), (name) => {
      checker.acknowledged(name, entry, [token])
      const issuedAt = Math.max(now, token.issuedAt)
      this.#note({ ...token, id: ulid(now, dice.next), generation: generation + 1, issuedAt })
      then(by)
    })
  }

  /** Suspends, limits or restores a subject. */
  restrict(): void {
    const by = this.#awake()
    if (by === undefined) return
    const { dice, checker } = this.#world
    const subject = dice.pick(SUBJECTS)
    const state = dice.pick(STATES)
    const work = by.restrict(subject, state, START + TOKEN_TTL_MS)
    let acked: RevocationEntry | undefined
    const written = work.then(({ entry, position }) => {
      acked = entry
      return position
    })
    this.#do(by, `restricts ${subject} to ${state}`, written, (name) => {
      if (acked !== undefined) checker.acknowledged(name, acked, [])
    })
  }

  #do(by: Process, what: string, work: Promise<{ seq: number }>, done: (name: string) => void) {
    const world = this.#world
    const name = `r${++this.#revoked}`
    world.say(`${by.name} ${what} ${name}`)
    work.then(
      ({ seq }) => {
        if (by.owner.dead) return
        world.say(`${by.name} has done ${name}, by event ${seq}`)
        done(name)
      },
      () => world.say(`${by.name} cannot tell whether it did ${name}`),
    )
  }

  #awake(): Process | undefined {
    const { running, dice } = this.#world
    const awake = running.filter(({ owner }) => !owner.suspended)
    return awake.length === 0 ? undefined : dice.pick(awake)
  }
}
