/** Calls that nobody wants any more end, with all that they hold. */

import { strict as assert } from 'node:assert';
import { before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { type CallOptions, type FlagStore, FlagStoreError, type FlagStoreOptions } from '../src/index.js';
import { native } from '../src/native.js';
import { type Endpoint, Faults, local, newPrefix, open } from './endpoint.js';

let endpoint: Endpoint;
let faults: Faults;
before(async () => {
  endpoint = await local();
  faults = await Faults.inFrontOf(endpoint);
});

/** No call of it would end by itself while the test runs. */
function patient(options: Partial<FlagStoreOptions> = {}): FlagStore {
  const long = 300_000;
  const times = { timeoutMs: long, allTimeoutMs: long, initTimeoutMs: long, attemptTimeoutMs: long };
  return open({ ...faults.endpoint.options, ...times, prefix: newPrefix(), shared: false, ...options });
}

const ITEM = { version: 1, item: '{}' };

const CALLS: Readonly<Record<string, (store: FlagStore, options: CallOptions) => Promise<unknown>>> = {
  get: (store, options) => store.get('features', 'flag', options),
  all: (store, options) => store.all('features', options),
  upsert: (store, options) => store.upsert('features', 'flag', ITEM, options),
  delete: (store, options) => store.delete('features', 'flag', 2, options),
  init: (store, options) => store.init({ features: { flag: ITEM } }, options),
  initJson: (store, options) => store.initJson('{"flags":{"flag":{"version":1}}}', options),
  initialized: (store, options) => store.initialized(options),
  available: (store, options) => store.available(options),
  bigSegmentsMetadata: (store, options) => store.bigSegmentsMetadata(options),
  bigSegmentsMembership: (store, options) => store.bigSegmentsMembership('hash', options),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} ends when its signal says so, and its request with it`, async () => {
    await faults.script({ do: 'black_hole' });
    const controller = new AbortController();
    const store = patient();
    const running = call(store, { signal: controller.signal });
    await faults.wait({ count: 1, action: 'black_hole' });
    controller.abort(new Error('of the test'));
    await assert.rejects(running, error => {
      assert(error instanceof FlagStoreError);
      assert.deepEqual([error.name, error.codeName, error.code], ['AbortError', 'STORE_CANCELLED', -46]);
      assert.equal((error.cause as Error).message, 'of the test');
      assert.equal(error.retriable, false);
      return true;
    });
    await faults.wait({ connections: 0 });
    await faults.script();
  });

  test(`${name} does not begin when its signal has said so`, async () => {
    await faults.script();
    await assert.rejects(call(patient(), { signal: AbortSignal.abort() }), { codeName: 'STORE_CANCELLED' });
    assert.deepEqual(await faults.log(), []);
  });
}

test('an init says what it had done', async () => {
  const store = patient({ writeConcurrency: 1 });
  await faults.script({ operation: 'PutItem', from: 3, do: 'hold' });
  const controller = new AbortController();
  const features = Object.fromEntries(Array.from({ length: 40 }, (_, number) => [`flag-${number}`, ITEM]));
  const running = store.init({ features }, { signal: controller.signal });
  await faults.wait({ count: 1, action: 'hold' });
  controller.abort();
  await assert.rejects(running, error => {
    const { report } = error as FlagStoreError;
    assert(report !== undefined && report.written >= 2 && report.written < 40, JSON.stringify(report));
    return true;
  });
  await faults.script();
  assert.equal(await store.initialized(), false);
  const { written, unchanged } = await store.init({ features });
  assert.equal(written + unchanged, 40);
});

test('an init that has not reached the library yet does not begin', async () => {
  const store = patient();
  await faults.script();
  const controller = new AbortController();
  const running = store.init({ features: { flag: ITEM } }, { signal: controller.signal });
  controller.abort();
  await assert.rejects(running, { name: 'AbortError' });
  assert.deepEqual(await faults.log(), []);
});

test('one call is cancelled, and no other', async () => {
  const store = patient();
  await faults.script({ do: 'hold' });
  const signals = Array.from({ length: 20 }, () => new AbortController());
  const calls = signals.map(({ signal }, number) => store.get('features', `flag-${number}`, { signal }));
  const ends = calls.map(call => call.catch((error: FlagStoreError) => error.codeName));
  await faults.wait({ count: 20, action: 'hold' });
  for (const place of [0, 7, 19]) signals[place]!.abort();
  assert.deepEqual(await Promise.all([ends[0], ends[7], ends[19]]), Array(3).fill('STORE_CANCELLED'));
  await faults.script();
  assert.deepEqual(new Set(await Promise.all(ends)), new Set(['STORE_CANCELLED', undefined]));
  // What is over cannot be cancelled, and a number is not given to another call.
  signals.forEach(controller => controller.abort());
  for (let number = 0; number < 100; number++) native().cancel(number);
  assert.equal(await store.get('features', 'flag-1'), undefined);
});

test('a signal that never comes leaves nothing behind', async () => {
  const store = open({ ...endpoint.options, prefix: newPrefix(), cacheTtlMs: -1 });
  await faults.script();
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...given: unknown[]) => {
    listeners++;
    (addEventListener as (...words: unknown[]) => void).apply(signal, given);
  };
  signal.removeEventListener = (...given: unknown[]) => {
    listeners--;
    (removeEventListener as (...words: unknown[]) => void).apply(signal, given);
  };
  for (let number = 0; number < 10; number++) await store.get('features', `flag-${number}`, { signal });
  await nextTurn();
  assert.equal(listeners, 0);
});
