/**
 * Options of the AWS SDK's `DynamoDBClient`, as the LaunchDarkly SDK passes them, turned into the store's own.
 *
 * What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
 */

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
}

type Translated = Partial<FlagStoreOptions>;

/** Default of the store's `timeoutMs`, which would cut short a connection or request that was given longer. */
const DEFAULT_TIMEOUT_MS = 5_000;

/** The store's options that mean what `clientOptions` means to `new DynamoDBClient(clientOptions)`. */
export function translated(clientOptions: object): Translated {
  const options: Translated = {};
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
  }
  const longest = Math.max(options.connectTimeoutMs ?? 0, options.attemptTimeoutMs ?? 0);
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
    const { connectionTimeout, requestTimeout } = membersOf('requestHandler', value, HANDLER);
    const times: Translated = {};
    if (connectionTimeout) times.connectTimeoutMs = connectionTimeout as number;
    if (requestTimeout) times.attemptTimeoutMs = requestTimeout as number;
    return times;
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
const HANDLER = { used: ['connectionTimeout', 'requestTimeout'], ignored: [] };

const INSTEAD = entries({
  maxAttempts: 'is decided by time, not by number: leave it out, and set storeOptions: { timeoutMs }',
  retryMode: 'has no counterpart: leave it out, throttled requests are always paced',
  retryStrategy: 'has no counterpart: leave it out, and set storeOptions: { timeoutMs }',
  logger: 'would log requests: leave it out, and give a logger beside clientOptions',
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
    const instead =
      name === 'expiration'
        ? 'says that the credentials will expire, and flagstore cannot renew them: leave credentials out, or give a profile'
        : 'has no counterpart in flagstore: leave it out';
    throw refused('STORE_ERROR_UNKNOWN_OPTION', `${option}.${name}`, instead);
  }
  return value as Record<string, unknown>;
}

function refused(code: CodeName, name: string, why: string): FlagStoreError {
  // Never the value: it may be a credential.
  return new FlagStoreError(code, `the clientOptions option "${name}" ${why}`);
}
