/** The SDK adapter: what the SDK's stores promise, rows that others wrote, and writes that fail. */

import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';

import {
  AsyncStoreFacade,
  type DataKind,
  init as initClient,
  type LDClient,
  type LDFeatureStore,
  type LDOptions,
  TestData,
} from '@launchdarkly/node-server-sdk';

import { FlagStoreError, libraryPath, libraryVersion } from '../src/index.js';
import {
  DynamoDBBigSegmentStore,
  DynamoDBFeatureStore,
  type LDDynamoDBOptions,
  doctor,
} from '../src/launchdarkly.js';
import {
  type Endpoint,
  endpointAt,
  Faults,
  local,
  Log,
  newPrefix,
  open,
  Rows,
  SECRET,
  TABLE,
  until,
} from './endpoint.js';

const FEATURES: DataKind = { namespace: 'features' };
const SEGMENTS: DataKind = { namespace: 'segments' };

let endpoint: Endpoint;
let faults: Faults;
before(async () => {
  endpoint = await local();
  faults = await Faults.inFrontOf(endpoint);
});

function flag(key: string, version: number, more: object = {}) {
  return { key, version, on: false, offVariation: 0, variations: ['a', 'b'], salt: '', rules: [], ...more };
}

interface Opened {
  readonly store: AsyncStoreFacade;
  readonly raw: LDFeatureStore;
  readonly log: Log;
  readonly prefix: string;
  readonly rows: Rows;
}

/** A feature store as the SDK makes it, without a cache unless one is asked for. */
function opened(options: LDDynamoDBOptions = {}): Opened {
  const { prefix = newPrefix() } = options;
  const log = new Log();
  const create = DynamoDBFeatureStore(TABLE, {
    clientOptions: endpoint.clientOptions,
    cacheTTL: 0,
    ...options,
    prefix,
  });
  const raw = create({ basicConfiguration: { logger: log } });
  after(() => raw.close());
  return { store: new AsyncStoreFacade(raw), raw, log, prefix, rows: new Rows(endpoint, prefix) };
}

/** One whose requests go through the fault endpoint, and whose calls end soon. */
function faulty(options: LDDynamoDBOptions = {}): Opened {
  const quick = { timeoutMs: 1_000, allTimeoutMs: 1_000, initTimeoutMs: 1_000 };
  return opened({ clientOptions: faults.endpoint.clientOptions, storeOptions: quick, ...options });
}

for (const cacheTTL of [0, 30]) {
  describe(`a feature store that caches for ${cacheTTL} s`, () => {
    const DATA = {
      features: { one: flag('one', 10), two: flag('two', 10) },
      segments: { seg: flag('seg', 1) },
    };

    async function filled(): Promise<Opened> {
      const all = opened({ cacheTTL });
      await all.store.init(DATA);
      return all;
    }

    test('is initialised once it holds a data set, and so are others of its prefix', async () => {
      const { store, prefix } = opened({ cacheTTL });
      assert.equal(await store.initialized(), false);
      await store.init(DATA);
      assert.equal(await store.initialized(), true);
      assert.equal(await opened({ prefix }).store.initialized(), true);
      assert.equal(await opened({ prefix: `${prefix}-other` }).store.initialized(), false);
    });

    test('gives what it holds', async () => {
      const { store } = await filled();
      assert.equal((await store.get(FEATURES, 'one'))?.version, 10);
      assert.equal((await store.get(SEGMENTS, 'seg'))?.version, 1);
      assert.equal(await store.get(FEATURES, 'three'), null);
      assert.equal(await store.get(SEGMENTS, 'one'), null);
      assert.deepEqual(Object.keys(await store.all(FEATURES)).sort(), ['one', 'two']);
    });

    test('replaces all it holds', async () => {
      const { store } = await filled();
      await store.init({ features: { two: flag('two', 11), three: flag('three', 1) }, segments: {} });
      assert.deepEqual(Object.keys(await store.all(FEATURES)).sort(), ['three', 'two']);
      assert.deepEqual(await store.all(SEGMENTS), {});
      assert.equal(await store.get(FEATURES, 'one'), null);
      assert.equal((await store.get(FEATURES, 'two'))?.version, 11);
    });

    test('takes an update that is newer, or new, and no other', async () => {
      const { store } = await filled();
      for (const [key, version, stored] of [
        ['one', 11, 11],
        ['two', 9, 10],
        ['two', 10, 10],
        ['three', 1, 1],
      ] as const) {
        await store.upsert(FEATURES, flag(key, version, { salt: 'updated' }));
        assert.equal((await store.get(FEATURES, key))?.version, stored);
        assert.equal((await store.all(FEATURES))[key]?.version, stored);
      }
      assert.equal((await store.get(FEATURES, 'two'))?.['salt'], '');
    });

    test('takes a deletion that is newer, or of something new, and no other', async () => {
      const { store } = await filled();
      await store.delete(FEATURES, 'one', 11);
      await store.delete(FEATURES, 'two', 9);
      await store.delete(FEATURES, 'three', 1);
      assert.equal(await store.get(FEATURES, 'one'), null);
      assert.equal((await store.get(FEATURES, 'two'))?.version, 10);
      assert.deepEqual(Object.keys(await store.all(FEATURES)), ['two']);
      await store.upsert(FEATURES, flag('one', 10));
      assert.equal(await store.get(FEATURES, 'one'), null);
    });

    test('serves what another process wrote in between, when its own update is older', async () => {
      const { store, prefix } = await filled();
      const other = open({ ...endpoint.options, prefix });
      await store.get(FEATURES, 'one');
      await store.get(FEATURES, 'two');
      await other.upsert('features', 'one', { version: 15, item: JSON.stringify(flag('one', 15)) });
      await other.delete('features', 'two', 15);
      await store.upsert(FEATURES, flag('one', 12));
      await store.upsert(FEATURES, flag('two', 12));
      assert.equal((await store.get(FEATURES, 'one'))?.version, 15);
      assert.equal(await store.get(FEATURES, 'two'), null);
    });

    test('keeps the older version of what grew too large, and tells', async () => {
      const { store, log } = await filled();
      await store.upsert(FEATURES, flag('one', 11, { salt: 'x'.repeat(400_000) }));
      assert.equal((await store.get(FEATURES, 'one'))?.version, 10);
      await store.init({
        features: { ...DATA.features, huge: flag('huge', 1, { salt: 'x'.repeat(400_000) }) },
      });
      assert.equal(await store.initialized(), true);
      const [upserted, initialised] = log.at('error');
      assert.match(upserted!, /"one"/);
      assert.match(initialised!, /"huge"/);
      assert(!log.lines.join().includes('xxxx'));
    });

    test('writes keys with characters that mean something to other stores', async () => {
      const { store } = await filled();
      for (const key of ['a$b', 'a:b', 'ключ', '🚩']) {
        await store.init({ features: { [key]: flag(key, 1) } });
        assert.deepEqual(Object.keys(await store.all(FEATURES)), [key]);
        assert.equal((await store.get(FEATURES, key))?.version, 1);
      }
      await store.init({ features: {}, segments: {} });
      assert.deepEqual(await store.all(FEATURES), {});
    });
  });
}

test('the SDK calls it DynamoDB', () => {
  assert.equal(opened().raw.getDescription?.(), 'DynamoDB');
});

describe('what other SDKs wrote', () => {
  const tombstones = ['null', '{"key":"gone","version":5,"deleted":true}', '{"version":5,"deleted":true}'];
  for (const text of [...tombstones, '{"key":"$deleted","version":5,"deleted":true,"on":false,"rules":[]}']) {
    test(`is deleted where it is ${text}`, async () => {
      const { store, rows } = opened({ cacheTTL: 30 });
      for (const kind of [FEATURES, SEGMENTS]) {
        await rows.put(kind.namespace, 'gone', { version: { N: '5' }, item: { S: text } });
        assert.equal(await store.get(kind, 'gone'), null);
        assert.deepEqual(await store.all(kind), {});
        await store.upsert(kind, flag('gone', 4));
        assert.equal(await store.get(kind, 'gone'), null);
      }
    });
  }

  test('and what this writes is in the form that all of them read', async () => {
    const { store, rows } = opened();
    const item = flag('flag', 1, { name: 'Grüße', unknown: { kept: [null, 1] } });
    await store.init({ features: { flag: item } });
    assert.deepEqual(await rows.get('features', 'flag'), {
      version: { N: '1' },
      item: { S: JSON.stringify(item) },
    });
    await store.delete(FEATURES, 'flag', 3);
    const { item: text } = (await rows.get('features', 'flag')) as { item: { S: string } };
    const { key, version, deleted, variations } = JSON.parse(text.S) as Record<string, unknown>;
    assert.deepEqual([key, version, deleted, variations], ['$deleted', 3, true, []]);
  });
});

describe('what fails', () => {
  test('while writing all: it is logged, nothing is taken as initialised or cached, and the queue goes on', async () => {
    const { store, log, prefix } = faulty({ cacheTTL: 30 });
    await faults.script({ namespace: `${prefix}:features`, operation: 'PutItem', do: 'fault' });
    await store.init({ features: { flag: flag('flag', 1) }, segments: {} });
    assert.match(log.at('error').join(), /writing all flags and segments failed: .*PutItem/);
    assert.equal(await store.initialized(), false);
    assert.equal(await store.get(FEATURES, 'flag'), null);
    assert.deepEqual(await store.all(FEATURES), {});
    await faults.script();
    await store.upsert(FEATURES, flag('flag', 2));
    assert.equal((await store.get(FEATURES, 'flag'))?.version, 2);
    await store.init({ features: { flag: flag('flag', 3) }, segments: {} });
    assert.equal(await opened({ prefix }).store.initialized(), true);
  });

  test('while writing one: it is logged, and what is cached is what the table has', async () => {
    const { store, log, prefix } = faulty({ cacheTTL: 30 });
    await store.init({ features: { flag: flag('flag', 1) }, segments: {} });
    await faults.script({ namespace: `${prefix}:features`, operation: 'PutItem', do: 'throttle' });
    await store.upsert(FEATURES, flag('flag', 2));
    assert.match(log.at('error').join(), /"flag"/);
    assert.equal((await store.get(FEATURES, 'flag'))?.version, 1);
    await faults.script();
  });

  test('while reading: it is logged, and the callback is called once', async () => {
    const { raw, log, prefix } = faulty();
    await faults.script({ namespace: [`${prefix}:features`, `${prefix}:$inited`], do: 'fault' });
    for (const [question, nothing] of [
      [(answer: (value: unknown) => void) => raw.get(FEATURES, 'flag', answer), null],
      [(answer: (value: unknown) => void) => raw.all(FEATURES, answer), {}],
      [(answer: (value: unknown) => void) => raw.initialized(answer), false],
    ] as const) {
      const answers: unknown[] = [];
      await new Promise<void>(resolve => question(answer => resolve(void answers.push(answer))));
      await new AsyncStoreFacade(raw).get(SEGMENTS, 'other');
      assert.deepEqual(answers, [nothing]);
      assert.match(log.at('error').at(-1)!, /^error: DynamoDB: .* failed: /);
    }
    assert(!log.lines.join().includes(SECRET));
    await faults.script();
  });

  test('in the application, when it is called back, is the application’s, and happens once', async () => {
    const { raw, store } = opened({ cacheTTL: 30 });
    await store.init({ features: { flag: flag('flag', 1) }, segments: {} });
    for (const question of [
      (answer: () => void) => raw.get(FEATURES, 'other', answer),
      (answer: () => void) => raw.all(SEGMENTS, answer),
      (answer: () => void) => raw.upsert(FEATURES, flag('flag', 2), answer),
    ]) {
      let calls = 0;
      const thrown = new Promise<Error>(resolve => {
        process.setUncaughtExceptionCaptureCallback(resolve);
        try {
          question(() => {
            calls++;
            throw new Error('of the application');
          });
        } catch (error) {
          // Out of the cache it is called before the question returns.
          resolve(error as Error);
        }
      });
      assert.equal((await thrown).message, 'of the application');
      await store.get(FEATURES, 'another');
      process.setUncaughtExceptionCaptureCallback(null);
      assert.equal(calls, 1);
    }
  });

  test('because the store is closed', async () => {
    const { raw, store, log } = opened();
    raw.close();
    raw.close();
    assert.equal(await store.get(FEATURES, 'flag'), null);
    assert.match(log.at('error').join(), /is closed/);
  });
});

describe('doctor', () => {
  test('takes what the store takes, and says what is wrong', async () => {
    const { clientOptions } = endpoint;
    const options = { prefix: newPrefix(), cacheTTL: 30, logger: new Log(), clientOptions };
    const missing = await doctor('no-such-table', options);
    assert.match(missing.findings.find(one => one.check === 'table')!.found, /no-such-table/);
    const empty = await doctor(TABLE, options);
    assert(
      empty.findings.some(one => one.check === 'initialised' && one.level === 'problem'),
      inspect(empty),
    );
    await assert.rejects(doctor(TABLE, { ...options, storeOptions: { timeoutMs: -1 } }), /timeoutMs/);
    const unknown = { ...options, tabel: 'x' } as object;
    await assert.rejects(doctor(TABLE, unknown), /"tabel"/);
  });
});

describe('while DynamoDB is away', () => {
  test('what the SDK brought is served, and what could not be written is written when it is back', async () => {
    const { store, log, prefix, rows } = faulty();
    await store.init({ features: { one: flag('one', 1), two: flag('two', 1) }, segments: {} });
    await faults.script({ namespace: `${prefix}:features`, do: 'fault' });
    await store.upsert(FEATURES, flag('one', 2));
    assert.match(log.at('error').join(), /"one"/);
    assert.equal((await store.get(FEATURES, 'one'))?.version, 2);
    assert.equal((await store.get(FEATURES, 'two'))?.version, 1);
    assert.deepEqual(Object.keys(await store.all(FEATURES)).sort(), ['one', 'two']);
    assert.equal(await store.get(FEATURES, 'nobody’s'), null);
    await faults.script();
    await until(
      async () => {
        await store.get(FEATURES, 'two');
        return (await rows.get('features', 'one'))?.['version'];
      },
      { N: '2' },
    );
  });

  test('a process that starts then has what another one left in `cacheDir`', async t => {
    if (process.platform === 'win32') return t.skip('cacheDir is for Unix');
    const cacheDir = mkdtempSync(join(tmpdir(), 'flagstore-'));
    after(() => rmSync(cacheDir, { recursive: true }));
    const prefix = newPrefix();
    const storeOptions = { cacheDir, shared: false, timeoutMs: 1_000, allTimeoutMs: 1_000 };
    const first = faulty({ prefix, storeOptions });
    await first.store.init({ features: { one: flag('one', 7) }, segments: {} });
    await first.store.get(FEATURES, 'one');
    await first.store.all(FEATURES);
    await faults.script({ do: 'reset' });
    const { store } = faulty({ prefix, storeOptions });
    assert.equal((await store.get(FEATURES, 'one'))?.version, 7);
    assert.deepEqual(Object.keys(await store.all(FEATURES)), ['one']);
    const own = open({ ...faults.endpoint.options, prefix, ...storeOptions });
    assert.equal((await own.get('features', 'one'))?.stale, true);
    await until(async () => (await own.get('features', 'one')) && own.statistics().away, 1);
    assert(own.statistics().stale >= 1);
    await faults.script();
  });
});

describe('options', () => {
  test('of another kind are refused when the store is described, not when it is used', () => {
    for (const [options, mentioned] of [
      [{ dynamoDBClient: {} }, /"dynamoDBClient".*clientOptions/],
      [{ clientOptions: { maxAttempts: 0 } }, /"maxAttempts".*from 1/],
      [{ clientOptions: { retryStrategy: {} } }, /"retryStrategy".*timeoutMs/],
      [{ tableName: 'x' }, /"tableName"/],
      [{ cacheTTL: -1 }, /"cacheTTL".*-1/],
      [{ cacheTTL: '5' }, /"cacheTTL".*string/],
    ] as const) {
      assert.throws(() => DynamoDBFeatureStore(TABLE, options as LDDynamoDBOptions), {
        name: 'FlagStoreError',
        message: mentioned,
      });
    }
    const wrong = DynamoDBBigSegmentStore(TABLE, { storeOptions: { timeoutMs: -1 } });
    assert.throws(() => wrong({}), FlagStoreError);
  });

  test('of the store win', async () => {
    const nowhere = endpointAt('http://127.0.0.1:1').clientOptions;
    const { store, log } = opened({ clientOptions: nowhere, storeOptions: { endpoint: endpoint.url } });
    await store.init({ features: {} });
    assert.deepEqual(log.at('error'), []);
  });

  test('are told once, without what is secret in them', () => {
    const { log, prefix } = opened();
    const host = new URL(endpoint.url).host;
    assert.deepEqual(log.at('info'), [
      `info: using DynamoDB table "flags" with prefix "${prefix}" at http://${host} in region "us-east-1", ` +
        `through libflagstore ${libraryVersion()} (${libraryPath()})`,
    ]);
    const secret = endpoint.url.replace('http://', `http://user:${SECRET}@`);
    const given = DynamoDBBigSegmentStore(TABLE, {
      clientOptions: { ...endpoint.clientOptions, endpoint: secret },
      prefix: 'a\nb',
    });
    const own = new Log();
    given({ basicConfiguration: { logger: own } }).close();
    assert.match(
      own.at('info').join(),
      /using DynamoDB table "flags" with prefix "a\\nb" at http:\/\/127\.0\.0\.1:\d+ in /,
    );
    assert(!own.lines.join().includes(SECRET));
  });

  test('name a logger, which is used rather than the SDK’s', async () => {
    const own = new Log();
    const { store, log } = opened({ logger: own });
    await store.upsert(FEATURES, flag('huge', 1, { salt: 'x'.repeat(400_000) }));
    assert.equal(own.at('error').length, 1);
    assert.deepEqual(log.lines, []);
  });
});

describe('the client', () => {
  async function client(options: LDOptions): Promise<LDClient> {
    const made = initClient('sdk-key', { sendEvents: false, logger: new Log(), ...options });
    after(() => made.close());
    await made.waitForInitialization({ timeout: 10 });
    return made;
  }

  function featureStore(prefix: string) {
    return DynamoDBFeatureStore(TABLE, { clientOptions: endpoint.clientOptions, prefix });
  }

  const user = { kind: 'user', key: 'member' };

  test('reads what another process wrote', async () => {
    const { store, prefix } = opened();
    await store.init({ features: { flag: flag('flag', 1) }, segments: {} });
    const reader = await client({ featureStore: featureStore(prefix), useLdd: true });
    assert.equal(await reader.variation('flag', user, 'none'), 'a');
    assert.deepEqual((await reader.allFlagsState(user)).allValues(), { flag: 'a' });
  });

  test('writes what its data source brings', async () => {
    const prefix = newPrefix();
    const data = new TestData();
    data.update(data.flag('flag').variations('a', 'b').variationForAll(0));
    const writer = await client({ featureStore: featureStore(prefix), updateProcessor: data.getFactory() });
    const store = open({ ...endpoint.options, prefix });
    assert.equal(await store.initialized(), true);
    const before = await store.get('features', 'flag');
    assert.equal(await writer.variation('flag', user, 'none'), 'a');
    await data.update(data.flag('flag').variationForAll(1));
    assert.equal(await writer.variation('flag', user, 'none'), 'b');
    assert.equal((await store.get('features', 'flag'))?.version, before!.version + 1);
  });

  test('evaluates big segments', async () => {
    const { store, prefix, rows } = opened();
    const clause = { attribute: '', op: 'segmentMatch', values: ['big'] };
    const rules = [{ id: 'r', variation: 1, clauses: [clause] }];
    const segment = {
      key: 'big',
      version: 1,
      unbounded: true,
      generation: 2,
      included: [],
      excluded: [],
      rules: [],
    };
    await store.init({
      segments: { big: segment },
      features: { flag: flag('flag', 1, { on: true, fallthrough: { variation: 0 }, rules }) },
    });
    const member = createHash('sha256').update('member').digest('base64');
    await rows.put('big_segments_user', member, { included: { SS: ['big.g2'] } });
    await rows.putSpecial('big_segments_metadata', { synchronizedOn: { N: String(2 ** 42) } });
    const bigSegments = DynamoDBBigSegmentStore(TABLE, { clientOptions: endpoint.clientOptions, prefix });
    const reader = await client({
      featureStore: featureStore(prefix),
      bigSegments: { store: bigSegments },
      useLdd: true,
    });
    const inside = await reader.variationDetail('flag', user, 'none');
    const outside = await reader.variationDetail('flag', { kind: 'user', key: 'other' }, 'none');
    assert.deepEqual([inside.value, inside.reason.bigSegmentsStatus], ['b', 'HEALTHY']);
    assert.deepEqual([outside.value, outside.reason.bigSegmentsStatus], ['a', 'HEALTHY']);
  });
});

describe('a big segment store', () => {
  function bigSegments(prefix: string, clientOptions = endpoint.clientOptions) {
    const storeOptions = { timeoutMs: 1_000 };
    const store = DynamoDBBigSegmentStore(TABLE, { clientOptions, prefix, storeOptions })({});
    after(() => store.close());
    return store;
  }

  test('without rows has neither a time nor members', async () => {
    const store = bigSegments(newPrefix());
    assert.deepEqual(await store.getMetadata(), {});
    assert.equal(await store.getUserMembership('hash'), undefined);
  });

  for (const [included, excluded, membership] of [
    [['a.g1'], [], { 'a.g1': true }],
    [[], ['a.g1'], { 'a.g1': false }],
    [['a.g1', 'b.g1'], ['b.g1', 'c.g2'], { 'a.g1': true, 'b.g1': true, 'c.g2': false }],
  ] as const) {
    test(`has members: in ${included.join()}, not in ${excluded.join()}`, async () => {
      const prefix = newPrefix();
      const sets = Object.entries({ included, excluded }).filter(([, set]) => set.length > 0);
      const attributes = Object.fromEntries(sets.map(([name, set]) => [name, { SS: set }]));
      await new Rows(endpoint, prefix).put('big_segments_user', 'hash', attributes);
      assert.deepEqual(await bigSegments(prefix).getUserMembership('hash'), membership);
    });
  }

  test('has the time of its last update', async () => {
    const prefix = newPrefix();
    await new Rows(endpoint, prefix).putSpecial('big_segments_metadata', {
      synchronizedOn: { N: '1700000000123' },
    });
    assert.deepEqual(await bigSegments(prefix).getMetadata(), { lastUpToDate: 1_700_000_000_123 });
  });

  test('rejects where DynamoDB does not answer', async () => {
    const prefix = newPrefix();
    await faults.script({
      namespace: [`${prefix}:big_segments_user`, `${prefix}:big_segments_metadata`],
      do: 'fault',
    });
    const store = bigSegments(prefix, faults.endpoint.clientOptions);
    await assert.rejects(store.getMetadata(), { codeName: 'STORE_ERROR_SERVICE' });
    await assert.rejects(store.getUserMembership('hash'), { codeName: 'STORE_ERROR_SERVICE' });
    await faults.script();
  });
});
