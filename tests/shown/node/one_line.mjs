// The SDK's client with a store of this library in it.
import { init as start } from '@launchdarkly/node-server-sdk';

const sdkKey = 'sdk-key';
const clients = [];
const init = (key, options) => clients.push(start(key, { ...options, offline: true })) && clients.at(-1);
// SHOWN(README.md, 1)
clients.forEach(one => one.close());
