// evaluations.py with the official Node.js SDK, which only reads.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { isDeepStrictEqual } = require('node:util');

const ROOT = join(__dirname, '..', '..');
const binding = join(ROOT, 'bindings', 'node');
const { init } = require(join(binding, 'node_modules', '@launchdarkly', 'node-server-sdk'));
const { DynamoDBFeatureStore } = require(join(binding, 'dist', 'src', 'launchdarkly.js'));

const DATA = join(ROOT, 'tests', 'data', 'evaluations.json');
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

async function main(load) {
  const begun = process.hrtime.bigint();
  const { table, prefix: _, ...options } = load.options;
  const camelCase = name => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const storeOptions = Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
  const wrong = [];
  let total = 0;
  const { suites } = JSON.parse(readFileSync(DATA, 'utf8'));
  for (const [number, suite] of suites.slice(0, load.limit).entries()) {
    const featureStore = DynamoDBFeatureStore(table, { prefix: `newborn-${number}`, cacheTTL: 0, storeOptions });
    const client = init('sdk-key', { featureStore, useLdd: true, sendEvents: false, logger: QUIET });
    await client.waitForInitialization({ timeout: 10 });
    for (const { flagKey, context, default: fallback, expect } of suite.evaluations) {
      const got = answer(await client.variationDetail(flagKey, context, fallback));
      total++;
      if (!isDeepStrictEqual(got, expect)) {
        wrong.push(`${suite.name}: ${flagKey}: ${JSON.stringify(got)} is not ${JSON.stringify(expect)}`);
      }
    }
    client.close();
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  console.log(JSON.stringify({ right: total - wrong.length, total, wrong: wrong.slice(0, 5), seconds }));
}

/** The SDK's answer in the form of the expected one. */
function answer({ value, variationIndex, reason }) {
  const index = typeof variationIndex === 'number' ? { variationIndex } : {};
  return JSON.parse(JSON.stringify({ value: value ?? null, reason, ...index }));
}

void main(JSON.parse(process.argv[2]));
