/** Many calls at once: everyone gets what they asked for, none waits for another, and the event loop goes on. */

import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Item } from '../src/index.js';
import { type Endpoint, Faults, local, newPrefix, open } from './endpoint.js';

const CHAINS = 64;
const ROUNDS = 12;
const CALLS_OF_A_KIND = 40;

/** For calls that are held up on purpose: on a busy machine longer than the usual deadlines. */
const PATIENT = { attemptTimeoutMs: 60_000, timeoutMs: 60_000, allTimeoutMs: 60_000 };

let endpoint: Endpoint;
let faults: Faults;
before(async () => {
  endpoint = await local();
  faults = await Faults.inFrontOf(endpoint);
});

function item(version: number, text: string): Item {
  return { version, item: text, deleted: false, stale: false };
}

for (const cacheTtlMs of [0, 50, -1]) {
  test(`every chain of calls gets its own answers, with a cache of ${cacheTtlMs} ms`, async () => {
    // On a machine that is busy an answer comes late, and an older value is none that the test could compare.
    const store = open({
      ...endpoint.options,
      ...PATIENT,
      softWaitMs: 60_000,
      prefix: newPrefix(),
      cacheTtlMs,
    });
    const echo = async (number: number): Promise<void> => {
      const key = `flag-${number}`;
      for (let version = 1; version <= ROUNDS; version++) {
        const text = JSON.stringify({ number, version, padding: 'x'.repeat(number) });
        assert.equal((await store.upsert('features', key, { version, item: text })).outcome, 'written');
        assert.deepEqual(await store.get('features', key), item(version, text));
        const refused = await store.upsert('features', key, { version: version - 1, item: 'older' });
        assert.deepEqual(refused, { outcome: 'newerExists', stored: item(version, text) });
        assert.equal(await store.get('features', `nobody's-${number}`), undefined);
      }
    };
    await Promise.all(Array.from({ length: CHAINS }, (_, number) => echo(number)));
    const all = await store.all('features');
    assert.equal(all.size, CHAINS);
    assert([...all.values()].every(({ version }) => version === ROUNDS));
  });
}

test('of racing writers the highest version wins', async () => {
  const store = open({ ...endpoint.options, prefix: newPrefix() });
  const versions = Array.from({ length: 256 }, (_, number) => number + 1);
  const results = await Promise.all(
    versions.map(version => store.upsert('features', 'contested', { version, item: String(version) })),
  );
  assert.deepEqual(await store.get('features', 'contested'), item(256, '256'));
  for (const [place, result] of results.entries()) {
    assert(
      result.outcome === 'written' || (result.outcome === 'newerExists' && result.stored.version > place),
    );
  }
});

test('100 gets are under way at once', async () => {
  const prefix = newPrefix();
  await open({ ...endpoint.options, prefix }).upsert('features', 'flag', { version: 1, item: 'x' });
  const store = open({ ...faults.endpoint.options, ...PATIENT, prefix });
  await faults.script({ operation: 'GetItem', do: 'hold' });
  const gets = Array.from({ length: 100 }, () => store.get('features', 'flag'));
  await faults.wait({ count: 100, operation: 'GetItem', action: 'hold' });
  await faults.release();
  assert.deepEqual(await Promise.all(gets), Array(100).fill(item(1, 'x')));
});

/** The threads of this process that are not the library's. */
function threads(): number {
  const others = readdirSync('/proc/self/task').filter(id => {
    try {
      return !readFileSync(`/proc/self/task/${id}/comm`, 'utf8').startsWith('flagstore');
    } catch {
      return false; // ended meanwhile
    }
  });
  return others.length;
}

test('any number of calls are under way at once, and hold no thread', async () => {
  const store = open({ ...faults.endpoint.options, ...PATIENT, prefix: newPrefix(), maxConnections: 200 });
  await faults.script();
  await store.available();
  await stat('.'); // starts libuv's threads
  const before = threads();
  await faults.script({ do: 'hold' });
  const calls = Array.from({ length: CALLS_OF_A_KIND }, (_, number) => [
    store.available(),
    store.bigSegmentsMetadata(),
    store.bigSegmentsMembership(`hash-${number}`),
    store.initJson(`{"flags":{"flag":{"version":${number}}}}`),
  ]).flat();
  await faults.wait({ count: calls.length, action: 'hold' });
  // The thread that hands over a data set may be about to end.
  const deadline = performance.now() + 10_000;
  while (threads() > before && performance.now() < deadline) await nextTurn();
  assert.equal(threads(), before);
  await faults.script();
  const [available, metadata, membership] = await Promise.all(calls);
  assert.deepEqual([available, metadata, membership], [true, undefined, undefined]);
});

test('the event loop goes on while calls wait', async () => {
  const store = open({ ...faults.endpoint.options, ...PATIENT, prefix: newPrefix() });
  await faults.script({ do: 'hold' });
  let waiting = 7;
  const calls = [
    store.get('features', 'flag'),
    store.all('features'),
    store.init({ features: { flag: { version: 1, item: 'x' } } }),
    store.initialized(),
    store.available(),
    store.bigSegmentsMetadata(),
    store.bigSegmentsMembership('hash'),
  ].map(call => call.finally(() => waiting--));
  await faults.wait({ count: calls.length, action: 'hold' });
  for (let turn = 0; turn < 1_000; turn++) await nextTurn();
  assert.equal(waiting, calls.length);
  await faults.script();
  await Promise.all(calls);
});

test('a flood of answers leaves turns of the event loop for others', async () => {
  const store = open({ ...endpoint.options, prefix: newPrefix(), cacheTtlMs: -1 });
  await store.all('features');
  let answered = 0;
  const calls = Array.from({ length: 1_000 }, () => store.all('features').then(() => answered++));
  // Holds the event loop up until the answers are there, within the bounds of a test.
  const deadline = performance.now() + 30_000;
  while (store.statistics().hits < calls.length && performance.now() < deadline);
  const turns = new Set<number>();
  while (answered < calls.length && performance.now() < deadline) {
    await nextTurn();
    turns.add(answered);
  }
  assert.equal(answered, calls.length);
  assert(turns.size > 4, `in ${turns.size} turns`);
});

test('closing a store leaves its calls under way to DynamoDB', async () => {
  const prefix = newPrefix();
  await open({ ...endpoint.options, prefix }).upsert('features', 'flag', { version: 1, item: 'x' });
  const store = open({ ...faults.endpoint.options, ...PATIENT, prefix });
  await faults.script({ do: 'hold' });
  const calls = [
    store.get('features', 'flag'),
    store.upsert('features', 'other', { version: 2, item: 'y' }),
  ] as const;
  const metadata = store.bigSegmentsMetadata();
  await faults.wait({ count: 3, action: 'hold' });
  const closed = store[Symbol.asyncDispose]();
  await assert.rejects(store.get('features', 'flag'), { codeName: 'STORE_ERROR_INVALID_HANDLE' });
  await faults.release();
  await closed;
  assert.equal((await calls[0])?.version, 1);
  assert.deepEqual(await calls[1], { outcome: 'written' });
  assert.equal(await metadata, undefined);
});
