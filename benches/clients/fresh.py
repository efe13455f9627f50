"""c/fresh.c for Python: fresh.py boto3|flagstore GETS OPTIONS, with the options of boto3.client or flagstore.Store."""

import json
import sys
import time


def main():
    what, gets, options = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    before, start = resident(), time.perf_counter()
    get = {"boto3": with_boto3, "flagstore": with_flagstore}[what](options)
    get("flag-000000")
    first, after_first = time.perf_counter() - start, resident()
    for _ in range(1, gets):
        get("flag-000000")
    print(json.dumps({"first": first, "memory": {"before": before, "first": after_first, "all": resident()}}))


def with_boto3(options):
    import boto3

    client = boto3.client("dynamodb", **options)

    def get(key):
        answer = client.get_item(
            TableName="flags", Key={"namespace": {"S": "features"}, "key": {"S": key}}, ConsistentRead=True
        )
        return answer["Item"]["item"]["S"]

    return get


def with_flagstore(options):
    from flagstore import Store

    store = Store(**options)
    return lambda key: store.get("features", key).item


def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))


main()
