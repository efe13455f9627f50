/** Other integrations and this package share a table, each reading what the other wrote: the one that LaunchDarkly
 * publishes for Node.js, and the Python SDK's. */

import { strict as assert } from 'node:assert';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';

import { AsyncStoreFacade, type LDFeatureStoreDataStorage } from '@launchdarkly/node-server-sdk';

import { DynamoDBFeatureStore } from '../src/launchdarkly.js';
import {
  dynalite,
  type Endpoint,
  local,
  Log,
  newPrefix,
  open,
  PROJECT,
  REPOSITORY,
  TABLE,
} from './endpoint.js';

const PYTHON = join(REPOSITORY, 'build', 'venv', 'bin', 'python');
const NATIVE = join(PROJECT, 'test', 'native');

/** A native integration: what runs it, what has to be there, and how it is told of an endpoint. */
const PEERS = [
  {
    name: "Node's",
    command: [process.execPath, join(NATIVE, 'peer.js')],
    needs: join(NATIVE, 'node_modules'),
    remedy: 'make node',
    options: ({ url, clientOptions: { region, credentials } }: Endpoint) => ({
      endpoint: url,
      region,
      ...credentials,
    }),
  },
  {
    name: "Python's",
    command: [PYTHON, join(PROJECT, 'test', 'peer.py')],
    needs: PYTHON,
    remedy: 'make venv',
    options: ({ url, clientOptions: { region, credentials } }: Endpoint) => ({
      endpoint_url: url,
      region_name: region,
      aws_access_key_id: credentials.accessKeyId,
      aws_secret_access_key: credentials.secretAccessKey,
    }),
  },
];

const ENDPOINTS = [
  { on: 'flagstore-local', start: local },
  { on: 'dynalite', start: dynalite },
];

/** What the tests ask of either integration. */
interface Store {
  init(data: LDFeatureStoreDataStorage): Promise<void>;
  get(kind: string, key: string): Promise<{ version: number } | null>;
  all(kind: string): Promise<Record<string, { version: number }>>;
  upsert(kind: string, item: { key: string; version: number }): Promise<void>;
  delete(kind: string, key: string, version: number): Promise<void>;
  initialized(): Promise<boolean>;
}

const FLAG = { on: true, fallthrough: { variation: 0 }, variations: ['ä', 'b'], salt: 's' };
const DATA = {
  features: { one: { key: 'one', version: 1, ...FLAG }, two: { key: 'two', version: 2, ...FLAG } },
  segments: {
    segment: { key: 'segment', version: 2, included: ['user'], excluded: [], salt: '', rules: [] },
  },
};

for (const { on, start } of ENDPOINTS)
  for (const peer of PEERS)
    describe(
      `a table shared with ${peer.name} integration, on ${on}`,
      { skip: !existsSync(peer.needs) && `there is no ${peer.needs}: ${peer.remedy} makes it` },
      () => shared(peer, start),
    );

function shared(peer: (typeof PEERS)[number], start: () => Promise<Endpoint>): void {
  let endpoint: Endpoint;
  let other: ChildProcessWithoutNullStreams;
  let answers: AsyncIterator<string>;
  before(async () => {
    endpoint = await start();
    const [program, ...words] = peer.command;
    other = spawn(program!, [...words, TABLE, JSON.stringify(peer.options(endpoint))]);
    other.stderr.pipe(process.stderr);
    answers = createInterface(other.stdout)[Symbol.asyncIterator]();
  });
  after(() => other.stdin.end());

  function theirs(prefix: string): Store {
    const ask = async (...command: unknown[]): Promise<unknown> => {
      other.stdin.write(`${JSON.stringify([prefix, ...command])}\n`);
      return JSON.parse((await answers.next()).value as string);
    };
    return new Proxy({} as Store, {
      get:
        (_, method) =>
        (...values: unknown[]) =>
          ask(method, ...values),
    });
  }

  function ours(prefix: string): Store {
    const create = DynamoDBFeatureStore(TABLE, {
      clientOptions: endpoint.clientOptions,
      prefix,
      cacheTTL: 0,
    });
    const raw = create({ basicConfiguration: { logger: new Log() } });
    after(() => raw.close());
    const store = new AsyncStoreFacade(raw);
    return {
      init: data => store.init(data),
      get: (namespace, key) => store.get({ namespace }, key) as Promise<{ version: number } | null>,
      all: namespace => store.all({ namespace }) as Promise<Record<string, { version: number }>>,
      upsert: (namespace, item) => store.upsert({ namespace }, item),
      delete: (namespace, key, version) => store.delete({ namespace }, key, version),
      initialized: () => store.initialized(),
    };
  }

  for (const [direction, pair] of [
    ['theirs writes, ours reads', (prefix: string) => [theirs(prefix), ours(prefix)] as const],
    ['ours writes, theirs reads', (prefix: string) => [ours(prefix), theirs(prefix)] as const],
  ] as const) {
    test(`what one initialises the other reads: ${direction}`, async () => {
      const [writer, reader] = pair(newPrefix());
      assert.equal(await reader.initialized(), false);
      await writer.init(structuredClone(DATA));
      assert.equal(await reader.initialized(), true);
      for (const [kind, items] of Object.entries(DATA)) {
        const all = await reader.all(kind);
        assert.deepEqual(Object.keys(all).sort(), Object.keys(items));
        for (const [key, item] of Object.entries(items)) {
          // The SDKs fill in members of their own.
          for (const found of [all[key]!, await reader.get(kind, key)]) {
            assert.deepEqual({ ...found, ...item }, found);
          }
        }
      }
    });

    test(`what one updates the other reads: ${direction}`, async () => {
      const [writer, reader] = pair(newPrefix());
      await reader.init(structuredClone(DATA));
      await writer.upsert('features', { ...DATA.features.one, version: 5 });
      await writer.upsert('features', { key: 'three', ...FLAG, version: 1 });
      assert.equal((await reader.get('features', 'one'))?.version, 5);
      assert.deepEqual(Object.keys(await reader.all('features')).sort(), ['one', 'three', 'two']);
    });

    test(`what one deletes the other misses: ${direction}`, async () => {
      const [writer, reader] = pair(newPrefix());
      await reader.init(structuredClone(DATA));
      await writer.delete('features', 'one', 9);
      await writer.delete('segments', 'segment', 9);
      assert.equal(await reader.get('features', 'one'), null);
      assert.equal(await reader.get('segments', 'segment'), null);
      assert.deepEqual(Object.keys(await reader.all('features')), ['two']);
      assert.deepEqual(await reader.all('segments'), {});
    });

    test(`neither overwrites what is newer: ${direction}`, async () => {
      const [writer, reader] = pair(newPrefix());
      await reader.init(structuredClone(DATA));
      await reader.upsert('features', { ...DATA.features.one, version: 7 });
      await writer.upsert('features', { ...DATA.features.one, version: 6 });
      assert.equal((await reader.get('features', 'one'))?.version, 7);
      await reader.delete('features', 'two', 7);
      await writer.upsert('features', { ...DATA.features.two, version: 6 });
      assert.equal(await writer.get('features', 'two'), null);
      assert.equal(await reader.get('features', 'two'), null);
      await writer.upsert('features', { ...DATA.features.two, version: 8 });
      assert.equal((await reader.get('features', 'two'))?.version, 8);
    });

    test(`an init replaces what the other wrote: ${direction}`, async () => {
      const [writer, reader] = pair(newPrefix());
      await reader.init(structuredClone(DATA));
      await reader.delete('features', 'two', 3);
      await writer.init({ segments: {}, features: { one: { ...DATA.features.one, version: 2 } } });
      assert.deepEqual(await reader.all('segments'), {});
      assert.equal((await reader.all('features'))['one']?.version, 2);
      assert.equal(await reader.get('features', 'two'), null);
    });
  }

  test('an init with what the other wrote costs no writes', async () => {
    const prefix = newPrefix();
    await theirs(prefix).init(DATA);
    const store = open({ ...endpoint.options, prefix });
    const { written, unchanged, deleted } = await store.initJson(JSON.stringify(DATA));
    assert.deepEqual([written, unchanged, deleted], [0, 3, 0]);
    assert.equal(store.statistics().writeUnits, 0);
  });
}
