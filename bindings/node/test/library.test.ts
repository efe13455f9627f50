/** Where the library is looked for, and what is said where it cannot be used. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

/** A checkout with nothing but the compiled sources, and the native part if it is given. */
function checkout(name: string, addon?: string): string {
  const copy = join(folder, name);
  cpSync(join(PROJECT, 'dist', 'src'), join(copy, 'dist', 'src'), { recursive: true });
  if (addon !== undefined) cpSync(addon, join(copy, 'lib', 'flagstore.node'));
  return PATH.replace(SOURCES, join(copy, 'dist', 'src'));
}

test('without the variable what is linked into the native part is used', t => {
  const addon = join(PROJECT, 'lib', 'flagstore.node');
  const code = checkout('linked', addon);
  const { status, stdout } = run(code);
  if (status !== 0 || stdout === 'libflagstore.so.1') return t.skip('./build had no archive of the library');
  assert.equal(stdout, join(folder, 'linked', 'lib', 'flagstore.node'));
  assert.equal(run(code, { FLAGSTORE_LIBRARY: '' }).stdout, stdout);
  assert.equal(run(code, { FLAGSTORE_LIBRARY: LIBRARY }).stdout, resolve(LIBRARY));
});

test('what is linked in is not for others to link with', () => {
  const symbols = execFileSync('nm', ['-D', '--defined-only', join(PROJECT, 'lib', 'flagstore.node')], {
    encoding: 'utf8',
  });
  const names = symbols
    .trim()
    .split('\n')
    .map(line => line.split(' ').at(-1)!);
  assert.deepEqual(names.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
});

test('a native part without the library takes the system’s', t => {
  const addon = join(folder, 'thin.node');
  execFileSync(join(PROJECT, 'native', 'compile'), ['host', addon], { encoding: 'utf8' });
  const code = checkout('thin', addon);
  const nowhere = run(code);
  if (nowhere.status === 0) return t.skip(`this system has libflagstore installed as ${nowhere.stdout}`);
  assert.match(nowhere.stderr, /LibraryError: libflagstore was not found: FLAGSTORE_LIBRARY is not set/);
  symlinkSync(resolve(LIBRARY), join(folder, 'libflagstore.so.1'));
  assert.equal(run(code, { LD_LIBRARY_PATH: folder }).stdout, 'libflagstore.so.1');
  assert.equal(run(code, { FLAGSTORE_LIBRARY: LIBRARY }).stdout, resolve(LIBRARY));
});

test('without the native part it is said which package is missing', () => {
  const failed = run(checkout('without'), { FLAGSTORE_LIBRARY: LIBRARY });
  const expected = `the native part of flagstore for ${process.platform}-${process.arch} is not there: @flagstore/`;
  assert(failed.stderr.includes(expected) && failed.stderr.includes('LibraryError'), failed.stderr);
  const elsewhere = run(
    `Object.defineProperty(process, 'arch', { value: 's390x' });${checkout('elsewhere')}`,
  );
  assert.match(elsewhere.stderr, /for linux-s390x is not there: there is no package for it/);
});

test('a native part that is there and of no use is told from one that is not', () => {
  const code = checkout('broken');
  const scope = join(folder, 'broken', 'node_modules', '@flagstore');
  for (const libc of ['gnu', 'musl']) {
    const name = join(scope, `${process.platform}-${process.arch}-${libc}`);
    mkdirSync(name, { recursive: true });
    writeFileSync(join(name, 'package.json'), '{"main":"flagstore.node"}');
    writeFileSync(join(name, 'flagstore.node'), 'of another platform');
  }
  const { stderr } = run(code);
  assert.match(
    stderr,
    /LibraryError: @flagstore\/\S+-gnu cannot be loaded: .*-musl cannot be loaded: .*install the package for/,
  );
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
