// 100 gets at once through the Node.js binding: flagstore_gets.cjs URL
// For each line of its input it prints the seconds of one get and of 100 at once, and the longest time in which the
// event loop had no turn meanwhile.

const { monitorEventLoopDelay } = require("node:perf_hooks");
const readline = require("node:readline");
const { FlagStore } = require("../../bindings/node");

const AT_ONCE = 100;

const store = FlagStore.open({
  table: "flags",
  endpoint: process.argv[2],
  region: "us-east-1",
  accessKeyId: "bench",
  secretAccessKey: "bench",
});
const delay = monitorEventLoopDelay({ resolution: 1 });

async function seconds(gets) {
  const start = process.hrtime.bigint();
  await Promise.all(Array.from({ length: gets }, () => store.get("features", "flag-000000")));
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function turns(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function main() {
  await seconds(AT_ONCE); // opens the connections
  console.log("ready");
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const one = await seconds(1);
    delay.enable();
    await turns(5);
    delay.reset();
    const all = await seconds(AT_ONCE);
    await turns(3);
    delay.disable();
    console.log(JSON.stringify({ one, all, blocked: delay.max / 1e9 }));
  }
  store.close();
}

main();
