/** The real SDK, in daemon mode, evaluates what this package stored: all of the harness's server-side cases. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { init, type LDContext, type LDEvaluationDetail } from '@launchdarkly/node-server-sdk';

import { DynamoDBFeatureStore } from '../src/launchdarkly.js';
import { type Endpoint, local, Log, newPrefix, open, REPOSITORY, TABLE } from './endpoint.js';

interface Evaluation {
  readonly flagKey: string;
  readonly context: LDContext;
  readonly default?: unknown;
  readonly expect: object;
}

interface DataSet {
  readonly name: string;
  readonly flags: object;
  readonly segments: object;
  readonly evaluations: readonly Evaluation[];
}

const DATA = readFileSync(join(REPOSITORY, 'tests', 'data', 'evaluations.json'), 'utf8');
const { suites: dataSets } = JSON.parse(DATA) as { suites: DataSet[] };

let endpoint: Endpoint;
before(async () => {
  endpoint = await local();
});

test('the data is complete', () => {
  assert.equal(dataSets.length, 300);
  assert.equal(dataSets.flatMap(({ evaluations }) => evaluations).length, 720);
});

for (const { name, flags, segments, evaluations } of dataSets) {
  test(`the SDK evaluates: ${name}`, async () => {
    const prefix = newPrefix();
    await open({ ...endpoint.options, prefix }).initJson(JSON.stringify({ flags, segments }));
    const featureStore = DynamoDBFeatureStore(TABLE, {
      clientOptions: endpoint.clientOptions,
      prefix,
      cacheTTL: 0,
    });
    const client = init('sdk-key', { featureStore, useLdd: true, sendEvents: false, logger: new Log() });
    try {
      await client.waitForInitialization({ timeout: 10 });
      const answers = [];
      for (const { flagKey, context, default: fallback } of evaluations) {
        answers.push(answer(await client.variationDetail(flagKey, context, fallback)));
      }
      assert.deepEqual(
        answers,
        evaluations.map(({ expect }) => expect),
      );
    } finally {
      client.close();
    }
  });
}

/** The SDK's answer in the form of the expected one. */
function answer({ value, variationIndex, reason }: LDEvaluationDetail): unknown {
  const index = typeof variationIndex === 'number' ? { variationIndex } : {};
  return JSON.parse(JSON.stringify({ value: value ?? null, reason, ...index }));
}
