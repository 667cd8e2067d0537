/**
 * Creates the parts of a follower and connects them.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { Failures } from '../../observe/failures.js'
import type { FeedEntry } from '../index/entries.js'
import { FeedClient } from '../log/feed-client.js'
import { AgreedTime } from './agreed-time.js'
import { Compactor } from './compactor.js'
import { EpochWriter } from './epoch-writer.js'
import type { FollowerOptions } from './follower-options.js'
import { Freshness } from './freshness.js'
import { Membership } from './membership.js'
import { Pace } from './pace.js'
import { Publisher } from './publisher.js'
import { Puller } from './puller.js'
import { Reconciler } from './reconciler.js'
import { Recovery } from './recovery.js'
import { Replica } from './replica.js'
import { Republisher } from './republisher.js'
import { Witness } from './witness.js'

/** The dependencies of the parts. */
export interface PartsOptions extends FollowerOptions {
  /** A number in [0, 1). */
  readonly random: () => number
  /** Aborts when the follower stops. */
  readonly signal: AbortSignal
  /** Brings the replica up to the head; rejects if that fails. */
  readonly pull: () => Promise<void>
}

/** The parts. */
export interface FollowerParts {
  readonly failures: Failures
  readonly freshness: Freshness
  readonly time: AgreedTime
  readonly feedClient: FeedClient
  readonly pace: Pace
  readonly witness: Witness
  readonly replica: Replica
  readonly publisher: Publisher
  readonly republisher: Republisher
  readonly recovery: Recovery
  readonly membership: Membership
  readonly reconciler: Reconciler
  readonly puller: Puller
  readonly compactor: Compactor
  /** Whether the other members have to vouch for the log, because the store does not respond. */
  readonly lacksStore: () => boolean
}

/** Creates the parts of one follower. */
export function assemble(options: PartsOptions): FollowerParts {
  const { clock, deadlineMs, maxStalenessMs, toleranceMs, onIncident, node: name } = options
  const writer = new Uint8Array(randomBytes(16))
  const failures = new Failures(clock)
  const freshness = new Freshness(clock, maxStalenessMs, toleranceMs)
  // A node repeats the request before a slow response makes it stale.
  const probeMs = Math.min(deadlineMs, Math.max(50, maxStalenessMs / 4))
  const feedClient = new FeedClient({ ...options, probeMs, failures })
  const pace = new Pace(options)
  const onDisagreement = () => onIncident('clock', 1)
  const time = new AgreedTime({ ...options, writer, onDisagreement })
  const witness = new Witness({ ...options, writer, time })
  const replica = new Replica({
    ...options,
    time,
    onNode: (entry, event) => membership.hear(entry, event),
    onEvent: (event) => {
      witness.note(event)
      membership.sign(event)
    },
  })
  const lacksStore = () => witness.hasStore && (witness.storeFails || reconciler.isLate)
  const seekSigns = () => {
    if (lacksStore()) membership.seekSigns()
  }
  const shared = {
    ...options,
    writer,
    feedClient,
    replica,
    freshness,
    witness,
    time,
    newEpoch: () => randomBytes(16).toString('base64url'),
    append: (entries: readonly FeedEntry[]) => publisher.append(entries),
  }
  const publisher = new Publisher({
    ...shared,
    onAppended: () => {
      pace.quicken()
      membership.signed()
    },
  })
  const republisher = new Republisher(shared)
  const epochs = new EpochWriter(shared)
  const recovery = new Recovery({ ...shared, epochs, republisher })
  const membership: Membership = new Membership({ ...shared, name })
  const reconciler: Reconciler = new Reconciler({
    ...shared,
    isWitness: () => witness.hasStore,
    isContinued: () => recovery.hasBackfilled || membership.members.hasElder,
    onKnown: (asked) => {
      witness.noteStore(asked)
      puller.weigh()
    },
    onUnread: () => {
      witness.storeFails = true
      seekSigns()
    },
    onLate: seekSigns,
  })
  const puller: Puller = new Puller({ ...shared, membership, recovery, reconciler })
  const compactor = new Compactor({ ...shared, membership })
  return {
    failures,
    freshness,
    time,
    feedClient,
    pace,
    witness,
    replica,
    publisher,
    republisher,
    recovery,
    membership,
    reconciler,
    puller,
    compactor,
    lacksStore,
  }
}
