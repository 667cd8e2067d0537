/**
 * The two streams of a feed: creates missing ones and checks the settings of existing ones.
 *
 * @module
 */

import { isStoreFailed, isStreamMissing, type JetStreamManager } from '../../clients/nats/client.js'
import { WatchwordError } from '../../errors.js'

/** The names of a feed's streams and subjects. */
export interface Names {
  /** The stream of the log, with one subject. */
  readonly log: string
  readonly logSubject: string
  /** The stream of snapshots: one subject for manifests, and one more for the chunks of each snapshot. */
  readonly snapshots: string
  readonly manifests: string
  readonly chunks: (generation: string) => string
}

/** The names derived from a prefix. */
export function namesOf(prefix: string): Names {
  return {
    log: `${prefix}_LOG`,
    logSubject: `${prefix}.log`,
    snapshots: `${prefix}_SNAP`,
    manifests: `${prefix}.snapshot`,
    chunks: (generation) => `${prefix}.snapshot.${generation}`,
  }
}

// Nothing expires by age, number or size: only the feed deletes and purges messages. Reads go to the leader, never to a
// replica that may lag behind (`allow_direct`).
const REQUIRED = {
  retention: 'limits',
  storage: 'file',
  max_age: 0,
  max_msgs: -1,
  max_bytes: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  deny_delete: false,
  deny_purge: false,
  allow_rollup_hdrs: false,
} as const

/** Creates missing streams. Rejects with `ERR_INVALID_OPTION` if an existing one could lose events. */
export async function openStreams(
  manager: JetStreamManager,
  names: Names,
  replicas: number,
): Promise<void> {
  await openStream(manager, names.log, [names.logSubject], replicas)
  await openStream(manager, names.snapshots, [names.manifests, names.chunks('*')], replicas)
}

async function openStream(
  { streams }: JetStreamManager,
  name: string,
  subjects: readonly string[],
  replicas: number,
): Promise<void> {
  try {
    const { config } = await streams.info(name)
    checkStream(name, config as Readonly<Record<string, unknown>>, replicas)
  } catch (error) {
    if (!isStreamMissing(error)) throw error
    // Another node may do this at the same moment: creating a stream twice with the same settings is idempotent.
    const config = { name, subjects, num_replicas: replicas, allow_direct: false, ...REQUIRED }
    await streams.add(config).catch((failure: unknown) => {
      if (!isStoreFailed(failure)) throw failure
      // Servers drop the folder of all streams with the last one, even while a new one is being created: the second
      // attempt succeeds.
      return streams.add(config)
    })
  }
}

function checkStream(
  name: string,
  config: Readonly<Record<string, unknown>>,
  replicas: number,
): void {
  for (const [field, wanted] of Object.entries(REQUIRED)) {
    // Depending on their version, servers leave out settings that are off; 0 and -1 both mean no limit.
    const found = config[field] ?? wanted
    const unlimited = wanted === -1 && found === 0
    if (found !== wanted && !unlimited) throw streamError(name, field, wanted)
  }
  if (typeof config['num_replicas'] !== 'number' || config['num_replicas'] < replicas)
    throw streamError(name, 'num_replicas', `at least ${replicas}`)
}

function streamError(name: string, field: string, wanted: string | number | boolean) {
  return new WatchwordError('ERR_INVALID_OPTION', `stream: expected ${field} to be ${wanted}`, {
    detail: `the stream is ${name}`,
  })
}
