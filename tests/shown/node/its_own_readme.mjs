// The SDK's client with a store of this library in it.
import { init as start } from '@launchdarkly/node-server-sdk';

const init = (key, options) => start(key, { ...options, offline: true });
// SHOWN(bindings/node/README.md, 1)
client.close();
// SHOWN(bindings/node/README.md, 4)
