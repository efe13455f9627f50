/** The library as a guest: exits, workers and child processes are Node's own affair. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Endpoint, Faults, local, newPrefix, open, SOURCES } from './endpoint.js';

let endpoint: Endpoint;
let faults: Faults;
let folder: string;
before(async () => {
  endpoint = await local();
  faults = await Faults.inFrontOf(endpoint);
  folder = mkdtempSync(join(tmpdir(), 'flagstore-'));
});
after(() => rmSync(folder, { recursive: true }));

let programs = 0;

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** Runs a program with `FlagStore`, and `options` for a store on the endpoint. `while` runs beside it. */
async function run(code: string, at: Endpoint, prefix: string, beside?: () => Promise<void>): Promise<Ended> {
  const file = join(folder, `program-${++programs}.js`);
  // Some of their calls are held up on purpose, on a busy machine longer than the usual deadlines.
  const patient = { attemptTimeoutMs: 60_000, timeoutMs: 60_000, allTimeoutMs: 60_000 };
  const options = JSON.stringify({ ...patient, ...at.options, prefix });
  writeFileSync(
    file,
    `const { FlagStore } = require(${JSON.stringify(SOURCES)});\nconst options = ${options};\n${code}`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => (output += piece.toString()));
  const ended = new Promise<Ended>(resolve =>
    child.on('close', (status, signal) => resolve({ status, signal, output: output.trim() })),
  );
  await beside?.();
  return ended;
}

const WELL = { status: 0, signal: null };

async function withFlag(): Promise<string> {
  const prefix = newPrefix();
  await open({ ...endpoint.options, prefix }).upsert('features', 'flag', { version: 1, item: 'x' });
  return prefix;
}

test('an open store does not keep the process alive', async () => {
  const code = `
    const store = FlagStore.open(options);
    store.get('features', 'flag').then(item => { console.log(item.version); globalThis.kept = store; });`;
  assert.deepEqual(await run(code, endpoint, await withFlag()), { ...WELL, output: '1' });
  const unused = 'globalThis.kept = FlagStore.open(options);';
  assert.deepEqual(await run(unused, endpoint, newPrefix()), { ...WELL, output: '' });
});

test('a call under way does, until it is answered', async () => {
  const code = `
    const store = FlagStore.open(options);
    const answered = [];
    for (const call of [store.get('features', 'flag'), store.available(), store.init({ features: {} })]) {
      call.then(() => answered.push(1));
    }
    process.on('exit', () => console.log(answered.length));`;
  await faults.script({ times: 3, do: 'hold' });
  const ended = run(code, faults.endpoint, await withFlag(), async () => {
    await faults.wait({ count: 3, action: 'hold' });
    await faults.release();
  });
  assert.deepEqual(await ended, { ...WELL, output: '3' });
});

for (const [name, exit] of [
  ['process.exit', 'process.exit(0)'],
  ['an exception', 'process.on("uncaughtException", () => process.exit(0)); throw 1'],
] as const) {
  test(`${name} with calls under way waits for nobody, and nothing crashes`, async () => {
    const code = `
      const store = FlagStore.open(options);
      const forever = async call => { for (;;) await call(); };
      for (let number = 0; number < 16; number++) {
        void forever(() => store.get('features', 'flag'));
        void forever(() => store.available());
      }
      setTimeout(() => { ${exit}; }, 20);`;
    const prefix = await withFlag();
    for (let time = 0; time < 5; time++) {
      assert.deepEqual(await run(code, endpoint, prefix), { ...WELL, output: '' });
    }
  });
}

test('every call is answered while libuv’s only thread is busy', async () => {
  // Opening a pipe takes until somebody opens its other end.
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const code = `
    process.env.UV_THREADPOOL_SIZE = '1';
    const fs = require('node:fs');
    (async () => {
      let libuv = 'busy';
      fs.open(pipe, 'r', () => {});
      const next = fs.promises.stat(pipe).then(() => (libuv = 'free'));
      const store = FlagStore.open(options);
      const flag = { version: 1, item: '{"version":1}' };
      console.log(JSON.stringify([
        await store.available(),
        (await store.bigSegmentsMetadata()) ?? 'never',
        (await store.bigSegmentsMembership('hash')) ?? 'none',
        (await store.init({ features: { flag } })).written,
        (await store.initJson('{"flags":{"flag":{"version":1}}}')).unchanged,
        await store.initialized(),
        (await store.upsert('features', 'other', flag)).outcome,
        (await store.get('features', 'other')).version,
        (await store.all('features')).size,
      ]), libuv);
      fs.closeSync(fs.openSync(pipe, 'w'));
      await next;
      console.log(libuv);
    })();`;
  const ended = await run(`const pipe = ${JSON.stringify(pipe)};\n${code}`, endpoint, newPrefix());
  const answers = [true, 'never', 'none', 1, 1, true, 'written', 1, 2];
  assert.deepEqual(ended, { ...WELL, output: `${JSON.stringify(answers)} busy\nfree` });
});

test('nothing is printed', async () => {
  const code = `(async () => {
    const store = FlagStore.open(options);
    await store.upsert('features', 'huge', { version: 1, item: 'x'.repeat(400000) });
    await store.init({ features: { flag: { version: 1, item: 'payload' } } });
    await store.all('features');
    await FlagStore.open({ ...options, endpoint: 'http://127.0.0.1:1', timeoutMs: 100 }).available();
  })();`;
  assert.deepEqual(await run(code, endpoint, newPrefix()), { ...WELL, output: '' });
});

test('workers use stores of their own at the same time', async () => {
  const code = `
    const { Worker, isMainThread, threadId } = require('node:worker_threads');
    async function echo() {
      const store = FlagStore.open(options);
      await Promise.all(Array.from({ length: 16 }, async (_, number) => {
        const key = 'flag-' + threadId + '-' + number;
        for (let version = 1; version <= 10; version++) {
          await store.upsert('features', key, { version, item: key + version });
          const found = await store.get('features', key);
          if (found.item !== key + version) throw new Error(JSON.stringify(found));
        }
      }));
    }
    if (isMainThread) {
      const workers = Array.from({ length: 4 }, () => new Worker(__filename));
      const ended = workers.map(worker => new Promise(resolve => worker.on('error', resolve).on('exit', resolve)));
      Promise.all([echo(), ...ended]).then(async ([, ...codes]) => {
        console.log(...codes, (await FlagStore.open(options).all('features')).size);
      });
    } else void echo();`;
  assert.deepEqual(await run(code, endpoint, newPrefix()), { ...WELL, output: '0 0 0 0 80' });
});

for (const [who, first] of [
  ['also in the main thread', 'const store = FlagStore.open(options); await store.initialized();'],
  ['in the worker only', ''],
] as const) {
  test(`a worker that is terminated during its calls takes nothing down: loaded ${who}`, async () => {
    // The worker's calls are answered once it is gone. All of them were when no connection of its store is left.
    const code = `
      const { Worker, isMainThread, parentPort } = require('node:worker_threads');
      (async () => {
        if (!isMainThread) {
          const store = FlagStore.open({ ...options, shared: false });
          const calls = Array.from({ length: 12 }, () => [store.get('features', 'flag'), store.all('features')]).flat();
          calls.push(store.available(), store.bigSegmentsMetadata(), store.bigSegmentsMembership('hash'));
          calls.push(store.init({ features: {} }));
          parentPort.postMessage(calls.length);
          return Promise.all(calls);
        }
        ${first}
        const { connections } = await ask('/log', {});
        for (let time = 0; time < 5; time++) {
          await ask('/reset', {});
          await ask('/script', { rules: [{ do: 'hold' }] });
          const worker = new Worker(__filename);
          const calls = await new Promise(resolve => worker.once('message', resolve));
          await ask('/wait', { count: calls, action: 'hold' });
          await worker.terminate();
          await ask('/reset', {});
          await ask('/wait', { connections });
        }
        console.log('alive');
        process.exit(0);
      })();
      async function ask(path, body) {
        const answer = await fetch(${JSON.stringify(faults.control)} + path, { method: 'POST', body: JSON.stringify(body) });
        if (!answer.ok) throw new Error(path + ': ' + await answer.text());
        return answer.json();
      }`;
    await faults.script();
    assert.deepEqual(await run(code, faults.endpoint, await withFlag()), { ...WELL, output: 'alive' });
  });
}

test('children that are forked, and workers of a cluster, use stores of their own', async () => {
  const code = `
    const cluster = require('node:cluster');
    const { fork } = require('node:child_process');
    async function read() { return (await FlagStore.open(options).get('features', 'flag')).version; }
    async function answers(child) {
      const version = await new Promise(resolve => child.once('message', resolve));
      return [version, await new Promise(resolve => child.once('exit', resolve))].join();
    }
    if (process.send) read().then(version => process.send(version, () => process.disconnect()));
    else (async () => {
      const store = FlagStore.open(options);
      const before = (await store.get('features', 'flag')).version;
      const children = [fork(__filename), fork(__filename)].map(answers);
      const workers = [cluster.fork(), cluster.fork()].map(worker => answers(worker));
      const all = await Promise.all([...children, ...workers]);
      console.log(before, (await store.get('features', 'flag')).version, ...all);
    })();`;
  assert.deepEqual(await run(code, endpoint, await withFlag()), { ...WELL, output: '1 1 1,0 1,0 1,0 1,0' });
});
