/** Where the library is looked for, and what is said where it cannot be used. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { LIBRARY, PROJECT, SOURCES } from './endpoint.js';

const PATH = `const { libraryPath } = require(${JSON.stringify(SOURCES)}); console.log(libraryPath());`;

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'flagstore-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Runs Node with FLAGSTORE_LIBRARY as given, or without it. */
function run(code: string, variables: Record<string, string> = {}) {
  const { FLAGSTORE_LIBRARY: _, ...environment } = process.env;
  const options = { env: { ...environment, ...variables }, encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', code], options);
  return { status, stdout: stdout.trim(), stderr };
}

test('the variable names the file, also from here', () => {
  assert.equal(run(PATH, { FLAGSTORE_LIBRARY: LIBRARY }).stdout, resolve(LIBRARY));
  assert.equal(run(PATH, { FLAGSTORE_LIBRARY: relative(process.cwd(), LIBRARY) }).stdout, resolve(LIBRARY));
});

test('a wrong variable is fatal at the first use, and not before', () => {
  const failed = run(PATH, { FLAGSTORE_LIBRARY: '/nowhere/libflagstore.so' });
  assert.equal(failed.status, 1);
  assert.match(
    failed.stderr,
    /LibraryError: FLAGSTORE_LIBRARY is '\/nowhere\/libflagstore.so'.*no such file/,
  );
  const imported = `require(${JSON.stringify(SOURCES)})`;
  assert.equal(run(imported, { FLAGSTORE_LIBRARY: '/nowhere/libflagstore.so' }).status, 0);
});

test('a file that is no library is fatal', () => {
  const wrong = join(folder, 'libflagstore.so');
  writeFileSync(wrong, 'not a library');
  const failed = run(PATH, { FLAGSTORE_LIBRARY: wrong });
  assert.equal(failed.status, 1);
  assert(failed.stderr.includes(`LibraryError: ${wrong} cannot be used as libflagstore: `), failed.stderr);
});

test('another library is fatal', () => {
  const other = /\S*libc\.so\S*/.exec(readFileSync('/proc/self/maps', 'utf8'))![0];
  const failed = run(PATH, { FLAGSTORE_LIBRARY: other });
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /it has no function store_abi_version/);
});

for (const [what, abi, why] of [
  ['another ABI', 77, /it has ABI 77, this package needs ABI 1: install versions that match/],
  ['a library with fewer functions', 1, /it has no function store_version: install versions that match/],
] as const) {
  test(`${what} is fatal`, () => {
    const [source, library] = [join(folder, `abi-${abi}.c`), join(folder, `abi-${abi}.so`)];
    writeFileSync(source, `unsigned store_abi_version(void) { return ${abi}; }`);
    execFileSync(process.env['CC'] || 'cc', ['-shared', '-fPIC', '-o', library, source]);
    const failed = run(PATH, { FLAGSTORE_LIBRARY: library });
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, why);
  });
}

test('without the variable the package’s copy is used, then the system’s', t => {
  const copy = join(folder, 'package');
  cpSync(join(PROJECT, 'dist', 'src'), join(copy, 'dist', 'src'), { recursive: true });
  cpSync(join(PROJECT, 'lib', 'flagstore.node'), join(copy, 'lib', 'flagstore.node'));
  const code = PATH.replace(SOURCES, join(copy, 'dist', 'src'));
  const nowhere = run(code);
  if (nowhere.status === 0) {
    t.skip(`this system has libflagstore installed as ${nowhere.stdout}`);
    return;
  }
  assert.match(nowhere.stderr, /LibraryError: libflagstore was not found: FLAGSTORE_LIBRARY is not set/);
  symlinkSync(resolve(LIBRARY), join(folder, 'libflagstore.so.1'));
  assert.equal(run(code, { LD_LIBRARY_PATH: folder }).stdout, 'libflagstore.so.1');
  const packaged = join(copy, 'lib', 'libflagstore.so.1');
  cpSync(LIBRARY, packaged, { dereference: true });
  assert.equal(run(code, { LD_LIBRARY_PATH: folder }).stdout, packaged);
  assert.equal(run(code, { FLAGSTORE_LIBRARY: LIBRARY }).stdout, resolve(LIBRARY));
  assert.equal(run(code, { FLAGSTORE_LIBRARY: '' }).stdout, packaged);
});

test('without the native part it is said what to install', () => {
  const copy = join(folder, 'without');
  cpSync(join(PROJECT, 'dist', 'src'), join(copy, 'dist', 'src'), { recursive: true });
  const failed = run(PATH.replace(SOURCES, join(copy, 'dist', 'src')), { FLAGSTORE_LIBRARY: LIBRARY });
  const expected = `install the package for ${process.platform}-${process.arch}`;
  assert(failed.stderr.includes(expected) && failed.stderr.includes('LibraryError'), failed.stderr);
});

test('importing loads neither the library nor an SDK', () => {
  const code = `
    require(${JSON.stringify(SOURCES)});
    if (/flagstore\\.(node|so)/.test(require('fs').readFileSync('/proc/self/maps', 'utf8'))) process.exit(1);
    if (Object.keys(require.cache).some(name => /launchdarkly|aws-sdk/.test(name))) process.exit(2);`;
  assert.equal(run(code, { FLAGSTORE_LIBRARY: LIBRARY }).status, 0);
});

test('the version is the project’s', () => {
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  assert(readFileSync(join(PROJECT, '..', '..', 'Cargo.toml'), 'utf8').includes(`version = "${version}"`));
  assert(existsSync(join(PROJECT, 'package-lock.json')));
});
