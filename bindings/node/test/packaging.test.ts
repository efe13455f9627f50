/** The package: what is in it, and that it works from where it is installed, without the source tree. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Endpoint, LIBRARY, local, newPrefix, open, PROJECT } from './endpoint.js';

let endpoint: Endpoint;
let folder: string;
let tarball: string;
let project: string;
before(async () => {
  endpoint = await local();
  folder = mkdtempSync(join(tmpdir(), 'flagstore-'));
  project = join(folder, 'project');
  tarball = run(join(PROJECT, 'package'), [folder], PROJECT);
  const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const others = ['@launchdarkly/node-server-sdk', '@types/node'].map(
    name => `${name}@${devDependencies[name]}`,
  );
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"private":true}');
  run(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball, ...others],
    project,
  );
});
after(() => rmSync(folder, { recursive: true }));

/** Runs a program without FLAGSTORE_LIBRARY, except where it packs; returns the last line of its output. */
function run(program: string, args: string[], cwd: string): string {
  const { FLAGSTORE_LIBRARY: _, NODE_PATH: __, ...environment } = process.env;
  const env = program.endsWith('package') ? process.env : environment;
  const output = execFileSync(program, args, { cwd, env, encoding: 'utf8', timeout: 120_000 });
  return output.trim().split('\n').at(-1)!;
}

test('it holds the compiled sources with their types, the native part, the library and nothing else', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').sort();
  const modules = [
    'client-options',
    'errors',
    'evaluable',
    'index',
    'launchdarkly',
    'logging',
    'native',
    'options',
    'store',
  ];
  assert.deepEqual(
    files,
    [
      ...modules.flatMap(name => [`dist/src/${name}.d.ts`, `dist/src/${name}.js`]),
      ...['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES', 'flagstore.cdx.json', 'package.json'],
      ...['lib/flagstore.node', 'lib/libflagstore.so.1'],
    ]
      .map(file => `package/${file}`)
      .sort(),
  );
});

test('it is for the platform of its library', () => {
  const manifest = execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' });
  const { os, cpu, libc, scripts, dependencies } = JSON.parse(manifest) as Record<string, unknown>;
  assert.deepEqual([os, cpu], [[process.platform], [process.arch]]);
  assert(Array.isArray(libc) && libc.length === 1);
  assert.deepEqual([scripts, dependencies], [undefined, undefined]);
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
    const installed = join(project, 'node_modules', 'flagstore', 'lib', 'libflagstore.so.1');
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
  const env = { ...process.env, FLAGSTORE_LIBRARY: join(folder, 'nothing.so') };
  const { status, stderr } = spawnSync(join(PROJECT, 'package'), [folder], { env, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /there is no .*nothing\.so/);
});

test('the library inside is the one that was given', () => {
  const inside = execFileSync('tar', ['-xzOf', tarball, 'package/lib/libflagstore.so.1'], {
    maxBuffer: 2 ** 27,
  });
  assert(inside.equals(readFileSync(LIBRARY)));
});
