// Uncached gets with the AWS SDK for JavaScript, one after another: aws_sdk_get.cjs URL
// The protocol is that of c/blocks.h.

const { DynamoDBClient, GetItemCommand } = require("@aws-sdk/client-dynamodb");
const readline = require("node:readline");

const client = new DynamoDBClient({
  endpoint: process.argv[2],
  region: "us-east-1",
  credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
});

async function get() {
  const answer = await client.send(
    new GetItemCommand({
      TableName: "flags",
      Key: { namespace: { S: "features" }, key: { S: "flag-000000" } },
      ConsistentRead: true,
    }),
  );
  return answer.Item.item.S;
}

async function main() {
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const calls = Number(line);
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    for (let made = 0; made < calls; made++) {
      await get();
    }
    const wall = Number(process.hrtime.bigint() - start) / 1e9;
    const used = process.cpuUsage(cpu);
    console.log(JSON.stringify({ calls, wall, cpu: (used.user + used.system) / 1e6 }));
  }
}

main();
