/** The package: what is in it, and that it works from where it is installed, without the source tree. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { type Endpoint, local, newPrefix, open, PROJECT, REPOSITORY } from './endpoint.js';

const { platform, arch } = process;
const HOST = `${platform}-${arch}${platform === 'linux' ? (glibc() ? '-gnu' : '-musl') : ''}`;

let endpoint: Endpoint;
let folder: string;
let tarballs: string[];
let main: string;
let own: string;
let project: string;
before(async () => {
  endpoint = await local();
  folder = mkdtempSync(join(tmpdir(), 'flagstore-'));
  project = join(folder, 'project');
  tarballs = pack(folder, {});
  main = tarballs.at(-1)!;
  own = tarballs.find(file => file.includes(HOST))!;
  const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const others = ['@launchdarkly/node-server-sdk', '@types/node'].map(
    name => `${name}@${devDependencies[name]}`,
  );
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"private":true}');
  install(project, [own, main, ...others]);
});
after(() => rmSync(folder, { recursive: true }));

function glibc(): boolean {
  return 'glibcVersionRuntime' in (process.report.getReport() as unknown as { header: object }).header;
}

/** Packs everything that there is; gives the files. */
function pack(into: string, environment: Record<string, string>): string[] {
  const env = { ...process.env, ...environment };
  const output = execFileSync(join(PROJECT, 'package'), [into], { env, encoding: 'utf8', timeout: 120_000 });
  return output.trim().split('\n');
}

function install(into: string, words: string[]): void {
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  run('npm', ['install', ...quietly, ...words], into);
}

/** Runs a program without FLAGSTORE_LIBRARY; returns the last line of its output. */
function run(program: string, args: string[], cwd: string): string {
  const { FLAGSTORE_LIBRARY: _, NODE_PATH: __, ...env } = process.env;
  const output = execFileSync(program, args, { cwd, env, encoding: 'utf8', timeout: 120_000 });
  return output.trim().split('\n').at(-1)!;
}

function filesIn(tarball: string): string[] {
  return execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').sort();
}

function manifestOf(tarball: string): Record<string, unknown> {
  const text = execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' });
  return JSON.parse(text) as Record<string, unknown>;
}

test('it holds the compiled sources with their types, and nothing native', () => {
  const modules = [
    'certificates',
    'client-options',
    'errors',
    'evaluable',
    'index',
    'launchdarkly',
    'logging',
    'native',
    'options',
    'reports',
    'store',
  ];
  assert.deepEqual(
    filesIn(main),
    [
      ...modules.flatMap(name => [`dist/src/${name}.d.ts`, `dist/src/${name}.js`]),
      ...['LICENSE', 'README.md', 'package.json'],
    ]
      .map(file => `package/${file}`)
      .sort(),
  );
  const { os, cpu, scripts, dependencies, optionalDependencies, version } = manifestOf(main);
  assert.deepEqual([os, cpu, scripts, dependencies], [undefined, undefined, undefined, undefined]);
  assert.equal((optionalDependencies as Record<string, string>)[`@flagstore/${HOST}`], version);
});

test('the native part has a package for its platform, with the papers of what is inside', () => {
  assert.deepEqual(
    filesIn(own),
    ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'flagstore.cdx.json', 'flagstore.node', 'package.json']
      .map(file => `package/${file}`)
      .sort(),
  );
  const { name, main: entry, os, cpu, libc, scripts } = manifestOf(own);
  assert.deepEqual(
    [name, entry, os, cpu, scripts],
    [`@flagstore/${HOST}`, './flagstore.node', [platform], [arch], undefined],
  );
  assert.deepEqual(libc, platform === 'linux' ? [glibc() ? 'glibc' : 'musl'] : undefined);
});

/** Files that say what they are for as those of each platform do, and hold nothing else. */
const FOREIGN: Readonly<Record<string, { name: string; npm: string[]; bytes: Buffer }>> = Object.fromEntries(
  (
    [
      ['x86_64-unknown-linux-gnu', 'linux-x64-gnu', ['linux', 'x64', 'glibc'], elf(62, 'libc.so.6')],
      ['aarch64-unknown-linux-gnu', 'linux-arm64-gnu', ['linux', 'arm64', 'glibc'], elf(183, 'libc.so.6')],
      ['x86_64-unknown-linux-musl', 'linux-x64-musl', ['linux', 'x64', 'musl'], elf(62, 'libc.so')],
      ['aarch64-unknown-linux-musl', 'linux-arm64-musl', ['linux', 'arm64', 'musl'], elf(183, 'libc.so')],
      ['aarch64-apple-darwin', 'darwin-arm64', ['darwin', 'arm64'], machO(0x0100000c)],
      ['x86_64-apple-darwin', 'darwin-x64', ['darwin', 'x64'], machO(0x01000007)],
      ['x86_64-pc-windows-gnu', 'win32-x64', ['win32', 'x64'], pe(0x8664)],
    ] as const
  ).map(([triple, name, npm, bytes]) => [triple, { name, npm: [...npm], bytes }]),
);

function headers(): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(FOREIGN).map(([triple, { bytes }]) => [triple, bytes]));
}

function elf(machine: number, libc: string): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(64), Buffer.from(`\0${libc}\0`)]);
  bytes.writeUInt32BE(0x7f454c46);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

function machO(cpu: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(0xfeedfacf);
  bytes.writeUInt32LE(cpu, 4);
  return bytes;
}

function pe(machine: number): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.write('MZ');
  bytes.writeUInt32LE(64, 0x3c);
  bytes.write('PE', 64);
  bytes.writeUInt16LE(machine, 68);
  return bytes;
}

function addons(into: string, contents: Record<string, Buffer>): { FLAGSTORE_ADDONS: string } {
  for (const [triple, bytes] of Object.entries(contents)) {
    mkdirSync(join(into, triple), { recursive: true });
    writeFileSync(join(into, triple, 'flagstore.node'), bytes);
  }
  return { FLAGSTORE_ADDONS: into };
}

test('each platform has a package, and npm installs the one of the platform that it is told', () => {
  const into = join(folder, 'all');
  const files = pack(into, addons(join(folder, 'addons'), headers()));
  const names = Object.values(FOREIGN).map(({ name }) => `@flagstore/${name}`);
  assert.deepEqual(
    Object.keys(manifestOf(files.at(-1)!)['optionalDependencies'] as object).sort(),
    names.sort(),
  );
  const packages = Object.fromEntries(
    files.slice(0, -1).map(file => [manifestOf(file)['name'], `file:${file}`]),
  );
  for (const { name, npm, bytes } of Object.values(FOREIGN)) {
    const there = join(folder, 'on', name);
    mkdirSync(there, { recursive: true });
    const manifest = { private: true, optionalDependencies: packages };
    writeFileSync(join(there, 'package.json'), JSON.stringify(manifest));
    const words = ['os', 'cpu', 'libc'].flatMap((word, place) =>
      npm[place] ? [`--${word}=${npm[place]}`] : [],
    );
    install(there, words);
    const scope = join(there, 'node_modules', '@flagstore');
    assert.deepEqual(readdirSync(scope), [name]);
    assert(readFileSync(join(scope, name, 'flagstore.node')).equals(bytes));
  }
});

test('what is for another platform than it should be is not packed', () => {
  for (const [triple, bytes, what] of [
    [
      'x86_64-unknown-linux-gnu',
      elf(183, 'libc.so.6'),
      /is for linux arm64 glibc, and x86_64-unknown-linux-gnu was expected/,
    ],
    ['x86_64-unknown-linux-gnu', elf(62, 'libc.so'), /is for linux x64 musl/],
    ['aarch64-apple-darwin', pe(0x8664), /is for win32 x64/],
    ['x86_64-pc-windows-gnu', Buffer.from('no native file'), /is for nothing that is known/],
  ] as const) {
    const env = {
      ...process.env,
      ...addons(mkdtempSync(join(folder, 'wrong-')), { ...headers(), [triple]: bytes }),
    };
    const { status, stderr } = spawnSync(join(PROJECT, 'package'), [folder], { env, encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, what);
  }
});

for (const [kind, file, imports] of [
  [
    'CommonJS',
    'read.cjs',
    `const { FlagStore, libraryPath } = require('flagstore');
     const { DynamoDBFeatureStore } = require('flagstore/launchdarkly');
     const { init } = require('@launchdarkly/node-server-sdk');`,
  ],
  [
    'ESM',
    'read.mjs',
    `import { FlagStore, libraryPath } from 'flagstore';
     import { DynamoDBFeatureStore } from 'flagstore/launchdarkly';
     import { init } from '@launchdarkly/node-server-sdk';`,
  ],
] as const) {
  test(`it reads a flag from ${kind}, with and without the SDK`, async () => {
    const prefix = newPrefix();
    const flag = { key: 'flag', version: 3, on: false, offVariation: 1, variations: ['a', 'b'], salt: '' };
    await open({ ...endpoint.options, prefix }).init({
      features: { flag: { version: 3, item: JSON.stringify(flag) } },
    });
    const clientOptions = JSON.stringify(endpoint.clientOptions);
    writeFileSync(
      join(project, file),
      `${imports}
       (async () => {
         const store = FlagStore.open(${JSON.stringify({ ...endpoint.options, prefix })});
         const { version } = await store.get('features', 'flag');
         const featureStore = DynamoDBFeatureStore('flags', { prefix: '${prefix}', clientOptions: ${clientOptions} });
         const logger = { error() {}, warn() {}, info() {}, debug() {} };
         const client = init('sdk-key', { featureStore, useLdd: true, sendEvents: false, logger });
         await client.waitForInitialization({ timeout: 10 });
         const value = await client.variation('flag', { kind: 'user', key: 'user' }, 'none');
         client.close();
         console.log(JSON.stringify([libraryPath(), version, value]));
       })();`,
    );
    const installed = join(project, 'node_modules', '@flagstore', HOST, 'flagstore.node');
    assert.deepEqual(JSON.parse(run(process.execPath, [file], project)), [installed, 3, 'b']);
  });
}

for (const [kind, file, compiler] of [
  ['an ES module', 'types.mts', ['--module', 'nodenext']],
  ['CommonJS', 'types.cts', ['--module', 'nodenext']],
  ['a bundler', 'bundled.ts', ['--module', 'esnext', '--moduleResolution', 'bundler']],
] as const) {
  test(`its types are those of ${kind}`, () => {
    const source = `
      import { FlagStore, FlagStoreError, type Item } from 'flagstore';
      import { DynamoDBBigSegmentStore, DynamoDBFeatureStore } from 'flagstore/launchdarkly';
      import { init } from '@launchdarkly/node-server-sdk';
      export async function read(): Promise<Item | undefined> {
        await using store = FlagStore.open({ table: 'flags', logger: console });
        try {
          return await store.get('features', 'flag');
        } catch (error) {
          if (error instanceof FlagStoreError && error.codeName === 'STORE_ERROR_TIMEOUT') return undefined;
          throw error;
        }
      }
      export const client = init('sdk-key', {
        featureStore: DynamoDBFeatureStore('flags', { clientOptions: { region: 'eu-west-1' }, cacheTTL: 30 }),
        bigSegments: { store: DynamoDBBigSegmentStore('flags') },
      });
      // @ts-expect-error
      FlagStore.open({ tabel: 'flags' });
      // @ts-expect-error
      DynamoDBFeatureStore('flags', { dynamoDBClient: {} });
    `;
    writeFileSync(join(project, file), source);
    const tsc = join(PROJECT, 'node_modules', '.bin', 'tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2022,esnext.disposable',
      '--types',
      'node',
    ];
    const { status, stdout } = spawnSync(tsc, [...options, ...compiler, file], {
      cwd: project,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout);
  });
}

test('it is not packed without its library', () => {
  const env = { ...process.env, FLAGSTORE_ARCHIVE: join(folder, 'nothing.a') };
  if (existsSync(join(REPOSITORY, 'build', 'platforms', `${triple()}`))) return;
  const { status, stderr } = spawnSync(join(PROJECT, 'package'), [folder], { env, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /there is no .*nothing\.a/);
});

function triple(): string {
  return Object.entries(FOREIGN).find(([, { name }]) => name === HOST)![0];
}

/** A program that reads a flag and says where from. */
const READS = (imports: string) => `${imports}
  (async () => {
    const store = FlagStore.open(JSON.parse(process.argv[2]));
    await store.upsert('features', 'flag', { version: 4, item: '{}' });
    const { version } = await store.get('features', 'flag');
    await store.init({ features: {} });
    store.close();
    console.log(JSON.stringify([libraryVersion(), version]));
  })();`;
const FROM_ESM = READS("import { FlagStore, libraryVersion } from 'flagstore';");
const FROM_CJS = READS("const { FlagStore, libraryVersion } = require('flagstore');");

/** The program in a folder that has nothing else, away from where it was bundled. */
function read(program: string, file: string, words: string[] = []): void {
  const { version } = manifestOf(main);
  const options = JSON.stringify({ ...endpoint.options, prefix: newPrefix() });
  assert.deepEqual(JSON.parse(run(program, [...words, file, options], tmpdir())), [version, 4]);
}

describe('a bundler', () => {
  const tools = join(PROJECT, 'test', 'bundlers', 'node_modules');
  const bundler = (name: string) => join(tools, '.bin', name);
  before(() => {
    assert(existsSync(tools), `there is no ${tools}: make node`);
    writeFileSync(join(project, 'entry.mjs'), FROM_ESM);
    writeFileSync(join(project, 'entry.cjs'), FROM_CJS);
  });
  const BANNER =
    '--banner:js=import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

  for (const [format, words] of [
    ['cjs', []],
    ['esm', ['--out-extension:.js=.mjs', BANNER]],
  ] as const) {
    test(`copies the native part: esbuild to ${format}`, () => {
      const out = join(folder, `esbuild-${format}`);
      const options = ['--bundle', '--platform=node', `--format=${format}`, '--loader:.node=copy', ...words];
      run(bundler('esbuild'), ['entry.mjs', `--outdir=${out}`, ...options], project);
      read(process.execPath, join(out, format === 'esm' ? 'entry.mjs' : 'entry.js'));
    });
  }

  test('refuses it where it is not told how: esbuild', () => {
    const options = ['--bundle', '--platform=node', `--outdir=${join(folder, 'refused')}`];
    const { status, stderr } = spawnSync(bundler('esbuild'), ['entry.mjs', ...options], {
      cwd: project,
      encoding: 'utf8',
    });
    assert.notEqual(status, 0);
    assert.match(stderr, /No loader is configured for "\.node" files/);
  });

  test('copies the native part: ncc', () => {
    const out = join(folder, 'ncc');
    run(bundler('ncc'), ['build', 'entry.cjs', '-o', out, '--quiet'], project);
    read(process.execPath, join(out, 'index.cjs'));
  });

  test('copies the native part: webpack', async () => {
    const out = join(folder, 'webpack');
    const { webpack } = require(join(tools, 'webpack')) as {
      webpack: (options: object, done: (error: Error | null, stats: Stats) => void) => void;
    };
    interface Stats {
      hasErrors(): boolean;
      toString(): string;
    }
    const stats = await new Promise<Stats>((resolve, reject) =>
      webpack(
        {
          context: project,
          entry: './entry.mjs',
          mode: 'production',
          target: 'node20',
          output: { path: out },
          module: { rules: [{ test: /\.node$/, loader: join(tools, 'node-loader') }] },
        },
        (error, found) => (error ? reject(error) : resolve(found)),
      ),
    );
    assert(!stats.hasErrors(), stats.toString());
    read(process.execPath, join(out, 'main.js'));
  });
});

describe('another runtime', () => {
  const tools = join(PROJECT, 'test', 'runtimes', 'node_modules');
  for (const [name, program, words] of [
    ['Bun', join(tools, '@oven', 'bun-linux-x64-baseline', 'bin', 'bun'), []],
    ['Deno', join(tools, '@deno', 'linux-x64-glibc', 'deno'), ['run', '--allow-all', '--no-lock']],
  ] as const) {
    test(`reads a flag: ${name}`, t => {
      if (!existsSync(program))
        return t.skip(`${program} is not there: make node installs it on x86-64 Linux with glibc`);
      writeFileSync(join(project, 'runtime.mjs'), FROM_ESM);
      read(program, join(project, 'runtime.mjs'), [...words]);
    });
  }
});
