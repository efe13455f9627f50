/** `FlagStore.doctor`: the report of the library, while the event loop goes on. */

import { strict as assert } from 'node:assert';
import { createServer, type Socket } from 'node:net';
import { before, test } from 'node:test';
import { once } from 'node:events';
import { inspect } from 'node:util';

import { FlagStore, FlagStoreError, type FlagStoreOptions, type Report } from '../src/index.js';
import { type Endpoint, local, newPrefix, open, SECRET } from './endpoint.js';

let endpoint: Endpoint;
before(async () => {
  endpoint = await local();
});

function finding(report: Report, check: string): Report['findings'][number] {
  const found = report.findings.find(one => one.check === check);
  assert(found, `nothing was found about ${check}`);
  return found;
}

test('a table that is in order has no problem', async () => {
  const options = { ...endpoint.options, prefix: newPrefix() };
  await open(options).init({
    features: { flag: { version: 1, item: '{"key":"flag","version":1}' } },
    segments: {},
  });
  const report = await FlagStore.doctor(options);
  assert.deepEqual([report.problems, report.warnings], [0, 0], inspect(report));
  assert(report.findings.every(one => one.level === 'ok'));
  assert.match(finding(report, 'features').found, /^1 row/);
  assert.equal(finding(report, 'features').remedy, null);
  assert(!inspect(report).includes(SECRET));
});

test('a table that is missing is named, with a remedy', async () => {
  const report = await FlagStore.doctor({ ...endpoint.options, table: 'no-such-table' });
  assert.equal(report.problems, 1);
  const { level, found, remedy } = finding(report, 'table');
  assert.equal(level, 'problem');
  assert.match(found, /no-such-table/);
  assert(remedy);
});

test('an option that is wrong is refused, by its name here', async () => {
  await assert.rejects(
    FlagStore.doctor({ ...endpoint.options, timeoutMs: -1 }),
    (error: FlagStoreError) =>
      error.codeName === 'STORE_ERROR_OPTION_VALUE' && /timeoutMs/.test(error.message),
  );
  const none = undefined as unknown as FlagStoreOptions;
  await assert.rejects(FlagStore.doctor(none), TypeError);
});

test('the event loop goes on meanwhile', async () => {
  const held: Socket[] = [];
  const silent = createServer(socket => held.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  let done = false;
  const asked = FlagStore.doctor({
    ...endpoint.options,
    endpoint: `http://127.0.0.1:${port}`,
    timeoutMs: 500,
  }).finally(() => {
    done = true;
  });
  await once(silent, 'connection');
  assert.equal(done, false);
  assert((await asked).problems > 0);
  held.forEach(socket => socket.destroy());
  silent.close();
});
