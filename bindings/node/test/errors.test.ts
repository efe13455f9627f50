/** What goes wrong between the library and DynamoDB: the error, and what its message tells whom. */

import { strict as assert } from 'node:assert';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { type FlagStore, FlagStoreError } from '../src/index.js';
import { type Endpoint, endpointAt, Faults, local, newPrefix, open, SECRET } from './endpoint.js';

const PAYLOAD = '{"key":"p4yl0ad"}';
// Long enough for a machine that is busy with other things.
const QUICK = { timeoutMs: 1_000, allTimeoutMs: 1_000, initTimeoutMs: 1_000, shared: false };

let endpoint: Endpoint;
let faults: Faults;
before(async () => {
  endpoint = await local();
  faults = await Faults.inFrontOf(endpoint);
});

/** Each call of a store that asks DynamoDB and tells what went wrong. */
const CALLS: Readonly<Record<string, (store: FlagStore) => Promise<unknown>>> = {
  get: store => store.get('features', 'flag'),
  all: store => store.all('features'),
  upsert: store => store.upsert('features', 'flag', { version: 1, item: PAYLOAD }),
  init: store => store.init({ features: { flag: { version: 1, item: PAYLOAD } } }),
  initJson: store => store.initJson('{"flags":{"flag":{"version":1,"p4yl0ad":1}}}'),
  initialized: store => store.initialized(),
  bigSegmentsMetadata: store => store.bigSegmentsMetadata(),
  bigSegmentsMembership: store => store.bigSegmentsMembership('hash'),
};

/** The error of every call. Its message says what to do, and holds neither the payload nor the credentials. */
async function failuresOf(store: FlagStore): Promise<FlagStoreError[]> {
  const failing = Object.entries(CALLS).map(async ([name, call]) => {
    const error: unknown = await call(store).then(
      () => assert.fail(`${name} did not fail`),
      error => error,
    );
    assert(error instanceof FlagStoreError, `${name}: ${String(error)}`);
    const shown = `${error.stack} ${JSON.stringify(error)}`;
    assert(!shown.includes('p4yl0ad') && !shown.includes(SECRET), `${name} shows too much: ${shown}`);
    assert(error.code < 0 && error.message.includes(': '), `${name} says not what to do: ${error.message}`);
    return error;
  });
  const errors = await Promise.all(failing);
  assert.equal(await store.available(), false);
  return errors;
}

// Actions of tests/faults/endpoint, and the errors that they are.
const FAULTS: [string, object | string, string, boolean][] = [
  ['no permission', { do: 'refuse', type: 'AccessDeniedException' }, 'ACCESS_DENIED', false],
  ['an unknown key', { do: 'refuse', type: 'UnrecognizedClientException' }, 'INVALID_CREDENTIALS', false],
  ['a wrong secret', { do: 'refuse', type: 'InvalidSignatureException' }, 'INVALID_CREDENTIALS', false],
  ['an expired token', { do: 'refuse', type: 'ExpiredTokenException' }, 'EXPIRED_CREDENTIALS', false],
  ['a missing table', { do: 'refuse', type: 'ResourceNotFoundException' }, 'TABLE_NOT_FOUND', false],
  ['an odd request', { do: 'echo', quote: 'body', type: 'ValidationException' }, 'REJECTED', false],
  [
    'quoted credentials',
    { do: 'echo', quote: 'credentials', type: 'ValidationException' },
    'REJECTED',
    false,
  ],
  ['throttling', 'throttle', 'THROTTLED', true],
  ['throttling by another name', { do: 'throttle', type: 'ThrottlingException' }, 'THROTTLED', true],
  ['a fault of the service', 'fault', 'SERVICE', true],
  ['garbage', 'garbage', 'UNEXPECTED_RESPONSE', true],
  [
    'an answer of another service',
    { do: 'answer', status: 200, body: '<html>', content_type: 'text/html' },
    'UNEXPECTED_RESPONSE',
    true,
  ],
  ['a reset connection', 'reset', 'CONNECTION', true],
  ['a truncated answer', { do: 'close', at: 'body' }, 'CONNECTION', true],
  ['silence', 'black_hole', 'TIMEOUT', true],
  ['an answer that never ends', { do: 'drip', bytes_per_second: 1 }, 'TIMEOUT', true],
];
for (const [name, action, codeName, retriable] of FAULTS) {
  test(`${name} is STORE_ERROR_${codeName}`, async () => {
    await faults.script({ do: action });
    const store = open({ ...faults.endpoint.options, prefix: newPrefix(), ...QUICK });
    for (const error of await failuresOf(store)) {
      assert.deepEqual(
        [error.codeName, error.retriable],
        [`STORE_ERROR_${codeName}`, retriable],
        error.message,
      );
    }
  });
}

test('a port where nobody listens is STORE_ERROR_CONNECTION, and is named', async () => {
  const holder = createServer();
  await new Promise<void>(resolve => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as { port: number };
  await new Promise(resolve => holder.close(resolve));
  const store = open({ ...endpointAt(`http://127.0.0.1:${port}`).options, ...QUICK });
  for (const error of await failuresOf(store)) {
    assert.match(error.codeName, /^STORE_ERROR_(CONNECTION|TIMEOUT)$/);
    assert(error.message.includes(`127.0.0.1:${port}`), error.message);
  }
});

test('messages name the item and the table', async () => {
  await faults.script({ do: 'fault' });
  const store = open({ ...faults.endpoint.options, ...QUICK });
  await assert.rejects(store.get('features', 'my-flag'), /"my-flag" of kind "features".*table "flags"/);
});

// Set for this process, since the library reads them there; nothing else here opens stores without options.
for (const [name, given, mentioned] of [
  ['STORE_ERROR_NO_REGION', { accessKeyId: 'test', secretAccessKey: SECRET }, /region/],
  ['STORE_ERROR_NO_CREDENTIALS', { region: 'us-east-1' }, /credentials/],
] as const) {
  test(`${name} says where to set it`, async () => {
    const names = [
      'AWS_REGION',
      'AWS_DEFAULT_REGION',
      'AWS_PROFILE',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
    ];
    const before = { ...process.env };
    after(() => Object.assign(process.env, before));
    for (const variable of names) delete process.env[variable];
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
    process.env['AWS_CONFIG_FILE'] = process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nonexistent/aws';
    const where = name === 'STORE_ERROR_NO_CREDENTIALS' ? { endpoint: endpoint.url } : {};
    const store = open({ table: 'flags', ...given, ...where, ...QUICK });
    for (const error of await failuresOf(store)) {
      assert.equal(error.codeName, name);
      assert.match(error.message, mentioned);
    }
  });
}
