/**
 * The DynamoDB integration that LaunchDarkly publishes for Node.js, as a peer on the same table: reads one JSON command a
 * line, [prefix, method, argument...], and answers each with one line. Ends with its standard input.
 *
 * A process of its own, with packages of its own: it plugs into an SDK that is older than the one that this package serves.
 */

'use strict';

const { createInterface } = require('node:readline');

// The client that the integration is made for prints that it is old.
process.env['AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE'] = '1';

const { DynamoDBFeatureStore } = require('launchdarkly-node-server-sdk-dynamodb');
const kinds = require('launchdarkly-node-server-sdk/versioned_data_kind');

const KINDS = { features: kinds.features, segments: kinds.segments };

/** A failure is told to the logger alone. */
const LOGGER = {
  error: message => {
    throw new Error(message);
  },
  warn: console.error,
  info: () => {},
  debug: () => {},
};

main();

async function main() {
  const [table, options] = [process.argv[2], JSON.parse(process.argv[3])];
  for await (const line of createInterface(process.stdin)) {
    const [prefix, method, ...values] = JSON.parse(line);
    const create = DynamoDBFeatureStore(table, { clientOptions: options, prefix, cacheTTL: 0 });
    const store = create({ logger: LOGGER });
    console.log(JSON.stringify((await answer(store, method, values)) ?? null));
    store.close();
  }
}

function answer(store, method, values) {
  const takesKind = method !== 'init' && method !== 'initialized';
  if (takesKind) values[0] = KINDS[values[0]];
  return new Promise(resolve => store[method](...values, resolve));
}
