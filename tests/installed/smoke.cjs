// As smoke.py.

const assert = require('node:assert/strict');
const { FlagStore, libraryVersion } = require('flagstore');

const [endpoint, prefix] = process.argv.slice(2);
const payload = version => `{"key":"flag","version":${version},"salt":"ä漢"}`;
const local = { endpoint, region: 'eu-west-1', accessKeyId: 'local', secretAccessKey: 'local' };

async function main() {
  const store = FlagStore.open({ table: 'flags', prefix, ...local });
  assert(!(await store.initialized()));
  assert.equal((await store.initJson(`{"flags":{"flag":${payload(1)}}}`)).written, 1);
  assert.equal((await store.get('features', 'flag')).item, payload(1));
  assert((await store.upsert('features', 'flag', { version: 2, item: payload(2) })).outcome === 'written');
  assert.equal((await store.get('features', 'flag')).item, payload(2));
  assert(await store.initialized());
  store.close();
  console.log('used', libraryVersion());
}

void main();
