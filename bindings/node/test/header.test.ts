/** The header for parsers, and what this package takes from it, against each other. The types of the functions need no
 * test: native/library.h takes them from flagstore.h, and the compiler checks every call. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { CODES } from '../src/errors.js';
import { native } from '../src/native.js';
import { FlagStore } from '../src/index.js';
import { IN_LIBRARY } from '../src/options.js';
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
  store_completions_open: 'the event loop is woken by a call on a thread of the library',
  store_complete_to: 'as for store_completions_open',
  store_completions_next: 'as for store_completions_open',
  store_completions_notify: 'as for store_completions_open',
  store_completions_close: 'as for store_completions_open',
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
  const numbers = [...header.matchAll(/(STORE_\w+) = (-\d+)/g)].map(match => [match[1], Number(match[2])]);
  assert(numbers.length >= 33);
  assert.deepEqual(CODES, Object.fromEntries(numbers));
  for (const [name, number] of Object.entries(CODES)) assert.equal(native().codeName(number), name);
  assert.equal(native().codeName(-9999), 'STORE_UNKNOWN');
});

/** Rows of the table of options in a README, by each name that a row has. */
function optionRows(readme: string): Map<string, string> {
  const rows = [...readme.matchAll(/^\| (`\w+`[^|]*)\| ([^\n]*)$/gm)];
  return new Map(
    rows.flatMap(([, names, row]) => [...names!.matchAll(/`(\w+)`/g)].map(name => [name[1]!, row!])),
  );
}

const OPTIONS = /\n## Options\n([^]*?)\n## /;

test('options are those of the library, and each is in the README', () => {
  const options = optionRows(OPTIONS.exec(readFileSync(join(REPOSITORY, 'README.md'), 'utf8'))![1]!);
  assert(options.size >= 30, [...options.keys()].join());
  assert.deepEqual(Object.values(IN_LIBRARY).sort(), [...options.keys()].sort());
  const here = optionRows(readFileSync(join(PROJECT, 'README.md'), 'utf8'));
  for (const name of Object.keys(IN_LIBRARY)) assert(here.has(name), `README.md has no row for ${name}`);
});

test('the defaults that are documented are those of the project’s README', () => {
  const types = readFileSync(join(PROJECT, 'src', 'options.ts'), 'utf8');
  const options = optionRows(OPTIONS.exec(readFileSync(join(REPOSITORY, 'README.md'), 'utf8'))![1]!);
  const here = optionRows(readFileSync(join(PROJECT, 'README.md'), 'utf8'));
  let compared = 0;
  for (const [name, there] of Object.entries(IN_LIBRARY)) {
    const stated = options.get(there)!.split(' | ')[1]!;
    const number = /^[\d,]+(?=$| \()/.exec(stated)?.[0] ?? /^`(true|false)`$/.exec(stated)?.[1];
    if (number === undefined) continue;
    const mebibytes = Number(number.replaceAll(',', '')) / 2 ** 20;
    const expected = mebibytes >= 1 ? `${mebibytes} MiB` : number;
    const comment = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+${name}\\?:`)
      .exec(types)![1]!
      .replace(/\n\s+\*/g, '');
    const documented = name === 'cacheTtlMs' ? '0, the default' : `Default ${expected}`;
    assert(comment.includes(documented), `options.ts says of ${name}: ${comment}, not ${documented}`);
    assert(
      here.get(name)!.includes(expected),
      `README.md says of ${name}: ${here.get(name)}, not ${expected}`,
    );
    compared++;
  }
  assert(compared >= 15, `${compared}`);
});

test('statistics are those of the library and of the header', () => {
  const comment = /\/\*(?:(?!\*\/)[^])*\*\/\s+int32_t store_statistics\(/.exec(
    readFileSync(join(REPOSITORY, 'include', 'flagstore.h'), 'utf8'),
  )![0];
  const inHeader = [...new Set(comment.match(/(?<=`)(?!store_)[a-z_]+(?=`)/g))];
  const source = readFileSync(join(PROJECT, 'src', 'reports.ts'), 'utf8');
  const members = /export interface Statistics \{([^]*?)\n\}/.exec(source)![1]!;
  const here = [...members.matchAll(/readonly (\w+): number/g)].map(match => match[1]!).sort();
  const inCamelCase = inHeader.map(name =>
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  );
  assert.deepEqual(here, inCamelCase.sort());
  using store = FlagStore.open({ table: 'flags', shared: false });
  assert.deepEqual(Object.keys(store.statistics()).sort(), here);
});
