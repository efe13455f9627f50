// c/fresh.c for the AWS SDK for JavaScript: fresh.cjs URL GETS [CA FILE]

const fs = require("node:fs");

function resident() {
  return Number(/^Rss:\s+(\d+)/m.exec(fs.readFileSync("/proc/self/smaps_rollup", "utf8"))[1]) * 1024;
}

async function main() {
  const [endpoint, gets, ca] = process.argv.slice(2);
  const before = resident();
  const start = process.hrtime.bigint();
  const { DynamoDBClient, GetItemCommand } = require("@aws-sdk/client-dynamodb");
  const client = new DynamoDBClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
    ...(ca && { requestHandler: { httpsAgent: { ca: fs.readFileSync(ca) } } }),
  });
  const get = () =>
    client.send(
      new GetItemCommand({
        TableName: "flags",
        Key: { namespace: { S: "features" }, key: { S: "flag-000000" } },
        ConsistentRead: true,
      }),
    );
  await get();
  const first = Number(process.hrtime.bigint() - start) / 1e9;
  const afterFirst = resident();
  for (let number = 1; number < Number(gets); number++) {
    await get();
  }
  console.log(JSON.stringify({ first, memory: { before, first: afterFirst, all: resident() } }));
  process.exit(0);
}

main();
