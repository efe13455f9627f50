/** The options of a store. The library itself checks their values and refuses what is wrong. */

import { FlagStoreError } from './errors.js';

/** Receives what a store reports besides results: `console`, the logger of an SDK, or one of yours. */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

/** The options of a store; `undefined` means the default. Times are in milliseconds. */
export interface FlagStoreOptions {
  /** Name or ARN of the table, whose key is `namespace` (string) and `key` (string). */
  table: string;
  /** Put before every namespace, with a colon; empty, the default, for none. */
  prefix?: string | undefined;
  /** AWS region; by default from the environment, the profile or the instance. */
  region?: string | undefined;
  /** URL of the DynamoDB endpoint; by default AWS's for the region. */
  endpoint?: string | undefined;
  /** Name of the profile in the AWS configuration files. */
  profile?: string | undefined;
  /** Static credentials, together with `secretAccessKey`; by default AWS's usual chain is asked. */
  accessKeyId?: string | undefined;
  /** See `accessKeyId`. */
  secretAccessKey?: string | undefined;
  /** For temporary credentials. */
  sessionToken?: string | undefined;
  /** PEM file with the certificates to trust; by default `AWS_CA_BUNDLE`, else the system's. */
  caBundle?: string | undefined;
  /** PEM file, or its text, of certificates to trust besides, such as those of a company's proxy; by default those that
   * Node.js has from `NODE_EXTRA_CA_CERTS`, unless there is a `caBundle`. */
  extraCaBundle?: string | undefined;
  /** `http://USER:PASSWORD@HOST:PORT` through which DynamoDB, STS and SSO are reached, or `none` for no proxy; by default
   * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
  proxy?: string | undefined;
  /** Use AWS's FIPS endpoints. Default false. */
  useFips?: boolean | undefined;
  /** Use AWS's dual-stack endpoints. Default false. */
  useDualStack?: boolean | undefined;
  /** Whether reads see every write that was acknowledged before them. Default true; false halves their cost. */
  consistentReads?: boolean | undefined;
  /** How long opening a connection may take. Default 1,000. */
  connectTimeoutMs?: number | undefined;
  /** How long one request may take, of perhaps several. Default 2,000. */
  attemptTimeoutMs?: number | undefined;
  /** How long a call on one row may take, retries included. Default 5,000. */
  timeoutMs?: number | undefined;
  /** How long reading a whole kind may take. Default 30,000. */
  allTimeoutMs?: number | undefined;
  /** How long writing a whole data set may take. Default 300,000. */
  initTimeoutMs?: number | undefined;
  /** Most requests in flight at once, and so most connections; further ones wait inside their deadline. 1 to 10,000,
   * never more than a quarter of the files that the process may open. Default 128. */
  maxConnections?: number | undefined;
  /** Most writes of an `init` in flight at once, 1 to 1,000; it starts lower and adapts to throttling. Default 128. */
  writeConcurrency?: number | undefined;
  /** Whether `init` may replace a row by one with a smaller version. Default false. */
  initOverwritesNewer?: boolean | undefined;
  /** Whether an item over DynamoDB's 400 KB is stored deflated, in attributes of its own, which other SDKs do not read.
   * Default false. */
  compressLarge?: boolean | undefined;
  /** How long a value is served without asking again; 0, the default, for no cache, negative for ever. */
  cacheTtlMs?: number | undefined;
  /** Bound on the memory of cached rows, in bytes. Default 64 MiB. */
  cacheMaxBytes?: number | undefined;
  /** Whether hot values are read again shortly before they expire. Default true. */
  cacheRefreshAhead?: boolean | undefined;
  /** How long after expiry a value may stand in for a read that fails. Default 300,000. */
  cacheStaleMs?: number | undefined;
  /** How long a read for which a value may stand in waits for DynamoDB; the request goes on, and its answer is
   * kept. 0 for not at all. Default 250. */
  softWaitMs?: number | undefined;
  /** Whether what `init` and `upsert` were given stands in while DynamoDB cannot be asked, also without a cache. What
   * could not be written is written when the table is back, and before {@link FlagStore.available} says that it is.
   * Default false. */
  keepTold?: boolean | undefined;
  /** Absolute path of a folder for a cache that the processes of a host share, which survives restarts; it is made, for
   * this user alone. With `cacheTtlMs` 0 it only stands in. On Unix. By default there is none. */
  cacheDir?: string | undefined;
  /** Bound on the files of one table and prefix in `cacheDir`, in bytes. Default 256 MiB. */
  cacheDirMaxBytes?: number | undefined;
  /** Whether opening equal options again gives the same live store: connections, cache, events. Default true. */
  shared?: boolean | undefined;
  /** Whether the live store stays when its last handle is closed. Default false. */
  persistent?: boolean | undefined;
  /** The least severe events that are kept. Default `"info"`. */
  logLevel?: 'off' | 'error' | 'warn' | 'info' | 'debug' | undefined;
  /** Receives events after calls; one that fails changes the result of no call. By default they wait for
   * {@link FlagStore.events}. */
  logger?: Logger | undefined;
}

type LibraryOption = Exclude<keyof FlagStoreOptions, 'logger'>;

// Spelled out, so that the compiler finds what is missing and a typing error is refused by the name that was given.
export const IN_LIBRARY: Readonly<Record<LibraryOption, string>> = {
  table: 'table',
  prefix: 'prefix',
  region: 'region',
  endpoint: 'endpoint',
  profile: 'profile',
  accessKeyId: 'access_key_id',
  secretAccessKey: 'secret_access_key',
  sessionToken: 'session_token',
  caBundle: 'ca_bundle',
  extraCaBundle: 'extra_ca_bundle',
  proxy: 'proxy',
  useFips: 'use_fips',
  useDualStack: 'use_dual_stack',
  consistentReads: 'consistent_reads',
  connectTimeoutMs: 'connect_timeout_ms',
  attemptTimeoutMs: 'attempt_timeout_ms',
  timeoutMs: 'timeout_ms',
  allTimeoutMs: 'all_timeout_ms',
  initTimeoutMs: 'init_timeout_ms',
  maxConnections: 'max_connections',
  writeConcurrency: 'write_concurrency',
  initOverwritesNewer: 'init_overwrites_newer',
  compressLarge: 'compress_large',
  cacheTtlMs: 'cache_ttl_ms',
  cacheMaxBytes: 'cache_max_bytes',
  cacheRefreshAhead: 'cache_refresh_ahead',
  cacheStaleMs: 'cache_stale_ms',
  softWaitMs: 'soft_wait_ms',
  keepTold: 'keep_told',
  cacheDir: 'cache_dir',
  cacheDirMaxBytes: 'cache_dir_max_bytes',
  shared: 'shared',
  persistent: 'persistent',
  logLevel: 'log_level',
};

const HERE = new Map(Object.entries(IN_LIBRARY).map(([here, there]) => [there, here]));

/** The options as the JSON that the library takes. */
export function optionsJson(options: FlagStoreOptions): string {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || name === 'logger') continue;
    if (!Object.hasOwn(IN_LIBRARY, name)) {
      throw new FlagStoreError(
        'STORE_ERROR_UNKNOWN_OPTION',
        `the option "${name}" is unknown: correct or remove it`,
      );
    }
    if (!['string', 'boolean'].includes(typeof value) && !Number.isFinite(value)) {
      const message = `the option "${name}" takes a string, a finite number or a boolean, not ${kindOf(value)}`;
      throw new FlagStoreError('STORE_ERROR_OPTION_TYPE', message);
    }
    given[IN_LIBRARY[name as LibraryOption]] = value;
  }
  return JSON.stringify(given);
}

/** A message of the library about an option, with the name that the option has here. */
export function withNamesFromHere(message: string): string {
  return message.replace(/"([a-z_]+)"/g, (quoted, name: string) =>
    HERE.has(name) ? `"${HERE.get(name)}"` : quoted,
  );
}

/** What a value is, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null || typeof value === 'number') return String(value);
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
}
