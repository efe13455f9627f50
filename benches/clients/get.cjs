// Gets through the Node.js binding, one after another, and the least that a cached one can cost: one call into compiled
// code that gives a copy of the payload. What the binding adds to that is a promise, since it never blocks.
//
//     get.cjs flagstore URL CACHE_TTL_MS
//     get.cjs floor ADDON BYTES
//
// The protocol is that of c/blocks.h, without the time of the processor.

const readline = require("node:readline");

const [what, first, second] = process.argv.slice(2);

function flagstore(endpoint, cacheTtlMs) {
  const { FlagStore } = require("../../bindings/node");
  const credentials = { accessKeyId: "bench", secretAccessKey: "bench" };
  const store = FlagStore.open({ table: "flags", endpoint, region: "us-east-1", cacheTtlMs, ...credentials });
  return async (count) => {
    for (let made = 0; made < count; made++) {
      await store.get("features", "flag-000000");
    }
  };
}

function floor(addon, bytes) {
  const { payload } = require(addon);
  payload(bytes);
  return async (count) => {
    for (let made = 0; made < count; made++) {
      payload();
    }
  };
}

async function main() {
  const calls = what === "flagstore" ? flagstore(first, Number(second)) : floor(first, Number(second));
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const count = Number(line);
    const start = process.hrtime.bigint();
    await calls(count);
    console.log(JSON.stringify({ calls: count, wall: Number(process.hrtime.bigint() - start) / 1e9 }));
  }
  process.exit(0);
}

main();
