// The store alone.
import { strict as assert } from 'node:assert';
// SHOWN(bindings/node/README.md, 5)

const again = FlagStore.open({ table: 'my-table', prefix: 'production' });
const flag = await again.get('features', 'my-flag');
assert.deepEqual([flag.version, flag.deleted], [3, true]);
again.close();

// SHOWN(bindings/node/README.md, 6)
assert(findings.every(finding => finding.level === 'ok'));
