// The load of one process: the official Node.js SDK evaluates flags in many loops. Argument and notes as in python.py.

const { appendFileSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const binding = join(__dirname, '..', '..', 'bindings', 'node');
const { init } = require(join(binding, 'node_modules', '@launchdarkly', 'node-server-sdk'));
const { DynamoDBFeatureStore } = require(join(binding, 'dist', 'src', 'launchdarkly.js'));

const PAUSE_MS = 5;
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

async function main(load) {
  const { table, prefix, ...options } = load.options;
  const camelCase = name => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const storeOptions = Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
  const client = init('sdk-key', {
    featureStore: DynamoDBFeatureStore(table, { prefix, cacheTTL: 0, storeOptions }),
    useLdd: true,
    sendEvents: false,
    logger: QUIET,
  });
  await client.waitForInitialization({ timeout: 10 });
  let over = false;
  process.stdin.on('end', () => (over = true)).resume();
  async function evaluate(number) {
    const notes = join(load.notes, `${number}.txt`);
    let lines = '';
    for (let count = 1; !over; count++) {
      const key = `flag${Math.floor(Math.random() * load.flags)}`;
      const begun = process.hrtime.bigint();
      const value = await client.variation(key, { kind: 'user', key: 'somebody' }, 'DEFAULT');
      lines += `${Date.now()} ${(process.hrtime.bigint() - begun) / 1000n} ${value}\n`;
      if (count % 100 === 1) {
        appendFileSync(notes, lines);
        lines = '';
      }
      await sleep(PAUSE_MS);
    }
    appendFileSync(notes, lines);
  }
  await Promise.all(Array.from({ length: load.threads }, (_, number) => evaluate(number)));
  client.close();
}

void main(JSON.parse(process.argv[2]));
