/** What FlagStore promises, on a live table. */

import { strict as assert } from 'node:assert';
import { before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import {
  type Event,
  FlagStore,
  FlagStoreError,
  type FlagStoreOptions,
  type Item,
  libraryVersion,
} from '../src/index.js';
import { native } from '../src/native.js';
import { type Endpoint, local, Log, newPrefix, open, request, Rows, SECRET, TABLE } from './endpoint.js';

const FLAG = '{"key":"flag","version":1}';
const AWKWARD_KEYS = [
  'plain',
  'with space',
  'with:colon/and/slash',
  'Grüße-日本語-🚩',
  'nul\0inside',
  '\0',
  'quote"back\\slash\'',
  'line\nbreak\ttab\x7f',
  '\u202e\ufeff',
  'e\u0301',
  '__proto__',
  'constructor',
  'x'.repeat(1024),
  ...[251, 252, 253, 254, 255, 256, 257].map(
    length => 'ä'.repeat(length / 2) + '🚩'.repeat(length % 2) + 'é',
  ),
];

function item(version: number, text: string | undefined = FLAG, more: Partial<Item> = {}): Item {
  return { version, item: text, deleted: text === undefined, stale: false, ...more };
}

async function errorOf(call: () => unknown): Promise<FlagStoreError> {
  try {
    await call();
  } catch (error) {
    assert(error instanceof FlagStoreError, String(error));
    return error;
  }
  return assert.fail('it did not fail');
}

let endpoint: Endpoint;
before(async () => {
  endpoint = await local();
});

/** A store on the local endpoint, under a prefix of its own unless one is given. */
function fresh(options: Partial<FlagStoreOptions> = {}): FlagStore {
  return open({ ...endpoint.options, prefix: newPrefix(), ...options });
}

function withRows(): { store: FlagStore; rows: Rows; prefix: string } {
  const prefix = newPrefix();
  return { store: fresh({ prefix }), rows: new Rows(endpoint, prefix), prefix };
}

function short(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? 'undefined';
}

test('the library tells its version', () => {
  assert.match(libraryVersion(), /^\d+\./);
});

describe('reading and writing one item', () => {
  test('an item that is not there is undefined', async () => {
    assert.equal(await fresh().get('features', 'nothing'), undefined);
  });

  test('an item comes back as it was written', async () => {
    const store = fresh();
    assert.deepEqual(await store.upsert('features', 'flag', { version: 1, item: FLAG }), {
      outcome: 'written',
    });
    assert.deepEqual(await store.get('features', 'flag'), item(1));
  });

  for (const key of AWKWARD_KEYS) {
    test(`keys may hold any characters: ${short(key)} of ${Buffer.byteLength(key)} bytes`, async () => {
      const store = fresh();
      await store.upsert('features', key, { version: 1, item: FLAG });
      assert.deepEqual(await store.get('features', key), item(1));
      assert.deepEqual(await store.all('features'), new Map([[key, item(1)]]));
      assert.equal(
        (await store.init({ features: new Map([[key, { version: 1, item: FLAG }]]) })).unchanged,
        1,
      );
    });
  }

  const payloads = [
    'not JSON',
    ' {} ',
    '{"a" : 1.0e5}',
    '\0',
    'null\0',
    '"\\u0000é🚩"',
    '[]',
    'x'.repeat(300_000),
  ];
  for (const payload of payloads) {
    test(`payloads come back character for character: ${short(payload)}`, async () => {
      const store = fresh();
      await store.upsert('things', 'thing', { version: 1, item: payload });
      assert.deepEqual(await store.get('things', 'thing'), item(1, payload));
    });
  }

  test('kinds may hold any characters', async () => {
    const store = fresh();
    await store.upsert('Größe\0$:', 'key', { version: 1, item: 'x' });
    assert.deepEqual(await store.get('Größe\0$:', 'key'), item(1, 'x'));
    assert.equal(await store.get('Größe\0$', 'key'), undefined);
  });

  test('the rows are those of every SDK', async () => {
    const { store, rows } = withRows();
    await store.upsert('features', 'flag', { version: 3, item: FLAG });
    assert.deepEqual(await rows.get('features', 'flag'), { version: { N: '3' }, item: { S: FLAG } });
  });

  for (const version of [1, 2]) {
    test(`version ${version} is refused where 2 is stored, with the stored item`, async () => {
      const store = fresh();
      await store.upsert('features', 'flag', { version: 2, item: FLAG });
      const refused = await store.upsert('features', 'flag', { version, item: '{"other":1}' });
      assert.deepEqual(refused, { outcome: 'newerExists', stored: item(2) });
      assert.deepEqual(await store.get('features', 'flag'), item(2));
    });
  }

  for (const version of [0, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
    test(`versions are whole numbers of 53 bits: ${version}`, async () => {
      const store = fresh();
      await store.upsert('features', 'flag', { version, item: FLAG });
      assert.deepEqual(await store.get('features', 'flag'), item(version));
    });
  }

  test('an item over 400 KB is not written and keeps the older row', async () => {
    const store = fresh();
    await store.upsert('features', 'flag', { version: 1, item: FLAG });
    const huge = { version: 2, item: 'x'.repeat(400_000) };
    assert.deepEqual(await store.upsert('features', 'flag', huge), { outcome: 'tooLarge' });
    assert.deepEqual(await store.get('features', 'flag'), item(1));
  });

  test('prefixes are independent', async () => {
    const [first, second] = [fresh(), fresh()];
    await first.upsert('features', 'flag', { version: 1, item: FLAG });
    assert.equal(await second.get('features', 'flag'), undefined);
    assert.deepEqual(await second.all('features'), new Map());
  });
});

describe('deletions', () => {
  test('a deleted item is there as deleted', async () => {
    const store = fresh();
    await store.upsert('features', 'flag', { version: 1, item: FLAG });
    assert.equal((await store.delete('features', 'flag', 2)).outcome, 'written');
    assert.deepEqual(
      await store.get('features', 'flag'),
      item(2, undefined, { deleted: true, item: undefined }),
    );
    assert.deepEqual(
      await store.all('features'),
      new Map([['flag', { ...item(2), item: undefined, deleted: true }]]),
    );
  });

  test('a deletion stands in the way of older versions', async () => {
    const store = fresh();
    await store.delete('features', 'flag', 2);
    const refused = await store.upsert('features', 'flag', { version: 1, item: FLAG });
    assert.deepEqual(refused, {
      outcome: 'newerExists',
      stored: { ...item(2), item: undefined, deleted: true },
    });
  });

  const tombstones = {
    null: { item: { S: 'null' } },
    keyed: { item: { S: '{"key":"flag","version":5,"deleted":true}' } },
    keyless: { item: { S: '{"version":5,"deleted":true}' } },
    full: { item: { S: '{"key":"$deleted","version":5,"deleted":true,"rules":[]}' } },
    'no item': {},
    attribute: { item: { S: FLAG }, deleted: { BOOL: true } },
  };
  for (const [name, attributes] of Object.entries(tombstones)) {
    test(`every tombstone of every SDK is read: ${name}`, async () => {
      const { store, rows } = withRows();
      await rows.put('features', 'flag', { version: { N: '5' }, ...attributes });
      const deleted = { version: 5, item: undefined, deleted: true, stale: false };
      assert.deepEqual(await store.get('features', 'flag'), deleted);
      assert.deepEqual(await store.all('features'), new Map([['flag', deleted]]));
    });
  }
});

describe('all items', () => {
  test('come by key, however many turns of the event loop they take', async () => {
    const store = fresh();
    for (const count of [0, 1, 499, 500, 501, 1_600]) {
      const items = Array.from({ length: count }, (_, number): [string, Item] => [
        `flag-${number}`,
        item(number),
      ]);
      await store.init({ features: new Map(items) });
      assert.deepEqual(await store.all('features'), new Map(items));
    }
  });

  test('of an unknown kind are none', async () => {
    assert.deepEqual(await fresh().all('features'), new Map());
  });

  test('come where they do not fit one answer', async () => {
    const store = fresh();
    const items = Array.from({ length: 120 }, (_, number): [string, Item] => [
      `flag-${number}`,
      item(1, 'x'.repeat(20_000)),
    ]);
    await store.init({ things: new Map(items) });
    assert.deepEqual(await store.all('things'), new Map(items));
  });

  test('are not hidden by one that cannot be read', async () => {
    const { store, rows } = withRows();
    await store.upsert('features', 'good', { version: 1, item: FLAG });
    await rows.put('features', 'bad', { version: { N: '1' }, item: { B: 'AA==' } });
    assert.deepEqual(await store.all('features'), new Map([['good', item(1)]]));
    assert.equal(await store.get('features', 'bad'), undefined);
    assert([...store.events()].some(event => event.message.includes('bad')));
  });
});

describe('whole data sets', () => {
  test('replace the data and mark it as initialised', async () => {
    const { store, rows, prefix } = withRows();
    await store.upsert('features', 'old', { version: 9, item: FLAG });
    await store.upsert('others', 'untouched', { version: 9, item: FLAG });
    assert.equal(await store.initialized(), false);
    const data = {
      features: { new: { version: 1, item: FLAG } },
      segments: { segment: { version: 1, item: '{}' } },
    };
    const reasons = { replaced: {}, kept: {}, leftOut: {} };
    const report = {
      written: 2,
      unchanged: 0,
      deleted: 1,
      keptNewer: 0,
      tooLarge: [],
      deflated: { count: 0, keys: [] },
      ...reasons,
    };
    assert.deepEqual(await store.init(data), report);
    assert.equal(await store.initialized(), true);
    assert.deepEqual(await store.all('features'), new Map([['new', item(1)]]));
    assert.deepEqual(await store.all('segments'), new Map([['segment', item(1, '{}')]]));
    assert.deepEqual(await store.get('others', 'untouched'), item(9));
    assert.deepEqual(await rows.get('$inited', `${prefix}:$inited`), {});
  });

  test('win over newer rows of a table that is not initialised, and report them', async () => {
    const store = fresh();
    await store.upsert('features', 'flag', { version: 9, item: FLAG });
    const report = await store.init({ features: { flag: { version: 1, item: FLAG } } });
    const keys = [{ kind: 'features', key: 'flag' }];
    assert.deepEqual(report.replaced, { notInitialised: { count: 1, keys } });
    assert.deepEqual([report.written, report.kept, report.leftOut], [1, {}, {}]);
    assert.deepEqual(await store.get('features', 'flag'), item(1));
  });

  test('that are there already cost no writes', async () => {
    const store = fresh();
    const flags = Array.from(
      { length: 30 },
      (_, number) => [`flag-${number}`, { version: 1, item: FLAG }] as const,
    );
    await store.init({ features: new Map(flags) });
    const { writeUnits } = store.statistics();
    assert.equal((await store.init({ features: Object.fromEntries(flags) })).unchanged, 30);
    assert.equal(store.statistics().writeUnits, writeUnits);
  });

  test('leave a newer row alone', async () => {
    const store = fresh();
    await store.init({ features: { flag: { version: 7, item: FLAG } } });
    const report = await store.init({ features: { flag: { version: 6, item: '{}' } } });
    assert.equal(report.keptNewer, 1);
    assert.deepEqual(report.kept, { newer: { count: 1, keys: [{ kind: 'features', key: 'flag' }] } });
    assert.deepEqual(await store.get('features', 'flag'), item(7));
  });

  test('may hold deletions', async () => {
    const store = fresh();
    await store.init({ features: { flag: { version: 3, deleted: true } }, segments: {} });
    assert.equal((await store.get('features', 'flag'))?.deleted, true);
  });

  test('are stored without the items over 400 KB, which are reported', async () => {
    const store = fresh();
    const features = { huge: { version: 1, item: 'x'.repeat(400_000) }, small: { version: 1, item: FLAG } };
    const { written, tooLarge } = await store.init({ features });
    assert.equal(written, 1);
    assert.deepEqual(
      tooLarge.map(({ kind, key, bytes }) => [kind, key, bytes > 400_000]),
      [['features', 'huge', true]],
    );
    assert.deepEqual(await store.all('features'), new Map([['small', item(1)]]));
    assert.equal(await store.initialized(), true);
  });

  for (const data of [{}, { features: {} }, new Map([['features', new Map()]])]) {
    test(`with nothing in them initialise: ${short(data)}`, async () => {
      const store = fresh();
      assert.equal((await store.init(data)).written, 0);
      assert.equal(await store.initialized(), true);
    });
  }

  for (const json of [
    '{"features":{"flag": {"key":"flag" , "version":1}},"segments":{}}',
    '{"flags":{"flag": {"key":"flag" , "version":1}}}',
    '{"path":"/","data":{"flags":{"flag": {"key":"flag" , "version":1}},"segments":{}}}',
  ]) {
    test(`are taken as JSON: ${json}`, async () => {
      const store = fresh();
      assert.equal((await store.initJson(json)).written, 1);
      assert.deepEqual(await store.get('features', 'flag'), item(1, '{"key":"flag" , "version":1}'));
    });
  }

  test('are taken as JSON in parts, between which others have their turns', async () => {
    const store = fresh({ initTimeoutMs: 60_000 });
    // Its characters of two code units lie at odd places, so that some part would end inside of one.
    const flags = Object.fromEntries(
      Array.from({ length: 20 }, (_, number) => [
        `f${number}`,
        { version: 1, text: `x${'🚩'.repeat(20_001 - number)}` },
      ]),
    );
    const json = JSON.stringify({ flags });
    const addon = native();
    const { dataSetJson } = addon;
    const parts: { length: number; turn: number }[] = [];
    let turn = 0;
    let handed = false;
    const counting = (async () => {
      for (; !handed; turn++) await nextTurn();
    })();
    addon.dataSetJson = (set, part) => {
      parts.push({ length: part.length, turn });
      dataSetJson(set, part);
    };
    const report = await store.initJson(json);
    addon.dataSetJson = dataSetJson;
    handed = true;
    await counting;
    assert.equal(report.written, 20);
    assert.equal(
      parts.reduce((sum, { length }) => sum + length, 0),
      json.length,
    );
    assert(parts.every(({ length }) => length <= 250_001) && parts.length >= 4, JSON.stringify(parts));
    assert.equal(new Set(parts.map(part => part.turn)).size, parts.length, JSON.stringify(parts));
    const stored = JSON.parse((await store.get('features', 'f7'))!.item!) as { text: string };
    assert.equal(stored.text, flags['f7']!.text);
    await assert.rejects(store.initJson(`${json}\ud83d`), { codeName: 'STORE_ERROR_INVALID_UTF8' });
  });

  test('have their items over 400 KB deflated where that is asked for', async () => {
    const prefix = newPrefix();
    const huge = { version: 1, item: JSON.stringify({ key: 'huge', version: 1, pad: 'x'.repeat(400_000) }) };
    const report = await fresh({ prefix, compressLarge: true }).init({ features: { huge } });
    assert.deepEqual([report.written, report.tooLarge], [1, []]);
    assert.deepEqual(report.deflated, { count: 1, keys: [{ kind: 'features', key: 'huge' }] });
    assert.equal((await fresh({ prefix, shared: false }).get('features', 'huge'))?.item, huge.item);
  });

  test('are seen as initialised by other stores', async () => {
    const prefix = newPrefix();
    const [first, second] = [fresh({ prefix }), fresh({ prefix, shared: false })];
    assert.equal(await second.initialized(), false);
    await first.init({ features: {} });
    assert.equal(await second.initialized(), true);
  });
});

describe('availability and big segments', () => {
  test('a table that answers is available', async () => {
    assert.equal(await fresh().available(), true);
  });

  test('a table that does not exist is not, and the logger learns why', async () => {
    const logger = new Log();
    const store = fresh({ table: 'no-such-table', logger });
    assert.equal(await store.available(), false);
    assert.match(logger.at('debug').join(), /no-such-table/);
  });

  test('big segments that never were are undefined', async () => {
    const store = fresh();
    assert.equal(await store.bigSegmentsMetadata(), undefined);
    assert.equal(await store.bigSegmentsMembership('hash'), undefined);
  });

  test('big segments tell when they were written', async () => {
    const { store, rows } = withRows();
    await rows.putSpecial('big_segments_metadata', { synchronizedOn: { N: '1700000000123' } });
    assert.equal(await store.bigSegmentsMetadata(), 1_700_000_000_123);
  });

  test('included wins over excluded', async () => {
    const { store, rows } = withRows();
    await rows.put('big_segments_user', 'hash', {
      included: { SS: ['a.g1', 'é.g2'] },
      excluded: { SS: ['a.g1', 'b.g1'] },
    });
    assert.deepEqual(await store.bigSegmentsMembership('hash'), {
      'a.g1': true,
      'é.g2': true,
      'b.g1': false,
    });
  });
});

describe('cache, statistics and events', () => {
  test('without a cache every read sees the table', async () => {
    const prefix = newPrefix();
    const [first, second] = [fresh({ prefix }), fresh({ prefix, shared: false })];
    assert.equal(await first.get('features', 'flag'), undefined);
    await second.upsert('features', 'flag', { version: 1, item: FLAG });
    assert.deepEqual(await first.get('features', 'flag'), item(1));
  });

  test('the cache answers until it is cleared', async () => {
    const prefix = newPrefix();
    const [cached, other] = [fresh({ prefix, cacheTtlMs: -1 }), fresh({ prefix })];
    await other.upsert('features', 'flag', { version: 1, item: FLAG });
    assert.deepEqual(await cached.get('features', 'flag'), item(1));
    await other.upsert('features', 'flag', { version: 2, item: FLAG });
    assert.deepEqual(await cached.get('features', 'flag'), item(1));
    assert.equal(cached.statistics().hits, 1);
    cached.clearCache();
    assert.deepEqual(await cached.get('features', 'flag'), item(2));
  });

  test('what is cached is answered without a turn of the event loop, with no callback', async () => {
    const store = fresh({ cacheTtlMs: -1 });
    await store.upsert('features', 'flag', { version: 1, item: FLAG });
    await store.delete('features', 'deleted', 2);
    const expected = {
      flag: item(1),
      deleted: { ...item(2), item: undefined, deleted: true },
      nothing: undefined,
    };
    for (const key of Object.keys(expected)) await store.get('features', key);
    const before = store.statistics();
    let turns = 0;
    setImmediate(() => turns++);
    for (let count = 0; count < 1_000; count++) {
      for (const [key, value] of Object.entries(expected)) {
        assert.deepEqual(await store.get('features', key), value);
      }
    }
    assert.equal(turns, 0);
    const { hits, requests } = store.statistics();
    assert.deepEqual([hits, requests], [before.hits + 3_000, before.requests]);
    await nextTurn();
    assert.equal(turns, 1);
  });

  test('a cache changes no errors', async () => {
    const store = fresh({ cacheTtlMs: -1 });
    assert.equal((await errorOf(() => store.get('features', ''))).codeName, 'STORE_ERROR_EMPTY_KEY');
    assert.equal((await errorOf(() => store.get('', 'flag'))).codeName, 'STORE_ERROR_EMPTY_KIND');
    await store.get('features', 'flag');
    store.close();
    const error = await errorOf(() => store.get('features', 'flag'));
    assert.equal(error.codeName, 'STORE_ERROR_INVALID_HANDLE');
  });

  test('equal options share one live store', async () => {
    const prefix = newPrefix();
    const [first, second, own] = [fresh({ prefix }), fresh({ prefix }), fresh({ prefix, shared: false })];
    await first.upsert('features', 'flag', { version: 1, item: FLAG });
    first.close();
    assert(second.statistics().requests >= 1);
    assert.equal(own.statistics().requests, 0);
  });

  test('statistics count requests and units', async () => {
    const store = fresh();
    await store.upsert('features', 'flag', { version: 1, item: FLAG });
    await store.get('features', 'flag');
    const { requests, writeUnits, readUnits, errors, ...others } = store.statistics();
    assert.deepEqual([requests, errors], [2, 0]);
    assert(writeUnits >= 1 && readUnits >= 1);
    const names =
      'hits misses coalesced stale servedWhileAway oldestStaleMs away refreshes retries throttles skippedRows ' +
      'droppedEvents cachedItems cachedLists cachedBytes uncached unwritten hostHits hostTrouble';
    assert.deepEqual(Object.keys(others).sort(), names.split(' ').sort());
  });

  test('events go to the logger after the call', async () => {
    const logger = new Log();
    await fresh({ logger }).upsert('features', 'huge-flag', { version: 1, item: 'p4yl0ad'.repeat(60_000) });
    assert.equal(logger.at('error').length, 1);
    assert.match(logger.at('error')[0]!, /huge-flag/);
    assert.doesNotMatch(logger.lines.join(), new RegExp(`p4yl0ad|${SECRET}`));
  });

  for (const [words, logger] of [
    ['throws', new Proxy({}, { get: () => () => assert.fail('the transport is closed') })],
    ['fails later', new Proxy({}, { get: () => async () => assert.fail('the transport is closed') })],
    ['has no such method', {}],
    ['is no object', 'console'],
  ] as const) {
    test(`a logger that ${words} changes no result`, async () => {
      const store = fresh({ logger: logger as unknown as Log, logLevel: 'debug' });
      const huge = { version: 1, item: 'x'.repeat(400_000) };
      assert.equal((await store.init({ features: { huge } })).tooLarge[0]?.key, 'huge');
      assert.deepEqual(await store.upsert('features', 'huge', huge), { outcome: 'tooLarge' });
      assert.equal(await store.get('features', 'huge'), undefined);
      await assert.rejects(store.get('features', ''), { codeName: 'STORE_ERROR_EMPTY_KEY' });
      const missing = fresh({ table: 'no-such-table', logger: logger as unknown as Log });
      assert.equal(await missing.available(), false);
      store.close();
    });
  }

  test('events wait for whoever takes them', async () => {
    const store = fresh();
    await store.upsert('features', 'huge-flag', { version: 1, item: 'x'.repeat(400_000) });
    const events: Event[] = [...store.events()];
    assert(events.some(event => event.level === 'error' && event.message.includes('huge-flag')));
    assert.deepEqual([...store.events()], []);
  });

  test('the log level decides what is kept', async () => {
    const store = fresh({ logLevel: 'off' });
    await store.upsert('features', 'huge-flag', { version: 1, item: 'x'.repeat(400_000) });
    assert.deepEqual([...store.events()], []);
  });

  test('a logger may use the store, and close it', async () => {
    const logger = new Log();
    const store = fresh({
      logger: { ...logger, error: () => store.close(), info: () => store.statistics() },
    });
    await store.init({});
    await store.upsert('features', 'huge-flag', { version: 1, item: 'x'.repeat(400_000) });
    assert(store.closed);
  });
});

describe('arguments that cannot be right', () => {
  test('an empty key is refused alone, and left out of a data set', async () => {
    const store = fresh();
    const refused = await errorOf(() => store.upsert('features', '', { version: 1, item: 'x' }));
    assert.equal(refused.codeName, 'STORE_ERROR_EMPTY_KEY');
    const report = await store.init({
      features: { '': { version: 1, item: 'x' }, flag: { version: 1, item: 'x' } },
    });
    assert.equal(report.written, 1);
    assert.deepEqual(report.replaced, {});
    assert.deepEqual(report.leftOut, { emptyKey: { count: 1, keys: [{ kind: 'features', key: '' }] } });
  });

  const cases: [string, string, number, string | undefined, string][] = [
    ['', 'key', 1, 'x', 'STORE_ERROR_EMPTY_KIND'],
    ['features', 'k'.repeat(1025), 1, 'x', 'STORE_ERROR_KEY_TOO_LONG'],
    ['k'.repeat(2049), 'key', 1, 'x', 'STORE_ERROR_KEY_TOO_LONG'],
    ['features', 'key', -1, 'x', 'STORE_ERROR_INVALID_VERSION'],
    ['features', 'key', 2 ** 53, 'x', 'STORE_ERROR_INVALID_VERSION'],
    ['features', 'key', 1.5, 'x', 'STORE_ERROR_INVALID_VERSION'],
    ['features', 'key', NaN, 'x', 'STORE_ERROR_INVALID_VERSION'],
    ['features', 'key', 1, '', 'STORE_ERROR_EMPTY_ITEM'],
    ['features', 'key', 1, undefined, 'STORE_ERROR_EMPTY_ITEM'],
    ['features', 'k\ud800', 1, 'x', 'STORE_ERROR_INVALID_UTF8'],
    ['features', 'key', 1, '\udfff', 'STORE_ERROR_INVALID_UTF8'],
  ];
  for (const [kind, key, version, text, name] of cases) {
    test(`${name}: ${[kind, key, version, text].map(short).join(' ')}`, async () => {
      const store = fresh();
      for (const call of [
        () => store.upsert(kind, key, { version, item: text }),
        () => store.init({ [kind]: { [key]: { version, item: text } } }),
      ]) {
        const error = await errorOf(call);
        assert.equal(error.codeName, name);
        assert.equal(error.retriable, false);
      }
      assert.equal(store.statistics().requests, 0);
    });
  }

  for (const [json, name] of [
    ['', 'STORE_ERROR_INVALID_JSON'],
    ['[]', 'STORE_ERROR_INVALID_JSON'],
    ['{"flags":{"a":{"version":1,"p4yl0ad"}}}', 'STORE_ERROR_INVALID_JSON'],
    ['{"flags":{"a":{}}}', 'STORE_ERROR_INVALID_VERSION'],
    ['{"flags":{"a":{"version":1},"a":{"version":2}}}', 'STORE_ERROR_DUPLICATE_KEY'],
    ['{"flags":{},"features":{}}', 'STORE_ERROR_DUPLICATE_KEY'],
  ] as const) {
    test(`${name}: ${json}`, async () => {
      const store = fresh();
      const error = await errorOf(() => store.initJson(json));
      assert.equal(error.codeName, name);
      assert.doesNotMatch(error.message, /p4yl0ad/);
      assert.equal(store.statistics().requests, 0);
    });
  }

  test('of another type are type errors that name them', async () => {
    const store = fresh();
    const wrong = (value: unknown) => value as never;
    await assert.rejects(store.get('features', wrong(5)), { name: 'TypeError', message: /"key".*5/ });
    await assert.rejects(store.all(wrong(null)), { name: 'TypeError', message: /"kind".*null/ });
    await assert.rejects(store.upsert('features', 'flag', wrong(FLAG)), {
      name: 'TypeError',
      message: /"flag".*string/,
    });
    await assert.rejects(store.upsert('features', 'flag', wrong({ version: '1' })), {
      name: 'TypeError',
      message: /version of "flag".*string/,
    });
    await assert.rejects(store.upsert('features', 'flag', wrong({ version: 1, deleted: 'yes', item: 'x' })), {
      name: 'TypeError',
      message: /"deleted" of "flag".*string/,
    });
    await assert.rejects(store.init(wrong({ features: 5 })), { name: 'TypeError', message: /"data".*5/ });
    await assert.rejects(store.initJson(wrong(Buffer.from('{}'))), {
      name: 'TypeError',
      message: /"json".*Buffer/,
    });
  });

  test('that have no items by kind and key are refused, and delete nothing', async () => {
    const store = fresh();
    await store.init({ features: { flag: { version: 1, item: FLAG } } });
    const items = [{ key: 'flag', version: 2, item: FLAG }];
    const shapes = [
      items,
      new Set(items),
      Promise.resolve({}),
      new Date(),
      new Uint8Array(3),
      'text',
      () => {},
    ];
    for (const shape of shapes) {
      for (const data of [shape, { features: shape }, new Map([['features', shape]])]) {
        await assert.rejects(store.init(data as never), {
          name: 'TypeError',
          message: /by kind and key, not/,
        });
      }
    }
    assert.deepEqual(await store.all('features'), new Map([['flag', item(1)]]));
    await store.init(
      Object.assign(Object.create(null) as object, { features: { flag: { version: 2, item: FLAG } } }),
    );
    assert.deepEqual(await store.get('features', 'flag'), item(2));
  });

  test('lead with their stack to who called', async () => {
    async function theCaller(): Promise<void> {
      await fresh().get('', '');
    }
    assert.match((await errorOf(theCaller)).stack!, /at async theCaller/);
  });
});

describe('options', () => {
  const wrong: [object, string, RegExp][] = [
    [{ tabel: 'x' }, 'STORE_ERROR_UNKNOWN_OPTION', /"tabel"/],
    [{ timeout_ms: 5 }, 'STORE_ERROR_UNKNOWN_OPTION', /"timeout_ms"/],
    [{ timeoutMs: '5' }, 'STORE_ERROR_OPTION_TYPE', /"timeoutMs"/],
    [{ timeoutMs: NaN }, 'STORE_ERROR_OPTION_TYPE', /"timeoutMs".*NaN/],
    [{ region: Promise.resolve('x') }, 'STORE_ERROR_OPTION_TYPE', /"region".*Promise/],
    [{ shared: 1 }, 'STORE_ERROR_OPTION_TYPE', /"shared"/],
    [{ timeoutMs: 0 }, 'STORE_ERROR_OPTION_VALUE', /"timeoutMs"/],
    [{ endpoint: 'localhost:8000' }, 'STORE_ERROR_OPTION_VALUE', /"endpoint"/],
    [{ accessKeyId: SECRET }, 'STORE_ERROR_OPTION_VALUE', /"secretAccessKey"/],
    [{ logLevel: 'loud' }, 'STORE_ERROR_OPTION_VALUE', /"logLevel"/],
    [{ table: '' }, 'STORE_ERROR_EMPTY_TABLE_NAME', /table/],
    [{ table: undefined }, 'STORE_ERROR_EMPTY_TABLE_NAME', /table/],
  ];
  for (const [options, name, mentioned] of wrong) {
    test(`${name}: ${short(options)}`, async () => {
      const error = await errorOf(() => FlagStore.open({ table: TABLE, ...options }));
      assert.equal(error.codeName, name);
      assert.match(error.message, mentioned);
      assert(!error.message.includes(SECRET));
    });
  }

  test('that are undefined have their default', () => {
    FlagStore.open({ table: TABLE, prefix: undefined, timeoutMs: undefined, logger: undefined }).close();
  });
});

describe('closing', () => {
  /** Whether a live store goes with its last handle, within some turns: one that is opened then counts from zero. */
  async function isClosed(options: Partial<FlagStoreOptions>): Promise<boolean> {
    for (let turn = 0; turn < 100; turn++) {
      await nextTurn();
      using again = FlagStore.open({ ...endpoint.options, ...options });
      if (again.statistics().requests === 0) return true;
    }
    return false;
  }

  test('twice does nothing', () => {
    const store = fresh();
    store.close();
    store.close();
    assert(store.closed);
  });

  test('a closed store says so', async () => {
    const store = fresh();
    store.close();
    for (const call of [
      () => store.get('features', 'flag'),
      () => store.all('features'),
      () => store.upsert('features', 'flag', { version: 1, item: FLAG }),
      () => store.init({}),
      () => store.initJson('{}'),
      () => store.initialized(),
      () => store.bigSegmentsMetadata(),
      () => store.bigSegmentsMembership('hash'),
      () => store.statistics(),
      () => store.clearCache(),
      () => [...store.events()],
    ]) {
      const error = await errorOf(call);
      assert.equal(error.codeName, 'STORE_ERROR_INVALID_HANDLE');
      assert.match(error.message, /table "flags" is closed/);
    }
    assert.equal(await store.available(), false);
  });

  test('happens at the end of a block', async () => {
    const store = fresh();
    {
      using used = store;
      assert(!used.closed);
    }
    assert(store.closed);
  });

  test('at the end of an asynchronous block waits for calls under way', async () => {
    let done = 0;
    {
      await using store = fresh();
      for (let number = 0; number < 20; number++) void store.get('features', 'flag').then(() => done++);
    }
    assert.equal(done, 20);
  });

  test('leaves data sets undisturbed that are not handed over yet', async () => {
    const items = Array.from({ length: 1_600 }, (_, number) => [`flag-${number}`, item(1)] as const);
    const prefix = newPrefix();
    const [first, second] = [fresh({ prefix }), fresh()];
    const reports = [
      first.init({ features: new Map(items) }),
      second.initJson('{"flags":{"flag":{"version":1}}}'),
    ];
    first.close();
    second.close();
    const written = (await Promise.all(reports)).map(report => report.written);
    assert.deepEqual(written, [1_600, 1]);
    assert(await isClosed({ prefix }), 'its handle is still open');
  });

  test('leaves calls under way undisturbed', async () => {
    const store = fresh();
    await store.upsert('features', 'flag', { version: 1, item: FLAG });
    const calls = Array.from({ length: 50 }, () => store.get('features', 'flag'));
    const data = { features: { flag: { version: 2, item: '{}' } } };
    store.close();
    assert.deepEqual(await Promise.all(calls), Array(50).fill(item(1)));
    assert.equal((await errorOf(() => store.init(data))).codeName, 'STORE_ERROR_INVALID_HANDLE');
  });

  test('happens to a store that is forgotten', async () => {
    const prefix = newPrefix();
    let kept: FlagStore | undefined = FlagStore.open({ ...endpoint.options, prefix });
    await kept.get('features', 'flag');
    const gone = new WeakRef(kept);
    kept = undefined;
    const collect = (globalThis as { gc?: () => void }).gc;
    assert(collect, 'run with --expose-gc');
    for (let turn = 0; turn < 100 && gone.deref(); turn++) {
      await nextTurn();
      collect();
    }
    assert.equal(gone.deref(), undefined);
    assert(await isClosed({ prefix }), 'its handle is still open');
  });
});

test('a table with another key is told from a missing one', async () => {
  await request(endpoint, 'CreateTable', {
    TableName: 'other-key',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    BillingMode: 'PAY_PER_REQUEST',
  });
  for (const [table, name] of [
    ['other-key', 'STORE_ERROR_KEY_SCHEMA'],
    ['no-such-table', 'STORE_ERROR_TABLE_NOT_FOUND'],
  ] as const) {
    const error = await errorOf(() => fresh({ table }).get('features', 'flag'));
    assert.equal(error.codeName, name);
    assert(error.message.includes(table));
  }
});
