"""Uncached gets with boto3, as the SDK's own integration makes them: boto3_get.py OPTIONS"""

import json
import sys

import boto3
from blocks import serve

client = boto3.client("dynamodb", **json.loads(sys.argv[1]))


def get():
    answer = client.get_item(
        TableName="flags", Key={"namespace": {"S": "features"}, "key": {"S": "flag-000000"}}, ConsistentRead=True
    )
    return answer["Item"]["item"]["S"]


def calls(count):
    for _ in range(count):
        get()


serve(calls)
