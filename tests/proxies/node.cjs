// One call of one process, as in python.py.

const { join } = require('node:path');
const { FlagStore, FlagStoreError } = require(join(__dirname, '..', '..', 'bindings', 'node', 'dist', 'src', 'index.js'));

async function main(given) {
  const camelCase = name => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const options = Object.fromEntries(Object.entries(given).map(([name, value]) => [camelCase(name), value]));
  try {
    const store = FlagStore.open(options);
    console.log((await store.get('features', 'flag')).item);
    store.close();
  } catch (error) {
    if (!(error instanceof FlagStoreError)) throw error;
    console.log(error.message);
    process.exitCode = 1;
  }
}

void main(JSON.parse(process.argv[2]));
