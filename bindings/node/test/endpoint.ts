/** Starts the DynamoDB endpoints of the tests as processes that end with the test file, and reads rows past the library. */

import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { after } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { FlagStore, type FlagStoreOptions } from '../src/index.js';

export const REPOSITORY = join(__dirname, '..', '..', '..', '..');
export const PROJECT = join(REPOSITORY, 'bindings', 'node');
export const SOURCES = join(__dirname, '..', 'src');
export const TABLE = 'flags';
export const SECRET = 'secret-that-must-not-show';

process.env['FLAGSTORE_LIBRARY'] ||= join(REPOSITORY, 'target', 'release', 'libflagstore.so');
export const LIBRARY = process.env['FLAGSTORE_LIBRARY'];

export interface Endpoint {
  readonly url: string;
  /** What a store needs to use it. */
  readonly options: FlagStoreOptions;
  /** The same for the SDK's stores. */
  readonly clientOptions: {
    region: string;
    endpoint: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
}

/** `flagstore-local`, with an empty table. */
export function local(): Promise<Endpoint> {
  const program = process.env['FLAGSTORE_LOCAL'] || join(REPOSITORY, 'target', 'release', 'flagstore-local');
  assert(existsSync(program), `there is no ${program}: build flagstore-local, or name it in FLAGSTORE_LOCAL`);
  return endpoint(program, ['--table', TABLE]);
}

/** npm's dynalite, the second endpoint of the tests. */
export function dynalite(): Promise<Endpoint> {
  return endpoint(join(REPOSITORY, 'tests', 'dynalite', 'start'), ['--table', TABLE]);
}

async function endpoint(program: string, args: string[]): Promise<Endpoint> {
  return endpointAt((await started(program, args)).url);
}

export function endpointAt(url: string): Endpoint {
  const [region, accessKeyId, secretAccessKey] = ['us-east-1', 'test', SECRET];
  return {
    url,
    options: { table: TABLE, endpoint: url, region, accessKeyId, secretAccessKey },
    clientOptions: { region, endpoint: url, credentials: { accessKeyId, secretAccessKey } },
  };
}

/** What the fault endpoint writes down about a request. */
export interface Request {
  readonly operation: string;
  readonly namespace: string;
  readonly key: string;
  readonly action: string;
}

/** An endpoint that fails when it is told to, in front of another one; see tests/faults/README.md. */
export class Faults {
  static async inFrontOf(upstream: Endpoint): Promise<Faults> {
    const program = join(REPOSITORY, 'tests', 'faults', 'endpoint');
    const { url, control } = await started(program, ['--upstream', upstream.url, '--seed', '7']);
    return new Faults(endpointAt(url), control!);
  }

  private constructor(
    readonly endpoint: Endpoint,
    readonly control: string,
  ) {}

  /** Replaces the rules, lets go whoever is held, and forgets the requests until now. */
  async script(...rules: object[]): Promise<void> {
    await this.post('/reset', {});
    await this.post('/script', { rules });
  }

  async wait(condition: object): Promise<void> {
    await this.post('/wait', condition);
  }

  async release(): Promise<void> {
    await this.post('/release', {});
  }

  async log(): Promise<Request[]> {
    return ((await this.post('/log', {})) as { requests: Request[] }).requests;
  }

  private async post(path: string, body: object): Promise<unknown> {
    const answer = await fetch(this.control + path, { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.text();
    assert(answer.ok, `the fault endpoint says to ${path}: ${text}`);
    return JSON.parse(text);
  }
}

async function started(program: string, args: string[]): Promise<{ url: string; control?: string }> {
  const child = spawn(program, [...args, '--exit-with-stdin'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  for await (const line of lines) {
    // From here on it neither keeps this process alive nor outlives it, since its standard input ends with it.
    for (const pipe of [child, child.stdin as Socket, child.stdout as Socket]) pipe.unref();
    return JSON.parse(line) as { url: string; control?: string };
  }
  throw new Error(`${program} ended before it was ready`);
}

let prefixes = 0;

/** A prefix that no other test has. */
export function newPrefix(): string {
  return `node-${process.pid}-${++prefixes}`;
}

/** Opens a store that is closed with the test. */
export function open(options: FlagStoreOptions): FlagStore {
  const store = FlagStore.open(options);
  after(() => store.close());
  return store;
}

type Attributes = Record<string, object>;

/** Reads and writes the rows of one prefix past the library. */
export class Rows {
  constructor(
    private readonly endpoint: Endpoint,
    private readonly prefix: string,
  ) {}

  async put(kind: string, key: string, attributes: Attributes): Promise<void> {
    await request(this.endpoint, 'PutItem', {
      TableName: TABLE,
      Item: { ...this.key(kind, key), ...attributes },
    });
  }

  /** Writes one of the rows whose sort key is their namespace. */
  putSpecial(name: string, attributes: Attributes): Promise<void> {
    return this.put(name, `${this.prefix}:${name}`, attributes);
  }

  /** The row's attributes besides its key. */
  async get(kind: string, key: string): Promise<Attributes | undefined> {
    const question = { TableName: TABLE, Key: this.key(kind, key), ConsistentRead: true };
    const { Item: row } = (await request(this.endpoint, 'GetItem', question)) as { Item?: Attributes };
    if (row === undefined) return undefined;
    const { namespace: _, key: __, ...others } = row;
    return others;
  }

  private key(kind: string, key: string): Attributes {
    return { namespace: { S: `${this.prefix}:${kind}` }, key: { S: key } };
  }
}

/** One request, signed in form only: local endpoints want a signature and do not check it. */
export async function request(endpoint: Endpoint, operation: string, body: object): Promise<unknown> {
  const answer = await fetch(endpoint.url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      'Content-Type': 'application/x-amz-json-1.0',
      'X-Amz-Target': `DynamoDB_20120810.${operation}`,
      'X-Amz-Date': '20260101T000000Z',
      Authorization:
        'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    },
  });
  const text = await answer.text();
  assert(answer.ok, text);
  return JSON.parse(text);
}

/** Asks until the answer is the expected one; fails with what it is otherwise when ten seconds are over. */
export async function until<Value>(ask: () => Promise<Value>, expected: unknown): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (isDeepStrictEqual(answer, expected)) return;
    if (performance.now() > end) assert.deepEqual(answer, expected);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Collects what a store logs. */
export class Log {
  readonly lines: string[] = [];
  readonly error = (message: string): void => this.add('error', message);
  readonly warn = (message: string): void => this.add('warn', message);
  readonly info = (message: string): void => this.add('info', message);
  readonly debug = (message: string): void => this.add('debug', message);

  at(level: string): string[] {
    return this.lines.filter(line => line.startsWith(`${level}: `));
  }

  private add(level: string, message: string): void {
    this.lines.push(`${level}: ${message}`);
  }
}
