/** Rows that the SDK cannot use, each among others that it can: they hide nobody, fail nothing, and are reported once. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import {
  AsyncStoreFacade,
  type DataKind,
  init as initClient,
  type LDClient,
  type LDLogger,
} from '@launchdarkly/node-server-sdk';

import { DynamoDBFeatureStore } from '../src/launchdarkly.js';
import type { NewItem } from '../src/store.js';
import { type Endpoint, local, Log, newPrefix, open, REPOSITORY, Rows, TABLE } from './endpoint.js';

type KindName = 'features' | 'segments';

interface Unreadable {
  readonly name: string;
  readonly version: number;
  readonly item: string;
  readonly nesting?: number;
  readonly everywhere: boolean;
}

interface Data {
  readonly readable: Record<KindName, Record<string, string>>;
  readonly unreadable: Record<KindName, Unreadable[]>;
}

const DATA = JSON.parse(
  readFileSync(join(REPOSITORY, 'tests', 'data', 'unreadable_rows.json'), 'utf8'),
) as Data;
const KINDS: Record<KindName, DataKind> = {
  features: { namespace: 'features' },
  segments: { namespace: 'segments' },
};
const NAMES = Object.keys(KINDS) as KindName[];
const USER = { kind: 'user', key: 'u' };

let endpoint: Endpoint;
before(async () => {
  endpoint = await local();
});

function opened(logger: LDLogger) {
  const prefix = newPrefix();
  const options = { clientOptions: endpoint.clientOptions, cacheTTL: 0, prefix };
  const create = DynamoDBFeatureStore(TABLE, options);
  const raw = create({ basicConfiguration: { logger } });
  after(() => raw.close());
  const rows = new Rows(endpoint, prefix);
  const put = (kind: KindName, key: string, version: number, text: string): Promise<void> =>
    rows.put(kind, key, { version: { N: String(version) }, item: { S: text } });
  return { store: new AsyncStoreFacade(raw), create, prefix, put };
}

async function client(featureStore: ReturnType<typeof DynamoDBFeatureStore>): Promise<LDClient> {
  const made = initClient('sdk-key', { featureStore, useLdd: true, sendEvents: false, logger: new Log() });
  after(() => made.close());
  await made.waitForInitialization({ timeout: 10 });
  return made;
}

/** A flag that asks whether a user is in a segment. */
function using(segment: string, key = 'using'): string {
  const clause = { attribute: '', op: 'segmentMatch', values: [segment], negate: false };
  const rules = [{ id: 'r', variation: 0, clauses: [clause] }];
  const [variations, fallthrough] = [['in', 'out'], { variation: 1 }];
  return JSON.stringify({ key, version: 1, on: true, variations, fallthrough, salt: '', rules });
}

function textOf({ item, nesting = 0 }: Unreadable): string {
  return item.replace('<>', '['.repeat(nesting) + ']'.repeat(nesting));
}

function reports(log: Log): string[] {
  return log.at('warn').filter(line => line.includes('is left out'));
}

for (const kind of NAMES) {
  describe(`an unreadable row of ${kind} hides no other`, () => {
    for (const row of DATA.unreadable[kind]) {
      test(row.name, async () => {
        const log = new Log();
        const { store, create, put } = opened(log);
        for (const name of NAMES) {
          for (const [key, text] of Object.entries(DATA.readable[name])) await put(name, key, 3, text);
        }
        await put('features', 'using', 1, using(row.name));
        await put(kind, row.name, row.version, textOf(row));

        const shown = await store.all(KINDS[kind]);
        for (const key of Object.keys(DATA.readable[kind])) assert(Object.hasOwn(shown, key), key);
        const leftOut = !Object.hasOwn(shown, row.name);
        assert(leftOut || !row.everywhere);
        assert.equal((await store.get(KINDS[kind], row.name)) === null, leftOut);
        // A newer row that is unreadable stands in the way of an update, and the SDK is told so.
        await store.upsert(KINDS[kind], { key: row.name, version: 2 });
        assert.equal(reports(log).length, leftOut ? 1 : 0);

        const reader = await client(() => create({ basicConfiguration: { logger: log } }));
        const state = JSON.parse(JSON.stringify(await reader.allFlagsState(USER))) as Record<string, unknown>;
        assert.deepEqual([state['$valid'], state['a readable flag']], [true, true]);
        assert.equal(await reader.variation('the last readable flag', USER, 'default'), true);
        await reader.variation(row.name, USER, 'default');
        assert(['in', 'out', 'default'].includes(await reader.variation('using', USER, 'default')));

        for (const line of reports(log)) {
          const start = `warn: DynamoDB: the item "${row.name}" in "${kind}" is left out: the SDK cannot read its version 3 (`;
          assert(line.startsWith(start), line);
          assert.match(line, /\([\w ]+\); write it again with a newer version, or delete the row$/);
          assert(!line.includes('"on"') && !line.includes('[['), line);
        }
      });
    }
  });
}

const FLAG = {
  version: 1,
  on: true,
  prerequisites: [{ key: 'always out', variation: 1 }],
  targets: [{ values: ['x'], variation: 0 }],
  contextTargets: [
    { contextKind: 'user', values: [], variation: 0 },
    { contextKind: 'org', values: ['x'], variation: 0 },
  ],
  rules: [
    {
      id: 'a',
      variation: 0,
      clauses: [{ attribute: 'name', contextKind: 'user', op: 'in', values: ['x'], negate: false }],
    },
    {
      id: 'b',
      rollout: {
        contextKind: 'user',
        bucketBy: 'key',
        variations: [
          { variation: 0, weight: 50_000 },
          { variation: 1, weight: 50_000 },
        ],
      },
      clauses: [{ attribute: '', op: 'segmentMatch', values: ['other'], negate: false }],
    },
  ],
  fallthrough: {
    rollout: {
      kind: 'experiment',
      contextKind: 'user',
      seed: 1,
      variations: [
        { variation: 0, weight: 50_000 },
        { variation: 1, weight: 50_000 },
      ],
    },
  },
  offVariation: 1,
  variations: [true, false],
  salt: 's',
  trackEvents: false,
  samplingRatio: 1,
  migration: { checkRatio: 1 },
};

const SEGMENT = {
  version: 1,
  included: ['x'],
  excluded: ['y'],
  includedContexts: [{ contextKind: 'user', values: ['x'] }],
  excludedContexts: [{ contextKind: 'org', values: ['x'] }],
  salt: 's',
  rules: [
    {
      weight: 50_000,
      bucketBy: 'key',
      rolloutContextKind: 'user',
      clauses: [{ attribute: 'key', op: 'in', values: ['u'], negate: false }],
    },
  ],
};

const ODD = [undefined, null, 1, 'x', true, {}, [], [null], [1], ['x'], [{}], [[]], { a: 1 }, { length: 1 }];

/** A value with each odd thing in the place of each of its members, of whatever depth, in turn. */
function* withOddMembers(value: unknown): Generator<unknown> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const changed = (other: unknown): object => Object.assign(structuredClone(value), { [name]: other });
    for (const odd of ODD) yield changed(odd);
    for (const odd of withOddMembers(member)) yield changed(odd);
  }
}

test('nothing that stands where another thing belongs ends the process, or an evaluation', async () => {
  const features: Record<string, NewItem> = {};
  const segments: Record<string, NewItem> = {};
  for (const item of withOddMembers(FLAG)) {
    const key = `flag ${Object.keys(features).length}`;
    features[key] = { version: 1, item: JSON.stringify({ key, ...(item as object) }) };
  }
  for (const item of withOddMembers(SEGMENT)) {
    const key = `segment ${Object.keys(segments).length}`;
    segments[key] = { version: 1, item: JSON.stringify({ key, ...(item as object) }) };
    features[`uses ${key}`] = { version: 1, item: using(key, `uses ${key}`) };
  }
  segments['other'] = {
    version: 1,
    item: JSON.stringify({ ...SEGMENT, key: 'other', included: ['u'], rules: [] }),
  };
  features['always out'] = { version: 1, item: using('of nobody', 'always out') };
  features['other'] = { version: 1, item: using('other', 'other') };
  assert(Object.keys(features).length > 1_000);
  const { create, prefix } = opened(new Log());
  await open({ ...endpoint.options, prefix }).init({ features, segments });

  const reader = await client(() => create({ basicConfiguration: { logger: new Log() } }));
  for (const [key, name, other] of [
    ['u', 'n', 'in'],
    ['x', 'n', 'in'],
    ['y', 'x', 'out'],
    ['z', 'n', 'out'],
  ] as const) {
    const state = await reader.allFlagsState({ kind: 'multi', user: { key, name }, org: { key } });
    assert.equal(state.allValues()['other'], other);
  }
});

test('an unreadable row is reported once for each version', async () => {
  const log = new Log();
  const { store, put } = opened(log);
  for (const version of [3, 4]) {
    for (const kind of NAMES) await put(kind, 'bad', version, 'p4yl0ad');
    for (const kind of [...NAMES, ...NAMES]) {
      assert.deepEqual(await store.all(KINDS[kind]), {});
      assert.equal(await store.get(KINDS[kind], 'bad'), null);
    }
  }
  assert.equal(reports(log).length, 4);
  assert.equal(new Set(reports(log)).size, 4);
  assert(!log.lines.join().includes('p4yl0ad'));
});

test('a key forges no line of the log', async () => {
  const log = new Log();
  const { store, put } = opened(log);
  await put('features', 'k\nERROR forged \u001b[2K\u009b\u2028\u202e', 1, 'p4yl0ad');
  assert.deepEqual(await store.all(KINDS.features), {});
  assert.match(reports(log)[0]!, /^[\x20-\x7e]+$/);
});

for (const [words, logger] of [
  ['throws', Object.fromEntries(['error', 'warn', 'info', 'debug'].map(level => [level, fails]))],
  ['fails later', Object.fromEntries(['error', 'warn', 'info', 'debug'].map(level => [level, failsLater]))],
  ['is none', {}],
] as const) {
  test(`a logger that ${words} hides no row`, async () => {
    const { store, put } = opened(logger as unknown as LDLogger);
    await put('features', 'bad', 1, 'p4yl0ad');
    await put('features', 'good', 1, DATA.readable.features['a readable flag']!);
    assert.deepEqual(Object.keys(await store.all(KINDS.features)), ['good']);
    await store.init({ features: { huge: { key: 'huge', version: 1, padding: 'x'.repeat(400_000) } } });
    assert.equal(await store.initialized(), true);
    // The SDK's own wrapper has to log this.
    await store.upsert(KINDS.features, { key: '', version: 1 });
  });
}

function fails(): never {
  throw new Error('the transport is closed');
}

function failsLater(): Promise<never> {
  return Promise.reject(new Error('the transport is closed'));
}
