/** Which certificates count: the usual ones, and with them what Node.js has from NODE_EXTRA_CA_CERTS. */

import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { SECRET, SOURCES, TABLE } from './endpoint.js';

let folder: string;
let known: Endpoint;
let company: Endpoint;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flagstore-'));
  [known, company] = [await served('known'), await served('company')];
});
after(() => {
  for (const { server } of [known, company]) server.close();
  rmSync(folder, { recursive: true });
});

interface Endpoint {
  readonly server: Server;
  readonly url: string;
  /** The certificate that vouches for it, and for nothing else. */
  readonly file: string;
}

/** A table without rows, behind TLS. */
async function served(name: string): Promise<Endpoint> {
  const [file, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const ofThisMachine = [
    '-subj',
    `/CN=${name}`,
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-addext',
    'basicConstraints=CA:FALSE',
  ];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...ec, ...ofThisMachine, '-days', '2', '-out', file, '-keyout', key],
    {
      stdio: 'ignore',
    },
  );
  const server = createServer({ cert: readFileSync(file), key: readFileSync(key) }, (request, response) => {
    request.resume();
    response.setHeader('Content-Type', 'application/x-amz-json-1.0');
    response.end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, file };
}

/** What a program finds that asks an endpoint: `nothing`, or the message of the error; and its warnings. */
async function asked(
  { url }: Endpoint,
  options: object,
  variables: Record<string, string>,
  first = '',
): Promise<{ found: string; warnings: string[] }> {
  const given = {
    table: TABLE,
    endpoint: url,
    region: 'us-east-1',
    accessKeyId: 'a',
    secretAccessKey: SECRET,
    ...options,
  };
  const code = `
    ${first}
    const { FlagStore } = require(${JSON.stringify(SOURCES)});
    const warnings = [];
    const logger = { error() {}, warn: message => warnings.push(message), info() {}, debug() {} };
    const options = { ...${JSON.stringify(given)}, logger };
    FlagStore.open(options).get('features', 'flag').then(item => item ?? 'nothing', error => error.message)
      .then(found => console.log(JSON.stringify({ found, warnings })));`;
  const { NODE_EXTRA_CA_CERTS: _, AWS_CA_BUNDLE: __, SSL_CERT_DIR: ___, ...others } = process.env;
  const env = { ...others, SSL_CERT_FILE: known.file, ...variables };
  const child = spawn(process.execPath, ['-e', code], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  await new Promise(resolve => child.on('close', resolve));
  return JSON.parse(output) as { found: string; warnings: string[] };
}

const NOTHING = { found: 'nothing', warnings: [] };

test('NODE_EXTRA_CA_CERTS counts besides the usual ones', async () => {
  const extra = { NODE_EXTRA_CA_CERTS: company.file };
  assert.match((await asked(company, {}, {})).found, /certificate/);
  assert.deepEqual(await asked(company, {}, extra), NOTHING);
  assert.deepEqual(await asked(known, {}, extra), NOTHING);
  assert.deepEqual(
    await asked(known, {}, { ...extra, SSL_CERT_FILE: '', AWS_CA_BUNDLE: known.file }),
    NOTHING,
  );
});

const knowsItsOwn = 'getCACertificates' in (require('node:tls') as object);
const tooOld =
  'this Node.js does not tell what it has read: the variable counts as it was when the package was loaded';

test('it counts as it was when the process started', { skip: knowsItsOwn ? false : tooOld }, async () => {
  const set = `process.env.NODE_EXTRA_CA_CERTS = '${company.file}';`;
  assert.match((await asked(company, {}, {}, set)).found, /certificate/);
  const gone = "process.env.NODE_EXTRA_CA_CERTS = '/no/such/file';";
  assert.deepEqual(await asked(company, {}, { NODE_EXTRA_CA_CERTS: company.file }, gone), NOTHING);
});

test('a list that the program gives itself goes alone', async () => {
  const extra = { NODE_EXTRA_CA_CERTS: company.file };
  assert.match((await asked(company, { caBundle: known.file }, extra)).found, /certificate/);
  assert.match((await asked(company, { extraCaBundle: known.file }, extra)).found, /certificate/);
  assert.deepEqual(await asked(company, { extraCaBundle: company.file }, {}), NOTHING);
  assert.deepEqual(await asked(company, { extraCaBundle: readFileSync(company.file, 'utf8') }, {}), NOTHING);
});

test('a file that cannot be read is a warning, and what stands before damage is taken', async () => {
  const missing = join(folder, 'missing.pem');
  const { found, warnings } = await asked(known, {}, { NODE_EXTRA_CA_CERTS: missing });
  assert.equal(found, 'nothing');
  assert.equal(warnings.length, 1);
  assert(warnings[0]!.includes('NODE_EXTRA_CA_CERTS') && warnings[0]!.includes(missing), warnings[0]);
  const damaged = join(folder, 'damaged.pem');
  const broken = '-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n';
  writeFileSync(damaged, `ours\n${readFileSync(company.file, 'utf8')}\n${broken}`);
  assert.deepEqual(await asked(company, {}, { NODE_EXTRA_CA_CERTS: damaged }), NOTHING);
});
