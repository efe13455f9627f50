/**
 * Options of the AWS SDK's `DynamoDBClient`, as the LaunchDarkly SDK passes them, turned into the store's own.
 *
 * What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
 */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

import { type CodeName, FlagStoreError } from './errors.js';
import { type FlagStoreOptions, kindOf } from './options.js';

/** What of a `DynamoDBClientConfig` means something here. Others are refused by name. */
export interface ClientOptions {
  region?: string | undefined;
  /** A URL, as text or as one of the forms that the AWS SDK takes. */
  endpoint?: string | URL | { url: URL } | EndpointParts | undefined;
  /** Static ones. Without, the usual chain is asked: environment, profile, web identity, container, instance. */
  credentials?: Credentials | undefined;
  profile?: string | undefined;
  useFipsEndpoint?: boolean | undefined;
  useDualstackEndpoint?: boolean | undefined;
  requestHandler?: HandlerOptions | undefined;
  /** Most requests of one call: the call then ends when so many could have timed out. */
  maxAttempts?: number | undefined;
  /** Both are what is done here anyway: repetitions are few while DynamoDB fails, and paced while it throttles. */
  retryMode?: 'standard' | 'adaptive' | undefined;
  tls?: boolean | undefined;
  apiVersion?: string | undefined;
}

export interface EndpointParts {
  protocol: string;
  hostname: string;
  port?: number | undefined;
  path?: string | undefined;
}

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** Times in milliseconds; 0 for the default. */
export interface HandlerOptions {
  connectionTimeout?: number | undefined;
  /** Of one request, of perhaps several. */
  requestTimeout?: number | undefined;
  /** The same, if `requestTimeout` is not given. */
  socketTimeout?: number | undefined;
  /** Their `maxSockets` is the most connections; what else an agent can be told, TLS or a proxy, is refused. */
  httpAgent?: AgentOptions | undefined;
  httpsAgent?: AgentOptions | undefined;
}

/** Of Node's own agents, or one of these. */
export interface AgentOptions {
  maxSockets?: number | undefined;
}

type Translated = Partial<FlagStoreOptions>;

/** Default of the store's `timeoutMs`, which would cut short a connection or request that was given longer. */
const DEFAULT_TIMEOUT_MS = 5_000;

/** Default of the store's `attemptTimeoutMs`. */
const DEFAULT_ATTEMPT_TIMEOUT_MS = 2_000;

/** The store's options that mean what `clientOptions` means to `new DynamoDBClient(clientOptions)`. */
export function translated(clientOptions: object): Translated {
  const options: Translated = {};
  let attempts: number | undefined;
  for (const [name, value] of Object.entries(clientOptions) as [string, unknown][]) {
    if (value === undefined) continue;
    const translate = TRANSLATIONS.get(name);
    if (translate === undefined) {
      const instead =
        INSTEAD.get(name) ?? 'has no counterpart in flagstore: leave it out, or see storeOptions';
      throw refused('STORE_ERROR_UNKNOWN_OPTION', name, instead);
    }
    if (typeof value === 'function') {
      const instead = name === 'credentials' ? INSTEAD_OF_PROVIDER : INSTEAD_OF_FUNCTION;
      throw refused('STORE_ERROR_OPTION_TYPE', name, instead);
    }
    Object.assign(options, translate(value));
    if (name === 'maxAttempts') attempts = value as number;
  }
  const longest = Math.max(options.connectTimeoutMs ?? 0, options.attemptTimeoutMs ?? 0);
  if (attempts !== undefined) {
    const together = attempts * (options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS);
    return { ...options, timeoutMs: Math.max(longest, together) };
  }
  return longest > DEFAULT_TIMEOUT_MS ? { ...options, timeoutMs: longest } : options;
}

const TRANSLATIONS = entries<(value: unknown) => Translated>({
  region: value => ({ region: value as string }),
  profile: value => ({ profile: value as string }),
  useFipsEndpoint: value => ({ useFips: value as boolean }),
  useDualstackEndpoint: value => ({ useDualStack: value as boolean }),
  endpoint: value => ({ endpoint: urlOf(value) }),
  credentials: value => {
    const { accessKeyId, secretAccessKey, sessionToken } = membersOf('credentials', value, CREDENTIALS);
    return { accessKeyId, secretAccessKey, sessionToken } as Translated;
  },
  requestHandler: value => {
    if (typeof (value as { handle?: unknown } | null)?.handle === 'function') {
      throw refused(
        'STORE_ERROR_OPTION_TYPE',
        'requestHandler',
        'is a handler: give the options it was made with',
      );
    }
    const { connectionTimeout, requestTimeout, socketTimeout, httpAgent, httpsAgent } = membersOf(
      'requestHandler',
      value,
      HANDLER,
    );
    const options: Translated = {};
    if (connectionTimeout) options.connectTimeoutMs = connectionTimeout as number;
    if (requestTimeout || socketTimeout)
      options.attemptTimeoutMs = (requestTimeout || socketTimeout) as number;
    const most = [maxSocketsOf('httpAgent', httpAgent), maxSocketsOf('httpsAgent', httpsAgent)].filter(
      given => given !== undefined,
    );
    if (most.length > 0) options.maxConnections = Math.max(...most);
    return options;
  },
  maxAttempts: value => {
    if (Number.isSafeInteger(value) && (value as number) >= 1) return {};
    throw refused('STORE_ERROR_OPTION_VALUE', 'maxAttempts', 'takes a whole number from 1');
  },
  retryMode: value => {
    if (value === 'standard' || value === 'adaptive') return {};
    throw refused(
      'STORE_ERROR_OPTION_VALUE',
      'retryMode',
      'is neither "standard" nor "adaptive": leave it out',
    );
  },
  tls: value => {
    if (value === true) return {};
    throw refused(
      'STORE_ERROR_OPTION_VALUE',
      'tls',
      'is false: give an endpoint that starts with http:// instead',
    );
  },
  apiVersion: value => {
    if (value === '2012-08-10') return {};
    const instead = 'is not 2012-08-10, the only version that DynamoDB has: leave it out';
    throw refused('STORE_ERROR_OPTION_VALUE', 'apiVersion', instead);
  },
});

// What the AWS SDK's own resolvers add to credentials says something about them, and nothing is lost without.
const CREDENTIALS = {
  used: ['accessKeyId', 'secretAccessKey', 'sessionToken'],
  ignored: ['accountId', 'credentialScope', '$source'],
};
const HANDLER = {
  used: ['connectionTimeout', 'requestTimeout', 'socketTimeout', 'httpAgent', 'httpsAgent'],
  ignored: ['socketAcquisitionWarningTimeout', 'throwOnRequestTimeout'],
};
// Connections are kept alive here anyway.
const AGENT = {
  used: ['maxSockets'],
  ignored: [
    'keepAlive',
    'keepAliveMsecs',
    'maxFreeSockets',
    'maxTotalSockets',
    'scheduling',
    'timeout',
    'noDelay',
    'path',
  ],
};

const INSTEAD = entries({
  retryStrategy: 'has no counterpart: leave it out, and set storeOptions: { timeoutMs }',
  logger: 'would log requests: leave it out, and give a logger beside clientOptions',
});

const INSTEAD_OF_MEMBER = entries({
  expiration:
    'says that the credentials will expire, and flagstore cannot renew them: leave credentials out, or give a profile',
  ca: 'cannot be carried over: leave it out, and name its file in storeOptions: { caBundle }',
});

const INSTEAD_OF_FUNCTION = 'is a function, which flagstore cannot call: give the value itself';
const INSTEAD_OF_PROVIDER =
  'is a provider function, which flagstore cannot call: leave it out, since environment, profiles, containers and ' +
  'instances are asked anyway, or give a profile';

/** A map, since an object would have members that nobody gave it. */
function entries<Value>(members: Record<string, Value>): ReadonlyMap<string, Value> {
  return new Map(Object.entries(members));
}

function urlOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof URL) return value.href;
  if (typeof value === 'object' && value !== null) {
    if ('url' in value && value.url instanceof URL) return value.url.href;
    if ('protocol' in value && 'hostname' in value) {
      const { protocol, hostname, port, path = '' } = value as EndpointParts;
      return `${protocol.replace(/:?$/, ':')}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
    }
  }
  throw refused('STORE_ERROR_OPTION_TYPE', 'endpoint', `takes a URL, not ${kindOf(value)}`);
}

/** What an agent says of the number of connections. One of another class may be a proxy, whatever it says besides. */
function maxSocketsOf(name: string, given: unknown): number | undefined {
  if (given === undefined || given === null) return undefined;
  const option = `requestHandler.${name}`;
  const prototype: unknown = Object.getPrototypeOf(given);
  const own = prototype === HttpAgent.prototype || prototype === HttpsAgent.prototype;
  if (!own && typeof (given as { addRequest?: unknown }).addRequest === 'function') {
    const why = 'is an agent of its own kind, which flagstore cannot use: leave it out';
    throw refused('STORE_ERROR_OPTION_TYPE', option, why);
  }
  const options = own ? (given as HttpAgent & { options: object }).options : given;
  const { maxSockets } = membersOf(option, options, AGENT);
  if (maxSockets === undefined || maxSockets === Infinity) return undefined;
  if (Number.isSafeInteger(maxSockets) && (maxSockets as number) >= 1) return maxSockets as number;
  throw refused('STORE_ERROR_OPTION_VALUE', `${option}.maxSockets`, 'takes a whole number from 1');
}

function membersOf(
  option: string,
  value: unknown,
  known: { used: readonly string[]; ignored: readonly string[] },
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) {
    throw refused('STORE_ERROR_OPTION_TYPE', option, `takes an object, not ${kindOf(value)}`);
  }
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || known.used.includes(name) || known.ignored.includes(name)) continue;
    const instead = INSTEAD_OF_MEMBER.get(name) ?? 'has no counterpart in flagstore: leave it out';
    throw refused('STORE_ERROR_UNKNOWN_OPTION', `${option}.${name}`, instead);
  }
  return value as Record<string, unknown>;
}

function refused(code: CodeName, name: string, why: string): FlagStoreError {
  // Never the value: it may be a credential.
  return new FlagStoreError(code, `the clientOptions option "${name}" ${why}`);
}
