/** The header for parsers, and what this package takes from it, against each other. The types of the functions need no
 * test: native/library.h takes them from flagstore.h, and the compiler checks every call. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { CODES } from '../src/errors.js';
import { native } from '../src/native.js';
import { PROJECT, REPOSITORY } from './endpoint.js';

const header = readFileSync(join(REPOSITORY, 'include', 'flagstore_cdef.h'), 'utf8');

/** Why a function of the header is not used. */
const UNUSED: Readonly<Record<string, string>> = {
  store_get: 'would block the event loop; store_get_async is used',
  store_get_all: 'store_get_all_async is used',
  store_upsert: 'store_upsert_async is used',
  store_init: 'store_init_async is used',
  store_init_json: 'store_init_json_async is used',
  store_initialized: 'store_initialized_async is used',
  store_available: 'store_available_async is used',
  store_big_segments_metadata: 'store_big_segments_metadata_async is used',
  store_big_segments_membership: 'store_big_segments_membership_async is used',
  store_cancel: 'no call can be given up yet',
  store_completions_open: 'callbacks are queued for the loop',
  store_complete_to: 'as above',
  store_completions_next: 'as above',
  store_completions_notify: 'as above',
  store_completions_close: 'as above',
  store_set_logger: 'calls on a thread of the library; events are pulled',
};

test('every function of the header is used, or its reason is given here', () => {
  const declared = [...header.matchAll(/^[\w *]*?\b(store_\w+)\(/gm)].map(match => match[1]!);
  assert(declared.length >= 38, declared.join());
  const macro = /define LIBRARY_FUNCTIONS\(X\)((?:.*\\\n)*.*)/.exec(
    readFileSync(join(PROJECT, 'native', 'library.h'), 'utf8'),
  );
  const used = [...macro![1]!.matchAll(/X\((\w+)\)/g)].map(match => match[1]!);
  assert.deepEqual([...used, ...Object.keys(UNUSED)].sort(), declared.sort());
});

test('errors have the numbers of the header, and the library’s names', () => {
  const numbers = [...header.matchAll(/(STORE_ERROR_\w+) = (-\d+)/g)].map(match => [
    match[1],
    Number(match[2]),
  ]);
  assert(numbers.length >= 33);
  assert.deepEqual(CODES, Object.fromEntries(numbers));
  for (const [name, number] of Object.entries(CODES)) assert.equal(native().codeName(number), name);
  assert.equal(native().codeName(-9999), 'STORE_UNKNOWN');
});
