/** Options of the AWS SDK: those that cross, and those that are refused by name. */

import { strict as assert } from 'node:assert';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { test } from 'node:test';

import { translated } from '../src/client-options.js';
import { FlagStore, FlagStoreError } from '../src/index.js';
import { SECRET, TABLE } from './endpoint.js';

const CROSSING: [object, object][] = [
  [{}, {}],
  [{ region: undefined, requestHandler: undefined }, {}],
  [{ region: 'eu-west-1' }, { region: 'eu-west-1' }],
  [{ endpoint: 'http://localhost:8000' }, { endpoint: 'http://localhost:8000' }],
  [{ endpoint: new URL('http://localhost:8000') }, { endpoint: 'http://localhost:8000/' }],
  [{ endpoint: { url: new URL('http://localhost:8000') } }, { endpoint: 'http://localhost:8000/' }],
  [
    { endpoint: { protocol: 'http:', hostname: 'localhost', port: 8000, path: '/' } },
    { endpoint: 'http://localhost:8000/' },
  ],
  [{ endpoint: { protocol: 'https', hostname: 'example.com' } }, { endpoint: 'https://example.com' }],
  [
    { credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' } },
    { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
  ],
  [
    { credentials: { accessKeyId: 'a', secretAccessKey: 'b', accountId: '1' } },
    { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: undefined },
  ],
  [{ profile: 'staging' }, { profile: 'staging' }],
  [
    { useFipsEndpoint: true, useDualstackEndpoint: true },
    { useFips: true, useDualStack: true },
  ],
  [{ tls: true, apiVersion: '2012-08-10' }, {}],
  [{ requestHandler: { connectionTimeout: 0, requestTimeout: 0 } }, {}],
  [
    { requestHandler: { connectionTimeout: 250, requestTimeout: 3_000 } },
    { connectTimeoutMs: 250, attemptTimeoutMs: 3_000 },
  ],
  [{ maxAttempts: 1 }, { timeoutMs: 2_000 }],
  [{ maxAttempts: 5, retryMode: 'adaptive' }, { timeoutMs: 10_000 }],
  [
    {
      maxAttempts: 3,
      requestHandler: { socketTimeout: 500, connectionTimeout: 2_500, throwOnRequestTimeout: true },
    },
    { connectTimeoutMs: 2_500, attemptTimeoutMs: 500, timeoutMs: 2_500 },
  ],
  [{ requestHandler: { httpsAgent: { maxSockets: 50, keepAlive: true } } }, { maxConnections: 50 }],
  [
    { requestHandler: { httpsAgent: new HttpsAgent({ maxSockets: 40, keepAlive: true }) } },
    { maxConnections: 40 },
  ],
  [
    { requestHandler: { httpAgent: new HttpAgent({ maxSockets: 3 }), httpsAgent: new HttpsAgent() } },
    { maxConnections: 3 },
  ],
  [{ requestHandler: { requestTimeout: 20_000 } }, { attemptTimeoutMs: 20_000, timeoutMs: 20_000 }],
];
for (const [clientOptions, options] of CROSSING) {
  test(`crosses: ${JSON.stringify(clientOptions)}`, () => {
    assert.deepEqual(translated(clientOptions), options);
    FlagStore.open({ table: TABLE, ...options }).close();
  });
}

const provider = () => Promise.resolve({ accessKeyId: 'a', secretAccessKey: 'b' });
class ProxyAgent extends HttpsAgent {}
class NodeHttpHandler {
  handle(): void {}
}
const REFUSED: [object, string, RegExp][] = [
  [{ credentials: provider }, 'credentials', /provider function.*profile/],
  [
    { credentials: { accessKeyId: 'a', secretAccessKey: SECRET, expiration: new Date() } },
    'credentials.expiration',
    /profile/,
  ],
  [{ credentials: SECRET }, 'credentials', /an object, not string/],
  [{ region: () => Promise.resolve('eu-west-1') }, 'region', /function.*value itself/],
  [{ endpoint: () => 'http://localhost' }, 'endpoint', /function/],
  [{ endpoint: 5 }, 'endpoint', /URL, not 5/],
  [{ requestHandler: new NodeHttpHandler() }, 'requestHandler', /options it was made with/],
  [{ requestHandler: { httpsAgent: new ProxyAgent() } }, 'requestHandler.httpsAgent', /of its own kind/],
  [
    { requestHandler: { httpsAgent: new HttpsAgent({ ca: SECRET }) } },
    'requestHandler.httpsAgent.ca',
    /caBundle/,
  ],
  [
    { requestHandler: { httpsAgent: { rejectUnauthorized: false } } },
    'requestHandler.httpsAgent.rejectUnauthorized',
    /leave it out/,
  ],
  [{ requestHandler: { httpsAgent: { maxSockets: 0 } } }, 'requestHandler.httpsAgent.maxSockets', /from 1/],
  [{ requestHandler: { sessionCache: {} } }, 'requestHandler.sessionCache', /leave it out/],
  [{ maxAttempts: 0 }, 'maxAttempts', /from 1/],
  [{ maxAttempts: () => 3 }, 'maxAttempts', /function/],
  [{ retryMode: 'legacy' }, 'retryMode', /leave it out/],
  [{ logger: console }, 'logger', /beside clientOptions/],
  [{ tls: false }, 'tls', /http:\/\//],
  [{ apiVersion: '2011-12-05' }, 'apiVersion', /leave it out/],
  [{ regoin: 'eu-west-1' }, 'regoin', /leave it out/],
  [{ toString: 'x' }, 'toString', /leave it out/],
];
for (const [clientOptions, name, instead] of REFUSED) {
  test(`is refused: ${name}`, () => {
    assert.throws(
      () => translated(clientOptions),
      (error: unknown) => {
        assert(error instanceof FlagStoreError);
        assert(error.message.startsWith(`the clientOptions option "${name}" `), error.message);
        assert.match(error.message, instead);
        assert.match(error.codeName, /^STORE_ERROR_(UNKNOWN_OPTION|OPTION_TYPE|OPTION_VALUE)$/);
        return !error.message.includes(SECRET);
      },
    );
  });
}
