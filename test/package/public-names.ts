/**
 * Everything the package exports at run time, by subpath, in alphabetical order. A change here is a change that users
 * see: it belongs in CHANGELOG.md.
 *
 * @module
 */
export const PUBLIC_NAMES: Readonly<Record<string, readonly string[]>> = {
  watchword: [
    'ERROR_CODES',
    'WatchwordError',
    'createWatchword',
    'discardKey',
    'memoryFeed',
    'memoryStore',
  ],
  'watchword/paseto': [
    'exportKey',
    'generateKey',
    'importKey',
    'keyId',
    'open',
    'ready',
    'seal',
    'unwrapKey',
    'wrapKey',
  ],
  'watchword/store': [],
  'watchword/store/memory': ['memoryStore'],
  'watchword/store/mysql': ['mysqlStore'],
  'watchword/store/postgres': ['postgresStore'],
  'watchword/store/redis': ['redisStore'],
  'watchword/store/sqlite': ['sqliteStore'],
  'watchword/feed': [],
  'watchword/feed/memory': ['memoryFeed'],
  'watchword/feed/mysql': ['mysqlFeed'],
  'watchword/feed/nats': ['natsFeed'],
  'watchword/feed/postgres': ['postgresFeed'],
  'watchword/feed/redis': ['redisFeed'],
  'watchword/feed/sqlite': ['sqliteFeed'],
  'watchword/feed/wakeups': ['natsWakeups', 'redisWakeups', 'withWakeups'],
  'watchword/express': ['authOf', 'optionalAuthOf', 'requireToken', 'tokenEndpoints'],
  'watchword/fastify': [
    'authOf',
    'optionalAuthOf',
    'requireToken',
    'tokenEndpoints',
    'tokenPlugin',
  ],
  'watchword/hono': ['authOf', 'optionalAuthOf', 'requireToken', 'tokenEndpoints'],
  'watchword/koa': ['authOf', 'optionalAuthOf', 'requireToken', 'tokenEndpoints'],
  'watchword/mcp': ['mcpVerifier'],
  'watchword/node': [
    'authOf',
    'formatChallenge',
    'optionalAuthOf',
    'protect',
    'requireToken',
    'tokenEndpoints',
  ],
  'watchword/web': ['authOf', 'optionalAuthOf', 'protect'],
  'watchword/testkit': ['chaosFeed', 'chaosLog', 'feedContract', 'manualClock', 'storeContract'],
}
